//! Sessions as a whole: listing, expiry and deletion.

use std::time::Duration;

use rusqlite::{Transaction, params};

use crate::base::Fence;
use crate::seal::{NameTag, Sealed, TenantTag};

use super::super::clock::{TRACE_LIFE, earlier, later};
use super::super::{BlobId, Kept, Listed, OwnerId, RecordName};
use super::failure::{Failure, id, sealed};
use super::lease::{Row, held};
use super::versions;

pub(super) fn list(
    tx: &Transaction<'_>,
    now: u64,
    tenant: TenantTag,
    after: Option<NameTag>,
    limit: usize,
) -> Result<Vec<Listed>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT id, name, head, owner, holder, lease_end FROM session
         WHERE tenant = ?1 AND (?2 IS NULL OR name > ?2) AND head IS NOT NULL
         AND (expires_at IS NULL OR expires_at > ?3) ORDER BY name LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query(params![tenant.0, after.map(|name| name.0), now.cast_signed(), limit])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let name: Vec<u8> = row.get(1)?;
        let name = RecordName { tenant, session: NameTag(id(&name)?) };
        let holder = held((row.get(3)?, row.get(4)?, row.get(5)?), now)?;
        let Some(head) = versions::head(tx, row.get(0)?, row.get(2)?)? else { continue };
        listed.push(Listed { name, head, held: holder });
    }
    Ok(listed)
}

pub(super) fn unsaved(tx: &Transaction<'_>, now: u64, tenant: TenantTag) -> Result<usize, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT COUNT(*) FROM session JOIN checkpoint ON checkpoint.session = session.id
         WHERE session.tenant = ?1 AND session.record IS NULL
         AND (session.owner IS NULL OR session.lease_end IS NULL OR session.lease_end <= ?2)",
    )?;
    let count: i64 = query.query_row(params![tenant.0, now.cast_signed()], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

pub(super) fn all(
    tx: &Transaction<'_>,
    now: u64,
    after: Option<&RecordName>,
    limit: usize,
) -> Result<Vec<Kept>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT session.tenant, session.name, session.record, session.owner, session.holder, session.lease_end,
                checkpoint.body
         FROM session LEFT JOIN checkpoint ON checkpoint.session = session.id
         WHERE ?1 IS NULL OR (session.tenant, session.name) > (?1, ?2)
         ORDER BY session.tenant, session.name LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (tenant, name) = (after.map(|after| after.tenant.0), after.map(|after| after.session.0));
    let mut rows = query.query(params![tenant, name, limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (tenant, name): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (record, checkpoint): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(2)?, row.get(6)?);
        all.push(Kept {
            name: RecordName { tenant: TenantTag(id(&tenant)?), session: NameTag(id(&name)?) },
            record: record.map(sealed),
            holder: held((row.get(3)?, row.get(4)?, row.get(5)?), now)?.map(|held| held.holder),
            checkpoint: checkpoint.map(sealed),
        });
    }
    Ok(all)
}

pub(super) fn references(
    tx: &Transaction<'_>,
    after: Option<&RecordName>,
    limit: usize,
) -> Result<Vec<(RecordName, Vec<BlobId>)>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT id, tenant, name FROM session WHERE ?1 IS NULL OR (tenant, name) > (?1, ?2)
         ORDER BY tenant, name LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (tenant, name) = (after.map(|after| after.tenant.0), after.map(|after| after.session.0));
    let mut rows = query.query(params![tenant, name, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (tenant, name): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let name = RecordName { tenant: TenantTag(id(&tenant)?), session: NameTag(id(&name)?) };
        found.push((name, versions::referred(tx, row.get(0)?)?));
    }
    Ok(found)
}

pub(super) fn reseal(
    tx: &Transaction<'_>,
    name: &RecordName,
    expected: &Sealed,
    new: &Sealed,
) -> Result<bool, Failure> {
    let changed = tx
        .prepare_cached("UPDATE session SET record = ?4 WHERE tenant = ?1 AND name = ?2 AND record IN (?3, ?4)")?
        .execute(params![name.tenant.0, name.session.0, expected.as_bytes(), new.as_bytes()])?;
    Ok(changed > 0)
}

pub(super) fn touch(tx: &Transaction<'_>, now: u64, name: &RecordName, ttl: Option<Duration>) -> Result<(), Failure> {
    let Some(row) = Row::find_living(tx, now, name)? else { return Ok(()) };
    let expires_at = ttl.and_then(|ttl| later(now, ttl)).map(u64::cast_signed);
    tx.prepare_cached("UPDATE session SET expires_at = ?2 WHERE id = ?1")?.execute(params![row.id, expires_at])?;
    Ok(())
}

/// Removes what a session that has run out holds, but not its lease; answers with the blobs that nothing refers to any more.
pub(super) fn empty(tx: &Transaction<'_>, session: i64) -> Result<Vec<BlobId>, Failure> {
    let orphaned = versions::orphans(tx, session)?;
    tx.prepare_cached(
        "UPDATE session SET head = NULL, record = NULL, ran_out_at = expires_at, expires_at = NULL WHERE id = ?1",
    )?
    .execute([session])?;
    for table in ["version", "part", "checkpoint"] {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE session = ?1"))?.execute([session])?;
    }
    Ok(orphaned)
}

/// Removes a session with its lease; answers with the blobs that nothing refers to any more.
pub(super) fn remove(tx: &Transaction<'_>, session: i64) -> Result<Vec<BlobId>, Failure> {
    let orphaned = versions::orphans(tx, session)?;
    tx.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([session])?;
    Ok(orphaned)
}

pub(super) fn delete(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    owner: OwnerId,
    fence: Fence,
) -> Result<Vec<BlobId>, Failure> {
    match Row::find(tx, name)? {
        Some(_) => remove(tx, Row::find_held(tx, now, name, owner, fence)?.id),
        None => Ok(Vec::new()),
    }
}

/// Whether anything was removed, and the blobs that nothing refers to any more.
pub(super) fn purge_expired(tx: &Transaction<'_>, now: u64) -> Result<(bool, Vec<BlobId>), Failure> {
    let ids = |query: &str, moment: u64| -> Result<Vec<i64>, Failure> {
        let mut query = tx.prepare_cached(query)?;
        let found = query.query_map([now.cast_signed(), moment.cast_signed()], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    };
    let expired = ids(
        "SELECT id FROM session
         WHERE (owner IS NULL OR lease_end <= ?1) AND head IS NOT NULL AND expires_at <= ?2",
        now,
    )?;
    let mut orphaned = Vec::new();
    for session in &expired {
        orphaned.extend(empty(tx, *session)?);
    }
    let forgotten = ids(
        "SELECT id FROM session
         WHERE (owner IS NULL OR lease_end <= ?1) AND head IS NULL AND (ran_out_at IS NULL OR ran_out_at <= ?2)
         AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.session = session.id AND checkpoint.saved_at > ?2)",
        earlier(now, TRACE_LIFE),
    )?;
    for session in &forgotten {
        orphaned.extend(remove(tx, *session)?);
    }
    Ok((!expired.is_empty() || !forgotten.is_empty(), orphaned))
}
