//! Sessions in the database as a whole, out of a store and into one.

use rusqlite::{Transaction, params};

use super::super::clock::{micros, timestamp};
use super::super::{BlobId, PartId, RecordName, Snapshot, SnapshotVersion};
use super::failure::{Failure, id, sealed};
use super::lease::{self, Row};
use super::{sessions, versions};

/// All of a session but its lease, unless it has run out.
pub(super) fn take(tx: &Transaction<'_>, now: u64, name: &RecordName) -> Result<Option<Snapshot>, Failure> {
    match Row::find_living(tx, now, name)? {
        Some(row) => read(tx, &row),
        None => Ok(None),
    }
}

fn read(tx: &Transaction<'_>, row: &Row) -> Result<Option<Snapshot>, Failure> {
    let record: Option<Vec<u8>> =
        tx.prepare_cached("SELECT record FROM session WHERE id = ?1")?.query_row([row.id], |found| found.get(0))?;
    let Some(record) = record else { return Ok(None) };
    let mut query = tx.prepare_cached("SELECT part, body FROM part WHERE session = ?1 ORDER BY part")?;
    let mut rows = query.query([row.id])?;
    let mut parts = Vec::new();
    while let Some(found) = rows.next()? {
        let part: Vec<u8> = found.get(0)?;
        parts.push((PartId(id(&part)?), sealed(found.get(1)?)));
    }
    Ok(Some(Snapshot {
        fence: row.fence,
        record: sealed(record),
        expires_at: row.expires_at.and_then(timestamp),
        versions: read_versions(tx, row.id)?,
        parts,
        checkpoint: lease::checkpoint(tx, row.id)?,
    }))
}

fn read_versions(tx: &Transaction<'_>, session: i64) -> Result<Vec<SnapshotVersion>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT number, fence, body, saved_at, pinned FROM version WHERE session = ?1 ORDER BY number",
    )?;
    let mut rows = query.query([session])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, fence): (i64, i64) = (row.get(0)?, row.get(1)?);
        found.push(SnapshotVersion {
            version: versions::number(number),
            fence: crate::base::Fence(fence.cast_unsigned()),
            index: sealed(row.get(2)?),
            saved_at: versions::time(row.get(3)?)?,
            pinned: row.get(4)?,
            parts: ids(
                tx,
                "SELECT part FROM version_part WHERE session = ?1 AND number = ?2 ORDER BY position",
                [session, number],
            )?
            .into_iter()
            .map(PartId)
            .collect(),
            blobs: ids(
                tx,
                "SELECT blob FROM version_blob WHERE session = ?1 AND number = ?2 ORDER BY blob",
                [session, number],
            )?
            .into_iter()
            .map(BlobId)
            .collect(),
        });
    }
    Ok(found)
}

fn ids<const N: usize>(tx: &Transaction<'_>, query: &str, key: [i64; 2]) -> Result<Vec<[u8; N]>, Failure> {
    let mut query = tx.prepare_cached(query)?;
    let mut rows = query.query(key)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        found.push(id(&bytes)?);
    }
    Ok(found)
}

/// Puts a session there, unless another is there; whether it is there now.
pub(super) fn restore(tx: &Transaction<'_>, now: u64, name: &RecordName, snapshot: &Snapshot) -> Result<bool, Failure> {
    let mut fence = snapshot.fence;
    if let Some(row) = Row::find(tx, name)? {
        if row.head.is_some() && read(tx, &row)?.is_some_and(|there| snapshot.is_kept_as(&there)) {
            return Ok(true);
        }
        let is_empty = row.head.is_none() && lease::checkpoint(tx, row.id)?.is_none();
        if row.held(now).is_some() || !(is_empty || row.head.is_some() && row.expired(now)) {
            return Ok(false);
        }
        fence = fence.max(row.fence);
        // Blobs of what ran out there are swept, like all that nothing refers to.
        sessions::remove(tx, row.id)?;
    }
    tx.prepare_cached(
        "INSERT INTO session (tenant, name, fence, head, record, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        name.tenant.0,
        name.session.0,
        fence.0.cast_signed(),
        snapshot.versions.last().map(|version| version.version.0.cast_signed()),
        snapshot.record.as_bytes(),
        snapshot.expires_at.map(|at| micros(at).cast_signed())
    ])?;
    write(tx, tx.last_insert_rowid(), snapshot)?;
    Ok(true)
}

fn write(tx: &Transaction<'_>, session: i64, snapshot: &Snapshot) -> Result<(), Failure> {
    let mut add = tx.prepare_cached("INSERT INTO part (session, part, body) VALUES (?1, ?2, ?3)")?;
    for (part, body) in &snapshot.parts {
        add.execute(params![session, part.0, body.as_bytes()])?;
    }
    for version in &snapshot.versions {
        let number = version.version.0.cast_signed();
        tx.prepare_cached(
            "INSERT INTO version (session, number, fence, saved_at, body, pinned) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            session,
            number,
            version.fence.0.cast_signed(),
            micros(version.saved_at).cast_signed(),
            version.index.as_bytes(),
            version.pinned
        ])?;
        let mut refer =
            tx.prepare_cached("INSERT INTO version_part (session, number, position, part) VALUES (?1, ?2, ?3, ?4)")?;
        for (position, part) in (0_i64..).zip(&version.parts) {
            refer.execute(params![session, number, position, part.0])?;
        }
        let mut add_blob =
            tx.prepare_cached("INSERT OR IGNORE INTO version_blob (session, number, blob) VALUES (?1, ?2, ?3)")?;
        for blob in &version.blobs {
            add_blob.execute(params![session, number, blob.0])?;
        }
    }
    if let Some(left) = &snapshot.checkpoint {
        tx.prepare_cached("INSERT INTO checkpoint (session, fence, base, saved_at, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                session,
                left.fence.0.cast_signed(),
                left.base.map(|base| base.0.cast_signed()),
                micros(left.saved_at).cast_signed(),
                left.state.as_bytes()
            ])?;
    }
    Ok(())
}
