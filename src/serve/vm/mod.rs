//! Live browsers: `/v0/vm`, as Hyperbeam's clients ask for it, and what stands at the base of a live browser's address.
//!
//! What is asked (`input`, `profile`) becomes a session that is open in a browser of its own (`life`), which people watch and steer
//! (`crate::live` over `socket`) and clients drive (`devtools`), until somebody, a time (`watch`) or an accident ends it. What is told
//! of it is kept in the store (`record`), so that every server of the store can answer for it; what only its own server has is
//! forwarded there. Who may do what by which token is `key`'s. `local` shows one session alone, without a server around it.

mod admin;
mod assets;
mod devtools;
mod downloads;
mod input;
mod key;
mod life;
mod links;
mod local;
mod peer;
mod places;
mod profile;
mod record;
mod running;
mod shared;
mod socket;
mod watch;
mod webhook;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::Tenant;
use crate::session::Scope;

use super::access::Caller;
use super::app::App;
use super::error::{ApiError, ErrorBody};
use super::params::{Name, Query};
use super::{json, nodes};

use input::VmInput;
use key::Opens;
use life::Started;
pub use local::{LiveAddress, LivePage};
use record::Record;
pub(super) use running::Vms;
pub(super) use shared::People;

/// How many are told of at a time.
const PAGE: usize = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
        .merge(admin::routes())
        .merge(assets::routes())
        .merge(socket::routes())
        .merge(devtools::routes())
        .merge(downloads::routes())
}

/// A live browser that was started.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBrowser)]
struct Made {
    /// Its id: of the live browser, and of the profile that it saves where that is new.
    session_id: String,
    /// The page that shows it and lets people steer it; may stand in an `<iframe>`. Lets people in for 24 hours.
    embed_url: String,
    /// The same for those who only look on.
    view_url: String,
    /// Opens what stands at the base of `embed_url`: timeouts, roles.
    admin_token: String,
    /// Its DevTools protocol over a WebSocket: for Playwright's `connectOverCDP` and Puppeteer's `connect`.
    cdp_url: String,
    /// What was asked and has no meaning here.
    warnings: Vec<String>,
}

/// A live browser, as it is by now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBrowserInfo)]
struct Shown {
    session_id: String,
    embed_url: String,
    view_url: String,
    admin_token: String,
    cdp_url: String,
    /// When it was started (RFC 3339).
    creation_date: String,
    /// When it ended; null while it goes on.
    termination_date: Option<String>,
    /// Why it ended: `request`, `absolute`, `inactive`, `offline`, `shutdown`, `crashed`, `lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_reason: Option<String>,
    /// What of its profile is saved: `full`, `state` (cookies and storages, without what came since to history, bookmarks and passwords),
    /// `none`.
    saved: String,
}

/// Live browsers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBrowserList)]
struct List {
    results: Vec<Entry>,
    /// What to give as `after_id` for those that follow; null at the end.
    next: Option<String>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBrowserEntry)]
struct Entry {
    id: String,
    creation_date: String,
}

/// A live browser that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveBrowserEnded)]
struct Deleted {
    session_id: String,
}

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Those after this one.
    after_id: Option<String>,
}

/// Starts a live browser
#[utoipa::path(post, path = "/v0/vm", tag = "live browsers", security(("token" = ["vm"])),
    request_body(content = Option<VmInput>, description = "May be left out"),
    responses((status = 200, body = Made), (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 504, body = ErrorBody)))]
async fn create(State(app): State<App>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    caller.needs(Scope::Vm)?;
    let (parts, body) = request.into_parts();
    let body = json::bytes(Request::from_parts(parts.clone(), body), app.config.max_body).await?;
    let (input, warnings) = input::read(&body)?;
    let tenant = caller.tenant().clone();
    let (starting, of, is_passed_on) = (app.clone(), tenant.clone(), nodes::has_come_far(&parts));
    // To its end: whoever goes away now leaves a live browser, not half of one. The server's end waits for it, too.
    let start = async move { Box::pin(life::start(&starting, &of, input, is_passed_on)).await };
    let started = tokio::spawn(app.executions.track_future(start)).await;
    let started = started.map_err(|_| ApiError::internal("the live browser could not be started"))??;
    let record = match &started {
        Started::New(vm) => &vm.record,
        Started::There(record) => record,
        // That one knows when it ends the one that is in the way.
        Started::Elsewhere(node) => return nodes::forward(&app, Request::from_parts(parts, body.into()), node).await,
    };
    Ok(Json(made(&app, &tenant, record, warnings)).into_response())
}

fn made(app: &App, tenant: &Tenant, record: &Record, warnings: Vec<String>) -> Made {
    let Addresses { embed_url, view_url, cdp_url, admin_token } = addresses(app, tenant, record);
    Made { session_id: record.id.clone(), embed_url, view_url, admin_token, cdp_url, warnings }
}

/// Where people and clients find it.
struct Addresses {
    embed_url: String,
    view_url: String,
    cdp_url: String,
    admin_token: String,
}

fn addresses(app: &App, tenant: &Tenant, record: &Record) -> Addresses {
    let (base, id) = (app.base_url(), &record.id);
    let token = |opens| record.token(tenant, opens);
    // In the fragment, which no browser sends to anybody.
    let page = |opens| format!("{base}/live/{id}#token={}", token(opens));
    let socket = base.strip_prefix("http").unwrap_or(&base);
    Addresses {
        embed_url: page(Opens::Control),
        view_url: page(Opens::View),
        cdp_url: format!("ws{socket}/live/{id}/cdp/{}", token(Opens::DevTools)),
        admin_token: token(Opens::Admin),
    }
}

/// The tenant's live browsers that go on, oldest first
#[utoipa::path(get, path = "/v0/vm", tag = "live browsers", security(("token" = ["vm"])), params(ListQuery),
    responses((status = 200, body = List)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(ListQuery { after_id }): Query<ListQuery>,
) -> Result<Json<List>, ApiError> {
    caller.needs(Scope::Vm)?;
    let all = record::all(&app, caller.tenant()).await?;
    // One that has ended since is a place in the list all the same.
    let from = match &after_id {
        None => 0,
        Some(id) => {
            let at = all.iter().position(|record| record.id == *id);
            let unknown = "after_id names a live browser of an earlier page; there is none by it";
            at.ok_or_else(|| ApiError::invalid("after_id", unknown))? + 1
        }
    };
    let mut going = Vec::new();
    for record in all.into_iter().skip(from).filter(|record| record.ended.is_none() && !record.of_run) {
        if going.len() > PAGE {
            break;
        }
        if record::goes_on(&app, caller.tenant(), &record).await? {
            going.push(Entry { id: record.id, creation_date: record.created_at });
        } else {
            // Its server went without a word: somebody has to write that it has ended.
            record::find(&app, caller.tenant(), &record.id).await?;
        }
    }
    let next = (going.len() > PAGE).then(|| going[PAGE - 1].id.clone());
    going.truncate(PAGE);
    Ok(Json(List { results: going, next }))
}

/// What is known of a live browser, also for a day after its end
#[utoipa::path(get, path = "/v0/vm/{id}", tag = "live browsers", security(("token" = ["vm"])),
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Shown)))]
async fn show(State(app): State<App>, caller: Caller, Name(id): Name) -> Result<Json<Shown>, ApiError> {
    caller.needs(Scope::Vm)?;
    let record = find(&app, caller.tenant(), &id).await?;
    let Addresses { embed_url, view_url, cdp_url, admin_token } = addresses(&app, caller.tenant(), &record);
    let saved = match &record.ended {
        Some(ended) => ended.saved.clone(),
        None => record::saved_so_far(&app, caller.tenant(), &record).await?,
    };
    let (at, reason) = record.ended.map(|ended| (ended.at, ended.reason)).unzip();
    Ok(Json(Shown {
        session_id: record.id,
        embed_url,
        view_url,
        admin_token,
        cdp_url,
        creation_date: record.created_at,
        termination_date: at,
        termination_reason: reason,
        saved,
    }))
}

/// Saves what is to be saved and ends a live browser; answers when that is done. Once more is the same answer
#[utoipa::path(delete, path = "/v0/vm/{id}", tag = "live browsers", security(("token" = ["vm"])),
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Deleted)))]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    Name(id): Name,
    request: Request,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Vm)?;
    let record = find(&app, caller.tenant(), &id).await?;
    if record.ended.is_none() {
        if app.nodes.is_other(&record.node) {
            return nodes::forward(&app, request, &record.node).await;
        }
        if let Some(vm) = app.vms.find(caller.tenant(), &id) {
            vm.end("request");
            vm.ended().await;
        }
    }
    Ok(Json(Deleted { session_id: record.id }).into_response())
}

/// The tenant's by that id.
async fn find(app: &App, tenant: &Tenant, id: &str) -> Result<Record, ApiError> {
    // A script's session that is shown ends with the script.
    record::find(app, tenant, id).await?.filter(|record| !record.of_run).ok_or_else(missing)
}

/// Also of those of others: that they are there is nobody else's business.
fn missing() -> ApiError {
    ApiError::new("not_found", "there is no such live browser")
}
