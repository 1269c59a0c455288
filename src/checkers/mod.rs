//! History → verdict.

pub mod interval;
