//! Records in Redis.

use std::time::Duration;

use async_trait::async_trait;

use crate::base::{Fence, Version};
use crate::seal::{NameTag, Sealed, TenantTag};

use super::super::{
    AcquireRequest, Acquired, BlobId, Checkpoint, Commit, Committed, Granted, Head, Held, Kept, Listed, OwnerId,
    PartId, RecordName, Records, Snapshot, StoreError, VersionEntry,
};
use super::RedisStore;
use super::call::Call;
use super::keys::{TENANTS_KEY, hex, of_session, of_sessions};
use super::reply::{Fields, Reply};
use super::scripts::Op;
use super::snapshot;

/// How many sessions one call purges: others wait meanwhile.
const PURGED_AT_ONCE: u64 = 100;

/// How many sessions one call looks at to count some of them.
const LOOKED_AT_ONCE: u64 = 500;

/// How large answers may be: a part, a page of a list, a whole session. Only for how long they are waited for.
const PART: usize = 256 << 10;
const PAGE: usize = 8 << 20;
const SESSION: usize = 64 << 20;

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn concat<'a, const N: usize>(ids: impl Iterator<Item = &'a [u8; N]>) -> Vec<u8> {
    ids.flatten().copied().collect()
}

fn held(reply: Reply) -> Result<Held, StoreError> {
    let mut fields = reply.list()?;
    Ok(Held {
        owner: OwnerId(fields.field()?.id()?),
        holder: fields.field()?.sealed()?,
        expires_in: Duration::from_micros(fields.field()?.number()?),
    })
}

fn head(reply: Reply) -> Result<Head, StoreError> {
    let mut fields = reply.list()?;
    Ok(Head {
        version: Version(fields.field()?.number()?),
        fence: Fence(fields.field()?.number()?),
        record: fields.field()?.sealed()?,
        index: fields.field()?.sealed()?,
        saved_at: fields.field()?.time()?,
        expires_at: fields.field()?.some().map(Reply::time).transpose()?,
    })
}

pub(super) fn checkpoint(reply: Reply) -> Result<Checkpoint, StoreError> {
    let mut fields = reply.list()?;
    Ok(Checkpoint {
        fence: Fence(fields.field()?.number()?),
        base: fields.field()?.some().map(Reply::number).transpose()?.map(Version),
        state: fields.field()?.sealed()?,
        saved_at: fields.field()?.time()?,
    })
}

pub(super) fn part(reply: Reply) -> Result<(PartId, Sealed), StoreError> {
    let mut fields = reply.list()?;
    Ok((PartId(fields.field()?.id()?), fields.field()?.sealed()?))
}

/// Blobs in order, each once.
fn blobs(reply: Reply) -> Result<Vec<BlobId>, StoreError> {
    let mut blobs = reply.each(|blob| Ok(BlobId(blob.id()?)))?;
    blobs.sort_unstable();
    blobs.dedup();
    Ok(blobs)
}

fn granted(fields: &mut Fields) -> Result<Granted, StoreError> {
    Ok(Granted {
        fence: Fence(fields.field()?.number()?),
        head: fields.field()?.some().map(head).transpose()?,
        parts: fields.field()?.each(part)?,
        checkpoint: fields.field()?.some().map(checkpoint).transpose()?,
        expired_at: fields.field()?.some().map(Reply::time).transpose()?,
        orphaned: blobs(fields.field()?)?,
    })
}

/// What follows `done`; an error for every other answer.
fn done(reply: Reply) -> Result<Fields, StoreError> {
    let mut fields = reply.list()?;
    match fields.field()?.text()?.as_str() {
        "done" => Ok(fields),
        "conflict" => {
            let found = fields.field()?.some().map(Reply::number).transpose()?.map(Version);
            Err(StoreError::Conflict { expected: None, found })
        }
        "lease_lost" => Err(StoreError::LeaseLost),
        "no_part" => Err(StoreError::NotFound("part")),
        "no_version" => Err(StoreError::NotFound("version")),
        other => Err(fields.unknown(other)),
    }
}

impl RedisStore {
    /// A script about one session, with its name as the first argument.
    fn about(&self, op: Op, name: &RecordName) -> Call {
        Call::script(op, &of_session(name), self.now()).arg(hex(&name.session.0))
    }

    /// One of the same that asks for the running lease.
    fn as_owner(&self, op: Op, name: &RecordName, owner: OwnerId, fence: Fence) -> Call {
        self.about(op, name).arg(owner.0).number(fence.0)
    }

    /// A script about all sessions of a tenant.
    fn about_all(&self, op: Op, tenant: TenantTag) -> Call {
        Call::script(op, &of_sessions(tenant), self.now()).expecting(PAGE)
    }

    /// A session as it stands; with `any` one that has run out, too.
    async fn whole(&self, name: &RecordName, which: &str) -> Result<Option<Snapshot>, StoreError> {
        let call = self.about(Op::Snapshot, name).arg(which).expecting(SESSION);
        self.send(call).await?.some().map(snapshot::read).transpose()
    }

    /// Every tenant that was ever written for, in order, from `first` on.
    pub(super) async fn tenants(&self, first: Option<TenantTag>) -> Result<Vec<TenantTag>, StoreError> {
        let from = first.map_or_else(|| "-".to_owned(), |first| format!("[{}", hex(&first.0)));
        let call = Call::command("ZRANGEBYLEX").arg(TENANTS_KEY).arg(from).arg("+");
        self.send(call).await?.each(|tenant| Ok(TenantTag(tenant.tag()?)))
    }
}

impl RedisStore {
    /// The answers of a script that lists a tenant's sessions, for one tenant after the other.
    async fn over_tenants<T>(
        &self,
        op: Op,
        after: Option<RecordName>,
        limit: usize,
        read: impl Fn(TenantTag, &mut Fields) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        for tenant in self.tenants(after.map(|after| after.tenant)).await? {
            let room = limit - found.len();
            if room == 0 {
                break;
            }
            let after = after.filter(|after| after.tenant == tenant).map(|after| hex(&after.session.0));
            let call = self.about_all(op, tenant).arg(after.unwrap_or_default()).number(room as u64);
            found.extend(self.send(call).await?.each(|one| read(tenant, &mut one.list()?))?);
        }
        Ok(found)
    }
}

#[async_trait]
impl Records for RedisStore {
    async fn acquire(&self, name: &RecordName, request: &AcquireRequest) -> Result<Acquired, StoreError> {
        let call = Call::entering(name.tenant, Op::Acquire, &of_session(name), self.now())
            .arg(hex(&name.session.0))
            .arg(request.owner.0)
            .arg(request.holder.as_bytes())
            .number(micros(request.lease))
            .arg(request.replace.map(|owner| owner.0.to_vec()).unwrap_or_default())
            .number(request.prefetch as u64)
            .expecting(request.prefetch);
        let mut fields = self.send(call).await?.list()?;
        match fields.field()?.text()?.as_str() {
            "granted" => Ok(Acquired::Granted(granted(&mut fields)?)),
            "held" => Ok(Acquired::Held(held(fields.field()?)?)),
            other => Err(fields.unknown(other)),
        }
    }

    async fn renew(&self, name: &RecordName, owner: OwnerId, fence: Fence, lease: Duration) -> Result<(), StoreError> {
        let call = self.as_owner(Op::Renew, name, owner, fence).number(micros(lease));
        done(self.send(call).await?).map(drop)
    }

    async fn release(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<(), StoreError> {
        done(self.send(self.as_owner(Op::Release, name, owner, fence)).await?).map(drop)
    }

    async fn commit(&self, name: &RecordName, commit: &Commit) -> Result<Committed, StoreError> {
        let call = self
            .as_owner(Op::Commit, name, commit.owner, commit.fence)
            .number(commit.expected.map(|version| version.0))
            .number(commit.version.0)
            .arg(commit.record.as_bytes())
            .arg(commit.index.as_bytes())
            .number(commit.keep as u64)
            .number(commit.ttl.map(micros))
            .arg(concat(commit.parts.iter().map(|part| &part.0)))
            .arg(concat(commit.blobs.iter().map(|blob| &blob.0)))
            .number(commit.saved_at.and_then(|at| u64::try_from(at.as_microsecond()).ok()))
            .arg(commit.first.iter().fold(",".to_owned(), |list, version| format!("{list}{},", version.0)));
        let parts = commit.new_parts.iter();
        let call = parts.fold(call, |call, (part, body)| call.arg(part.0).arg(body.as_bytes()));
        let mut fields = done(self.send(call).await?).map_err(|error| match error {
            StoreError::Conflict { found, .. } => StoreError::Conflict { expected: commit.expected, found },
            other => other,
        })?;
        Ok(Committed { saved_at: fields.field()?.time()?, orphaned: blobs(fields.field()?)? })
    }

    async fn checkpoint(
        &self,
        name: &RecordName,
        owner: OwnerId,
        fence: Fence,
        base: Option<Version>,
        state: &Sealed,
    ) -> Result<(), StoreError> {
        let call = self.as_owner(Op::Checkpoint, name, owner, fence);
        let call = call.number(base.map(|version| version.0)).arg(state.as_bytes());
        done(self.send(call).await?).map(drop)
    }

    async fn waiting(&self, name: &RecordName) -> Result<Option<Checkpoint>, StoreError> {
        self.send(self.about(Op::Waiting, name)).await?.some().map(checkpoint).transpose()
    }

    async fn read(&self, name: &RecordName, version: Option<Version>) -> Result<Option<Head>, StoreError> {
        let call = self.about(Op::Read, name).number(version.map(|version| version.0));
        self.send(call).await?.some().map(head).transpose()
    }

    async fn holder(&self, name: &RecordName) -> Result<Option<Held>, StoreError> {
        self.send(self.about(Op::Holder, name)).await?.some().map(held).transpose()
    }

    async fn parts(&self, name: &RecordName, parts: &[PartId]) -> Result<Vec<Sealed>, StoreError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let call = parts.iter().fold(self.about(Op::Parts, name), |call, part| call.arg(part.0));
        let call = call.expecting(parts.len() * PART);
        self.send(call).await?.some().ok_or(StoreError::NotFound("part"))?.each(Reply::sealed)
    }

    async fn history(&self, name: &RecordName) -> Result<Vec<VersionEntry>, StoreError> {
        self.send(self.about(Op::History, name).expecting(PAGE)).await?.each(|entry| {
            let mut fields = entry.list()?;
            Ok(VersionEntry {
                version: Version(fields.field()?.number()?),
                fence: Fence(fields.field()?.number()?),
                index: fields.field()?.sealed()?,
                saved_at: fields.field()?.time()?,
                pinned: fields.field()?.number()? == 1,
            })
        })
    }

    async fn pin(&self, name: &RecordName, version: Version, pinned: bool) -> Result<(), StoreError> {
        let call = self.about(Op::Pin, name).number(version.0).number(u64::from(pinned));
        done(self.send(call).await?).map(drop)
    }

    async fn list(&self, tenant: TenantTag, after: Option<NameTag>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let after = after.map(|name| hex(&name.0)).unwrap_or_default();
        let call = self.about_all(Op::List, tenant).arg(after).number(limit as u64);
        self.send(call).await?.each(|listed| {
            let mut fields = listed.list()?;
            Ok(Listed {
                name: RecordName { tenant, session: NameTag(fields.field()?.tag()?) },
                head: head(fields.field()?)?,
                held: fields.field()?.some().map(held).transpose()?,
            })
        })
    }

    async fn unsaved(&self, tenant: TenantTag) -> Result<usize, StoreError> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let call = self.about_all(Op::Unsaved, tenant).arg(after).number(LOOKED_AT_ONCE);
            let mut fields = self.send(call).await?.list()?;
            count += fields.field()?.number()?;
            match fields.field()?.some() {
                Some(last) => after = last.text()?,
                None => return Ok(usize::try_from(count).unwrap_or(usize::MAX)),
            }
        }
    }

    async fn touch(&self, name: &RecordName, ttl: Option<Duration>) -> Result<(), StoreError> {
        done(self.send(self.about(Op::Touch, name).number(ttl.map(micros))).await?).map(drop)
    }

    async fn delete(&self, name: &RecordName, owner: OwnerId, fence: Fence) -> Result<Vec<BlobId>, StoreError> {
        let mut fields = done(self.send(self.as_owner(Op::Delete, name, owner, fence)).await?)?;
        blobs(fields.field()?)
    }

    async fn all(&self, after: Option<RecordName>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        self.over_tenants(Op::All, after, limit, |tenant, fields| {
            Ok(Kept {
                name: RecordName { tenant, session: NameTag(fields.field()?.tag()?) },
                record: fields.field()?.some().map(Reply::sealed).transpose()?,
                holder: fields.field()?.some().map(Reply::sealed).transpose()?,
                checkpoint: fields.field()?.some().map(Reply::sealed).transpose()?,
            })
        })
        .await
    }

    async fn references(
        &self,
        after: Option<RecordName>,
        limit: usize,
    ) -> Result<Vec<(RecordName, Vec<BlobId>)>, StoreError> {
        if after.is_none() {
            self.drops_nothing().await?;
        }
        self.over_tenants(Op::References, after, limit, |tenant, fields| {
            let name = RecordName { tenant, session: NameTag(fields.field()?.tag()?) };
            Ok((name, blobs(fields.field()?)?))
        })
        .await
    }

    async fn snapshot(&self, name: &RecordName) -> Result<Option<Snapshot>, StoreError> {
        self.whole(name, "").await
    }

    async fn restore(&self, name: &RecordName, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let call = Call::entering(name.tenant, Op::Restore, &of_session(name), self.now()).arg(hex(&name.session.0));
        let mut fields = self.send(snapshot::write(call, snapshot)).await?.list()?;
        if fields.field()?.text()? == "done" {
            return Ok(true);
        }
        // What is there may be this very snapshot: then an answer was lost.
        Ok(self.whole(name, "any").await?.is_some_and(|there| snapshot.is_kept_as(&there)))
    }

    async fn reseal(&self, name: &RecordName, expected: &Sealed, new: &Sealed) -> Result<bool, StoreError> {
        let call = self.about(Op::Reseal, name).arg(expected.as_bytes()).arg(new.as_bytes());
        Ok(self.send(call).await?.number()? == 1)
    }

    /// In steps of some sessions of one tenant each; what an error cuts short goes on with the next call, and the blobs that
    /// the steps before it named are left to the sweep.
    async fn purge_expired(&self) -> Result<Vec<BlobId>, StoreError> {
        let mut orphaned = Vec::new();
        for tenant in self.tenants(None).await? {
            loop {
                let call = self.about_all(Op::Purge, tenant).number(PURGED_AT_ONCE);
                let mut fields = self.send(call).await?.list()?;
                let removed = fields.field()?.number()?;
                orphaned.extend(blobs(fields.field()?)?);
                if removed < PURGED_AT_ONCE {
                    break;
                }
            }
        }
        Ok(orphaned)
    }
}
