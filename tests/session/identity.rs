//! What sites are told: by pages, popups, frames of other sites and workers, in the same run and in later ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use rhaven::base::Tenant;
use rhaven::browser::LaunchOptions;
use rhaven::page::{Page, ScreenshotOptions, Selector};
use rhaven::session::{Geolocation, Identity, SessionOptions, Viewport, Workspace};
use serde_json::{Value, json};

use crate::rig::{Rig, evaluate, goto, id, soon};

/// What a script can see, in a page as in a worker.
const LOOK: &str = "async () => {
  const zone = Intl.DateTimeFormat().resolvedOptions();
  const hints = await navigator.userAgentData?.getHighEntropyValues(['model', 'platformVersion', 'fullVersionList']);
  return { agent: navigator.userAgent, languages: navigator.languages, zone: zone.timeZone, locale: zone.locale,
    brands: hints?.brands.map(b => b.brand + ' ' + b.version), mobile: hints?.mobile, model: hints?.model, system: hints?.platform };
}";
/// What only a page has.
const SIZE: &str = "({ width: innerWidth, height: innerHeight, scale: devicePixelRatio, touch: navigator.maxTouchPoints,
  dark: matchMedia('(prefers-color-scheme: dark)').matches, still: matchMedia('(prefers-reduced-motion: reduce)').matches,
  platform: navigator.platform })";

type Seen = Arc<Mutex<BTreeMap<String, Vec<HeaderMap>>>>;

/// A site that remembers the headers of every request.
struct Site {
    seen: Seen,
    port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State((seen, port)): State<(Seen, u16)>, uri: Uri, headers: HeaderMap) -> axum::response::Response {
    seen.lock().unwrap().entry(uri.path().to_owned()).or_default().push(headers);
    let viewport = "<!doctype html><meta name=viewport content='width=device-width'>";
    match uri.path() {
        "/worker.js" => ([("content-type", "text/javascript")], worker()).into_response(),
        "/top" => Html(format!("{viewport}<iframe src='http://localhost:{port}/frame'></iframe>")).into_response(),
        "/wide" => {
            Html("<!doctype html><button onclick=\"document.title = 'clicked'\">far down</button>").into_response()
        }
        _ => Html(viewport).into_response(),
    }
}

/// A worker of any kind that tells what it sees, and asks the site for something.
fn worker() -> String {
    format!(
        "const seen = (async () => {{ const seen = await ({LOOK})(); await fetch('/from-worker?' + self.constructor.name); return seen; }})();
         const tell = port => seen.then(seen => port.postMessage(seen));
         self.onconnect = event => tell(event.ports[0]);
         self.onmessage = event => tell(event.ports[0] ?? self);"
    )
}

impl Site {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Seen::default());
        let site = Router::new().fallback(get(answer)).with_state((seen.clone(), port));
        let server = tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
        Self { seen, port, server }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A header of the last request for a path.
    fn header(&self, path: &str, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        let headers = seen.get(path).and_then(|all| all.last()).unwrap_or_else(|| panic!("no request for {path}"));
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

fn phone() -> Identity {
    Identity {
        device: Some("Pixel 7".into()),
        locale: Some("de-DE".into()),
        timezone: Some("America/New_York".into()),
        color_scheme: Some("dark".into()),
        reduced_motion: Some("reduce".into()),
        ..Identity::default()
    }
}

async fn open(workspace: &Workspace, identity: Identity) -> Page {
    let options = SessionOptions { identity, ..SessionOptions::default() };
    workspace.session(&id("acme"), &options).await.unwrap().page().await.unwrap()
}

async fn look(page: &Page) -> Value {
    evaluate(page, &format!("({LOOK})()")).await
}

/// What the page, and it alone, is told, beside what a worker sees.
async fn all_seen(page: &Page) -> Value {
    json!([look(page).await, evaluate(page, SIZE).await])
}

fn is_the_phone(seen: &Value, whose: &str) {
    assert!(seen["agent"].as_str().unwrap().contains("Android 14; Pixel 7)"), "{whose}: {seen}");
    is_the_phone_but_for_its_agent(seen, whose);
}

fn is_the_phone_but_for_its_agent(seen: &Value, whose: &str) {
    assert_eq!(seen["languages"], json!(["de-DE", "de"]), "{whose}");
    assert_eq!((&seen["zone"], &seen["locale"]), (&json!("America/New_York"), &json!("de-DE")), "{whose}");
    assert_eq!((&seen["mobile"], &seen["model"]), (&json!(true), &json!("Pixel 7")), "{whose}");
    assert!(seen["brands"].to_string().contains("Google Chrome"), "{whose}: {seen}");
}

fn headers_are_the_phones(site: &Site, path: &str) {
    let header = |name: &str| site.header(path, name).unwrap_or_default();
    assert!(header("user-agent").contains("Pixel 7"), "{path}: {}", header("user-agent"));
    assert_eq!(header("accept-language"), "de-DE,de;q=0.9", "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_popups_frames_and_workers_tell_the_identity_before_they_run() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let workspace = rig.workspace();
    let page = open(&workspace, phone()).await;
    goto(&page, &site.url("/top")).await;
    is_the_phone(&look(&page).await, "page");
    let measured = evaluate(&page, SIZE).await;
    let expected = json!({ "width": 412, "height": 839, "scale": 2.625, "touch": 5, "dark": true, "still": true, "platform": "Linux armv81" });
    assert_eq!(measured, expected);
    headers_are_the_phones(&site, "/top");
    assert_eq!(site.header("/top", "sec-ch-ua-mobile").as_deref(), Some("?1"));
    assert_eq!(site.header("/top", "sec-ch-ua-platform").as_deref(), Some("\"Android\""));

    let frame = page.frames().into_iter().find(|frame| frame.url().contains("localhost")).expect("the frame");
    is_the_phone(&frame.evaluate(&format!("({LOOK})()"), None, soon()).await.unwrap(), "frame");
    let still = "[matchMedia('(prefers-reduced-motion: reduce)').matches, navigator.maxTouchPoints]";
    assert_eq!(frame.evaluate(still, None, soon()).await.unwrap(), json!([true, 5]));
    headers_are_the_phones(&site, "/frame");

    for opened in ["window.opened = open('/popup')", "open('/popup-alone', '_blank', 'noopener')"] {
        evaluate(&page, &format!("{opened}; 1")).await;
    }
    for path in ["/popup", "/popup-alone"] {
        let session = workspace.current().await.unwrap();
        let find = || session.pages().into_iter().find(|page| page.main_frame().url().ends_with(path));
        let popup = until(find).await;
        is_the_phone(&look(&popup).await, path);
        assert_eq!(evaluate(&popup, "innerWidth").await, json!(412), "{path}");
        headers_are_the_phones(&site, path);
    }

    let dedicated = "new Promise(done => { const worker = new Worker('/worker.js'); worker.onmessage = e => done(e.data); worker.postMessage(1); })";
    is_the_phone(&evaluate(&page, dedicated).await, "worker");
    headers_are_the_phones(&site, "/from-worker");
    let shared = "new Promise(done => { new SharedWorker('/worker.js').port.onmessage = e => done(e.data); })";
    is_the_phone_but_for_its_agent(&evaluate(&page, shared).await, "shared worker");
    headers_are_the_phones(&site, "/from-worker");
    let service = "(async () => { const registration = await navigator.serviceWorker.register('/worker.js');
        const worker = registration.installing ?? registration.active; const channel = new MessageChannel();
        return await new Promise(done => { channel.port1.onmessage = e => done(e.data); worker.postMessage(1, [channel.port2]); }); })()";
    is_the_phone_but_for_its_agent(&evaluate(&page, service).await, "service worker");
    headers_are_the_phones(&site, "/from-worker");
    workspace.finish(soon()).await;
}

/// Waits for what comes by itself.
async fn until<T>(find: impl Fn() -> Option<T>) -> T {
    let work = async {
        loop {
            if let Some(found) = find() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    soon().race(work).await.expect("it came")
}

/// A browser that differs by itself: updated, in another window.
fn elsewhere() -> LaunchOptions {
    let agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/199.0.1.2 Safari/537.36";
    let args = [format!("--user-agent={agent}"), "--window-size=900,700".into()];
    LaunchOptions { args: args.into(), ..LaunchOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_what_its_first_browser_told() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let workspace = rig.workspace();
    let page = open(&workspace, Identity::default()).await;
    goto(&page, &site.url("/")).await;
    let first = all_seen(&page).await;
    let (agent, hints) = (site.header("/", "user-agent"), site.header("/", "sec-ch-ua"));
    evaluate(&page, "localStorage.setItem('a', '1')").await;
    assert_eq!(workspace.finish(soon()).await[0].version.unwrap().0, 1);

    let workspace = rig.workspace_with(elsewhere());
    let page = open(&workspace, Identity::default()).await;
    goto(&page, &site.url("/")).await;
    assert_eq!(all_seen(&page).await, first);
    assert_eq!((site.header("/", "user-agent"), site.header("/", "sec-ch-ua")), (agent, hints));
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.version.unwrap().0, outcome.updated, outcome.save_error), (1, false, None));

    // Anew, and from then on.
    for anew in [true, false] {
        let workspace = rig.workspace_with(elsewhere());
        let options = SessionOptions { anew, ..SessionOptions::default() };
        let page = workspace.session(&id("acme"), &options).await.unwrap().page().await.unwrap();
        goto(&page, &site.url("/")).await;
        let seen = all_seen(&page).await;
        assert_ne!(seen, first);
        assert!(seen[0]["agent"].as_str().unwrap().contains("/199.0.1.2") && seen[1]["width"] == 900, "{seen}");
        evaluate(&page, &format!("localStorage.setItem('a', 'anew {anew}')")).await;
        assert_eq!(workspace.finish(soon()).await[0].save_error, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_identity_is_kept_though_nothing_else_changed_and_is_no_update() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    rig.visit("localStorage.setItem('a', '1')").await;
    let workspace = rig.workspace();
    let page = open(&workspace, phone()).await;
    goto(&page, &site.url("/")).await;
    is_the_phone(&look(&page).await, "first");
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.version.unwrap().0, outcome.updated, outcome.save_error), (2, false, None));

    // The same device once more is no other identity, and neither is none.
    for identity in [phone(), Identity::default()] {
        let workspace = rig.workspace_with(elsewhere());
        let page = open(&workspace, identity).await;
        goto(&page, &site.url("/")).await;
        is_the_phone(&look(&page).await, "later");
        assert!(!site.header("/", "user-agent").unwrap().contains("Chrome/199"));
        assert_eq!(workspace.finish(soon()).await[0].version.unwrap().0, 2);
    }
    let sessions = rig.sessions().await.unwrap();
    let shown = sessions.show(&Tenant::default(), &id("acme")).await.unwrap().identity.unwrap();
    assert_eq!((shown.device.as_deref(), shown.timezone.as_deref()), (Some("Pixel 7"), Some("America/New_York")));

    // A fork has it as well; an old version brings back the old one.
    sessions.fork(&Tenant::default(), &id("acme"), &id("copy"), None).await.unwrap();
    let of = async |name: &str| sessions.show(&Tenant::default(), &id(name)).await.unwrap().identity.unwrap();
    assert_eq!(of("copy").await, shown);
    sessions.rollback(&Tenant::default(), &id("acme"), rhaven::base::Version(1)).await.unwrap();
    assert_eq!(of("acme").await.device, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_session_changes_and_pictures_follow_the_viewport() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let workspace = rig.workspace();
    let page = open(&workspace, Identity::default()).await;
    goto(&page, &site.url("/wide")).await;
    assert_eq!(picture(&page).await, (1280, 720));
    let tablet = Identity { device: Some("iPad Mini".into()), ..Identity::default() };
    assert_eq!(open(&workspace, tablet.clone()).await.target().id(), page.target().id());
    assert_eq!(picture(&page).await, (1536, 2048));
    // Laid out for a wide screen and shrunk: the press still goes where the button is.
    page.reload(&rhaven::page::GotoOptions::default(), soon()).await.unwrap();
    assert_eq!(evaluate(&page, "innerWidth > 900").await, json!(true));
    let button = page.locator(&Selector::parse("button").unwrap());
    button.click(&rhaven::page::ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(evaluate(&page, "document.title").await, json!("clicked"));

    // What concerns this run alone stays when the session is named again, and is not kept.
    let narrow = |told: &mut rhaven::page::Emulation| told.screen.as_mut().unwrap().width = 500;
    page.emulate(narrow, soon()).await.unwrap();
    open(&workspace, tablet).await;
    assert_eq!(picture(&page).await.0, 1000);
    let wide = Identity { viewport: Some(Viewport { width: 600, height: 400 }), ..Identity::default() };
    open(&workspace, wide).await;
    assert_eq!(picture(&page).await, (1200, 800));
    workspace.finish(soon()).await;
}

/// The size of a picture of the page, as its PNG says.
async fn picture(page: &Page) -> (u32, u32) {
    let png = page.screenshot(&ScreenshotOptions::default(), soon()).await.unwrap();
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (side(16), side(20))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_told_to_sites_that_ask() {
    const ASK: &str = "new Promise(done => navigator.geolocation.getCurrentPosition(p => done([p.coords.latitude, p.coords.longitude]), e => done(e.message)))";
    let (rig, site) = (Rig::start().await, Site::start().await);
    let workspace = rig.workspace();
    let geolocation = Some(Geolocation { latitude: 52.5, longitude: 13.4, accuracy: 10.0 });
    let page = open(&workspace, Identity { geolocation, ..Identity::default() }).await;
    goto(&page, &site.url("/")).await;
    assert_eq!(evaluate(&page, ASK).await, json!([52.5, 13.4]));
    let session = workspace.current().await.unwrap();
    session.set_geolocation(Geolocation { latitude: -33.9, longitude: 18.4, accuracy: 0.0 }).await.unwrap();
    assert_eq!(evaluate(&page, ASK).await, json!([-33.9, 18.4]));
    let nowhere = session.set_geolocation(Geolocation { latitude: 99.0, longitude: 0.0, accuracy: 0.0 }).await;
    assert_eq!(nowhere.unwrap_err().code(), "invalid_argument");
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_the_session_tells_what_it_is_kept_with() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let workspace = rig.workspace();
    for round in 0..3 {
        workspace.keep_warm().await;
        let page = open(&workspace, if round == 1 { Identity::default() } else { phone() }).await;
        goto(&page, &site.url("/")).await;
        let width = evaluate(&page, "innerWidth").await;
        assert_eq!(width, if round == 1 { json!(1280) } else { json!(412) }, "round {round}");
        workspace.reset().await;
    }
    workspace.finish(soon()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_kept_by_name_and_sealed_anew_with_the_rest() {
    let rig = Rig::start().await;
    let (sessions, tenant) = (rig.sessions().await.unwrap(), Tenant::default());
    assert!(!sessions.set_identity(&tenant, "phone", phone()).await.unwrap());
    let other = Identity { device: Some("pixel 5".into()), ..Identity::default() };
    assert!(sessions.set_identity(&tenant, "phone", other).await.unwrap());
    assert_eq!(sessions.identity(&tenant, "phone").await.unwrap().identity.device.as_deref(), Some("Pixel 5"));
    let bad = Identity { timezone: Some("Mars/Olympus".into()), ..Identity::default() };
    for (name, identity) in [("phone", bad), ("phone", Identity::default()), ("browser", phone()), ("a b", phone())] {
        let refused = sessions.set_identity(&tenant, name, identity).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_argument", "{refused}");
    }
    let rotated = sessions.rotate(&tenant).await.unwrap();
    assert!(rotated.left.is_empty(), "{rotated:?}");
    let again = rig.sessions().await.unwrap();
    let names: Vec<String> = again.identities(&tenant).await.unwrap().into_iter().map(|kept| kept.name).collect();
    assert_eq!(names, ["phone"]);
    again.delete_identity(&tenant, "phone").await.unwrap();
    assert_eq!(again.identity(&tenant, "phone").await.unwrap_err().code(), "identity_not_found");
    assert_eq!(again.delete_identity(&tenant, "phone").await.unwrap_err().code(), "identity_not_found");
}
