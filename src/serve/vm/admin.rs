//! What stands at the base of a live browser's address for whoever has its admin token: its times, and who may do what. Bodies are
//! Hyperbeam's: arrays of arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::live::wire::Role;

use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::params::Names;
use super::super::{json, nodes};
use super::input::TimeoutInput;
use super::key::{self, Opens};
use super::running::Vm;
use super::{missing, record};

/// The largest body of these, in bytes.
const MAX_BODY: usize = 64 << 10;
/// The role that they name: whoever has it may steer.
const CONTROL: &str = "control";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(timeout))
        .routes(routes!(add_roles))
        .routes(routes!(remove_roles))
        .routes(routes!(set_permissions))
        .routes(routes!(remove_user))
}

/// The live browser that a request is for, here or elsewhere, once its token has shown that it may ask.
pub(super) enum Found {
    Here(Arc<Vm>),
    /// The id of the server that has it.
    There(String),
}

/// Finds the live browser that `token` lets into, which has to open `wanted` of it.
pub(super) async fn admitted(app: &App, id: &str, token: Option<&str>, wanted: &[Opens]) -> Result<Found, ApiError> {
    let refused =
        || ApiError::new("unauthorized", "a token of this live browser is wanted, and one that has not run out");
    let token = token.and_then(key::read).ok_or_else(refused)?;
    let found = record::find(app, &token.tenant, id).await;
    // Whose it is is known only now: what is wrong with the store is not for others.
    let found = found.map_err(|_| ApiError::new("store_unavailable", "live browsers cannot be looked up just now"))?;
    let record = found.filter(|record| record.knows(&token)).ok_or_else(refused)?;
    if !wanted.contains(&token.opens) {
        return Err(ApiError::new("forbidden", "this token of the live browser does not open that"));
    }
    if let Some(ended) = record.ended {
        return Err(missing().with("reason", ended.reason));
    }
    if app.nodes.is_other(&record.node) {
        return Ok(Found::There(record.node));
    }
    app.vms.find(&token.tenant, id).map(Found::Here).ok_or_else(missing)
}

/// A live browser whose admin token was sent.
struct Administered {
    found: Found,
}

impl FromRequestParts<App> for Administered {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Names(path) = Names::<BTreeMap<String, String>>::from_request_parts(parts, app).await?;
        let id = path.get("id").map(String::as_str).unwrap_or_default();
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let found = admitted(app, id, token.map(|(_, token)| token.trim()), &[Opens::Admin]).await?;
        Ok(Self { found })
    }
}

/// It is done.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = LiveBrowserDone)]
struct Done {}

/// New times, and whether the counters begin anew. What is not named stays as it is.
#[derive(ToSchema)]
#[schema(as = LiveBrowserTimes)]
#[expect(dead_code, reason = "it is there for its schema")]
struct NewTimes {
    #[serde(flatten)]
    timeouts: TimeoutInput,
    /// Whether what has passed counts no more; it does not, where nothing is said.
    #[schema(required = false)]
    reset: bool,
}

/// Sets when a live browser ends by itself; what is not named stays as it is
#[utoipa::path(post, path = "/live/{id}/timeout", tag = "live browsers", security(("admin_token" = [])), request_body = NewTimes,
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn timeout(
    State(app): State<App>,
    Administered { found }: Administered,
    request: Request,
) -> Result<Response, ApiError> {
    let vm = match found {
        Found::There(node) => return nodes::forward(&app, request, &node).await,
        Found::Here(vm) => vm,
    };
    let mut members: Map<String, Value> = json::read(&json::bytes(request, MAX_BODY).await?)?;
    let reset = match members.remove("reset") {
        None => true,
        Some(Value::Bool(reset)) => reset,
        Some(_) => return Err(ApiError::invalid("reset", "reset: true or false")),
    };
    let named: Vec<String> = members.keys().cloned().collect();
    let timeouts: TimeoutInput = json::read(Value::Object(members).to_string().as_bytes())?;
    timeouts.check()?;
    vm.set_times(timeouts, |name| named.iter().any(|named| named == name), reset);
    Ok(Json(Done {}).into_response())
}

/// Gives people roles
#[utoipa::path(post, path = "/live/{id}/addRoles", tag = "live browsers", security(("admin_token" = [])),
    request_body(content = Vec<Object>, description = "`[[user ids], [roles]]`: `[[\"1\"], [\"control\"]]`; with `true` behind them the others lose the role"),
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn add_roles(
    State(app): State<App>,
    Administered { found }: Administered,
    request: Request,
) -> Result<Response, ApiError> {
    set_roles(&app, found, request, Role::Control).await
}

/// Takes roles from people
#[utoipa::path(post, path = "/live/{id}/removeRoles", tag = "live browsers", security(("admin_token" = [])),
    request_body(content = Vec<Object>, description = "`[[user ids], [roles]]`: `[[\"1\"], [\"control\"]]`"),
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn remove_roles(
    State(app): State<App>,
    Administered { found }: Administered,
    request: Request,
) -> Result<Response, ApiError> {
    set_roles(&app, found, request, Role::View).await
}

async fn set_roles(app: &App, found: Found, request: Request, role: Role) -> Result<Response, ApiError> {
    let vm = match found {
        Found::There(node) => return nodes::forward(app, request, &node).await,
        Found::Here(vm) => vm,
    };
    let arguments: Vec<Value> = json::read(&json::bytes(request, MAX_BODY).await?)?;
    let texts = |at: usize| -> Option<Vec<String>> {
        let all = arguments.get(at)?.as_array()?;
        all.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let what = "[[user ids], [roles]] is wanted, as in [[\"1\"], [\"control\"]]";
    let (Some(users), Some(roles)) = (texts(0), texts(1)) else { return Err(ApiError::invalid(".", what)) };
    if let Some(other) = roles.iter().find(|role| *role != CONTROL) {
        return Err(ApiError::invalid("[1]", format!("there is one role, {CONTROL:?}; found {other:?}")));
    }
    let is_exclusive = match arguments.get(2) {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) if role == Role::Control => true,
        Some(_) => {
            let what = "[2]: whether the others lose the role: true or false, and true for addRoles only";
            return Err(ApiError::invalid("[2]", what));
        }
    };
    let meant = users.iter().map(|user| viewer(&vm, user)).collect::<Result<Vec<_>, _>>()?;
    if is_exclusive {
        let others = vm.live.viewers().into_iter().map(|(other, _)| other).filter(|other| !meant.contains(other));
        for other in others {
            set_role(&vm, other, Role::View);
        }
    }
    for user in meant {
        set_role(&vm, user, role);
    }
    Ok(Json(Done {}).into_response())
}

/// Says what somebody may
#[utoipa::path(post, path = "/live/{id}/setPermissions", tag = "live browsers", security(("admin_token" = [])),
    request_body(content = Vec<Object>, description = "`[user id, permissions]`: `[\"1\", {\"control_disabled\": true}]`"),
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn set_permissions(
    State(app): State<App>,
    Administered { found }: Administered,
    request: Request,
) -> Result<Response, ApiError> {
    let vm = match found {
        Found::There(node) => return nodes::forward(&app, request, &node).await,
        Found::Here(vm) => vm,
    };
    let arguments: Vec<Value> = json::read(&json::bytes(request, MAX_BODY).await?)?;
    let what = "[user id, permissions] is wanted, as in [\"1\", {\"control_disabled\": true}]";
    let (Some(user), Some(permissions)) =
        (arguments.first().and_then(Value::as_str), arguments.get(1).and_then(Value::as_object))
    else {
        return Err(ApiError::invalid(".", what));
    };
    let viewer = viewer(&vm, user)?;
    // Others of theirs (priority, idle_timeout, ..) are about how several steer at once, which is one at a time here.
    if let Some(disabled) = permissions.get("control_disabled") {
        let wanted = || ApiError::invalid("[1].control_disabled", "control_disabled: true or false");
        let role = if disabled.as_bool().ok_or_else(wanted)? { Role::View } else { Role::Control };
        set_role(&vm, viewer, role);
    }
    Ok(Json(Done {}).into_response())
}

/// Sends somebody away
#[utoipa::path(delete, path = "/live/{id}/users/{user}", tag = "live browsers", security(("admin_token" = [])),
    params(("id" = String, Path, description = "Its `session_id`"), ("user" = String, Path, description = "The viewer's number")),
    responses((status = 200, body = Done), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn remove_user(
    State(app): State<App>,
    Administered { found }: Administered,
    Names(path): Names<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (_, user) = path;
    let vm = match found {
        Found::There(node) => return nodes::forward(&app, request, &node).await,
        Found::Here(vm) => vm,
    };
    let user = viewer(&vm, &user)?;
    vm.links.remove(user);
    vm.live.remove(user, "removed");
    Ok(Json(Done {}).into_response())
}

/// What somebody may from now on, also when the link is lost and found again.
fn set_role(vm: &Vm, viewer: u32, role: Role) {
    vm.links.set_role(viewer, role);
    vm.live.set_role(viewer, role);
}

/// The viewer of that number.
fn viewer(vm: &Vm, user: &str) -> Result<u32, ApiError> {
    let number: Option<u32> = user.parse().ok();
    let there = number.filter(|number| vm.live.viewers().iter().any(|(viewer, _)| viewer == number));
    there.ok_or_else(|| ApiError::new("not_found", "nobody of that id looks on"))
}
