//! `/metrics`: how much is asked and done, in the text format of Prometheus. It has no tenants, sessions or addresses in it; who has
//! a token may read it, and who asks from this machine.

use std::time::Duration;

use axum::RequestExt as _;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::observe::Peer;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// The statuses of a store's trouble.
const STORE_CODES: [&str; 2] = ["store_unavailable", "store_corrupt"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// What is counted.
pub(super) struct Metrics {
    requests: Family<Asked, Counter>,
    durations: Family<ByRoute, Histogram>,
    work: Family<ByKind, Counter>,
    jobs: Family<ByStatus, Counter>,
    live_started: Counter,
    live_ended: Family<ByReason, Counter>,
    live_pictures: Counter,
    store_errors: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 15));
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            work: Family::default(),
            jobs: Family::default(),
            live_started: Counter::default(),
            live_ended: Family::default(),
            live_pictures: Counter::default(),
            store_errors: Counter::default(),
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        let asked = Asked { method: known_method(method).to_owned(), route: route.clone(), status };
        self.requests.get_or_create(&asked).inc();
        self.durations.get_or_create(&ByRoute { route }).observe(took.as_secs_f64());
    }

    /// A piece of work (`fetch`, `interact`, `run`) came to its end: `completed`, `failed` ..
    pub(super) fn worked(&self, kind: &'static str, status: &'static str) {
        self.work.get_or_create(&ByKind { kind, status }).inc();
    }

    /// A job came to its end in this server's hands: `completed`, `partial`, `failed`, `cancelled`.
    pub(super) fn job_ended(&self, status: &'static str) {
        self.jobs.get_or_create(&ByStatus { status }).inc();
    }

    /// A live browser was started.
    pub(super) fn live_started(&self) {
        self.live_started.inc();
    }

    /// A live browser of this server has ended: `request`, `offline`, `crashed` ..
    pub(super) fn live_ended(&self, reason: &'static str) {
        self.live_ended.get_or_create(&ByReason { reason }).inc();
    }

    /// A picture of a live browser was sent to somebody.
    pub(super) fn live_picture(&self) {
        self.live_pictures.inc();
    }

    /// An error is about to be told.
    pub(super) fn failed(&self, code: &str) {
        if STORE_CODES.contains(&code) {
            self.store_errors.inc();
        }
    }

    /// The text, with what there is now.
    fn text(&self, app: &App) -> String {
        let mut registry = Registry::with_prefix("rhaven");
        registry.register("requests", "Requests that were answered", self.requests.clone());
        let durations = self.durations.clone();
        registry.register_with_unit("request_duration", "How long answers took", Unit::Seconds, durations);
        registry.register("work", "Pieces of work that came to their end", self.work.clone());
        registry.register("jobs", "Jobs that this server saw to their end", self.jobs.clone());
        let live = self.live_ended.clone();
        registry.register("live_started", "Live browsers that were started", self.live_started.clone());
        registry.register("live_ended", "Live browsers that have ended, by why", live);
        registry.register("live_pictures", "Pictures of live browsers that were sent", self.live_pictures.clone());
        registry.register("store_errors", "Errors of the store", self.store_errors.clone());
        for (name, help, value) in gauges(app) {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// What there is now.
fn gauges(app: &App) -> Vec<(&'static str, &'static str, usize)> {
    let (totals, load) = (app.pools.totals(), app.slots.load());
    let (heavy, transfers) = (app.heavy.load(), app.transfers.load());
    let ((queued, running), (live, viewers)) = (app.jobs.counts(), app.vms.counts());
    vec![
        ("jobs_queued", "Jobs in this server's hands that wait for a slot", queued),
        ("jobs_running", "Jobs in this server's hands that go on", running),
        ("transfers_running", "Sessions that are read as a whole, sent or taken", heavy.running + transfers.running),
        ("transfers_waiting", "Requests for such that wait for their turn", heavy.waiting + transfers.waiting),
        ("live_browsers", "Browsers that people watch and steer", live),
        ("live_viewers", "People and clients that are connected to them", viewers),
        ("browsers", "Browsers that run", totals.browsers),
        ("contexts", "Contexts that are open in them", totals.contexts),
        ("warm_sessions", "Sessions that are ready before they are asked for", totals.warm),
        ("browser_restarts", "How often a browser took the place of another", totals.restarts),
        ("work_running", "Pieces of work that go on", load.running),
        ("work_waiting", "Pieces of work that wait for a slot", load.waiting),
        ("slots", "Pieces of work that may go on at a time", app.config.max_concurrent),
        ("scripts", "Scripts that requests may name", app.library.len()),
    ]
}

/// Methods that nobody knows are one: whoever asks could make as many series as they like.
fn known_method(method: &str) -> &str {
    let known = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    if known.contains(&method) { method } else { "OTHER" }
}

/// How much is asked and done, for Prometheus. With a token of any tenant and scope, or from this machine.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((status = 200, content_type = "application/openmetrics-text", body = String))
)]
async fn metrics(State(app): State<App>, mut request: Request) -> Result<Response, ApiError> {
    let is_near = request.extensions().get::<Peer>().is_some_and(|peer| peer.ip().is_loopback());
    // A proxy on this machine asks for somebody else.
    if !is_near || request.headers().contains_key("x-forwarded-for") || request.headers().contains_key("forwarded") {
        request.extract_parts_with_state::<Caller, App>(&app).await?;
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], app.metrics.text(&app)).into_response())
}
