//! All routes, and what every request passes on its way.

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::access::TokenScheme;
use super::app::App;
use super::{error, health, identities, pages, request_id, runs, secrets, session_transfer, sessions};

/// The document that the handlers' own are put into.
#[derive(OpenApi)]
#[openapi(info(title = "Rhaven", description = "Browser automation with sessions that last."), modifiers(&TokenScheme))]
struct Document;

/// Every route of the server.
pub(super) fn router(app: App) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(pages::routes())
        .merge(runs::routes())
        .merge(sessions::routes())
        .merge(session_transfer::routes())
        .merge(identities::routes())
        .merge(secrets::routes())
        .split_for_parts();
    let text = document.to_pretty_json().unwrap_or_default();
    let document = move || async move { ([("content-type", "application/json")], text) };
    router
        .route("/openapi.json", axum::routing::get(document))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(axum::middleware::from_fn(request_id::give))
        .with_state(app)
}
