//! Pure state machines: broker, coordinator, clients.
