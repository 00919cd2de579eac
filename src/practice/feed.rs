//! A list that loads as one scrolls, and an article among what stands around articles.

use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::html;
use super::state::Shared;

/// How many items the list has in all.
pub const FEED_COUNT: usize = 60;
const PER_BATCH: usize = 12;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/feed", get(|| async { html::page("Feed", "", include_str!("pages/feed.html")) }))
        .route("/feed/items", get(items))
        .route("/article", get(|| async { html::page("Article", "", include_str!("pages/article.html")) }))
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: usize,
}

/// The next batch: the numbers of its items, none at the end.
async fn items(Query(From { from }): Query<From>) -> Response {
    let numbers: Vec<usize> = (from..FEED_COUNT.min(from.saturating_add(PER_BATCH))).map(|index| index + 1).collect();
    html::json(&numbers)
}
