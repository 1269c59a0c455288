//! Compressed record batches, read without keeping the decompressed records.
//!
//! A leader decompresses what a producer sends, to see that there are as many records in it as its header says
//! (`LogValidator.validateMessagesAndAssignOffsetsCompressed`), and stores the batch as it came. So the records are
//! read from a stream that is decompressed piece by piece, and skipped. A client from outside can send a batch that
//! grows a thousandfold: no codec allocates an announced size, except the window of zstd, which is bounded, and the
//! decompressed size is bounded too.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::CompressionLevel;
use xxhash_rust::xxh3::Xxh3;

/// Largest window of a zstd frame, in bytes: what RFC 8878 wants every decoder to support.
const WINDOW_MAX: u64 = 8 << 20;
/// A snappy copy of three bytes makes at most 64.
const SNAPPY_GROWTH_MAX: usize = 22;
/// How the framing of snappy-java begins, in 8 bytes; two versions of 4 bytes follow.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
/// What snappy-java compresses at a time, in bytes.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// What is wrong with compressed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end too early, something follows them, or one of them does not decode.
    Records,
    /// They do not decompress.
    Codec,
    /// They decompress to more than there is room for.
    Size,
    /// The compression type does not exist.
    UnknownCodec(u8),
}

impl From<std::io::Error> for Fault {
    fn from(why: std::io::Error) -> Self {
        match why.kind() {
            ErrorKind::UnexpectedEof => Self::Records,
            _ => Self::Codec,
        }
    }
}

/// The compressed records of a batch, and what its header says about them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed<'a> {
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(super) codec: u8,
    pub(super) body: &'a [u8],
    /// How many records there are.
    pub(super) count: i32,
    /// The largest offset of a record, relative to the batch.
    pub(super) last_delta: i64,
}

/// Takes what is read of each record: its offset and its timestamp, relative to the batch, and a hash over key, value
/// and headers.
pub(super) type EachRecord<'a> = &'a mut dyn FnMut(i64, i64, u64);

impl Compressed<'_> {
    /// Checks that the records can be read, are as many as the header says, have offsets within the batch, and not
    /// more than `room` bytes, which becomes less by what they have. `each` gets every record on the way.
    pub(super) fn check(&self, room: &mut u64, each: Option<EachRecord<'_>>) -> Result<(), Fault> {
        let size = self.check_within(*room, each).inspect_err(|fault| {
            if *fault == Fault::Size {
                *room = 0;
            }
        })?;
        *room -= size;
        Ok(())
    }

    /// How many bytes they have.
    fn check_within(&self, limit: u64, each: Option<EachRecord<'_>>) -> Result<u64, Fault> {
        let body = self.body;
        match self.codec {
            0 => self.pass_all(body, limit, each),
            1 => self.pass_all(GzDecoder::new(body), limit, each),
            2 => Snappy::new(body).and_then(|snappy| self.pass_all(snappy, limit, each)),
            3 if !body.starts_with(&LZ4_MAGIC) => Err(Fault::Codec),
            3 => self.pass_all(FrameDecoder::new(body), limit, each),
            4 => StreamingDecoder::new_with_max_window_size(body, WINDOW_MAX)
                .map_err(|_| Fault::Codec)
                .and_then(|zstd| self.pass_all(zstd, limit, each)),
            unknown => Err(Fault::UnknownCodec(unknown)),
        }
    }

    /// Reads over the records of `stream`, which has to end behind the last one.
    fn pass_all(
        &self,
        stream: impl Read,
        limit: u64,
        mut each: Option<EachRecord<'_>>,
    ) -> Result<u64, Fault> {
        let hash = each.is_some().then(|| Box::new(Xxh3::new()));
        let mut records = Records { stream: BufReader::new(stream), read: 0, limit, hash };
        for _ in 0..self.count {
            let (offset, timestamp) = records.pass(self.last_delta)?;
            if let (Some(each), Some(hash)) = (&mut each, &mut records.hash) {
                each(offset, timestamp, hash.digest());
                hash.reset();
            }
        }
        if records.stream.fill_buf()?.is_empty() { Ok(records.read) } else { Err(Fault::Records) }
    }
}

/// Decompresses what has at most `limit` bytes.
pub(super) fn decompress(codec: u8, body: &[u8], limit: u64) -> Result<Vec<u8>, Fault> {
    let read_all = |stream: &mut dyn Read| {
        let mut bytes = Vec::new();
        stream.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(Fault::Size) } else { Ok(bytes) }
    };
    match codec {
        1 => read_all(&mut GzDecoder::new(body)),
        2 => read_all(&mut Snappy::new(body)?),
        3 if !body.starts_with(&LZ4_MAGIC) => Err(Fault::Codec),
        3 => read_all(&mut FrameDecoder::new(body)),
        4 => StreamingDecoder::new_with_max_window_size(body, WINDOW_MAX)
            .map_err(|_| Fault::Codec)
            .and_then(|mut zstd| read_all(&mut zstd)),
        unknown => Err(Fault::UnknownCodec(unknown)),
    }
}

/// Compresses as the Java client does: snappy and lz4 in frames of blocks, without checksums of the content.
///
/// # Panics
/// When there is no such compression type.
pub(super) fn compress(codec: u8, bytes: &[u8]) -> Vec<u8> {
    const TO_MEMORY: &str = "memory takes what is written";
    match codec {
        1 => {
            let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(bytes).expect(TO_MEMORY);
            gzip.finish().expect(TO_MEMORY)
        }
        2 => {
            let mut framed = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
            for piece in bytes.chunks(SNAPPY_BLOCK_BYTES) {
                let block = snap::raw::Encoder::new().compress_vec(piece).expect("a small block");
                framed.extend((block.len() as u32).to_be_bytes());
                framed.extend(block);
            }
            framed
        }
        3 => {
            let frame = FrameInfo::new().block_size(BlockSize::Max64KB);
            let mut lz4 = FrameEncoder::with_frame_info(frame, Vec::new());
            lz4.write_all(bytes).expect(TO_MEMORY);
            lz4.finish().expect(TO_MEMORY)
        }
        4 => ruzstd::encoding::compress_to_vec(bytes, CompressionLevel::Fastest),
        unknown => panic!("no compression type has number {unknown}"),
    }
}

/// Records of a stream, one after the other.
struct Records<R> {
    stream: BufReader<R>,
    /// Bytes that were read.
    read: u64,
    limit: u64,
    /// Over the fields of the record at hand, when somebody wants it.
    hash: Option<Box<Xxh3>>,
}

impl<R: Read> Records<R> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        self.read += 1;
        if self.read > self.limit { Err(Fault::Size) } else { Ok(byte[0]) }
    }

    fn varint(&mut self) -> Result<i64, Fault> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault::Records)
    }

    /// Goes over a field of an announced length; null has none.
    fn pass_field(&mut self) -> Result<(), Fault> {
        let length = self.varint()?;
        let mut rest = u64::try_from(length).unwrap_or(0);
        if let Some(hash) = &mut self.hash {
            hash.update(&length.to_le_bytes());
        }
        while rest > 0 {
            let there = self.stream.fill_buf()?;
            let step = usize::try_from(rest).unwrap_or(usize::MAX).min(there.len());
            if step == 0 {
                return Err(Fault::Records);
            }
            if let Some(hash) = &mut self.hash {
                hash.update(&there[..step]);
            }
            self.stream.consume(step);
            self.read += step as u64;
            rest -= step as u64;
            if self.read > self.limit {
                return Err(Fault::Size);
            }
        }
        Ok(())
    }

    /// Goes over one record, whose offset is at most `last_delta` behind that of its batch: its offset and timestamp.
    fn pass(&mut self, last_delta: i64) -> Result<(i64, i64), Fault> {
        let length = u64::try_from(self.varint()?).map_err(|_| Fault::Records)?;
        let end = self.read.saturating_add(length);
        let _attributes = self.byte()?;
        let timestamp_delta = self.varint()?;
        let offset_delta = self.varint()?;
        self.pass_field()?;
        self.pass_field()?;
        let headers = u64::try_from(self.varint()?).map_err(|_| Fault::Records)?;
        for _ in 0..headers {
            self.pass_field()?;
            self.pass_field()?;
        }
        if self.read == end && (0..=last_delta).contains(&offset_delta) {
            Ok((offset_delta, timestamp_delta))
        } else {
            Err(Fault::Records)
        }
    }
}

/// Snappy as snappy-java frames it, block by block, or as one block without a frame (librdkafka).
struct Snappy<'a> {
    blocks: &'a [u8],
    is_framed: bool,
    block: Vec<u8>,
    read: usize,
}

impl<'a> Snappy<'a> {
    fn new(body: &'a [u8]) -> Result<Self, Fault> {
        let is_framed = body.starts_with(XERIAL_MAGIC);
        let blocks = if is_framed { body.get(XERIAL_HEADER_BYTES..) } else { Some(body) };
        let blocks = blocks.ok_or(Fault::Codec)?;
        Ok(Self { blocks, is_framed, block: Vec::new(), read: 0 })
    }

    /// The next block, compressed.
    fn next_block(&mut self) -> Option<&'a [u8]> {
        if !self.is_framed {
            return Some(std::mem::take(&mut self.blocks));
        }
        let (length, rest) = self.blocks.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (block, rest) = rest.split_at_checked(length)?;
        self.blocks = rest;
        Some(block)
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.block.len() && !self.blocks.is_empty() {
            let block = self.next_block().ok_or(ErrorKind::InvalidData)?;
            // The length that it announces is made room for.
            let announced = snap::raw::decompress_len(block)?;
            if announced > block.len().saturating_mul(SNAPPY_GROWTH_MAX) {
                return Err(ErrorKind::InvalidData.into());
            }
            self.block = snap::raw::Decoder::new().decompress_vec(block)?;
            self.read = 0;
        }
        let size = (&self.block[self.read..]).read(buffer)?;
        self.read += size;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Seed;
    use crate::wire::records::{BATCH_HEADER_BYTES, Batch, BatchBuilder, DECOMPRESSED_MAX};

    /// 12 is snappy without frames.
    const CODECS: [u8; 5] = [1, 2, 3, 4, 12];

    fn plain(records: usize, value: &[u8]) -> Batch {
        let mut builder = BatchBuilder::new(1_000);
        for number in 0..records {
            builder.push(1_000 + number as i64, Some(b"key"), Some(value));
        }
        builder.build()
    }

    fn compressed(codec: u8, bytes: &[u8]) -> Vec<u8> {
        match codec {
            12 => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            _ => compress(codec, bytes),
        }
    }

    #[test]
    fn what_is_compressed_decompresses_within_its_bound() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n / 7) as u8).collect();
        for codec in CODECS {
            let body = compressed(codec, &bytes);
            let open = |limit| decompress(codec % 10, &body, limit);
            assert_eq!(open(bytes.len() as u64), Ok(bytes.clone()), "{codec}");
            assert_eq!(open(bytes.len() as u64 - 1), Err(Fault::Size), "{codec}");
        }
        assert_eq!(decompress(5, b"", 1), Err(Fault::UnknownCodec(5)));
    }

    /// The records of `batch` replaced by `body`, under that compression type.
    fn with_body<'a>(batch: &Batch, codec: u8, body: &'a [u8]) -> Compressed<'a> {
        let last_delta = batch.last_offset - batch.base_offset;
        Compressed { codec: codec & 7, body, count: batch.count(), last_delta }
    }

    #[test]
    fn a_record_has_the_same_hash_however_it_is_compressed() {
        let batch = plain(5, b"value");
        let records = &batch.bytes[BATCH_HEADER_BYTES..];
        let read = |codec: u8, body: &[u8]| {
            let mut read = Vec::new();
            let mut each = |offset, timestamp, hash| read.push((offset, timestamp, hash));
            with_body(&batch, codec % 10, body)
                .check(&mut { DECOMPRESSED_MAX }, Some(&mut each))
                .expect("they are whole");
            read
        };
        let plain = read(0, records);
        let places: Vec<_> =
            plain.iter().map(|(offset, timestamp, _)| (*offset, *timestamp)).collect();
        assert_eq!(places, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
        for codec in CODECS {
            assert_eq!(read(codec, &compressed(codec, records)), plain, "{codec}");
        }
        let mut hashes = Vec::new();
        let collect = |_, hash| hashes.push(hash);
        batch.stamped(700, 3).hashes(&mut { DECOMPRESSED_MAX }, collect).expect("they are whole");
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 5, "the timestamp counts too");
    }

    #[test]
    fn compressed_records_are_counted_and_bounded() {
        let batch = plain(40, &[7; 90]);
        let records = &batch.bytes[BATCH_HEADER_BYTES..];
        for codec in CODECS {
            let check = |records: &[u8]| {
                with_body(&batch, codec % 10, &compressed(codec, records))
                    .check(&mut { DECOMPRESSED_MAX }, None)
            };
            assert_eq!(check(records), Ok(()), "{codec}");
            assert_eq!(check(&records[..records.len() / 2]), Err(Fault::Records), "{codec}");
            assert_eq!(check(&[records, &[0]].concat()), Err(Fault::Records), "{codec}");
            let (body, size) = (compressed(codec, records), records.len() as u64);
            let whole = with_body(&batch, codec % 10, &body);
            assert_eq!(whole.check_within(size, None), Ok(size), "{codec}");
            assert_eq!(whole.check_within(size - 1, None), Err(Fault::Size), "{codec}");
        }
    }

    #[test]
    fn what_does_not_decompress_is_an_error_of_its_own() {
        let batch = plain(3, b"value");
        for codec in 1..=4 {
            let garbage = with_body(&batch, codec, &[0x5a; 200]);
            assert_eq!(
                garbage.check(&mut { DECOMPRESSED_MAX }, None),
                Err(Fault::Codec),
                "{codec}"
            );
        }
        for codec in 5..=7 {
            let unknown = with_body(&batch, codec, &[0x5a; 200]);
            assert_eq!(
                unknown.check(&mut { DECOMPRESSED_MAX }, None),
                Err(Fault::UnknownCodec(codec))
            );
        }
    }

    #[test]
    fn a_bomb_is_given_up_at_the_bound() {
        let batch = plain(1, &vec![0; 8 << 20]);
        let records = &batch.bytes[BATCH_HEADER_BYTES..];
        for codec in [1, 2, 3, 4] {
            let body = compressed(codec, records);
            assert!(body.len() < records.len() / 15, "{codec}: {} bytes", body.len());
            let bomb = with_body(&batch, codec, &body);
            assert_eq!(bomb.check_within(1 << 20, None), Err(Fault::Size), "{codec}");
        }
    }

    #[test]
    fn a_length_that_snappy_cannot_reach_is_not_made_room_for() {
        // Announces 2 GiB.
        let body = [&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0; 100]].concat();
        let batch = plain(1, b"value");
        let lie = with_body(&batch, 2, &body);
        assert_eq!(lie.check(&mut { DECOMPRESSED_MAX }, None), Err(Fault::Codec));
    }

    #[test]
    fn damaged_streams_are_errors_and_not_panics() {
        let mut stream = Seed(1).stream("fuzz/compressed");
        let values: Vec<u8> = (0..300).map(|_| stream.below(12) as u8).collect();
        let batch = plain(20, &values);
        for codec in CODECS {
            let body = compressed(codec, &batch.bytes[BATCH_HEADER_BYTES..]);
            for _ in 0..1_000 {
                let mut damaged = body.clone();
                for _ in 0..=stream.below(4) {
                    let at = stream.below(damaged.len() as u64) as usize;
                    match stream.below(3) {
                        0 => damaged[at] = stream.below(256) as u8,
                        1 => damaged[at] ^= 1 << stream.below(8),
                        _ => damaged.truncate(at.max(1)),
                    }
                }
                let _may_be_either =
                    with_body(&batch, codec % 10, &damaged).check(&mut { DECOMPRESSED_MAX }, None);
            }
        }
    }
}
