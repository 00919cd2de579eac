//! A state that waits to become a version: that of a checkpoint, of a run that may crash, or of the outbox, of one whose store
//! was away. It holds what differs from the version that the run had, and is sealed under the session's data key, so that it
//! goes with the session; where there is no version yet, and so no such key, under the tenant's.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Fence, SessionId, Tenant, Version};
use crate::seal::{Context, Sealed, open, seal};

use super::capture::{Captured, Snapshot};
use super::keys::seal_error;
use super::part::Part;
use super::save::{Base, Draft};
use super::sessions::Sessions;
use super::state::{Beside, decode, encode};
use super::{Cookie, Partial, SessionError};

const FORMAT: u32 = 1;

/// What differs from a version, with all cookies.
#[derive(Serialize, Deserialize)]
pub(super) struct Waiting {
    format: u32,
    /// The fence of the run that it is of.
    pub(super) fence: Fence,
    /// The version that it is told against, and the fence that that was written under; none where there was none.
    pub(super) base: Option<(Version, Fence)>,
    /// When it was read (RFC 3339).
    pub(super) made: String,
    /// Every cookie; none where nothing differs at all.
    cookies: Option<Vec<Cookie>>,
    parts: Vec<WaitingPart>,
    /// Storage keys that may have changed and are not among the parts.
    pub(super) left_out: Vec<String>,
    #[serde(flatten)]
    beside: Beside,
    /// It is that of a profile session.
    #[serde(default)]
    is_profile: bool,
}

/// All that one storage key keeps; nothing where it keeps nothing any more.
#[derive(Serialize, Deserialize)]
pub(super) struct WaitingPart {
    pub(super) storage_key: String,
    pub(super) lines: Zeroizing<String>,
    pub(super) partial: Vec<Partial>,
}

/// Where it stands, which is what authenticates it.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Beside HEAD, by the run with this fence.
    Store(Fence),
    /// In the outbox of this machine.
    Outbox,
}

impl Waiting {
    /// A state told against `base`.
    pub(super) fn new(
        fence: Fence,
        base: &Base,
        cookies: Vec<Cookie>,
        parts: Vec<WaitingPart>,
        beside: Beside,
    ) -> Self {
        let base = base.stored().map(|stored| (stored.version, stored.fence));
        let made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let cookies = Some(cookies);
        Self { format: FORMAT, fence, base, made, cookies, parts, left_out: Vec::new(), beside, is_profile: false }
    }

    /// The same, of a profile session.
    pub(super) fn of_profile(self, is_profile: bool) -> Self {
        Self { is_profile, ..self }
    }

    /// No difference: what takes the place of a checkpoint that is not to come back.
    pub(super) fn nothing(fence: Fence) -> Self {
        let (made, parts, left_out, beside) = (String::new(), Vec::new(), Vec::new(), Beside::default());
        Self { format: FORMAT, fence, base: None, made, cookies: None, parts, left_out, beside, is_profile: false }
    }

    /// Whether nothing differs.
    pub(super) fn is_nothing(&self) -> bool {
        self.cookies.is_none()
    }

    /// Seals it for `place`.
    pub(super) fn seal(
        &self,
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
        base: &Base,
        place: Place,
    ) -> Result<Sealed, SessionError> {
        let bytes = encode(self)?;
        let key = base.stored().map_or_else(|| sessions.tenant_key(tenant), |stored| stored.key.clone());
        let name = sessions.name(tenant, id).session;
        seal(&key, place.context(tenant, id, &name), &bytes).map_err(|error| seal_error(place.what(), error))
    }

    /// Opens one by the keys of `head`, which is the session's newest version where it has one, or by the tenant's.
    pub(super) fn open(
        sessions: &Sessions,
        tenant: &Tenant,
        id: &SessionId,
        head: &Base,
        place: Place,
        sealed: &Sealed,
    ) -> Result<Self, SessionError> {
        let name = sessions.name(tenant, id).session;
        let (context, what) = (place.context(tenant, id, &name), place.what());
        let data_key = head.stored().map(|stored| &stored.key).filter(|key| key.id() == sealed.key_id());
        let bytes = match data_key {
            Some(key) => open(key, context, sealed).map_err(|error| seal_error(what, error))?,
            None => sessions.open_tenant(tenant, context, sealed, what)?,
        };
        decode(&bytes, what)
    }

    /// What would be written, told against `base`. Looks into the parts that it replaces, to name what differs.
    pub(super) async fn draft(&self, sessions: &Sessions, tenant: &Tenant, base: &Base) -> Result<Draft, SessionError> {
        let mut names = HashMap::new();
        for waiting in &self.parts {
            let Some(stored) = base.stored() else { break };
            let old = stored.index.parts.iter().find(|old| old.storage_key == waiting.storage_key);
            let Some(old) = old else { continue };
            // One that cannot be opened is replaced all the same: then everything in it counts as added.
            if let Ok(opened) = sessions.open_part(tenant, stored, old, base.sealed().get(&old.part_id())).await {
                names.insert(old.storage_key.clone(), opened.names());
            }
        }
        let origins = self.parts.iter().map(|part| {
            let opened = Part::from_bytes(part.lines.as_bytes(), "a state that waits")?;
            Ok((part.storage_key.clone(), Captured::Read(opened, part.partial.clone())))
        });
        let origins = origins.collect::<Result<_, SessionError>>()?;
        let cookies = self.cookies.clone().unwrap_or_default();
        let now = Snapshot { cookies, beside: self.beside.clone(), origins };
        let base = base.with_names(names.clone());
        Ok(Draft::new(&base, &base, &names, now).of_profile(self.is_profile))
    }
}

/// What is told of keys that were left out; nothing where none was.
pub(super) fn not_among(left_out: &[String]) -> String {
    match left_out {
        [] => String::new(),
        keys => format!("; not among them is what may have changed at {}", keys.join(", ")),
    }
}

/// What is told of what could not be read of the others; nothing where all was.
pub(super) fn not_kept(unread: &[Partial]) -> String {
    let name = |lost: &Partial| {
        let key = lost.key.as_deref().map(|key| format!(" key {key:?}")).unwrap_or_default();
        format!("{}{key} of {} ({})", lost.store, lost.origin, lost.reason)
    };
    match unread {
        [] => String::new(),
        all => format!("; not kept is {}", all.iter().map(name).collect::<Vec<_>>().join(", ")),
    }
}

impl WaitingPart {
    /// All of a part.
    pub(super) fn of(storage_key: &str, part: &Part, partial: &[Partial]) -> Self {
        let lines = Zeroizing::new(String::from_utf8_lossy(part.as_bytes()).into_owned());
        Self { storage_key: storage_key.to_owned(), lines, partial: partial.to_vec() }
    }
}

impl Place {
    fn context<'a>(self, tenant: &'a Tenant, session: &'a SessionId, name: &'a crate::seal::NameTag) -> Context<'a> {
        match self {
            Self::Store(fence) => Context::Checkpoint { tenant, session, fence },
            Self::Outbox => Context::Document { tenant, kind: "outbox", name },
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Store(_) => "the checkpoint",
            Self::Outbox => "what waits in the outbox",
        }
    }
}
