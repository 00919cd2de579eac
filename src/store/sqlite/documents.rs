//! Documents in the database.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::seal::{NameTag, Sealed, TenantTag};

use super::super::clock::later;
use super::super::{DocumentName, Expected, KeptDocument, StoreError};
use super::failure::{Failure, id, sealed};
use super::versions;

pub(super) fn get(tx: &Transaction<'_>, now: u64, name: &DocumentName) -> Result<Option<Sealed>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT body FROM document
         WHERE tenant = ?1 AND kind = ?2 AND name = ?3 AND (expires_at IS NULL OR expires_at > ?4)",
    )?;
    let key = params![name.tenant.0, name.kind, name.name.0, now.cast_signed()];
    let found: Option<Vec<u8>> = query.query_row(key, |row| row.get(0)).optional()?;
    Ok(found.map(sealed))
}

pub(super) fn put(
    tx: &Transaction<'_>,
    now: u64,
    name: &DocumentName,
    expected: &Expected,
    value: &Sealed,
    ttl: Option<Duration>,
) -> Result<(), Failure> {
    let found = get(tx, now, name)?;
    let as_expected = match expected {
        Expected::Anything => true,
        Expected::Absent => found.is_none(),
        Expected::Value(wanted) => found.as_ref() == Some(wanted),
    };
    // No two sealings are alike: what is there already was put by this very call, whose answer was lost.
    if !as_expected && found.as_ref() != Some(value) {
        return Err(StoreError::DocumentChanged.into());
    }
    // Nobody asks for documents that have run out; the next write takes them along.
    tx.prepare_cached("DELETE FROM document WHERE expires_at <= ?1")?.execute([now.cast_signed()])?;
    let expires_at = ttl.and_then(|ttl| later(now, ttl)).map(u64::cast_signed);
    tx.prepare_cached(
        "INSERT OR REPLACE INTO document (tenant, kind, name, body, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![name.tenant.0, name.kind, name.name.0, value.as_bytes(), expires_at])?;
    Ok(())
}

pub(super) fn remove(tx: &Transaction<'_>, now: u64, name: &DocumentName) -> Result<bool, Failure> {
    let was_there = get(tx, now, name)?.is_some();
    tx.prepare_cached("DELETE FROM document WHERE tenant = ?1 AND kind = ?2 AND name = ?3")?.execute(params![
        name.tenant.0,
        name.kind,
        name.name.0
    ])?;
    Ok(was_there)
}

pub(super) fn list(
    tx: &Transaction<'_>,
    now: u64,
    tenant: TenantTag,
    kind: &'static str,
    after: Option<NameTag>,
    limit: usize,
) -> Result<Vec<(NameTag, Sealed)>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT name, body FROM document
         WHERE tenant = ?1 AND kind = ?2 AND (?3 IS NULL OR name > ?3) AND (expires_at IS NULL OR expires_at > ?4)
         ORDER BY name LIMIT ?5",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query(params![tenant.0, kind, after.map(|name| name.0), now.cast_signed(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: Vec<u8> = row.get(0)?;
        found.push((NameTag(id(&name)?), sealed(row.get(1)?)));
    }
    Ok(found)
}

pub(super) fn all(
    tx: &Transaction<'_>,
    now: u64,
    after: Option<&KeptDocument>,
    limit: usize,
) -> Result<Vec<KeptDocument>, Failure> {
    let mut query = tx.prepare_cached(
        "SELECT tenant, kind, name, body, expires_at FROM document
         WHERE (?1 IS NULL OR (tenant, kind, name) > (?1, ?2, ?3)) AND (expires_at IS NULL OR expires_at > ?4)
         ORDER BY tenant, kind, name LIMIT ?5",
    )?;
    let (tenant, kind, name) =
        (after.map(|after| after.tenant.0), after.map(|after| &after.kind), after.map(|after| after.name.0));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query(params![tenant, kind, name, now.cast_signed(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (tenant, name): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(2)?);
        let expires_at: Option<i64> = row.get(4)?;
        found.push(KeptDocument {
            tenant: TenantTag(id(&tenant)?),
            kind: row.get(1)?,
            name: NameTag(id(&name)?),
            value: sealed(row.get(3)?),
            expires_at: expires_at.map(versions::time).transpose()?,
        });
    }
    Ok(found)
}

pub(super) fn reseal(tx: &Transaction<'_>, now: u64, kept: &KeptDocument, new: &Sealed) -> Result<bool, Failure> {
    let changed = tx
        .prepare_cached(
            "UPDATE document SET body = ?5
             WHERE tenant = ?1 AND kind = ?2 AND name = ?3 AND body IN (?4, ?5) AND (expires_at IS NULL OR expires_at > ?6)",
        )?
        .execute(params![
            kept.tenant.0,
            kept.kind,
            kept.name.0,
            kept.value.as_bytes(),
            new.as_bytes(),
            now.cast_signed()
        ])?;
    Ok(changed > 0)
}
