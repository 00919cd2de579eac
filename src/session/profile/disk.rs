//! Reading and writing the files of a user-data directory, a bounded piece at a time. Blocking calls, and the way to make
//! them without blocking the runtime.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::seal::ContentKey;
use crate::session::SessionError;

use super::plan::{CHUNK_BYTES, Chunk};
use super::survey::{Found, changed, failed};

/// What is read, or hashed, in one go.
pub(super) const JOB_BYTES: u64 = 8 << 20;
/// Files that are opened in one go.
pub(super) const JOB_FILES: usize = 256;

/// A range of a file, from the beginning of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Position in the survey.
    pub(super) file: usize,
    pub(super) from: u64,
    pub(super) bytes: u64,
}

/// A chunk and where it is read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Position in the survey.
    pub(super) file: usize,
    pub(super) from: u64,
    pub(super) chunk: Chunk,
}

/// All files of a survey in jobs of about [`JOB_BYTES`] and at most [`JOB_FILES`].
pub(super) fn jobs(found: &[Found]) -> Vec<Vec<Range>> {
    let (mut jobs, mut job, mut size) = (Vec::new(), Vec::new(), 0);
    for (file, entry) in found.iter().enumerate().filter(|(_, entry)| !entry.folder && entry.size > 0) {
        let mut from = 0;
        while from < entry.size {
            let bytes = (entry.size - from).min(JOB_BYTES);
            if !job.is_empty() && (size + bytes > JOB_BYTES || job.len() == JOB_FILES) {
                jobs.push(std::mem::take(&mut job));
                size = 0;
            }
            job.push(Range { file, from, bytes });
            size += bytes;
            from += bytes;
        }
    }
    jobs.extend((!job.is_empty()).then_some(job));
    jobs
}

/// The chunks of these ranges. [`SessionError::ProfileDirty`] where a file is not as it was found.
pub(super) fn digest(
    dir: &Path,
    found: &[Found],
    ranges: &[Range],
    key: &ContentKey,
) -> Result<Vec<Chunk>, SessionError> {
    let (mut chunks, mut buffer) = (Vec::new(), Zeroizing::new(vec![0; CHUNK_BYTES as usize]));
    for range in ranges {
        let reading = Reading::open(dir, &found[range.file])?;
        let mut done = 0;
        while done < range.bytes {
            let bytes = u32::try_from(range.bytes - done).unwrap_or(u32::MAX).min(CHUNK_BYTES);
            let content = &mut buffer[..bytes as usize];
            reading.read(content, range.from + done)?;
            chunks.push(Chunk { digest: key.digest(content), bytes });
            done += u64::from(bytes);
        }
        reading.unchanged()?;
    }
    Ok(chunks)
}

/// The content of these chunks, proven to be what was hashed.
pub(super) fn load(
    dir: &Path,
    found: &[Found],
    sources: &[Source],
    key: &ContentKey,
) -> Result<Vec<Bytes>, SessionError> {
    let mut contents = Vec::with_capacity(sources.len());
    let mut open: Option<(usize, Reading<'_>)> = None;
    for source in sources {
        if open.as_ref().is_none_or(|(file, _)| *file != source.file) {
            open = Some((source.file, Reading::open(dir, &found[source.file])?));
        }
        let Some((_, reading)) = &open else { continue };
        let mut content = Zeroizing::new(vec![0; source.chunk.bytes as usize]);
        reading.read(&mut content, source.from)?;
        if key.digest(&content) != source.chunk.digest {
            return Err(changed(&found[source.file].path));
        }
        contents.push(Bytes::from_owner(content));
    }
    Ok(contents)
}

/// A file that is being read.
struct Reading<'a> {
    found: &'a Found,
    file: File,
}

impl<'a> Reading<'a> {
    fn open(dir: &Path, found: &'a Found) -> Result<Self, SessionError> {
        let path = dir.join(&found.path);
        // A link or a pipe that has come into its place since is neither followed nor waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let reading = Self { found, file: file.map_err(|error| failed(&path, "read", error))? };
        reading.unchanged()?;
        Ok(reading)
    }

    fn read(&self, into: &mut [u8], from: u64) -> Result<(), SessionError> {
        // The size was right, so a file that ends early was cut off meanwhile.
        self.file.read_exact_at(into, from).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => changed(&self.found.path),
            _ => failed(&self.found.path, "read", error),
        })
    }

    fn unchanged(&self) -> Result<(), SessionError> {
        let metadata = self.file.metadata().map_err(|error| failed(&self.found.path, "read", error))?;
        if self.found.is(&metadata) { Ok(()) } else { Err(changed(&self.found.path)) }
    }
}

/// A small file as text; none where there is none.
pub(super) fn read_text(path: &Path, at_most: u64) -> Result<Option<String>, SessionError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read", error)),
    };
    let mut text = String::new();
    file.take(at_most).read_to_string(&mut text).map_err(|error| failed(path, "read", error))?;
    Ok(Some(text))
}

/// Does work that blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SessionError> + Send + 'static,
) -> Result<T, SessionError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::super::survey::survey;
    use super::*;

    #[test]
    fn jobs_cover_every_byte_and_stay_small() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..600 {
            std::fs::write(dir.path().join(format!("small-{number:03}")), "x").unwrap();
        }
        File::create(dir.path().join("empty")).unwrap();
        File::create(dir.path().join("large")).unwrap().set_len(2 * JOB_BYTES + 1).unwrap();
        let found = survey(dir.path(), false).unwrap();
        let jobs = jobs(&found);
        assert!(jobs.iter().all(|job| job.len() <= JOB_FILES));
        assert!(jobs.iter().all(|job| job.iter().map(|range| range.bytes).sum::<u64>() <= JOB_BYTES));
        assert_eq!(jobs.concat().iter().map(|range| range.bytes).sum::<u64>(), 600 + 2 * JOB_BYTES + 1);
    }
}
