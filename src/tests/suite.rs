//! Tests of whole parts through their public faces.

mod zookeeper_vectors;
