//! Sessions as a whole, out of Redis and into it.

use crate::base::{Fence, Version};

use super::super::clock::micros;
use super::super::{BlobId, PartId, Snapshot, SnapshotVersion, StoreError};
use super::call::Call;
use super::records::{checkpoint, concat, part};
use super::reply::Reply;

/// What the script of that name answers.
pub(super) fn read(reply: Reply) -> Result<Snapshot, StoreError> {
    let mut fields = reply.list()?;
    let mut snapshot = Snapshot {
        fence: Fence(fields.field()?.number()?),
        record: fields.field()?.sealed()?,
        expires_at: fields.field()?.some().map(Reply::time).transpose()?,
        versions: fields.field()?.each(version)?,
        parts: fields.field()?.each(part)?,
        checkpoint: fields.field()?.some().map(checkpoint).transpose()?,
    };
    snapshot.parts.sort_unstable_by_key(|(id, _)| *id);
    Ok(snapshot)
}

fn version(reply: Reply) -> Result<SnapshotVersion, StoreError> {
    let mut fields = reply.list()?;
    let (version, fence) = (Version(fields.field()?.number()?), Fence(fields.field()?.number()?));
    let (saved_at, pinned) = (fields.field()?.time()?, fields.field()?.number()? == 1);
    let index = fields.field()?.sealed()?;
    let parts = fields.field()?.ids()?.into_iter().map(PartId).collect();
    let mut blobs: Vec<_> = fields.field()?.ids()?.into_iter().map(BlobId).collect();
    blobs.sort_unstable();
    blobs.dedup();
    Ok(SnapshotVersion { version, fence, index, saved_at, pinned, parts, blobs })
}

/// `call` with a snapshot as its arguments.
pub(super) fn write(call: Call, snapshot: &Snapshot) -> Call {
    let left = snapshot.checkpoint.as_ref();
    let call = call
        .number(snapshot.fence.0)
        .arg(snapshot.record.as_bytes())
        .number(snapshot.expires_at.map(micros))
        .number(left.map(|left| left.fence.0))
        .number(left.and_then(|left| left.base).map(|base| base.0))
        .number(left.map(|left| micros(left.saved_at)))
        .arg(left.map(|left| left.state.as_bytes()).unwrap_or_default())
        .number(snapshot.versions.len() as u64);
    let call = snapshot.versions.iter().fold(call, |call, version| {
        call.number(version.version.0)
            .number(version.fence.0)
            .number(micros(version.saved_at))
            .number(u64::from(version.pinned))
            .arg(version.index.as_bytes())
            .arg(concat(version.parts.iter().map(|part| &part.0)))
            .arg(concat(version.blobs.iter().map(|blob| &blob.0)))
    });
    snapshot.parts.iter().fold(call, |call, (part, body)| call.arg(part.0).arg(body.as_bytes()))
}
