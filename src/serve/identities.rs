//! Named identities of a tenant: what sessions tell sites, injected by naming it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::session::{
    Geolocation, HttpCredentials, Identity, IdentityInfo, IdentityProxy, SecretRef, SessionError, Viewport,
};

use super::access::{Admin, Caller};
use super::app::App;
use super::error::ApiError;
use super::json::Body;
use super::params::Name;
use super::refusals::{Forbidden, Missing, TooLarge, Usual, refused};
use super::request_id::RequestId;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, set, delete))
}

/// An identity by its name.
#[derive(Debug, Serialize, ToSchema)]
struct Named {
    /// Its name.
    name: String,
    /// What it tells.
    identity: Identity,
    /// When it was set (RFC 3339).
    set_at: String,
}

impl Named {
    fn of(info: IdentityInfo) -> Self {
        Self { name: info.name, identity: info.identity, set_at: info.set_at }
    }
}

/// The tenant's identities.
#[derive(Debug, Serialize, ToSchema)]
struct Identities {
    /// The request's id.
    request_id: String,
    /// By name.
    identities: Vec<Named>,
}

/// Lists the tenant's identities
#[utoipa::path(get, path = "/v1/identities", tag = "identities", security(("token" = [])),
    responses((status = 200, body = Identities), Usual))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
) -> Result<Json<Identities>, ApiError> {
    let all = app.sessions.identities(caller.tenant()).await.map_err(refused)?;
    Ok(Json(Identities { request_id, identities: all.into_iter().map(Named::of).collect() }))
}

/// One identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityShown)]
struct Shown {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    identity: Named,
}

/// Tells what an identity tells sites
#[utoipa::path(get, path = "/v1/identities/{name}", tag = "identities", security(("token" = [])),
    params(("name" = String, Path, description = "The identity")),
    responses((status = 200, body = Shown), Usual, Missing))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    Name(name): Name,
) -> Result<Json<Shown>, ApiError> {
    let info = app.sessions.identity(caller.tenant(), &name).await.map_err(missing)?;
    Ok(Json(Shown { request_id, identity: Named::of(info) }))
}

fn missing(error: SessionError) -> ApiError {
    match error {
        SessionError::NoIdentity { near, .. } => {
            let near = near.map_or_else(String::new, |near| format!("; there is {near:?}"));
            ApiError::new("not_found", format!("there is no such identity{near}"))
        }
        error => refused(error),
    }
}

/// What an identity is to tell; what is left out is left to the browser, and at least one thing is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IdentityInput {
    /// A well-known device such as `iPhone 15`, whose user agent, viewport, scale and touch are taken.
    device: Option<String>,
    /// The user agent; client hints follow from it.
    user_agent: Option<String>,
    /// Such as `de-DE`.
    locale: Option<String>,
    /// Such as `Europe/Berlin`.
    timezone: Option<String>,
    /// The size of pages in CSS pixels.
    viewport: Option<Viewport>,
    /// What prefers-color-scheme answers.
    color_scheme: Option<String>,
    /// What prefers-reduced-motion answers.
    reduced_motion: Option<String>,
    /// Where it is.
    geolocation: Option<Geolocation>,
    /// Headers that go with every request of its pages, to every site: no secrets. Not those of the connection, cookies or
    /// authorization.
    extra_http_headers: Option<BTreeMap<String, String>>,
    /// What a site is answered with that asks for user name and password by HTTP.
    http_credentials: Option<CredentialsInput>,
    /// The proxy that its sessions go out through: an address such as `http://user:password@proxy.example:3128`, also `https` and
    /// `socks5`, whose password is kept and not shown again; or an object that names a secret. `direct` for none.
    proxy: Option<ProxyInput>,
    /// Names that `secret(..)` of a script knows while the session is current, each with the name of the secret that it stands for.
    secrets: Option<BTreeMap<String, String>>,
}

/// User name and password, for one site or for the one that a tab is taken to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CredentialsInput {
    /// The only site that gets them, such as `https://shop.example`. None: the site that a tab is taken to by its address (the `url`
    /// of a request, `goto` in a script), and none that links, redirects, scripts and popups lead to.
    origin: Option<String>,
    /// Without a colon.
    username: String,
    /// The name of a secret: passwords are never sent here.
    #[serde(deserialize_with = "by_name")]
    password: SecretRef,
}

/// A proxy: its address, or an object.
#[derive(ToSchema)]
#[schema(as = IdentityProxyInput)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
enum ProxySchema {
    /// Its address, with user name and password where it wants some.
    Address(String),
    /// Its address, and beside it who we are.
    Object(ProxyMembers),
}

/// A proxy whose password is a secret of the vault.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityProxyMembers)]
struct ProxyMembers {
    /// Such as `socks5://proxy.example:1080`; no password in it.
    server: String,
    /// The user name that it is told.
    username: Option<String>,
    /// The password, by the name of a secret.
    #[serde(default, deserialize_with = "maybe_by_name")]
    password: Option<SecretRef>,
    /// As it is shown: the password that was given in the address stays, where server and user name do.
    #[serde(default)]
    has_password: bool,
}

/// What was given, checked.
#[derive(Debug)]
struct ProxyInput(IdentityProxy);

impl utoipa::PartialSchema for ProxyInput {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        ProxySchema::schema()
    }
}

impl ToSchema for ProxyInput {
    fn name() -> std::borrow::Cow<'static, str> {
        ProxySchema::name()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        ProxySchema::schemas(schemas);
    }
}

impl<'de> Deserialize<'de> for ProxyInput {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AddressOrMembers)
    }
}

/// Reads one or the other, so that a mistake keeps its place.
struct AddressOrMembers;

impl<'de> Visitor<'de> for AddressOrMembers {
    type Value = ProxyInput;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the address of a proxy, or an object with server, username and password")
    }

    fn visit_str<E: Error>(self, address: &str) -> Result<ProxyInput, E> {
        IdentityProxy::parse(address).map(ProxyInput).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProxyInput, A::Error> {
        let ProxyMembers { server, username, password, has_password } =
            ProxyMembers::deserialize(MapAccessDeserializer::new(map))?;
        let proxy = IdentityProxy::named(&server, username, password);
        let proxy = if has_password { proxy.and_then(IdentityProxy::with_kept_password) } else { proxy };
        proxy.map(ProxyInput).map_err(A::Error::custom)
    }
}

fn maybe_by_name<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SecretRef>, D::Error> {
    by_name(input).map(Some)
}

/// Reads `{"secret": NAME}`, and does not say what was there instead: it may be the password.
fn by_name<'de, D: Deserializer<'de>>(input: D) -> Result<SecretRef, D::Error> {
    SecretRef::deserialize(input).map_err(|_| D::Error::custom(r#"{"secret": NAME} is wanted, found something else"#))
}

impl IdentityInput {
    fn identity(self) -> Identity {
        let credentials =
            |CredentialsInput { origin, username, password }| HttpCredentials { origin, username, password };
        Identity {
            device: self.device,
            user_agent: self.user_agent,
            locale: self.locale,
            timezone: self.timezone,
            viewport: self.viewport,
            color_scheme: self.color_scheme,
            reduced_motion: self.reduced_motion,
            geolocation: self.geolocation,
            extra_http_headers: self.extra_http_headers,
            http_credentials: self.http_credentials.map(credentials),
            proxy: self.proxy.map(|ProxyInput(proxy)| proxy),
            secrets: self.secrets,
            ..Identity::default()
        }
    }
}

/// An identity that was set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentitySet)]
struct Set {
    /// The request's id.
    request_id: String,
    /// Its name.
    name: String,
    /// Whether another was there.
    replaced: bool,
}

/// Keeps an identity, in the place of what was there. Sessions that were opened with it before keep what it told then
#[utoipa::path(put, path = "/v1/identities/{name}", tag = "identities", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "1 to 128 of a-z, A-Z, 0-9, '_', '-' and '.'; not `browser`")),
    request_body = IdentityInput,
    responses((status = 200, body = Set), Usual, Forbidden, TooLarge))]
async fn set(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    Name(name): Name,
    Body(input): Body<IdentityInput>,
) -> Result<Json<Set>, ApiError> {
    let replaced = app.sessions.set_identity(caller.tenant(), &name, input.identity()).await.map_err(refused)?;
    Ok(Json(Set { request_id, name, replaced }))
}

/// An identity that is gone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityDeleted)]
struct Deleted {
    /// The request's id.
    request_id: String,
    /// Its name.
    deleted: String,
}

/// Deletes an identity. Sessions that were opened with it keep what it told
#[utoipa::path(delete, path = "/v1/identities/{name}", tag = "identities", security(("token" = ["admin"])),
    params(("name" = String, Path, description = "The identity")),
    responses((status = 200, body = Deleted), Usual, Forbidden, Missing))]
async fn delete(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    Name(name): Name,
) -> Result<Json<Deleted>, ApiError> {
    app.sessions.delete_identity(caller.tenant(), &name).await.map_err(missing)?;
    Ok(Json(Deleted { request_id, deleted: name }))
}
