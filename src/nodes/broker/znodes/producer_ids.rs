//! `/latest_producer_id_block`: the block of producer ids that was taken last (`ProducerIdBlockZNode`).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::payload::PayloadError;
use crate::vocab::BrokerId;

/// Ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const BLOCK_SIZE: i32 = 1_000;

#[derive(Serialize, Deserialize)]
struct Block {
    version: i32,
    broker: i32,
    /// Numbers are texts.
    block_start: String,
    block_end: String,
}

/// The block from `start` on, taken for a broker.
pub fn encode(broker: BrokerId, start: i64) -> Bytes {
    let block = Block {
        version: 1,
        broker: broker.0,
        block_start: start.to_string(),
        block_end: (start + i64::from(BLOCK_SIZE) - 1).to_string(),
    };
    serde_json::to_vec(&block).expect("it has no map").into()
}

/// Where the block behind the last one begins; the znode is empty before the first.
///
/// # Errors
/// When it holds something else.
pub fn next_start(data: &[u8]) -> Result<i64, PayloadError> {
    if data.is_empty() {
        return Ok(0);
    }
    let wrong = |why: String| PayloadError { what: "block of producer ids", why };
    let block: Block = serde_json::from_slice(data).map_err(|why| wrong(why.to_string()))?;
    let end: i64 = block.block_end.parse().map_err(|_| wrong(block.block_end))?;
    Ok(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_on_each_other_as_recorded() {
        // 0.11.0.3 to 3.9.1, after three blocks.
        let third = br#"{"version":1,"broker":3,"block_start":"2000","block_end":"2999"}"#;
        assert_eq!(encode(BrokerId(3), 2_000)[..], third[..]);
        assert_eq!(next_start(third).unwrap(), 3_000);
        assert_eq!(next_start(b"").unwrap(), 0);
        assert!(next_start(b"{}").is_err());
    }
}
