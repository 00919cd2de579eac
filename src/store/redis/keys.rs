//! The names of keys. All of a tenant's share the hash tag `{<tenant>}`, so that a script's keys are on one node of a cluster.

use data_encoding::HEXLOWER;

use crate::seal::{NameTag, TenantTag};

use super::super::RecordName;

/// The layout that this build writes; its number stands in the names of all keys but the first two.
pub(super) const LAYOUT: u32 = 1;
/// Where the newest layout that was ever written is kept.
pub(super) const LAYOUT_KEY: &str = "rhaven:layout";
/// The tenants that were ever written for: a sorted set without scores, by name.
pub(super) const TENANTS_KEY: &str = "rhaven:tenants";

/// A tag as keys and lists show it. The order of these texts is that of the tags.
pub(super) fn hex(tag: &[u8]) -> String {
    HEXLOWER.encode(tag)
}

/// The tag that a list shows; none where it is no such text.
pub(super) fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    HEXLOWER.decode(text).ok()?.try_into().ok()
}

fn of(tenant: TenantTag, what: &str) -> String {
    format!("rhaven:{LAYOUT}:{{{}}}:{what}", hex(&tenant.0))
}

/// The keys that every script about sessions gets.
pub(super) fn of_sessions(tenant: TenantTag) -> Vec<String> {
    ["names", "due", "blobs"].map(|what| of(tenant, what)).into()
}

/// The keys of a script about one session.
pub(super) fn of_session(name: &RecordName) -> Vec<String> {
    let own = ["session", "data"].map(|what| of(name.tenant, &format!("{what}:{}", hex(&name.session.0))));
    of_sessions(name.tenant).into_iter().chain(own).collect()
}

/// The keys that every script about documents gets.
pub(super) fn of_documents(tenant: TenantTag) -> Vec<String> {
    ["documents", "documents-due"].map(|what| of(tenant, what)).into()
}

/// The keys of a script about one document.
pub(super) fn of_document(tenant: TenantTag, kind: &str, name: NameTag) -> Vec<String> {
    let own = of(tenant, &format!("document:{kind}:{}", hex(&name.0)));
    of_documents(tenant).into_iter().chain([own]).collect()
}

/// Keys for trying what is permitted.
pub(super) fn of_probe() -> Vec<String> {
    ["hash", "set"].map(|what| format!("rhaven:{LAYOUT}:{{probe}}:{what}")).into()
}

/// A document's place in its tenant's list.
pub(super) fn place(kind: &str, name: NameTag) -> String {
    format!("{kind}\0{}", hex(&name.0))
}
