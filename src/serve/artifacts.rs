//! Pictures that answers refer to: in memory, for 15 minutes, behind a signed address. In memory, because they show what a page
//! showed a signed-in user, and nothing of that is to stand anywhere in clear; so they go with the process that took them. Their addresses
//! name its server, which others of the store ask for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::Tenant;

use super::app::App;
use super::error::{ApiError, ErrorBody};
use super::nodes;
use super::request_id::random_id;

/// How long one is kept.
const KEPT: Duration = Duration::from_mins(15);
/// The most that is kept for one tenant, in bytes; beyond that its own oldest go early.
const MOST_OF_TENANT: usize = 64 << 20;
/// The most that is kept for all, in bytes; beyond that the oldest of whoever has most go early.
const MOST_BYTES: usize = 256 << 20;
/// How far the clocks of two servers may be apart, in seconds.
const APART: i64 = 60;
/// How often what has run out is looked for.
const SWEPT_EVERY: Duration = Duration::from_mins(1);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_artifact))
}

/// Something that an answer refers to.
#[derive(Clone)]
pub(super) struct Artifact {
    content_type: &'static str,
    bytes: Bytes,
}

impl Artifact {
    /// A picture.
    pub(super) fn png(bytes: Vec<u8>) -> Self {
        Self { content_type: "image/png", bytes: bytes.into() }
    }
}

struct Kept {
    id: String,
    tenant: Tenant,
    until: Instant,
    artifact: Artifact,
}

/// What is kept now. Cheap to clone.
#[derive(Clone)]
pub(super) struct Artifacts(Arc<Inner>);

struct Inner {
    /// The server that this is.
    node: String,
    /// Signs addresses; of this process alone, as what they lead to is.
    key: [u8; 32],
    /// How often what has run out is looked for.
    every: Duration,
    /// Oldest first.
    kept: Mutex<VecDeque<Kept>>,
    /// Somebody looks every minute for what has run out.
    is_swept: AtomicBool,
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while kept.front().is_some_and(|oldest| oldest.until <= now) {
            kept.pop_front();
        }
        kept
    }
}

impl Artifacts {
    /// None; this server is known to the others as `node`.
    pub(super) fn new(node: &str) -> Self {
        Self::swept(node, SWEPT_EVERY)
    }

    fn swept(node: &str, every: Duration) -> Self {
        let mut key = [0; 32];
        // Without randomness nothing could be sealed either; ids could then be guessed as well as signatures.
        let _ = getrandom::fill(&mut key);
        let node = node.to_owned();
        Self(Arc::new(Inner { node, key, every, kept: Mutex::default(), is_swept: AtomicBool::new(false) }))
    }

    /// Keeps it for 15 minutes; answers its address, which begins with `base`. One tenant's pictures take room from another's only
    /// where there is none at all, and then from who has most.
    pub(super) fn keep(&self, tenant: &Tenant, artifact: Artifact, base: &str) -> String {
        let id = format!("art_{}", random_id());
        let expires = (jiff::Timestamp::now() + KEPT).as_second();
        let signature = HEXLOWER.encode(&self.sign(&id, expires));
        let mut kept = self.0.kept();
        let more = artifact.bytes.len();
        make_room(&mut kept, MOST_OF_TENANT.saturating_sub(more), |one| one.tenant == *tenant);
        while bytes_of(&kept, |_| true) + more > MOST_BYTES
            && let Some((most, bytes)) = largest(&kept)
        {
            make_room(&mut kept, bytes - 1, |one| one.tenant == most);
        }
        kept.push_back(Kept { id: id.clone(), tenant: tenant.clone(), until: Instant::now() + KEPT, artifact });
        self.sweep();
        drop(kept);
        format!("{base}/v1/artifacts/{id}?node={}&expires={expires}&signature={signature}", self.0.node)
    }

    /// Sees to it that what has run out goes even where nobody asks for anything any more, until nothing is left. To be called with
    /// what is kept locked, so that what is swept does not end unseen.
    fn sweep(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (kept, every) = (Arc::downgrade(&self.0), self.0.every);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(inner) = kept.upgrade() else { return };
                let left = inner.kept();
                if left.is_empty() {
                    inner.is_swept.store(false, Ordering::Relaxed);
                    return;
                }
            }
        });
    }

    fn sign(&self, id: &str, expires: i64) -> Vec<u8> {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0.key) else { return Vec::new() };
        mac.update(id.as_bytes());
        mac.update(&[0]);
        mac.update(&expires.to_be_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn find(&self, id: &str, signed: &Signed) -> Option<Artifact> {
        let given = HEXLOWER.decode(signed.signature.as_bytes()).ok()?;
        let right = self.sign(id, signed.expires);
        let is_signed = !right.is_empty() && bool::from(right.ct_eq(&given));
        if !is_signed || signed.expires <= jiff::Timestamp::now().as_second() {
            return None;
        }
        self.0.kept().iter().find(|kept| kept.id == id).map(|kept| kept.artifact.clone())
    }
}

fn bytes_of(kept: &VecDeque<Kept>, is_one: impl Fn(&Kept) -> bool) -> usize {
    kept.iter().filter(|one| is_one(one)).map(|one| one.artifact.bytes.len()).sum()
}

/// Whose take most room, and how much; none where nothing takes any.
fn largest(kept: &VecDeque<Kept>) -> Option<(Tenant, usize)> {
    let of = |one: &Kept| bytes_of(kept, |other| other.tenant == one.tenant);
    let (tenant, bytes) = kept.iter().map(|one| (&one.tenant, of(one))).max_by_key(|(_, bytes)| *bytes)?;
    (bytes > 0).then(|| (tenant.clone(), bytes))
}

/// Lets go of the oldest of those, until they have no more than `most` bytes.
fn make_room(kept: &mut VecDeque<Kept>, most: usize, is_one: impl Fn(&Kept) -> bool) {
    let mut bytes = bytes_of(kept, &is_one);
    kept.retain(|one| {
        let goes = bytes > most && is_one(one);
        if goes {
            bytes -= one.artifact.bytes.len();
        }
        !goes
    });
}

/// What makes an address good.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Signed {
    /// Until when, in seconds since 1970.
    expires: i64,
    /// Proves that we made the address.
    signature: String,
    /// The server that has it.
    #[serde(default)]
    node: Option<String>,
}

impl Signed {
    /// Whether it looks like one of ours that is still good: for others no store and no server is asked. Whether it is one is found out
    /// where it was made, by the clock of there; ours may be another by a minute.
    fn may_be_of(&self, id: &str) -> bool {
        let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let left = self.expires.saturating_sub(jiff::Timestamp::now().as_second());
        let most = i64::try_from(KEPT.as_secs()).unwrap_or(i64::MAX);
        id.strip_prefix("art_").is_some_and(|id| is_hex(id, 32))
            && is_hex(&self.signature, 64)
            && (-APART..=most.saturating_add(APART)).contains(&left)
    }
}

/// A picture that an answer referred to. Its address is its own proof: no token is asked for.
#[utoipa::path(get, path = "/v1/artifacts/{name}", tag = "pages", params(("name" = String, Path, description = "its name"), Signed),
    responses((status = 200, description = "the picture", content_type = "image/png", body = Vec<u8>),
        (status = 404, description = "none, or not any more", body = ErrorBody)))]
async fn get_artifact(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    signed: Result<Query<Signed>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let asked = id.ok().zip(signed.ok()).filter(|(Path(id), Query(signed))| signed.may_be_of(id));
    if let Some(node) = asked.as_ref().and_then(|(_, Query(signed))| signed.node.as_deref())
        && app.nodes.is_other(node)
        && nodes::is_there(&app, node).await?
    {
        return nodes::forward(&app, request, node).await;
    }
    let found = asked.and_then(|(Path(id), Query(signed))| app.artifacts.find(&id, &signed));
    let Some(artifact) = found else {
        return Err(ApiError::new(
            "not_found",
            "there is no such picture, or not any more: they are kept for 15 minutes",
        ));
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(artifact.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    Ok((headers, artifact.bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(url: &str) -> (String, Signed) {
        let url: url::Url = url.parse().unwrap();
        let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let id = url.path_segments().unwrap().next_back().unwrap().to_owned();
        (id, Signed { expires: of("expires").parse().unwrap(), signature: of("signature"), node: Some(of("node")) })
    }

    #[test]
    fn only_its_own_address_leads_to_it() {
        let artifacts = Artifacts::new("node_1");
        let (id, good) = signed(&artifacts.keep(&tenant("a"), Artifact::png(vec![1, 2, 3]), "http://a.example"));
        assert_eq!(&artifacts.find(&id, &good).unwrap().bytes[..], [1, 2, 3]);
        let later = Signed { expires: good.expires + 60, signature: good.signature.clone(), node: None };
        let other = Signed { expires: good.expires, signature: "00".repeat(32), node: None };
        assert!(artifacts.find(&id, &later).is_none() && artifacts.find(&id, &other).is_none());
        let long_over = Signed { expires: good.expires - 3600, signature: good.signature.clone(), node: None };
        let short = Signed { expires: good.expires, signature: "00".to_owned(), node: None };
        assert!(good.may_be_of(&id) && other.may_be_of(&id), "{id}");
        assert!(!good.may_be_of("art_0") && !long_over.may_be_of(&id) && !short.may_be_of(&id));
        assert!(artifacts.find("art_0", &good).is_none() && Artifacts::new("node_1").find(&id, &good).is_none());
    }

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).unwrap()
    }

    #[test]
    fn the_oldest_of_a_tenant_go_where_it_has_too_much() {
        let artifacts = Artifacts::new("node_1");
        let keep = |of: &str, bytes| signed(&artifacts.keep(&tenant(of), Artifact::png(vec![0; bytes]), "http://a"));
        let (others, not_its_own) = keep("other", 1);
        let (first, address) = keep("one", MOST_OF_TENANT / 2);
        let (second, kept) = keep("one", MOST_OF_TENANT / 2 + 1);
        assert!(artifacts.find(&first, &address).is_none() && artifacts.find(&second, &kept).is_some());
        assert!(artifacts.find(&others, &not_its_own).is_some());
    }

    #[test]
    fn where_there_is_no_room_at_all_it_is_taken_from_who_has_most() {
        let artifacts = Artifacts::new("node_1");
        let keep = |of: &str, bytes| signed(&artifacts.keep(&tenant(of), Artifact::png(vec![0; bytes]), "http://a"));
        let (small, smalls) = keep("small", 1_000);
        for name in ["a", "b", "c", "d", "e"] {
            keep(name, MOST_OF_TENANT);
        }
        assert!(artifacts.find(&small, &smalls).is_some());
        assert!(bytes_of(&artifacts.0.kept(), |_| true) <= MOST_BYTES);
    }

    #[tokio::test]
    async fn what_ran_out_goes_by_itself() {
        let artifacts = Artifacts::swept("node_1", Duration::from_millis(5));
        artifacts.keep(&tenant("one"), Artifact::png(vec![0]), "http://a");
        artifacts.0.kept.lock().unwrap()[0].until = Instant::now();
        while artifacts.0.is_swept.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        assert!(artifacts.0.kept.lock().unwrap().is_empty());
    }
}
