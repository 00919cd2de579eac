//! Sessions as files: taken out of a store and put into one, in three formats, without a browser. Each conversion says
//! by name what its format cannot hold.
//!
//! A file's way in: recognised (`source`), read into [`contents`] (`playwright`, `netscape`) and checked (`cookie`), or opened object
//! by object (`unbundle`, `frames`); then written as a new version under the lease (`commit`). `bundle` is the way out of the latter.

mod bundle;
mod commit;
mod contents;
mod cookie;
mod databases;
mod dates;
mod error;
mod fields;
mod frames;
mod labels;
mod netscape;
mod playwright;
mod source;
#[cfg(test)]
mod tests;
mod unbundle;
mod unicode;
mod values;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use self::bundle::Dated;
use self::commit::{Intake, Way};
use self::contents::{beside, head};
use self::unbundle::Bundle;
use crate::base::{Secret, SessionId, Tenant, Version};

use super::sessions::Stored;
use super::{Partial, SessionError, Sessions};

pub(super) use contents::{Contents, Storage};
pub(super) use cookie::Foreign;
pub use error::PortableError;
pub use source::Source;

/// Where a file is read from.
type Input = Box<dyn AsyncRead + Send + Unpin>;
/// Where a file is written to.
type Output<'a> = dyn AsyncWrite + Send + Unpin + 'a;

/// Why something is lost.
const HOLDS_NOT: &str = "the format does not hold it";

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
}

/// A session that was written to a file.
#[derive(Debug)]
pub struct Exported {
    /// The version that it is of.
    pub version: Version,
    /// How many cookies are in it.
    pub cookies: usize,
    /// Of how many origins there is storage in it.
    pub origins: usize,
    /// How many versions are in it.
    pub versions: usize,
    /// What is not in it because the format cannot hold it.
    pub lost: Vec<Partial>,
}

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The format that it came in.
    pub format: Format,
    /// The version that was HEAD before; none where the session is new.
    pub replaced: Option<Version>,
    /// The new one; the newest where there are several.
    pub version: Version,
    /// How many versions were made.
    pub versions: usize,
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
    /// Whether a session that is there may be written over, as a new version of it.
    pub replace: bool,
    /// What a bundle is opened with.
    pub passphrase: Option<Secret>,
    /// How long a new session is kept unused, where the file does not say; none for ever.
    pub ttl: Option<Duration>,
    /// Cancelled, it ends the import with [`PortableError::GivenUp`] up to the moment in which the version is written.
    pub given_up: CancellationToken,
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
    /// How large the storage of a session's HEAD is, as plaintext, in bytes. Opens no part of it.
    pub async fn stored_bytes(&self, tenant: &Tenant, id: &SessionId) -> Result<u64, SessionError> {
        let id = &self.meant(tenant, id).await?;
        Ok(head(self, tenant, id).await?.index.parts.iter().map(|part| part.bytes).sum())
    }

    /// Writes HEAD of a session to `out`; without a lease, so also while a run holds it. A bundle needs a passphrase, and holds
    /// one part or blob in memory at a time; the other formats are made in memory. After an error `out` holds a beginning
    /// that is of no use.
    pub async fn export(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        format: Format,
        passphrase: Option<&Secret>,
        out: &mut Output<'_>,
    ) -> Result<Exported, SessionError> {
        let id = &self.meant(tenant, id).await?;
        let stored = head(self, tenant, id).await?;
        let version = stored.version;
        let Written { bytes, cookies, origins, mut lost } = match format {
            Format::Playwright => playwright::write(&Contents::read(self, tenant, &stored).await?)?,
            Format::Cookies => netscape::write(&stored.index),
            Format::Bundle => {
                bundle::write(self, tenant, &stored, &[], passphrase.ok_or(PortableError::NoPassphrase)?, out).await?;
                return Ok(exported(&stored, 1));
            }
        };
        lost.extend(beside(&stored)?);
        out.write_all(&bytes).await.map_err(PortableError::Write)?;
        out.flush().await.map_err(PortableError::Write)?;
        Ok(Exported { version, cookies, origins, versions: 1, lost })
    }

    /// Writes a bundle of all kept versions, with their times and which of them are pinned; else as [`Self::export`]. A version
    /// that is dropped meanwhile, because a run saves a newer one, is an error.
    pub async fn export_all(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        passphrase: &Secret,
        out: &mut Output<'_>,
    ) -> Result<Exported, SessionError> {
        let history = self.history(tenant, id).await?;
        let mut all = Vec::new();
        for told in history.versions().into_iter().rev() {
            all.push(Dated { stored: history.open(told.version)?, told });
        }
        let Some(Dated { stored, .. }) = all.last() else { return Err(SessionError::NotFound(id.clone())) };
        bundle::write(self, tenant, stored, &all, passphrase, out).await?;
        Ok(exported(stored, all.len()))
    }

    /// Makes a session, or with `replace` a new version of one, from a file. A file in clear is read and checked in full before
    /// anything is written; of a bundle the manifest is, and a version is made only once all of it has proven whole.
    /// [`SessionError::Exists`] where the session is there and `replace` is not said, [`SessionError::Busy`] while a run holds it.
    pub async fn import(
        &self,
        tenant: &Tenant,
        id: &SessionId,
        source: Source,
        options: &ImportOptions,
    ) -> Result<Imported, SessionError> {
        let id = &self.meant(tenant, id).await?;
        let format = source.format();
        let read = options.given_up.run_until_cancelled(read(source, options.passphrase.as_ref())).await;
        let (mut way, lost) = read.unwrap_or_else(|| Err(PortableError::GivenUp.into()))?;
        let intake = Intake { sessions: self, tenant, id, options };
        let taken = Box::pin(intake.take(&mut way)).await?;
        let commit::Taken { replaced, version, versions, cookies, origins } = taken;
        Ok(Imported { format, replaced, version, versions, cookies, origins, lost })
    }
}

/// A bundle that was written.
fn exported(stored: &Stored, versions: usize) -> Exported {
    let origins = stored.index.parts.iter().filter(|part| part.bytes > 0).count();
    let (version, cookies) = (stored.version, stored.index.cookies.len());
    Exported { version, cookies, origins, versions, lost: Vec::new() }
}

/// Reads a file in clear; opens a bundle.
async fn read(source: Source, passphrase: Option<&Secret>) -> Result<(Way, Vec<Partial>), SessionError> {
    let Read { contents, lost } = match source.format() {
        Format::Bundle => {
            let passphrase = passphrase.ok_or(PortableError::NoPassphrase)?;
            return Ok((Way::Bundle(Box::new(Bundle::open(source.into_input(), passphrase).await?)), Vec::new()));
        }
        Format::Playwright => playwright::read(&source.text().await?)?,
        Format::Cookies => netscape::read(&source.text().await?)?,
    };
    Ok((Way::Contents(contents), lost))
}

/// What a session holds as Playwright's `storageState`, and by name what that cannot hold. A text here holds no lone surrogates: they
/// are U+FFFD in it, which is told.
pub(super) fn to_playwright(contents: &Contents) -> (serde_json::Value, Vec<Partial>) {
    playwright::value(contents)
}

/// The other way. The error names the place in `text`, never a value.
pub(super) fn from_playwright(text: &str) -> Result<(Contents, Vec<Partial>), SessionError> {
    let Read { contents, lost } = playwright::read(text)?;
    Ok((contents, lost))
}
