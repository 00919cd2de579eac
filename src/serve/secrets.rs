//! The tenant's vault over HTTP: names can be listed, values only written.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::session::{SecretInfo, SessionError};

use super::access::Admin;
use super::app::App;
use super::error::ApiError;
use super::json::Body;
use super::params::Name;
use super::refusals::{Forbidden, Missing, TooLarge, Usual, refused};
use super::request_id::RequestId;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set, delete))
}

/// The tenant's secrets.
#[derive(Debug, Serialize, ToSchema)]
struct Secrets {
    /// The request's id.
    request_id: String,
    /// By name, without their values.
    secrets: Vec<SecretInfo>,
}

/// Lists the names of the tenant's secrets, and when they were set
#[utoipa::path(get, path = "/v1/secrets", tag = "secrets", security(("token" = ["admin"])),
    responses((status = 200, body = Secrets), Usual, Forbidden))]
async fn list(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
) -> Result<Json<Secrets>, ApiError> {
    let secrets = app.sessions.secrets(caller.tenant()).await.map_err(refused)?;
    Ok(Json(Secrets { request_id, secrets }))
}

/// A secret's value. Nothing of it is ever answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretInput {
    /// Text of 1 byte to 64 KiB.
    #[serde(deserialize_with = "untold_text")]
    #[schema(value_type = String, min_length = 1, max_length = 65536)]
    value: Zeroizing<String>,
}

/// Reads what the body is to be, and does not say what was there instead: it may be the value, at another place.
fn untold<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D, wanted: &str) -> Result<T, D::Error> {
    T::deserialize(input).map_err(|_| serde::de::Error::custom(format!("{wanted} is wanted, found something else")))
}

fn untold_text<'de, D: Deserializer<'de>>(input: D) -> Result<Zeroizing<String>, D::Error> {
    untold(input, "a text").map(Zeroizing::new)
}

/// The body, of whose contents no error tells.
struct Untold(SecretInput);

impl<'de> Deserialize<'de> for Untold {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        untold(input, r#"{"value": TEXT} and nothing else"#).map(Self)
    }
}

/// A secret that was set.
#[derive(Debug, Serialize, ToSchema)]
struct Set {
    /// The request's id.
    request_id: String,
    /// Its name.
    name: String,
    /// Whether another value was there.
    replaced: bool,
}

/// Keeps a secret, in the place of what was there; it can be used by name from then on, and never read
#[utoipa::path(put, path = "/v1/secrets/{name}", tag = "secrets", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "1 to 128 of a-z, A-Z, 0-9, '_', '-' and '.'")), request_body = SecretInput,
    responses((status = 200, body = Set), Usual, Forbidden, TooLarge))]
async fn set(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    Name(name): Name,
    Body(Untold(SecretInput { mut value })): Body<Untold>,
) -> Result<Json<Set>, ApiError> {
    let value = Secret::new(&name, std::mem::take(&mut *value));
    let replaced = app.sessions.set_secret(caller.tenant(), &name, &value).await.map_err(refused)?;
    Ok(Json(Set { request_id, name, replaced }))
}

/// A secret that is gone.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// The request's id.
    request_id: String,
    /// Its name.
    deleted: String,
}

/// Deletes a secret
#[utoipa::path(delete, path = "/v1/secrets/{name}", tag = "secrets", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "The secret")),
    responses((status = 200, body = Deleted), Usual, Forbidden, Missing))]
async fn delete(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    Name(name): Name,
) -> Result<Json<Deleted>, ApiError> {
    match app.sessions.delete_secret(caller.tenant(), &name).await {
        Ok(()) => Ok(Json(Deleted { request_id, deleted: name })),
        Err(SessionError::NoSecret(_)) => Err(ApiError::new("not_found", "there is no such secret")),
        Err(error) => Err(refused(error)),
    }
}
