//! Jute, the encoding of ZooKeeper: big-endian numbers, lengths of 4 bytes, −1 for null.
//!
//! Also what ZooKeeper writes to its disk.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use thiserror::Error;

/// Bytes that are not the expected value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JuteError {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Short,
    /// A length below −1, or beyond what a frame may have.
    #[error("a length of {0}")]
    Length(i32),
    /// A null where a value is needed.
    #[error("null where a value is needed")]
    Null,
    /// A string that is not UTF-8.
    #[error("a string that is not UTF-8")]
    NotUtf8,
    /// A number that names nothing: of an operation, a kind, a mode.
    #[error("{0} names nothing here")]
    Unknown(i32),
}

/// Encodes values one behind the other.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins an empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a frame: its first four bytes are room for the length, which [`Writer::frame`] fills in.
    pub fn framed() -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([0; 4]);
        Self { bytes }
    }

    /// Adds an int32.
    pub fn int(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// Adds an int64.
    pub fn long(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// Adds a boolean.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// Adds the length of a vector; its items follow.
    ///
    /// # Panics
    /// At 2³¹ items or more; so do the others at 2 GiB.
    pub fn count(&mut self, items: usize) {
        self.int(i32::try_from(items).expect("fewer than 2^31 items"));
    }

    /// Adds a buffer, which may be null.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(value) => {
                self.count(value.len());
                self.bytes.extend(value);
            }
        }
    }

    /// Adds a string.
    pub fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// Adds a vector of strings.
    pub fn strings(&mut self, values: &[Arc<str>]) {
        self.count(values.len());
        values.iter().for_each(|value| self.string(value));
    }

    /// Adds bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// How many bytes there are so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The record.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }

    /// The frame, its length filled in; the writer must have been begun with [`Writer::framed`].
    ///
    /// # Panics
    /// When it was not, or the payload has 2 GiB or more.
    pub fn frame(mut self) -> Bytes {
        let len = self.bytes.len().checked_sub(4).expect("begun as a frame");
        let len = i32::try_from(len).expect("a frame below 2 GiB");
        self.bytes[..4].copy_from_slice(&len.to_be_bytes());
        self.bytes.into()
    }
}

/// Decodes values one behind the other. Buffers are slices of the input, not copies.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Reads an int32.
    ///
    /// # Errors
    /// As in all readers of this type: when the bytes are no such value.
    pub fn int(&mut self) -> Result<i32, JuteError> {
        self.bytes.try_get_i32().map_err(|_| JuteError::Short)
    }

    /// Reads an int64.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn long(&mut self) -> Result<i64, JuteError> {
        self.bytes.try_get_i64().map_err(|_| JuteError::Short)
    }

    /// Reads a boolean; every byte but 0 is true.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn bool(&mut self) -> Result<bool, JuteError> {
        self.bytes.try_get_u8().map(|byte| byte != 0).map_err(|_| JuteError::Short)
    }

    /// Reads the length of a vector. Null reads as empty; a length is refused that the bytes left cannot
    /// hold, so that it is safe to set memory aside for it.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn count(&mut self) -> Result<usize, JuteError> {
        let items = self.length()?.unwrap_or(0);
        if items > self.bytes.len() { Err(JuteError::Short) } else { Ok(items) }
    }

    /// Reads a buffer, which may be null.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn buffer(&mut self) -> Result<Option<Bytes>, JuteError> {
        let Some(len) = self.length()? else { return Ok(None) };
        self.raw(len).map(Some)
    }

    /// Reads a string that is not null.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn string(&mut self) -> Result<Arc<str>, JuteError> {
        let bytes = self.buffer()?.ok_or(JuteError::Null)?;
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| JuteError::NotUtf8)
    }

    /// Reads a string; null reads as empty (kazoo writes empty strings as null).
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn string_or_empty(&mut self) -> Result<Arc<str>, JuteError> {
        let bytes = self.buffer()?.unwrap_or_default();
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| JuteError::NotUtf8)
    }

    /// Reads a vector of strings.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn strings(&mut self) -> Result<Vec<Arc<str>>, JuteError> {
        (0..self.count()?).map(|_| self.string()).collect()
    }

    /// Takes `len` bytes as they are.
    ///
    /// # Errors
    /// See [`Reader::int`].
    pub fn raw(&mut self, len: usize) -> Result<Bytes, JuteError> {
        if len > self.bytes.len() {
            return Err(JuteError::Short);
        }
        Ok(self.bytes.split_to(len))
    }

    fn length(&mut self) -> Result<Option<usize>, JuteError> {
        match self.int()? {
            -1 => Ok(None),
            len => usize::try_from(len).map(Some).map_err(|_| JuteError::Length(len)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_buffers_are_different() {
        for value in [None, Some(&b""[..]), Some(b"data")] {
            let mut writer = Writer::new();
            writer.buffer(value);
            let mut reader = Reader::new(writer.finish());
            assert_eq!(reader.buffer().unwrap().as_deref(), value);
            assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn bytes_that_spell_no_value_are_errors() {
        let read = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes));
        assert_eq!(read(b"\0\0\0").int(), Err(JuteError::Short));
        assert_eq!(read(b"\0\0\0\x02a").buffer(), Err(JuteError::Short));
        assert_eq!(read(b"\xff\xff\xff\xfe").buffer(), Err(JuteError::Length(-2)));
        assert_eq!(read(b"\xff\xff\xff\xff").string(), Err(JuteError::Null));
        assert_eq!(read(b"\0\0\0\x01\xff").string(), Err(JuteError::NotUtf8));
        assert_eq!(read(b"\x7f\xff\xff\xff").strings(), Err(JuteError::Short));
    }
}
