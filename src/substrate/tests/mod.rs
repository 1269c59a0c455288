//! Tests of the world as a whole, through its interface.

mod bench;
mod network;
mod process;
mod soup;
mod watchdog;
