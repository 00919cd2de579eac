//! Sessions as files: taken out of a store and put into one, in three formats, without a browser. Each conversion says
//! by name what its format cannot hold.
//!
//! A file's way in: recognised, read into [`contents`] (`playwright`, `netscape`, `bundle`), checked (`cookie`), written as a
//! new version under the lease (`commit`).

mod bundle;
mod commit;
mod contents;
mod cookie;
mod databases;
mod dates;
mod error;
mod fields;
mod netscape;
mod playwright;
mod unicode;
mod values;

use std::time::Duration;

use zeroize::Zeroizing;

use self::commit::Target;
use self::contents::Contents;
use crate::base::{Secret, SessionId, Tenant, Version};

use super::{Partial, SessionError, Sessions};

pub use error::PortableError;

/// How a session is written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Playwright's `storageState`, JSON in clear: cookies, localStorage, IndexedDB.
    Playwright,
    /// Netscape's `cookies.txt`, in clear: cookies.
    Cookies,
    /// Ours, sealed under a passphrase: everything.
    Bundle,
}

impl Format {
    /// The name that a person gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playwright => "playwright",
            Self::Cookies => "cookies",
            Self::Bundle => "bundle",
        }
    }

    /// Whether whoever can read the file has the session.
    pub fn is_clear(self) -> bool {
        self != Self::Bundle
    }

    /// Which it is, by what stands in the file.
    pub fn recognise(bytes: &[u8]) -> Result<Self, PortableError> {
        if bundle::recognise(bytes) {
            return Ok(Self::Bundle);
        }
        let text = text(bytes).map_err(|_| PortableError::Unrecognised { found: "it is not text".to_owned() })?;
        let found = match text.trim_start() {
            "" => "it is empty",
            start if start.starts_with('{') => return Ok(Self::Playwright),
            _ if netscape::recognise(text) => return Ok(Self::Cookies),
            _ => "it is neither JSON, nor lines of cookies, nor a bundle",
        };
        Err(PortableError::Unrecognised { found: found.to_owned() })
    }
}

/// A session as a file.
pub struct Exported {
    /// The version that it is of.
    pub version: Version,
    /// The file.
    pub bytes: Zeroizing<Vec<u8>>,
    /// How many cookies are in it.
    pub cookies: usize,
    /// Of how many origins there is storage in it.
    pub origins: usize,
    /// What is not in it because the format cannot hold it.
    pub lost: Vec<Partial>,
}

/// What an import made.
pub struct Imported {
    /// The format that it came in.
    pub format: Format,
    /// The version that was HEAD before; none where the session is new.
    pub replaced: Option<Version>,
    /// The new one.
    pub version: Version,
    /// How many cookies it has.
    pub cookies: usize,
    /// Of how many origins it has storage.
    pub origins: usize,
    /// What of the file could not be taken.
    pub lost: Vec<Partial>,
}

/// How to import.
#[derive(Debug, Default)]
pub struct ImportOptions {
    /// The format; recognised by content where there is none.
    pub format: Option<Format>,
    /// Whether a session that is there may be written over, as a new version of it.
    pub replace: bool,
    /// What a bundle is opened with.
    pub passphrase: Option<Secret>,
    /// How long a new session is kept unused, where the file does not say; none for ever.
    pub ttl: Option<Duration>,
}

/// What a format made of a session.
struct Written {
    bytes: Zeroizing<Vec<u8>>,
    cookies: usize,
    origins: usize,
    lost: Vec<Partial>,
}

/// What a format was read as.
struct Read {
    contents: Contents,
    lost: Vec<Partial>,
}

impl Sessions {
    /// HEAD of a session as a file; without a lease, so also while a run holds it. A bundle needs a passphrase.
    pub async fn export(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        format: Format,
        passphrase: Option<&Secret>,
    ) -> Result<Exported, SessionError> {
        let (contents, stored) = Contents::read(self, tenant, id).await?;
        let Written { bytes, cookies, origins, lost } = match format {
            Format::Playwright => playwright::write(&contents)?,
            Format::Cookies => netscape::write(&contents),
            Format::Bundle => bundle::write(&contents, passphrase.ok_or(PortableError::NoPassphrase)?).await?,
        };
        Ok(Exported { version: stored.version, bytes, cookies, origins, lost })
    }

    /// Makes a session, or with `replace` a new version of one, from a file. All of the file is read and checked before
    /// the lease is taken. [`SessionError::Busy`] while a run holds the session.
    pub async fn import(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        bytes: &[u8],
        options: &ImportOptions,
    ) -> Result<Imported, SessionError> {
        let format = options.format.map_or_else(|| Format::recognise(bytes), Ok)?;
        let Read { contents, lost } = match format {
            Format::Playwright => playwright::read(text(bytes)?)?,
            Format::Cookies => netscape::read(text(bytes)?)?,
            Format::Bundle => {
                bundle::read(bytes, options.passphrase.as_ref().ok_or(PortableError::NoPassphrase)?).await?
            }
        };
        let target = Target { sessions: self, tenant, id, replace: options.replace, ttl: options.ttl };
        let (replaced, version) = target.write(&contents).await?;
        let (cookies, origins) = (contents.index.cookies.len(), contents.origins());
        Ok(Imported { format, replaced, version, cookies, origins, lost })
    }
}

/// A file of text, without the mark that some editors put before it.
fn text(bytes: &[u8]) -> Result<&str, PortableError> {
    let text = std::str::from_utf8(bytes).map_err(|error| PortableError::Invalid {
        format: "text",
        at: format!("byte {}", error.valid_up_to()),
        reason: "UTF-8 was wanted, found something else".to_owned(),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_what_stands_in_the_file() {
        let told = |text: &str| Format::recognise(text.as_bytes()).ok();
        assert_eq!(told("\u{feff}\n {\"cookies\": []}"), Some(Format::Playwright));
        assert_eq!(told("# Netscape HTTP Cookie File\n"), Some(Format::Cookies));
        assert_eq!(told("a.example\tFALSE\t/\tFALSE\t0\tsid\t1\n"), Some(Format::Cookies));
        assert_eq!(told("rhaven bundle\n..."), Some(Format::Bundle));
        assert_eq!((told(""), told("hello"), told("[1, 2]")), (None, None, None));
        assert_eq!(Format::recognise(&[0xff, 0xfe]).unwrap_err().code(), "invalid_import");
    }
}
