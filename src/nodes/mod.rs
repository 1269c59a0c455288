//! Pure state machines: broker, coordinator, clients.

pub mod coordinator;
pub mod session;
