//! The shell of a broker.

mod clients;
mod metadata;
mod versions;
