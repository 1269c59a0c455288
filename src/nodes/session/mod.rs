//! A client of the coordinator.
