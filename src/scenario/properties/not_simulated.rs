//! Properties of ZooKeeper that a scenario may not set, because the simulation does not obey them. For brokers, topics
//! and clients the tables of settings say it.

/// Properties that people set often in `zoo.cfg` and that the simulation does not obey.
pub const NOT_SIMULATED: &[&str] = &["forceSync", "preAllocSize"];
