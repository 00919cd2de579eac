//! Sessions out of the store and into it over HTTP: as Playwright's state, as cookies.txt, or as a sealed bundle.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::{Secret, SessionId, Tenant, Version};
use crate::session::{Format, ImportOptions, Imported, Partial, PortableError, Source};

use super::access::Admin;
use super::app::App;
use super::error::ApiError;
use super::params::{Passphrase, Query, SessionPath};
use super::refusals::{BadFile, Forbidden, InTheWay, Missing, TooLarge, Usual, refused, to_its_end};
use super::request_id::RequestId;

/// Bytes of a bundle that are on their way at a time.
const PIECE: usize = 64 << 10;
/// How long a session may be on its way: whoever is slower keeps others waiting.
const TRANSFER: Duration = Duration::from_mins(10);
/// The header that tells how much of the session the format does not hold.
const NOT_HELD: &str = "x-rhaven-not-held";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(import))
}

/// How a session is written.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    /// Playwright's `storageState`, JSON in clear: cookies, localStorage, `IndexedDB`.
    StorageState,
    /// Netscape's `cookies.txt`, in clear: cookies.
    CookiesTxt,
    /// Ours, sealed under a passphrase: everything.
    Bundle,
}

impl FormatName {
    fn format(self) -> Format {
        match self {
            Self::StorageState => Format::Playwright,
            Self::CookiesTxt => Format::Cookies,
            Self::Bundle => Format::Bundle,
        }
    }

    fn of(format: Format) -> Self {
        match format {
            Format::Playwright => Self::StorageState,
            Format::Cookies => Self::CookiesTxt,
            Format::Bundle => Self::Bundle,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::StorageState => "application/json",
            Self::CookiesTxt => "text/plain; charset=utf-8",
            Self::Bundle => "application/octet-stream",
        }
    }
}

/// What to write.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Export {
    /// How.
    #[param(inline)]
    format: FormatName,
    /// All kept versions with their times, not only the newest; in a bundle.
    #[serde(default)]
    all_versions: bool,
}

/// Writes a session: in clear for Playwright or curl, or sealed. Whoever reads what is in clear is signed in
#[utoipa::path(get, path = "/v1/sessions/{id}/export", tag = "sessions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The session, percent-encoded"), Export,
        ("X-Rhaven-Passphrase" = Option<String>, Header, description = "What a bundle is sealed under; at least 8 characters")),
    responses(
        (status = 200, description = "The session; `X-Rhaven-Not-Held` counts what the format does not hold.",
            content((serde_json::Value = "application/json"), (String = "text/plain"), (String = "application/octet-stream"))),
        Usual, Forbidden, Missing, TooLarge))]
async fn export(
    State(app): State<App>,
    Admin(caller): Admin,
    SessionPath(id): SessionPath,
    Query(Export { format, all_versions }): Query<Export>,
    Passphrase(passphrase): Passphrase,
) -> Result<Response, ApiError> {
    let tenant = caller.tenant().clone();
    let kind = [(header::CONTENT_TYPE, format.content_type()), (header::CACHE_CONTROL, "no-store")];
    if format.format() == Format::Bundle {
        let passphrase = passphrase.ok_or_else(|| refused(PortableError::NoPassphrase.into()))?;
        return Ok((kind, sealed(app, tenant, id, passphrase, all_versions).await?).into_response());
    }
    if all_versions {
        return Err(ApiError::invalid("all_versions", "only a bundle holds more than the newest version"));
    }
    let _place = app.heavy(&tenant).await?;
    let (found, most) = (app.sessions.stored_bytes(&tenant, &id).await.map_err(refused)?, app.config.max_import);
    if format.format() == Format::Playwright && found > most {
        let message = format!("the session has {found} bytes; {most} is the most in clear: take a bundle");
        return Err(ApiError::new("payload_too_large", message));
    }
    let mut bytes = Vec::new();
    let written = app.sessions.export(&tenant, &id, format.format(), None, &mut bytes).await.map_err(refused)?;
    let not_held = [(NOT_HELD, HeaderValue::from(written.lost.len()))];
    Ok((kind, not_held, bytes).into_response())
}

/// A bundle, written while it is sent. What is wrong before its first byte is an error like any other; after that the body breaks off.
async fn sealed(
    app: App,
    tenant: Tenant,
    id: SessionId,
    passphrase: Secret,
    all_versions: bool,
) -> Result<axum::body::Body, ApiError> {
    let (reader, mut writer) = tokio::io::duplex(PIECE);
    let place = app.transfer(&tenant).await?;
    let writing = async move {
        let _place = place;
        let written = async {
            if all_versions {
                app.sessions.export_all(&tenant, &id, &passphrase, &mut writer).await
            } else {
                app.sessions.export(&tenant, &id, Format::Bundle, Some(&passphrase), &mut writer).await
            }
        };
        // Nothing is held meanwhile that would have to be given back.
        let late = |_| Err(PortableError::Write(io::ErrorKind::TimedOut.into()).into());
        tokio::time::timeout(TRANSFER, written).await.unwrap_or_else(late)
    };
    let writing = tokio::spawn(writing.in_current_span());
    let broke_off = || ApiError::internal("the bundle could not be written");
    let mut pieces = ReaderStream::with_capacity(reader, PIECE);
    let Some(Ok(first)) = pieces.next().await else {
        return Err(match writing.await {
            Ok(Err(error)) => refused(error),
            _ => broke_off(),
        });
    };
    let end = stream::once(writing).filter_map(|written| {
        let error = match written {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => {
                tracing::warn!(code = error.code(), "a bundle broke off");
                Some(Err(io::Error::other("the bundle broke off")))
            }
            Err(_) => Some(Err(io::Error::other("the bundle broke off"))),
        };
        std::future::ready(error)
    });
    Ok(axum::body::Body::from_stream(stream::once(std::future::ready(Ok(first))).chain(pieces).chain(end)))
}

/// How to take what is sent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Import {
    /// What the body is; told by how it begins where it is left out.
    #[param(inline)]
    format: Option<FormatName>,
    /// Where the session is there already, make this its newest version.
    #[serde(default)]
    replace: bool,
}

/// What an import made.
#[derive(Debug, Serialize, ToSchema)]
struct Made {
    /// The request's id.
    request_id: String,
    /// The session.
    id: String,
    /// What the body was.
    #[schema(inline)]
    format: FormatName,
    /// The new version; the newest where there are several.
    version: Version,
    /// The version that was the newest before; null where the session is new.
    replaced: Option<Version>,
    /// How many versions were made.
    versions: usize,
    /// How many cookies it has.
    cookies: usize,
    /// Of how many origins it has storage.
    origins: usize,
    /// What of it could not be taken, by name.
    lost: Vec<Partial>,
}

/// Makes a session, or with `replace` a new version of one, from a state, a cookies.txt or a bundle. What is in clear is checked in
/// full before the session is touched
#[utoipa::path(put, path = "/v1/sessions/{id}/import", tag = "sessions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The session, percent-encoded"), Import,
        ("X-Rhaven-Passphrase" = Option<String>, Header, description = "What a bundle is opened with")),
    request_body(content((serde_json::Value = "application/json"), (String = "text/plain"), (String = "application/octet-stream"))),
    responses((status = 200, body = Made), Usual, Forbidden, InTheWay, TooLarge, BadFile))]
#[expect(clippy::too_many_arguments, reason = "the parts of a request")]
async fn import(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
    Query(Import { format, replace }): Query<Import>,
    Passphrase(passphrase): Passphrase,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Json<Made>, ApiError> {
    let limit = app.config.max_import;
    let too_large = || {
        let message = format!("the body has more than {limit} bytes, which is the most that is imported here");
        ApiError::new("payload_too_large", message)
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let exceeded = Arc::new(AtomicBool::new(false));
    let input = limited(body, limit, exceeded.clone());
    let given_up = CancellationToken::new();
    // Whoever goes away does not want it any more; it takes back what it has written.
    let _gone = given_up.clone().drop_guard();
    let options = ImportOptions { replace, passphrase, ttl: app.config.workspace.ttl, given_up };
    let (tenant, session) = (caller.tenant().clone(), id.clone());
    let (place, late) = (app.transfer(&tenant).await?, options.given_up.clone());
    let done = to_its_end(async move {
        let _place = place;
        let _late = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(TRANSFER).await;
            late.cancel();
        }));
        let source = Source::open(input, format.map(FormatName::format)).await?;
        Box::pin(app.sessions.import(&tenant, &session, source, &options)).await
    });
    let done = done.await.map_err(|error| if exceeded.load(Ordering::Relaxed) { too_large() } else { error })?;
    let Imported { format, replaced, version, versions, cookies, origins, lost } = done;
    let (id, format) = (id.to_string(), FormatName::of(format));
    Ok(Json(Made { request_id, id, format, version, replaced, versions, cookies, origins, lost }))
}

/// The body as it comes, up to `limit` bytes.
fn limited(body: axum::body::Body, limit: u64, exceeded: Arc<AtomicBool>) -> impl AsyncRead + Send + Unpin + 'static {
    let mut left = limit;
    StreamReader::new(body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(io::Error::other)?;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(length).ok_or_else(|| {
            exceeded.store(true, Ordering::Relaxed);
            io::Error::from(io::ErrorKind::FileTooLarge)
        })?;
        Ok::<_, io::Error>(piece)
    }))
}
