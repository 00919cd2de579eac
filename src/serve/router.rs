//! All routes, and what every request passes on its way.

use std::sync::Arc;

use axum::{Extension, Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::openapi::{self, Document, Made};
use super::{
    artifacts, docs_page, error, health, identities, jobs, library, metrics, observe, pages, request_id, runs, secrets,
    session_transfer, sessions,
};

/// Every route of the server.
pub(super) fn router(app: App) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(OpenApiRouter::new().routes(routes!(openapi::openapi)))
        .merge(docs_page::routes())
        .merge(jobs::routes())
        .merge(pages::routes())
        .merge(artifacts::routes())
        .merge(runs::routes())
        .merge(library::routes())
        .merge(sessions::routes())
        .merge(session_transfer::routes())
        .merge(identities::routes())
        .merge(secrets::routes())
        .split_for_parts();
    let made = Made(Arc::from(openapi::text(&document, &app.base_url())));
    router
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(Extension(made))
        .layer(middleware::from_fn_with_state(app.clone(), observe::follow))
        .layer(middleware::from_fn_with_state(app.clone(), request_id::give))
        .with_state(app)
}
