//! Who may write a session: granting, renewing and giving back its lease.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::base::Fence;
use crate::seal::Sealed;

use super::super::clock::{later, timestamp, until};
use super::super::{AcquireRequest, Acquired, Checkpoint, Granted, Held, OwnerId, PartId, RecordName, StoreError};
use super::failure::{Failure, id, sealed};
use super::{sessions, versions};

/// A session's row.
pub(super) struct Row {
    /// Its key in the other tables.
    pub(super) id: i64,
    /// The last fence granted.
    pub(super) fence: Fence,
    /// The newest version's number.
    pub(super) head: Option<i64>,
    /// When it runs out.
    pub(super) expires_at: Option<u64>,
    /// When it ran out, where it was emptied and has had no version since.
    ran_out_at: Option<u64>,
    lease: Option<(OwnerId, Sealed, u64)>,
}

impl Row {
    pub(super) fn find(tx: &Transaction<'_>, name: &RecordName) -> Result<Option<Self>, Failure> {
        let mut query = tx.prepare_cached(
            "SELECT id, fence, head, expires_at, owner, holder, lease_end, ran_out_at
             FROM session WHERE tenant = ?1 AND name = ?2",
        )?;
        let found = query
            .query_row(params![name.tenant.0, name.session.0], |row| {
                let fence: i64 = row.get(1)?;
                let (expires_at, ran_out_at): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(7)?);
                let lease: (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>) = (row.get(4)?, row.get(5)?, row.get(6)?);
                let row = Self {
                    id: row.get(0)?,
                    fence: Fence(fence.cast_unsigned()),
                    head: row.get(2)?,
                    expires_at: expires_at.map(i64::cast_unsigned),
                    ran_out_at: ran_out_at.map(i64::cast_unsigned),
                    lease: None,
                };
                Ok((row, lease))
            })
            .optional()?;
        let Some((row, lease)) = found else { return Ok(None) };
        Ok(Some(Self { lease: read_lease(lease)?, ..row }))
    }

    /// The row of a session that can be read: one that has a version and has not run out.
    pub(super) fn find_living(tx: &Transaction<'_>, now: u64, name: &RecordName) -> Result<Option<Self>, Failure> {
        Ok(Self::find(tx, name)?.filter(|row| row.head.is_some() && !row.expired(now)))
    }

    /// The row, where `owner` holds its running lease under `fence`.
    pub(super) fn find_held(
        tx: &Transaction<'_>,
        now: u64,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
    ) -> Result<Self, Failure> {
        let holds = |row: &Self| {
            row.fence == fence && row.lease.as_ref().is_some_and(|(by, _, end)| *by == owner && *end > now)
        };
        Self::find(tx, name)?.filter(holds).ok_or_else(|| StoreError::LeaseLost.into())
    }

    pub(super) fn expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The running lease.
    pub(super) fn held(&self, now: u64) -> Option<Held> {
        let (owner, holder, end) = self.lease.as_ref().filter(|(_, _, end)| *end > now)?;
        Some(Held { owner: *owner, holder: holder.clone(), expires_in: until(*end, now) })
    }
}

/// Who holds a lease, from its three columns.
pub(super) type LeaseColumns = (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>);

fn read_lease(columns: LeaseColumns) -> Result<Option<(OwnerId, Sealed, u64)>, Failure> {
    let (Some(owner), Some(holder), Some(end)) = columns else { return Ok(None) };
    Ok(Some((OwnerId(id(&owner)?), sealed(holder), end.cast_unsigned())))
}

/// The running lease that the columns hold.
pub(super) fn held(columns: LeaseColumns, now: u64) -> Result<Option<Held>, Failure> {
    let running = read_lease(columns)?.filter(|(_, _, end)| *end > now);
    Ok(running.map(|(owner, holder, end)| Held { owner, holder, expires_in: until(end, now) }))
}

/// Who holds the session now.
pub(super) fn holder(tx: &Transaction<'_>, now: u64, name: &RecordName) -> Result<Option<Held>, Failure> {
    Ok(Row::find(tx, name)?.and_then(|row| row.held(now)))
}

pub(super) fn acquire(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    request: &AcquireRequest,
) -> Result<Acquired, Failure> {
    let row = Row::find(tx, name)?;
    let foreign = |held: &Held| held.owner != request.owner && Some(held.owner) != request.replace;
    if let Some(held) = row.as_ref().and_then(|row| row.held(now)).filter(foreign) {
        return Ok(Acquired::Held(held));
    }
    let fence = Fence::after(row.as_ref().map(|row| row.fence), now);
    let granted = match &row {
        Some(row) => open(tx, now, row, fence, request.prefetch)?,
        None => nothing_yet(fence),
    };
    let end = later(now, request.lease).unwrap_or(i64::MAX.cast_unsigned());
    tx.prepare_cached(
        "INSERT INTO session (tenant, name, fence, owner, holder, lease_end) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant, name) DO UPDATE SET fence = ?3, owner = ?4, holder = ?5, lease_end = ?6",
    )?
    .execute(params![
        name.tenant.0,
        name.session.0,
        fence.0.cast_signed(),
        request.owner.0,
        request.holder.as_bytes(),
        end.cast_signed()
    ])?;
    Ok(Acquired::Granted(granted))
}

/// What the holder of a new session gets.
fn nothing_yet(fence: Fence) -> Granted {
    let (parts, orphaned) = (Vec::new(), Vec::new());
    Granted { fence, head: None, parts, checkpoint: None, expired_at: None, orphaned }
}

/// What the holder of a known session gets; one that has run out is emptied.
fn open(tx: &Transaction<'_>, now: u64, row: &Row, fence: Fence, room: usize) -> Result<Granted, Failure> {
    let nothing = nothing_yet(fence);
    if row.head.is_some() && row.expired(now) {
        let orphaned = sessions::empty(tx, row.id)?;
        return Ok(Granted { expired_at: row.expires_at.and_then(timestamp), orphaned, ..nothing });
    }
    let checkpoint = checkpoint(tx, row.id)?;
    let Some(head) = row.head else {
        return Ok(Granted { checkpoint, expired_at: row.ran_out_at.and_then(timestamp), ..nothing });
    };
    let parts = prefetch(tx, row.id, head, room)?;
    Ok(Granted { head: versions::head(tx, row.id, head)?, parts, checkpoint, ..nothing })
}

/// What is kept beside HEAD.
pub(super) fn waiting(tx: &Transaction<'_>, now: u64, name: &RecordName) -> Result<Option<Checkpoint>, Failure> {
    match Row::find(tx, name)?.filter(|row| row.head.is_none() || !row.expired(now)) {
        Some(row) => checkpoint(tx, row.id),
        None => Ok(None),
    }
}

/// The checkpoint of a session's row.
pub(super) fn checkpoint(tx: &Transaction<'_>, session: i64) -> Result<Option<Checkpoint>, Failure> {
    let mut query = tx.prepare_cached("SELECT fence, base, saved_at, body FROM checkpoint WHERE session = ?1")?;
    let mut rows = query.query([session])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let fence: i64 = row.get(0)?;
    let base: Option<i64> = row.get(1)?;
    Ok(Some(Checkpoint {
        fence: Fence(fence.cast_unsigned()),
        base: base.map(versions::number),
        state: sealed(row.get(3)?),
        saved_at: versions::time(row.get(2)?)?,
    }))
}

/// Parts of a version in its writer's order, leaving out those that would not fit `room` any more.
fn prefetch(
    tx: &Transaction<'_>,
    session: i64,
    version: i64,
    mut room: usize,
) -> Result<Vec<(PartId, Sealed)>, Failure> {
    if room == 0 {
        return Ok(Vec::new());
    }
    // Lengths first: asking for them does not read the bodies.
    let mut lengths = tx.prepare_cached(
        "SELECT part.rowid, length(part.body) FROM version_part JOIN part USING (session, part)
         WHERE session = ?1 AND number = ?2 ORDER BY position",
    )?;
    let mut body = tx.prepare_cached("SELECT part, body FROM part WHERE rowid = ?1")?;
    let mut rows = lengths.query([session, version])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let (rowid, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        let Some(left) = usize::try_from(length).ok().and_then(|length| room.checked_sub(length)) else { continue };
        room = left;
        let (part, bytes): (Vec<u8>, Vec<u8>) = body.query_row([rowid], |row| Ok((row.get(0)?, row.get(1)?)))?;
        parts.push((PartId(id(&part)?), sealed(bytes)));
    }
    Ok(parts)
}

pub(super) fn renew(
    tx: &Transaction<'_>,
    now: u64,
    name: &RecordName,
    owner: OwnerId,
    fence: Fence,
    lease: Duration,
) -> Result<(), Failure> {
    let row = Row::find_held(tx, now, name, owner, fence)?;
    let end = later(now, lease).unwrap_or(i64::MAX.cast_unsigned());
    tx.prepare_cached("UPDATE session SET lease_end = ?2 WHERE id = ?1")?.execute([row.id, end.cast_signed()])?;
    Ok(())
}

pub(super) fn release(tx: &Transaction<'_>, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), Failure> {
    let ours = |row: &Row| row.fence == fence && row.lease.as_ref().is_some_and(|(by, _, _)| *by == owner);
    let Some(row) = Row::find(tx, name)?.filter(ours) else { return Ok(()) };
    tx.prepare_cached("DELETE FROM checkpoint WHERE session = ?1 AND fence = ?2")?
        .execute([row.id, fence.0.cast_signed()])?;
    tx.prepare_cached("UPDATE session SET owner = NULL, holder = NULL, lease_end = NULL WHERE id = ?1")?
        .execute([row.id])?;
    // A name that was only asked for leaves nothing.
    tx.prepare_cached(
        "DELETE FROM session
         WHERE id = ?1 AND head IS NULL AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE session = ?1)",
    )?
    .execute([row.id])?;
    Ok(())
}
