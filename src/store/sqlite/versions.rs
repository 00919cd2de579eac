//! The versions of a session: writing, reading and pruning them, and the checkpoint beside HEAD.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction, params};

use jiff::Timestamp;

use crate::base::{Fence, Version};
use crate::seal::{SealError, Sealed};

use super::super::clock::{later, timestamp};
use super::super::{BlobId, Commit, Committed, Head, OwnerId, PartId, RecordName, StoreError, VersionEntry};
use super::failure::{Failure, id, sealed};
use super::lease::Row;

/// A version's number as it is stored.
pub(super) fn number(stored: i64) -> Version {
    Version(stored.cast_unsigned())
}

/// A stored moment.
pub(super) fn time(stored: i64) -> Result<Timestamp, Failure> {
    timestamp(stored.cast_unsigned()).ok_or(Failure::Damaged("a time", SealError::NotSealed("it is out of range")))
}

pub(super) fn commit(tx: &Transaction<'_>, now: u64, name: &RecordName, commit: &Commit) -> Result<Committed, Failure> {
    if let Some(done) = repeated(tx, name, commit)? {
        return Ok(done);
    }
    let row = Row::find_held(tx, now, name, commit.owner, commit.fence)?;
    let found = row.head.map(number);
    if found != commit.expected || found.is_some_and(|head| head >= commit.version) {
        return Err(StoreError::Conflict { expected: commit.expected, found }.into());
    }
    let new = commit.version.0.cast_signed();
    let saved_at = commit.saved_at.map_or(now.cast_signed(), Timestamp::as_microsecond);
    tx.prepare_cached("INSERT INTO version (session, number, fence, saved_at, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![row.id, new, commit.fence.0.cast_signed(), saved_at, commit.index.as_bytes()])?;
    write_parts(tx, row.id, commit)?;
    let mut add_blob =
        tx.prepare_cached("INSERT OR IGNORE INTO version_blob (session, number, blob) VALUES (?1, ?2, ?3)")?;
    for blob in &commit.blobs {
        add_blob.execute(params![row.id, new, blob.0])?;
    }
    let expires_at = commit.ttl.and_then(|ttl| later(now, ttl)).map(u64::cast_signed);
    tx.prepare_cached("UPDATE session SET head = ?2, record = ?3, expires_at = ?4, ran_out_at = NULL WHERE id = ?1")?
        .execute(params![row.id, new, commit.record.as_bytes(), expires_at])?;
    // Whoever left a checkpoint, this version is later.
    tx.prepare_cached("DELETE FROM checkpoint WHERE session = ?1")?.execute([row.id])?;
    let orphaned = prune(tx, row.id, commit)?;
    Ok(Committed { saved_at: time(saved_at)?, orphaned })
}

/// Whether the version is there as `commit` asks for: then its answer was lost, and it is given again.
fn repeated(tx: &Transaction<'_>, name: &RecordName, commit: &Commit) -> Result<Option<Committed>, Failure> {
    let Some(row) = Row::find(tx, name)? else { return Ok(None) };
    let there = head(tx, row.id, commit.version.0.cast_signed())?;
    let same = there.filter(|there| there.fence == commit.fence && there.index == commit.index);
    Ok(same.map(|there| Committed { saved_at: there.saved_at, orphaned: Vec::new() }))
}

fn write_parts(tx: &Transaction<'_>, session: i64, commit: &Commit) -> Result<(), Failure> {
    let mut add = tx.prepare_cached("INSERT OR IGNORE INTO part (session, part, body) VALUES (?1, ?2, ?3)")?;
    for (part, body) in commit.new_parts.iter().filter(|(part, _)| commit.parts.contains(part)) {
        add.execute(params![session, part.0, body.as_bytes()])?;
    }
    let mut known = tx.prepare_cached("SELECT 1 FROM part WHERE session = ?1 AND part = ?2")?;
    let mut refer =
        tx.prepare_cached("INSERT INTO version_part (session, number, position, part) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, part) in (0_i64..).zip(&commit.parts) {
        if !known.exists(params![session, part.0])? {
            return Err(StoreError::NotFound("part").into());
        }
        refer.execute(params![session, commit.version.0.cast_signed(), position, part.0])?;
    }
    Ok(())
}

/// Removes what goes with this commit, with the parts that only those versions had; answers with the blobs that nothing refers to
/// any more.
fn prune(tx: &Transaction<'_>, session: i64, commit: &Commit) -> Result<Vec<BlobId>, Failure> {
    let mut query = tx.prepare_cached("SELECT number FROM version WHERE session = ?1 AND NOT pinned")?;
    let unpinned = query.query_map([session], |row| row.get(0))?.map(|stored| stored.map(number));
    let dropped = commit.dropped(unpinned.collect::<Result<_, _>>()?);
    let (mut parts, mut candidates) = (BTreeSet::new(), Vec::new());
    for version in &dropped {
        let key = params![session, version.0.cast_signed()];
        let mut query = tx.prepare_cached("SELECT part FROM version_part WHERE session = ?1 AND number = ?2")?;
        let mut rows = query.query(key)?;
        while let Some(row) = rows.next()? {
            parts.insert(row.get::<_, Vec<u8>>(0)?);
        }
        let mut query = tx.prepare_cached("SELECT blob FROM version_blob WHERE session = ?1 AND number = ?2")?;
        candidates.extend(blobs(&mut query, key)?);
        tx.prepare_cached("DELETE FROM version WHERE session = ?1 AND number = ?2")?.execute(key)?;
    }
    let mut unused = tx.prepare_cached(
        "DELETE FROM part WHERE session = ?1 AND part = ?2
         AND NOT EXISTS (SELECT 1 FROM version_part WHERE session = ?1 AND part = ?2)",
    )?;
    for part in parts {
        unused.execute(params![session, part])?;
    }
    candidates.sort_unstable();
    candidates.dedup();
    let mut referred = tx.prepare_cached("SELECT 1 FROM version_blob WHERE blob = ?1")?;
    let mut orphaned = Vec::new();
    for blob in candidates {
        if !referred.exists([blob.0])? {
            orphaned.push(blob);
        }
    }
    Ok(orphaned)
}

/// Blobs that only this session refers to. Forks share blobs, so other sessions count too.
pub(super) fn orphans(tx: &Transaction<'_>, session: i64) -> Result<Vec<BlobId>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT DISTINCT blob FROM version_blob AS gone WHERE session = ?1
         AND NOT EXISTS (SELECT 1 FROM version_blob AS kept WHERE kept.blob = gone.blob AND kept.session <> ?1)",
    )?;
    blobs(&mut query, params![session])
}

/// The blobs that any kept version of the session refers to.
pub(super) fn referred(tx: &Transaction<'_>, session: i64) -> Result<Vec<BlobId>, Failure> {
    let mut query = tx.prepare_cached("SELECT DISTINCT blob FROM version_blob WHERE session = ?1 ORDER BY blob")?;
    blobs(&mut query, params![session])
}

fn blobs(query: &mut rusqlite::CachedStatement<'_>, key: impl rusqlite::Params) -> Result<Vec<BlobId>, Failure> {
    let mut rows = query.query(key)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let blob: Vec<u8> = row.get(0)?;
        found.push(BlobId(id(&blob)?));
    }
    Ok(found)
}

pub(super) fn pin(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    version: Version,
    pinned: bool,
) -> Result<(), Failure> {
    let missing = || StoreError::NotFound("version");
    let row = Row::find_living(tx, now, name)?.ok_or_else(missing)?;
    let done = tx
        .prepare_cached("UPDATE version SET pinned = ?3 WHERE session = ?1 AND number = ?2")?
        .execute(params![row.id, version.0.cast_signed(), pinned])?;
    if done == 0 { Err(missing().into()) } else { Ok(()) }
}

pub(super) fn checkpoint(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    owner: OwnerId,
    fence: Fence,
    base: Option<Version>,
    state: &Sealed,
) -> Result<(), Failure> {
    let row = Row::find_held(tx, now, name, owner, fence)?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO checkpoint (session, fence, base, saved_at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        row.id,
        fence.0.cast_signed(),
        base.map(|base| base.0.cast_signed()),
        now.cast_signed(),
        state.as_bytes()
    ])?;
    Ok(())
}

/// One version of the session, if it is kept.
pub(super) fn head(tx: &Transaction<'_>, session: i64, version: i64) -> Result<Option<Head>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT version.fence, session.record, version.body, version.saved_at, session.expires_at
         FROM session JOIN version ON version.session = session.id AND version.number = ?2 WHERE session.id = ?1",
    )?;
    let mut rows = query.query([session, version])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let fence: i64 = row.get(0)?;
    let expires_at: Option<i64> = row.get(4)?;
    Ok(Some(Head {
        version: number(version),
        fence: Fence(fence.cast_unsigned()),
        record: sealed(row.get(1)?),
        index: sealed(row.get(2)?),
        saved_at: time(row.get(3)?)?,
        expires_at: expires_at.map(time).transpose()?,
    }))
}

pub(super) fn read(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    version: Option<Version>,
) -> Result<Option<Head>, Failure> {
    let Some(row) = Row::find_living(tx, now, name)? else { return Ok(None) };
    match version.map(|version| version.0.cast_signed()).or(row.head) {
        Some(version) => head(tx, row.id, version),
        None => Ok(None),
    }
}

pub(super) fn parts(tx: &Transaction<'_>, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, Failure> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let row = Row::find(tx, name)?.ok_or(StoreError::NotFound("part"))?;
    let mut query = tx.prepare_cached("SELECT body FROM part WHERE session = ?1 AND part = ?2")?;
    parts
        .iter()
        .map(|part| {
            let body: Option<Vec<u8>> = query.query_row(params![row.id, part.0], |row| row.get(0)).optional()?;
            Ok(sealed(body.ok_or(StoreError::NotFound("part"))?))
        })
        .collect()
}

pub(super) fn history(tx: &Transaction<'_>, now: u64, name: &RecordName) -> Result<Vec<VersionEntry>, Failure> {
    let Some(row) = Row::find_living(tx, now, name)? else { return Ok(Vec::new()) };
    let mut query = tx.prepare_cached(
        "SELECT number, fence, saved_at, body, pinned FROM version WHERE session = ?1 ORDER BY number DESC",
    )?;
    let mut rows = query.query([row.id])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let fence: i64 = row.get(1)?;
        entries.push(VersionEntry {
            version: number(row.get(0)?),
            fence: Fence(fence.cast_unsigned()),
            index: sealed(row.get(3)?),
            saved_at: time(row.get(2)?)?,
            pinned: row.get(4)?,
        });
    }
    Ok(entries)
}
