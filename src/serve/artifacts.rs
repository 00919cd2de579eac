//! Pictures that answers refer to: in memory, for 15 minutes, behind a signed address. In memory, because they show what a page
//! showed a signed-in user, and nothing of that is to stand anywhere in clear; so they go with the process that took them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
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

use super::app::App;
use super::error::{ApiError, ErrorBody};
use super::request_id::random_id;

/// How long one is kept.
const KEPT: Duration = Duration::from_mins(15);
/// The most that is kept, in bytes; beyond that the oldest go early.
const MOST_BYTES: usize = 256 << 20;

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
    until: Instant,
    artifact: Artifact,
}

/// What is kept now. Cheap to clone.
#[derive(Clone)]
pub(super) struct Artifacts(Arc<Inner>);

struct Inner {
    /// Signs addresses; of this process alone, as what they lead to is.
    key: [u8; 32],
    /// Oldest first.
    kept: Mutex<VecDeque<Kept>>,
}

impl Artifacts {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        // Without randomness nothing could be sealed either; ids could then be guessed as well as signatures.
        let _ = getrandom::fill(&mut key);
        Self(Arc::new(Inner { key, kept: Mutex::default() }))
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while kept.front().is_some_and(|oldest| oldest.until <= now) {
            kept.pop_front();
        }
        kept
    }

    /// Keeps it for 15 minutes; answers its address, which begins with `base`.
    pub(super) fn keep(&self, artifact: Artifact, base: &str) -> String {
        let id = format!("art_{}", random_id());
        let expires = (jiff::Timestamp::now() + KEPT).as_second();
        let signature = HEXLOWER.encode(&self.sign(&id, expires));
        let mut kept = self.kept();
        let mut bytes = artifact.bytes.len() + kept.iter().map(|kept| kept.artifact.bytes.len()).sum::<usize>();
        while bytes > MOST_BYTES
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= oldest.artifact.bytes.len();
        }
        kept.push_back(Kept { id: id.clone(), until: Instant::now() + KEPT, artifact });
        format!("{base}/v1/artifacts/{id}?expires={expires}&signature={signature}")
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
        self.kept().iter().find(|kept| kept.id == id).map(|kept| kept.artifact.clone())
    }
}

/// What makes an address good.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Signed {
    /// Until when, in seconds since 1970.
    expires: i64,
    /// Proves that we made the address.
    signature: String,
}

/// A picture that an answer referred to. Its address is its own proof: no token is asked for.
#[utoipa::path(get, path = "/v1/artifacts/{name}", tag = "pages", params(("name" = String, Path, description = "its name"), Signed),
    responses((status = 200, description = "the picture", content_type = "image/png", body = Vec<u8>),
        (status = 404, description = "none, or not any more", body = ErrorBody)))]
async fn get_artifact(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    signed: Result<Query<Signed>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = id.ok().zip(signed.ok());
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
        (id, Signed { expires: of("expires").parse().unwrap(), signature: of("signature") })
    }

    #[test]
    fn only_its_own_address_leads_to_it() {
        let artifacts = Artifacts::new();
        let (id, good) = signed(&artifacts.keep(Artifact::png(vec![1, 2, 3]), "http://a.example"));
        assert_eq!(&artifacts.find(&id, &good).unwrap().bytes[..], [1, 2, 3]);
        let later = Signed { expires: good.expires + 60, signature: good.signature.clone() };
        let other = Signed { expires: good.expires, signature: "00".repeat(32) };
        assert!(artifacts.find(&id, &later).is_none() && artifacts.find(&id, &other).is_none());
        assert!(artifacts.find("art_0", &good).is_none() && Artifacts::new().find(&id, &good).is_none());
    }

    #[test]
    fn the_oldest_go_where_there_is_too_much() {
        let artifacts = Artifacts::new();
        let (first, address) = signed(&artifacts.keep(Artifact::png(vec![0; MOST_BYTES / 2]), "http://a"));
        let (second, kept) = signed(&artifacts.keep(Artifact::png(vec![0; MOST_BYTES / 2 + 1]), "http://a"));
        assert!(artifacts.find(&first, &address).is_none() && artifacts.find(&second, &kept).is_some());
    }
}
