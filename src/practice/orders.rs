//! The orders: a table over several pages, and a page for each. The same ones at every start, so that tests can
//! name them.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::account::stranger;
use super::html::{self, fill};
use super::state::Shared;

/// How many orders the account has: `A-1000` and on.
pub const ORDER_COUNT: usize = 23;
const FIRST_NUMBER: usize = 1000;
const PER_PAGE: usize = 10;
const STATUSES: [&str; 4] = ["open", "shipped", "delivered", "returned"];

struct Order {
    id: String,
    date: String,
    status: &'static str,
    total: String,
}

impl Order {
    /// The order at `index`, newest first; every value follows from the index.
    fn at(index: usize) -> Self {
        let cents = 1999 + index * 1337 % 25_000;
        Self {
            id: format!("A-{}", FIRST_NUMBER + index),
            date: format!("2026-{:02}-{:02}", 10 - index / 3, 28 - index % 3 * 9),
            status: STATUSES[index % STATUSES.len()],
            total: format!("{}.{:02} EUR", cents / 100, cents % 100),
        }
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/account/orders", get(list)).route("/account/orders/{id}", get(detail))
}

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
}

async fn list(State(site): State<Shared>, query: Query<Paging>, headers: HeaderMap, uri: Uri) -> Response {
    if let Some(redirect) = stranger(&site, &headers, &uri) {
        return redirect.into_response();
    }
    let pages = ORDER_COUNT.div_ceil(PER_PAGE);
    let number = query.page.unwrap_or(1);
    if !(1..=pages).contains(&number) {
        let text = format!("There are {pages} pages of orders.");
        return (StatusCode::NOT_FOUND, html::message("Not found", &text)).into_response();
    }
    let first = (number - 1) * PER_PAGE;
    let rows = (first..ORDER_COUNT.min(first + PER_PAGE)).map(Order::at).map(|order| row(&order)).collect::<String>();
    let body = include_str!("pages/orders.html").replace("{{rows}}", &rows).replace("{{pager}}", &pager(number, pages));
    html::page("Orders", "", &body).into_response()
}

fn row(order: &Order) -> String {
    let Order { id, date, status, total } = order;
    format!(
        "<tr class=\"order\"><td class=\"id\">{id}</td><td class=\"date\"><time datetime=\"{date}\">{date}</time></td>\
         <td class=\"status\">{status}</td><td class=\"total\">{total}</td>\
         <td><a href=\"/account/orders/{id}\">Details</a></td></tr>\n"
    )
}

fn pager(number: usize, last: usize) -> String {
    let mut links = String::new();
    if number > 1 {
        let _ = write!(links, "<a rel=\"prev\" href=\"/account/orders?page={}\">Previous</a> ", number - 1);
    }
    let _ = write!(links, "<span class=\"page\">Page {number} of {last}</span>");
    if number < last {
        let _ = write!(links, " <a rel=\"next\" href=\"/account/orders?page={}\">Next</a>", number + 1);
    }
    links
}

async fn detail(State(site): State<Shared>, Path(id): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    if let Some(redirect) = stranger(&site, &headers, &uri) {
        return redirect.into_response();
    }
    let Some(order) = (0..ORDER_COUNT).map(Order::at).find(|order| order.id == id) else {
        return (StatusCode::NOT_FOUND, html::message("Not found", &format!("There is no order {id}.")))
            .into_response();
    };
    let mut body = include_str!("pages/order.html").to_owned();
    for (name, value) in
        [("id", order.id.as_str()), ("date", &order.date), ("status", order.status), ("total", &order.total)]
    {
        body = fill(&body, name, value);
    }
    html::page(&format!("Order {}", order.id), "", &body).into_response()
}
