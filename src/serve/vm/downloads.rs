//! What was downloaded in a live browser, for the people who look on: at an address that their page is told, and that opens that alone.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::live::Live;
use crate::live::wire::{DownloadState, ToViewer};

use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::nodes;
use super::super::params::Names;
use super::admin::{Found, admitted};
use super::key::Opens;
use super::socket::Shown;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(download))
}

/// The message with the address at which the download is got, where it tells of one that is whole.
pub(super) fn addressed(shown: &impl Shown, mut message: ToViewer) -> ToViewer {
    if let ToViewer::Download(download) = &mut message
        && download.state == DownloadState::Completed
    {
        download.href = Some(shown.href(&download.id));
    }
    message
}

/// Where a download is got: below the page's own address, which resolves it.
pub(super) fn href(live: &str, download: &str, token: &str) -> String {
    format!("{live}/downloads/{download}/{token}")
}

/// Something that was downloaded in a live browser
#[utoipa::path(get, path = "/live/{id}/downloads/{download}/{token}", tag = "live browsers",
    params(("id" = String, Path, description = "Its `session_id`"), ("download" = String, Path, description = "As the page is told"),
        ("token" = String, Path, description = "As the page is told")),
    responses((status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn download(
    State(app): State<App>,
    Names(path): Names<(String, String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (id, download, token) = path;
    let vm = match admitted(&app, &id, Some(&token), &[Opens::Files]).await? {
        Found::There(node) => return nodes::forward(&app, request, &node).await,
        Found::Here(vm) => vm,
    };
    sent(&vm.live, &download).await
}

/// Sends what was downloaded.
pub(super) async fn sent(live: &Live, download: &str) -> Result<Response, ApiError> {
    let missing = || ApiError::new("not_found", "there is no such download");
    let found = live.downloaded(download).ok_or_else(missing)?;
    let file = tokio::fs::File::open(&found.path).await.map_err(|_| missing())?;
    let mut name = String::new();
    for byte in found.name.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(name, "%{byte:02X}");
    }
    let mut headers = HeaderMap::new();
    // A page that a site hands out as a file is not to run as one of ours.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    if let Ok(about) = file.metadata().await {
        headers.insert(header::CONTENT_LENGTH, about.len().into());
    }
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}
