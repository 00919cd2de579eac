//! Whether the server lives, and whether it can work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::browser;

use super::app::App;
use super::error::{ApiError, ErrorBody};
use super::refusals::outward;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// How it is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the server lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "It does", body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether it takes work: not while it ends, not without its store, not without a browser.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "server",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not, and why", body = ErrorBody)
    )
)]
async fn readyz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    if app.ending.is_cancelled() {
        return Err(ApiError::new("browser_unavailable", "the server is ending"));
    }
    app.sessions.reach().await?;
    let launch = app.config.workspace.launch.clone();
    let found = tokio::task::spawn_blocking(move || match &launch.executable {
        Some(path) => browser::named(path),
        None => browser::find(launch.flavor, launch.downloads.as_deref()),
    });
    match found.await {
        Ok(Ok(_)) => Ok(Json(Health { status: "ok" })),
        Ok(Err(error)) => {
            let told = outward("browser_not_installed", error.to_string());
            Err(ApiError::new("browser_unavailable", told))
        }
        Err(_) => Err(ApiError::internal("the browser could not be looked for")),
    }
}
