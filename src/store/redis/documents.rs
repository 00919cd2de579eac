//! Documents in Redis.

use std::time::Duration;

use async_trait::async_trait;

use crate::seal::{NameTag, Sealed, TenantTag};

use super::super::{DocumentName, Documents, Expected, KeptDocument, StoreError};
use super::RedisStore;
use super::call::Call;
use super::keys::{hex, of_document, of_documents, place, unhex};
use super::reply::Reply;
use super::scripts::Op;

impl RedisStore {
    /// A script about one document, with its place as the first argument.
    fn about_document(&self, op: Op, name: &DocumentName) -> Call {
        Call::script(op, &of_document(name.tenant, name.kind, name.name), self.now()).arg(place(name.kind, name.name))
    }
}

/// A document as the scripts list it.
fn listed(tenant: TenantTag, reply: Reply) -> Result<KeptDocument, StoreError> {
    let mut fields = reply.list()?;
    let place = fields.field()?.text()?;
    let parts = place.split_once('\0').and_then(|(kind, name)| Some((kind.to_owned(), unhex(name.as_bytes())?)));
    let (kind, name) = parts.ok_or_else(|| fields.unknown(&place))?;
    Ok(KeptDocument {
        tenant,
        kind,
        name: NameTag(name),
        value: fields.field()?.sealed()?,
        expires_at: fields.field()?.some().map(Reply::time).transpose()?,
    })
}

#[async_trait]
impl Documents for RedisStore {
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        self.send(self.about_document(Op::DocumentGet, name)).await?.some().map(Reply::sealed).transpose()
    }

    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let (condition, wanted): (_, &[u8]) = match expected {
            Expected::Anything => ("any", &[]),
            Expected::Absent => ("none", &[]),
            Expected::Value(wanted) => ("value", wanted.as_bytes()),
        };
        let call =
            Call::entering(name.tenant, Op::DocumentPut, &of_document(name.tenant, name.kind, name.name), self.now())
                .arg(place(name.kind, name.name))
                .arg(condition)
                .arg(wanted)
                .arg(value.as_bytes())
                .number(ttl.map(|ttl| u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX)));
        let mut fields = self.send(call).await?.list()?;
        match fields.field()?.text()?.as_str() {
            "done" => Ok(()),
            "changed" => Err(StoreError::DocumentChanged),
            other => Err(fields.unknown(other)),
        }
    }

    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        Ok(self.send(self.about_document(Op::DocumentRemove, name)).await?.number()? == 1)
    }

    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        let after = after.map(|name| hex(&name.0)).unwrap_or_default();
        let call = Call::script(Op::DocumentList, &of_documents(tenant), self.now());
        let reply = self.send(call.arg(kind).arg(after).number(limit as u64)).await?;
        reply.each(|document| listed(tenant, document).map(|kept| (kept.name, kept.value)))
    }

    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        let mut found = Vec::new();
        for tenant in self.tenants(after.map(|after| after.tenant)).await? {
            let room = limit - found.len();
            if room == 0 {
                break;
            }
            let after = after.filter(|after| after.tenant == tenant).map(|after| place(&after.kind, after.name));
            let call = Call::script(Op::DocumentAll, &of_documents(tenant), self.now());
            let reply = self.send(call.arg(after.unwrap_or_default()).number(room as u64)).await?;
            found.extend(reply.each(|document| listed(tenant, document))?);
        }
        Ok(found)
    }

    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        let keys = of_document(kept.tenant, &kept.kind, kept.name);
        let call = Call::script(Op::DocumentReseal, &keys, self.now());
        let call = call.arg(place(&kept.kind, kept.name)).arg(kept.value.as_bytes()).arg(new.as_bytes());
        Ok(self.send(call).await?.number()? == 1)
    }
}
