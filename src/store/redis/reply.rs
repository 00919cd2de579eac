//! What a script answers, taken apart. Anything unexpected means that the store does not hold what this build has written.

use std::vec;

use bytes::Bytes;
use jiff::Timestamp;
use redis::Value;

use crate::seal::Sealed;

use super::super::StoreError;
use super::super::clock::timestamp;
use super::keys;

/// One value of an answer, with the server that gave it, for messages.
pub(super) struct Reply {
    value: Value,
    place: String,
}

impl Reply {
    pub(super) fn new(value: Value, place: &str) -> Self {
        Self { value, place: place.to_owned() }
    }

    fn wrong(&self, wanted: &str) -> StoreError {
        let reason = format!("it answers with something else where {wanted} is wanted");
        StoreError::Corrupt { what: self.place.clone(), reason }
    }

    /// The answer, unless it is none.
    pub(super) fn some(self) -> Option<Self> {
        if self.value == Value::Nil { None } else { Some(self) }
    }

    /// The values of a list.
    pub(super) fn list(self) -> Result<Fields, StoreError> {
        match self.value {
            Value::Array(values) => Ok(Fields { values: values.into_iter(), place: self.place }),
            _ => Err(self.wrong("a list")),
        }
    }

    pub(super) fn bytes(self) -> Result<Vec<u8>, StoreError> {
        match self.value {
            Value::BulkString(bytes) => Ok(bytes),
            Value::SimpleString(text) => Ok(text.into_bytes()),
            _ => Err(self.wrong("text")),
        }
    }

    pub(super) fn text(self) -> Result<String, StoreError> {
        let place = self.place.clone();
        String::from_utf8(self.bytes()?).map_err(|_| Self::new(Value::Nil, &place).wrong("text"))
    }

    pub(super) fn number(self) -> Result<u64, StoreError> {
        let number = match &self.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::BulkString(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        number.ok_or_else(|| self.wrong("a number"))
    }

    pub(super) fn time(self) -> Result<Timestamp, StoreError> {
        let place = self.place.clone();
        timestamp(self.number()?).ok_or_else(|| Self::new(Value::Nil, &place).wrong("a time"))
    }

    pub(super) fn sealed(self) -> Result<Sealed, StoreError> {
        Ok(Sealed::kept(Bytes::from(self.bytes()?)))
    }

    /// An id or a tag as it is.
    pub(super) fn id<const N: usize>(self) -> Result<[u8; N], StoreError> {
        let place = self.place.clone();
        self.bytes()?.try_into().map_err(|_| Self::new(Value::Nil, &place).wrong("an id"))
    }

    /// Ids, one after the other.
    pub(super) fn ids<const N: usize>(self) -> Result<Vec<[u8; N]>, StoreError> {
        let place = self.place.clone();
        let bytes = self.bytes()?;
        let (ids, rest) = bytes.as_chunks();
        if rest.is_empty() { Ok(ids.to_vec()) } else { Err(Self::new(Value::Nil, &place).wrong("ids")) }
    }

    /// A tag that is written as text.
    pub(super) fn tag<const N: usize>(self) -> Result<[u8; N], StoreError> {
        let place = self.place.clone();
        keys::unhex(&self.bytes()?).ok_or_else(|| Self::new(Value::Nil, &place).wrong("a tag"))
    }

    /// Each value of a list.
    pub(super) fn each<T>(self, read: impl FnMut(Self) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
        self.list()?.map(read).collect()
    }
}

/// The values of a list, one after the other.
pub(super) struct Fields {
    values: vec::IntoIter<Value>,
    place: String,
}

impl Fields {
    /// The next value, which has to be there; it may be none.
    pub(super) fn field(&mut self) -> Result<Reply, StoreError> {
        let end = Reply::new(Value::Nil, &self.place);
        self.next().ok_or_else(|| end.wrong("one value more"))
    }

    /// That an answer means something that this build does not know.
    pub(super) fn unknown(&self, status: &str) -> StoreError {
        let reason = format!("it answers {status:?}, which this Rhaven does not know");
        StoreError::Corrupt { what: self.place.clone(), reason }
    }
}

impl Iterator for Fields {
    type Item = Reply;

    fn next(&mut self) -> Option<Reply> {
        self.values.next().map(|value| Reply::new(value, &self.place))
    }
}
