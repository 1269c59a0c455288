//! The first release of each line in which something changed.

use super::KafkaVersion;

pub(super) const V0_10: KafkaVersion = KafkaVersion::patched(0, 10, 0);
pub(super) const V0_11: KafkaVersion = KafkaVersion::patched(0, 11, 0);
pub(super) const V1_0: KafkaVersion = KafkaVersion::patched(1, 0, 0);
pub(super) const V1_1: KafkaVersion = KafkaVersion::patched(1, 1, 0);
pub(super) const V2_0: KafkaVersion = KafkaVersion::patched(2, 0, 0);
pub(super) const V2_1: KafkaVersion = KafkaVersion::patched(2, 1, 0);
pub(super) const V2_2: KafkaVersion = KafkaVersion::patched(2, 2, 0);
pub(super) const V2_3: KafkaVersion = KafkaVersion::patched(2, 3, 0);
pub(super) const V2_4: KafkaVersion = KafkaVersion::patched(2, 4, 0);
pub(super) const V2_5: KafkaVersion = KafkaVersion::patched(2, 5, 0);
pub(super) const V2_6: KafkaVersion = KafkaVersion::patched(2, 6, 0);
pub(super) const V2_7: KafkaVersion = KafkaVersion::patched(2, 7, 0);
pub(super) const V2_8: KafkaVersion = KafkaVersion::patched(2, 8, 0);
pub(super) const V3_0: KafkaVersion = KafkaVersion::patched(3, 0, 0);
pub(super) const V3_1: KafkaVersion = KafkaVersion::patched(3, 1, 0);
pub(super) const V3_2: KafkaVersion = KafkaVersion::patched(3, 2, 0);
pub(super) const V3_3: KafkaVersion = KafkaVersion::patched(3, 3, 0);
pub(super) const V3_4: KafkaVersion = KafkaVersion::patched(3, 4, 0);
pub(super) const V3_5: KafkaVersion = KafkaVersion::patched(3, 5, 0);
pub(super) const V3_6: KafkaVersion = KafkaVersion::patched(3, 6, 0);
pub(super) const V3_7: KafkaVersion = KafkaVersion::patched(3, 7, 0);
pub(super) const V3_8: KafkaVersion = KafkaVersion::patched(3, 8, 0);
pub(super) const V3_9: KafkaVersion = KafkaVersion::patched(3, 9, 0);
