//! Where a store is, as a value: `sqlite:PATH` and `redis://..` for records, `file:PATH` and `s3://..` for blobs.
//!
//! What is read here is shown again without its password, also in errors: text that cannot be read is not repeated.

mod redis;
mod s3;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::closest;

pub use self::redis::RedisUrl;
pub use self::s3::{Checksums, S3Url};

/// Where records and documents are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsAt {
    /// In SQLite below this folder.
    Sqlite(PathBuf),
    /// In Redis.
    Redis(RedisUrl),
}

/// Where blobs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobsAt {
    /// In files below this folder.
    File(PathBuf),
    /// In S3, or what speaks its language.
    S3(Box<S3Url>),
}

/// Why a text is no place of a store. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LocationError(String);

impl LocationError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// What begins a place of records.
const RECORDS: [&str; 4] = ["sqlite", "redis", "rediss", "memory"];
/// What begins a place of blobs.
const BLOBS: [&str; 2] = ["file", "s3"];
/// The places of records, for messages.
const RECORDS_ARE: &str = "a folder, sqlite:FOLDER, redis://HOST or rediss://HOST";
/// The places of blobs, for messages.
const BLOBS_ARE: &str = "a folder, file:FOLDER or s3://BUCKET/PREFIX";

impl RecordsAt {
    /// Reads a place; a path is seen from `folder`. Text without a scheme is a folder.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, LocationError> {
        match split(text) {
            None | Some(("sqlite", _)) => Ok(Self::Sqlite(path(text, "sqlite", folder, RECORDS_ARE)?)),
            Some(("redis" | "rediss", _)) => RedisUrl::parse(text).map(Self::Redis),
            Some((scheme @ ("file" | "s3"), _)) => Err(LocationError::new(format!(
                "{scheme} holds blobs and no records: give it with --blobs, and here {RECORDS_ARE}"
            ))),
            Some((scheme, _)) => Err(unknown(scheme, &RECORDS, RECORDS_ARE)),
        }
    }

    /// Whether more than one machine can reach it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }
}

impl BlobsAt {
    /// Reads a place; a path is seen from `folder`. Text without a scheme is a folder.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, LocationError> {
        match split(text) {
            None | Some(("file", _)) => Ok(Self::File(path(text, "file", folder, BLOBS_ARE)?)),
            Some(("s3", _)) => S3Url::parse(text).map(|url| Self::S3(Box::new(url))),
            Some((scheme @ ("redis" | "rediss" | "sqlite" | "memory"), _)) => Err(LocationError::new(format!(
                "{scheme} holds records and no blobs: give it with --store, and here {BLOBS_ARE}"
            ))),
            Some((scheme, _)) => Err(unknown(scheme, &BLOBS, BLOBS_ARE)),
        }
    }

    /// Whether more than one machine can reach it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::S3(_))
    }
}

impl fmt::Display for RecordsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(folder) => write!(f, "sqlite:{}", folder.display()),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for BlobsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(folder) => write!(f, "file:{}", folder.display()),
            Self::S3(url) => url.fmt(f),
        }
    }
}

/// The scheme and what follows its colon. A path may have a colon, too, but not before its first slash or dot.
fn split(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_word = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-');
    is_word.then_some((scheme, rest))
}

fn path(text: &str, scheme: &str, folder: &Path, wanted: &str) -> Result<PathBuf, LocationError> {
    let path = split(text).filter(|(found, _)| *found == scheme).map_or(text, |(_, rest)| rest);
    // `file:///srv/blobs` is how other programs write it; two slashes alone would be the name of a host.
    let path = match path.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(LocationError::new(format!("{scheme}:FOLDER is wanted; {scheme}:// would begin with a host")));
        }
        None => path,
    };
    if path.is_empty() {
        return Err(LocationError::new(format!("{wanted} is wanted, found nothing")));
    }
    Ok(folder.join(path))
}

fn unknown(scheme: &str, known: &[&'static str], wanted: &str) -> LocationError {
    let near = closest(scheme, known.iter().copied());
    let near = near.map(|near| format!("did you mean {near}:? ")).unwrap_or_default();
    LocationError::new(format!("there are no {scheme}: stores; {near}it is {wanted}"))
}

/// A part of a URL without its %XX. None where they are no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let value = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<String, String> {
        let read = RecordsAt::parse(text, Path::new("/at"));
        read.map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    fn blobs(text: &str) -> Result<String, String> {
        let read = BlobsAt::parse(text, Path::new("/at"));
        read.map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    fn refused(read: Result<String, String>, part: &str) {
        let error = read.unwrap_err();
        assert!(error.contains(part), "{error:?} has no {part:?}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn folders_are_read_in_every_way_they_are_written() {
        for text in ["store", "sqlite:store", "sqlite:/at/store", "sqlite:///at/store", "/at/store"] {
            assert_eq!(records(text).as_deref(), Ok("sqlite:/at/store"), "{text}");
        }
        assert_eq!(records("./a:b").as_deref(), Ok("sqlite:/at/./a:b"));
        assert_eq!(blobs("file:blobs").as_deref(), Ok("file:/at/blobs"));
        assert_eq!(blobs("/b").as_deref(), Ok("file:/b"));
        refused(records("sqlite:"), "is wanted, found nothing");
        refused(records(""), "is wanted, found nothing");
        refused(blobs("file://host/x"), "would begin with a host");
    }

    #[test]
    fn a_wrong_scheme_says_what_was_meant() {
        refused(records("reddis://u:hunter2@h"), "did you mean redis:?");
        refused(records("postgres://u:hunter2@h"), "it is a folder, sqlite:FOLDER, redis://HOST");
        refused(records("s3://bucket"), "give it with --blobs");
        refused(blobs("redis://:hunter2@h"), "give it with --store");
        refused(blobs("files:x"), "did you mean file:?");
        refused(blobs("gs://bucket"), "it is a folder, file:FOLDER or s3://BUCKET/PREFIX");
    }

    #[test]
    fn what_is_shared_is_known() {
        let is_shared = |text| RecordsAt::parse(text, Path::new("/")).unwrap().is_shared();
        assert!(is_shared("redis://h") && is_shared("rediss://h") && !is_shared("/x"));
        assert!(BlobsAt::parse("s3://b", Path::new("/")).unwrap().is_shared());
    }
}
