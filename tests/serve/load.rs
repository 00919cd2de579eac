//! Many clients at once: every request is done, no session sees another's, memory stays, and nothing is left at the end. 60
//! requests; `RHAVEN_SOAK_REQUESTS` says how many under `make soak`, where memory is looked at too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::get;
use reqwest::{Method, StatusCode};
use rhaven::session::Scope;
use serde_json::{Value, json};

use crate::rig::Rig;

const TENANTS: [&str; 4] = ["acme", "bolt", "coil", "dyne"];
/// Sessions of each tenant; they have the same names.
const SESSIONS: usize = 5;
const CLIENTS: usize = 50;
/// From how many requests on memory is compared, and after how many it is looked at first.
const MEMORY: (usize, usize) = (500, 100);

/// Looks for what is there, then leaves marks of its own: a cookie, a key, a cache entry and an entry of the HTTP cache.
const PROBE: &str = "(async mine => {
  const cache = await caches.open('c');
  const hit = await cache.match('/entry');
  const found = {
    cookies: document.cookie,
    keys: Object.keys(localStorage).filter(key => key !== 'count').join(),
    cache: hit ? await hit.text() : '',
    permission: (await navigator.permissions.query({ name: 'geolocation' })).state,
    agent: await (await fetch('/agent')).text(),
    http: await (await fetch('/cached')).text(),
  };
  found.count = Number(localStorage.getItem('count') ?? 0) + 1;
  localStorage.setItem('count', found.count);
  localStorage.setItem('key-' + mine, mine);
  document.cookie = 'cookie-' + mine + '=' + mine + '; max-age=3600';
  await cache.put('/entry', new Response(mine));
  return found;
})(";

/// A site whose answers tell who asked, and one that is kept by the browser.
async fn site() -> String {
    async fn agent(headers: HeaderMap) -> String {
        headers["user-agent"].to_str().unwrap().to_owned()
    }
    let given = Arc::new(AtomicUsize::new(0));
    let cached = move || {
        let number = given.fetch_add(1, Ordering::Relaxed);
        async move { ([("cache-control", "max-age=3600")], number.to_string()) }
    };
    let router = axum::Router::new()
        .route("/", get(|| async { Html("<!doctype html><title>page</title>") }))
        .route("/agent", get(agent))
        .route("/cached", get(cached));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// What all requests have shown so far.
#[derive(Default)]
struct Seen {
    /// The count that each request on a session found.
    counts: BTreeMap<String, Vec<u64>>,
    /// Which session was given which entry of the HTTP cache.
    http: BTreeMap<String, String>,
}

struct Load {
    rig: Rig,
    url: String,
    tokens: Vec<String>,
    seen: Mutex<Seen>,
}

impl Load {
    /// One request, on the session that its number says.
    async fn ask(&self, number: usize) {
        let (tenant, session) = (number % TENANTS.len(), number / TENANTS.len() % SESSIONS);
        let mine = format!("{}-{session}", TENANTS[tenant]);
        let known = session % 2 == 0;
        let script = format!("goto(args.url); evaluate({})", json!(format!("{PROBE}'{mine}')")));
        let mut options = json!({"id": format!("s{session}")});
        if known {
            options["identity"] = json!(format!("of-{session}"));
        }
        let body = json!({"script": script, "args": {"url": self.url}, "session": options});
        let answer = self.rig.ask_as(&self.tokens[tenant], Method::POST, "/v1/run", Some(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{mine}: {}", answer.text);
        let told = answer.json();
        self.look(&mine, known, &told["result"]);
        assert_eq!((&told["session"]["id"], &told["session"]["updated"]), (&options["id"], &json!(true)), "{told}");
    }

    /// Nothing of another session is in what a request found, and all that its own session had is.
    fn look(&self, mine: &str, known: bool, found: &Value) {
        let text = |name: &str| found[name].as_str().unwrap_or_else(|| panic!("{mine}: {found}"));
        let count = found["count"].as_u64().unwrap();
        let had = |mark: String| if count > 1 { mark } else { String::new() };
        assert_eq!(text("cookies"), had(format!("cookie-{mine}={mine}")), "{mine}");
        assert_eq!(text("keys"), had(format!("key-{mine}")), "{mine}");
        assert_eq!(text("cache"), had(mine.to_owned()), "{mine}");
        let agent = format!("Load/{mine}");
        assert!(if known { text("agent") == agent } else { !text("agent").contains("Load/") }, "{mine}: {found}");
        assert!(known || text("permission") != "granted", "{mine}: {found}");
        let mut seen = self.seen.lock().unwrap();
        seen.counts.entry(mine.to_owned()).or_default().push(count);
        let whose = seen.http.entry(text("http").to_owned()).or_insert_with(|| mine.to_owned());
        assert_eq!(whose, mine, "an entry of the HTTP cache is another's");
    }

    /// The requests of these numbers, by as many clients as there are.
    async fn ask_all(self: &Arc<Self>, numbers: std::ops::Range<usize>) {
        let next = Arc::new(AtomicUsize::new(numbers.start));
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..CLIENTS {
            let (load, next, end) = (self.clone(), next.clone(), numbers.end);
            clients.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    Box::pin(load.ask(number)).await;
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_are_all_served_and_no_session_sees_another() {
    let requests = std::env::var("RHAVEN_SOAK_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let rig = Rig::start_with(|config| config.inline_limit = Duration::from_mins(10)).await;
    let mut tokens = Vec::new();
    for tenant in TENANTS {
        let token = rig.token_of(tenant, &Scope::ALL).await;
        for session in (0..SESSIONS).step_by(2) {
            let geolocation = json!({"latitude": 52.5, "longitude": 13.4});
            let body = json!({"user_agent": format!("Load/{tenant}-{session}"), "geolocation": geolocation});
            let answer = rig.ask_as(&token, Method::PUT, &format!("/v1/identities/of-{session}"), Some(&body)).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
        tokens.push(token);
    }
    let load = Arc::new(Load { rig, url: site().await, tokens, seen: Mutex::default() });
    let began = Instant::now();
    let first = MEMORY.1.min(requests);
    load.ask_all(0..first).await;
    let early = memory();
    load.ask_all(first..requests).await;
    let late = memory();
    println!("{requests} requests in {:?}; {} MiB, then {} MiB", began.elapsed(), early >> 10, late >> 10);
    if requests >= MEMORY.0 {
        assert!(late * 100 <= early * 115, "{early} KiB after {first} requests, {late} KiB after {requests}");
    }
    let load = Arc::into_inner(load).unwrap();
    // One after the other, each from what the one before left.
    for (session, mut counts) in load.seen.into_inner().unwrap().counts {
        counts.sort_unstable();
        assert!(counts.iter().copied().eq(1..=counts.len() as u64), "{session}: {counts:?}");
    }
    load.rig.stop().await;
    assert_eq!(descendants(), BTreeSet::new(), "processes are left");
}

/// The memory of this process, which is the server too, and of all that it started, in KiB.
fn memory() -> u64 {
    let of = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    of(&std::process::id()) + descendants().iter().map(of).sum::<u64>()
}

/// All processes that this one started, or that those did; not those that have ended.
fn descendants() -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let state = fields.next()?;
            (state != "Z").then(|| fields.next()?.parse().ok().map(|parent| (pid, parent)))?
        })
        .collect();
    let mut found = BTreeSet::from([std::process::id()]);
    while let Some((pid, _)) = parents.iter().find(|(pid, parent)| found.contains(parent) && !found.contains(pid)) {
        found.insert(*pid);
    }
    found.remove(&std::process::id());
    found
}
