//! `/v1/fetch`: the contract's members and answers, over plain HTTP and in a browser.

use reqwest::{Method, StatusCode};
use rhaven::base::SessionId;
use rhaven::practice::Practice;
use rhaven::session::{SessionOptions, Workspace, WorkspaceConfig};
use serde_json::{Value, json};

use crate::rig::{Answered, Rig, config};
use crate::site::Site;

async fn fetch(rig: &Rig, body: Value) -> Value {
    let answer = rig.post("/v1/fetch", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn html(answer: &Value) -> &str {
    answer["outputs"]["html"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

fn error(answer: &Answered) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_page_is_read_without_a_browser_and_without_a_session() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let answer = fetch(&rig, json!({"url": site.url("/")})).await;
    assert_eq!(html(&answer), "<!doctype html><title>Start</title><h1>Start</h1>");
    assert_eq!((&answer["mode"], &answer["status"]), (&json!("inline"), &json!("completed")));
    assert_eq!((&answer["final_url"], &answer["http_status"]), (&json!(site.url("/")), &json!(200)));
    assert_eq!((&answer["session"], &answer["usage"]), (&json!(null), &json!({"credits": 0})));
    assert!(answer["request_id"].as_str().unwrap().starts_with("req_") && answer.get("diagnostics").is_none());
    let answer = fetch(&rig, json!({"url": site.url("/missing")})).await;
    assert_eq!((&answer["status"], &answer["http_status"]), (&json!("completed"), &json!(404)));
    let answer = fetch(&rig, json!({"url": site.url("/latin")})).await;
    assert!(html(&answer).ends_with("caf\u{e9}"), "{answer}");
    let answer = fetch(&rig, json!({"url": site.url("/json")})).await;
    assert_eq!(html(&answer), "{\"a\":1}");
    let answer = fetch(&rig, json!({"url": site.url("/picture")})).await;
    assert_eq!((&answer["status"], &answer["outputs"]), (&json!("partial"), &json!({})));
    let failure = &answer["diagnostics"]["output_failures"][0];
    assert_eq!((&failure["output"], &failure["code"]), (&json!("html"), &json!("not_text")));
    assert_eq!(browsers(), 0);
    rig.stop().await;
}

#[tokio::test]
async fn cookies_of_a_plain_fetch_are_a_version_of_its_session() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let session = json!({"id": "plain one"});
    let answer = fetch(&rig, json!({"url": site.url("/set"), "session": session})).await;
    let told = &answer["session"];
    assert_eq!((&told["id"], &told["updated"], &told["version"]), (&json!("plain one"), &json!(true), &json!(1)));
    let mut names: Vec<_> = told["changes"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["elsewhere", "kept", "plain", "strict"]);
    // The same in a browser: what was set without one is there, and nothing of it has changed.
    for render_js in [false, true] {
        let answer = fetch(&rig, json!({"url": site.url("/echo"), "session": session, "render_js": render_js})).await;
        let mut sent: Vec<_> =
            html(&answer).split("cookie: ").nth(1).unwrap().lines().next().unwrap().split("; ").collect();
        sent.sort_unstable();
        assert_eq!(sent, ["kept=2", "plain=1", "strict=3"], "render_js: {render_js}");
        assert_eq!((&answer["session"]["updated"], &answer["session"]["version"]), (&json!(false), &json!(1)));
        assert_eq!(answer["session"]["changes"], json!([]));
    }
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn redirects_are_followed_and_every_cookie_on_the_way_kept() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let body = json!({"url": site.url("/hop?left=3"), "session": {"id": "hops"}});
    let answer = fetch(&rig, body).await;
    assert_eq!((html(&answer), &answer["final_url"]), ("<h1>there</h1>", &json!(site.url("/hop?left=0"))));
    assert_eq!(answer["session"]["changes"].as_array().unwrap().len(), 3);
    let answer = rig.post("/v1/fetch", &json!({"url": site.url("/loop"), "session": {"id": "round"}})).await;
    assert_eq!(error(&answer), (502, "navigation_failed".into()));
    assert_eq!(answer.json()["error"]["reason"], "too_many_redirects");
    assert_eq!(answer.json()["session"], json!({"id": "round", "updated": false, "version": null, "changes": []}));
    rig.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_its_code() {
    let (rig, practice, site) =
        (Rig::start().await, Practice::start("127.0.0.1:0".parse().unwrap()).await.unwrap(), Site::start().await);
    // A port that nobody listens on.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hang = format!("{}/hang", practice.url());
    for render_js in [false, true] {
        let ask = async |url: &str, timeout: u64| {
            let body = json!({"url": url, "timeout_ms": timeout, "render_js": render_js, "session": {"id": "none"}});
            let answer = rig.post("/v1/fetch", &body).await;
            assert_eq!(answer.json()["session"]["id"], "none", "{}", answer.text);
            answer
        };
        assert_eq!(error(&ask(&format!("http://{nobody}/"), 20_000).await), (502, "navigation_failed".into()));
        assert_eq!(error(&ask("http://nobody.invalid/", 20_000).await), (502, "navigation_failed".into()));
        let late = ask(&hang, 1_500).await;
        assert_eq!(error(&late), (504, "timeout".into()));
        assert_eq!(late.json()["diagnostics"], json!({"retryable": true, "blocked": false, "timed_out": true}));
        let blocked = ask("file:///etc/passwd", 20_000).await;
        assert_eq!(error(&blocked), (502, "target_blocked".into()));
        assert_eq!(blocked.json()["diagnostics"]["blocked"], true);
    }
    let large = rig.post("/v1/fetch", &json!({"url": site.url("/large")})).await;
    assert_eq!(error(&large), (422, "response_too_large".into()));
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_with_its_place() {
    let rig = Rig::start().await;
    let url = "https://example.com/";
    for (body, path) in [
        (json!({}), "."),
        (json!({"url": "nowhere"}), "url"),
        (json!({"url": 7}), "url"),
        (json!({"url": url, "render_j": true}), "render_j"),
        (json!({"url": url, "timeout_ms": 0}), "timeout_ms"),
        (json!({"url": url, "timeout_ms": 300_001}), "timeout_ms"),
        (json!({"url": url, "output": ["pdf"]}), "output[0]"),
        (json!({"url": url, "device": "watch"}), "device"),
        (json!({"url": url, "session": {}}), "session"),
        (json!({"url": url, "session": {"id": ""}}), "session"),
        (json!({"url": url, "session": {"id": "x".repeat(257)}}), "session"),
        (json!({"url": url, "session": {"id": "a", "ttl": "soon"}}), "session.ttl"),
        (json!({"url": url, "session": {"id": "a", "mode": "steal"}}), "session.mode"),
        (json!({"url": url, "session": {"id": "a", "identity": "x"}, "identity": "y"}), "identity"),
        (json!({"url": url, "extract": {"mode": "page"}}), "extract"),
        (json!({"url": url, "output": ["json"], "extract": {"mode": "selectors"}}), "extract.fields"),
        (json!({"url": url, "output": ["json"], "extract": {"mode": "schema"}}), "extract.schema"),
        (json!({"url": url, "output": ["json"], "extract": {"mode": "page", "schema": {"a": "b"}}}), "extract.schema"),
        (
            json!({"url": url, "output": ["json"], "extract": {"mode": "selectors", "fields": {"a": {"selector": ""}}}}),
            "extract.fields.a.selector",
        ),
        (json!({"url": url, "render_js": false, "output": ["screenshot"]}), "output"),
        (json!({"url": url, "render_js": false, "wait_for": {}}), "wait_for"),
        (json!({"url": url, "wait_for": {"selector": "div >>"}}), "wait_for.selector"),
        (json!({"url": url, "actions": [{"type": "dance"}]}), "actions[0].type"),
        (json!({"url": url, "actions": [{"type": "click"}]}), "actions[0].selector"),
        (json!({"url": url, "actions": vec![json!({"type": "wait_ms", "duration_ms": 0}); 101]}), "actions"),
    ] {
        let answer = rig.post("/v1/fetch", &body).await;
        assert_eq!(error(&answer), (400, "invalid_request".into()), "{body}: {}", answer.text);
        assert_eq!(answer.json()["error"]["path"], path, "{body}: {}", answer.text);
    }
    let answer = rig.post("/v1/fetch", &json!({"url": url, "render_j": true})).await;
    assert_eq!(answer.json()["error"]["hint"], "did you mean render_js?");
    for (body, expected) in [
        (json!({"url": url, "use_proxy": true}), (503, "proxy_unavailable")),
        (json!({"url": url, "prompt": "the price", "output": ["json"]}), (422, "llm_unavailable")),
        (
            json!({"url": url, "output": ["json"], "extract": {"mode": "instruction", "instruction": "the price"}}),
            (422, "llm_unavailable"),
        ),
        (json!({"url": url, "identity": "nobody"}), (422, "identity_not_found")),
    ] {
        let answer = rig.post("/v1/fetch", &body).await;
        assert_eq!(error(&answer), (expected.0, expected.1.into()), "{body}");
        assert_eq!(answer.json()["session"], json!(null));
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_browser_reads_what_scripts_make_of_a_page() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let answer = fetch(
        &rig,
        json!({"url": site.url("/late"), "wait_for": {"selector": ".late"}, "output": ["html", "screenshot"]}),
    )
    .await;
    assert!(html(&answer).contains("class=\"late\""), "{answer}");
    assert_eq!((&answer["http_status"], &answer["final_url"]), (&json!(200), &json!(site.url("/late"))));
    let picture: reqwest::Url = answer["outputs"]["screenshot"]["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(picture.port(), Some(rig.address.port()));
    let path = format!("{}?{}", picture.path(), picture.query().unwrap());
    let shown = rig.ask_as("", Method::GET, &path, None).await;
    assert_eq!((shown.status, shown.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "image/png"));
    assert_eq!(shown.headers["cache-control"], "no-store");
    // Another server asks the one that has it, and that one looks at the signature.
    let other = rig.beside(|_| {}).await;
    let passed = other.ask_as("", Method::GET, &path, None).await;
    assert_eq!((passed.status, passed.text == shown.text), (StatusCode::OK, true));
    assert_eq!(passed.headers["cache-control"], "no-store");
    for rig in [&rig, &other] {
        let changed = rig.ask_as("", Method::GET, &path.replace("expires=", "expires=9"), None).await;
        assert_eq!(error(&changed), (404, "not_found".into()));
    }
    let (before, after) = path.split_once("node=node_").unwrap();
    let of_nobody = format!("{before}node=node_{}{}", "0".repeat(32), &after[32..]);
    assert_eq!(other.ask_as("", Method::GET, &of_nobody, None).await.status, StatusCode::NOT_FOUND);
    other.stop().await;
    let answer =
        fetch(&rig, json!({"url": site.url("/"), "render_js": true, "wait_for": {"network_idle": true}})).await;
    assert!(html(&answer).contains("<h1>Start</h1>"));
    let late = json!({"url": site.url("/"), "wait_for": {"selector": ".never"}, "timeout_ms": 2_000});
    assert_eq!(error(&rig.post("/v1/fetch", &late).await), (504, "timeout".into()));
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn values_are_taken_by_selectors() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let fields = json!({
        "title": {"selector": "title"},
        "button": {"selector": "button", "type": "text"},
        "list": {"selector": "li", "type": "html"},
        "link": {"selector": "a.link", "type": "attr", "attribute": "href"},
        "price": {"selector": ".price"},
    });
    let body = json!({"url": site.url("/several"), "render_js": true, "output": ["json"], "extract": {"mode": "selectors", "fields": fields}});
    let answer = fetch(&rig, body).await;
    let found = &answer["outputs"]["json"];
    assert_eq!((&found["title"], &found["button"]), (&json!("Several"), &json!("Go")), "{answer}");
    assert_eq!((&found["link"], &found["price"]), (&json!(site.url("/next?a=1")), &json!(null)));
    assert!(found["list"].as_str().unwrap().starts_with("<button"), "{answer}");
    let failure = &answer["diagnostics"]["output_failures"][0];
    assert_eq!((&answer["status"], &failure["code"]), (&json!("partial"), &json!("field_missing")));
    assert!(failure["message"].as_str().unwrap().contains("price"));
    rig.stop().await;
}

#[tokio::test]
async fn devices_are_told_to_the_site() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    for (device, agent, width) in
        [("desktop", "Windows NT", "1280"), ("mobile", "Pixel 7", "412"), ("tablet", "SM-X710", "640")]
    {
        let body = json!({"url": site.url("/device"), "render_js": true, "device": device});
        let answer = fetch(&rig, body).await;
        assert!(html(&answer).contains(agent) && html(&answer).contains(&format!(">{width}<")), "{answer}");
        let plain = fetch(&rig, json!({"url": site.url("/echo"), "device": device})).await;
        assert!(html(&plain).contains(agent), "{plain}");
        // A version of it is made by what the site keeps.
        fetch(&rig, json!({"url": site.url("/set"), "session": {"id": device}})).await;
        let kept = json!({"url": site.url("/device"), "render_js": true, "device": device, "session": {"id": device}});
        let answer = fetch(&rig, kept).await;
        assert!(html(&answer).contains(&format!(">{width}<")), "{answer}");
    }
    // A session that has a user agent tells the same without a browser.
    let plain = fetch(&rig, json!({"url": site.url("/echo"), "session": {"id": "mobile"}})).await;
    assert!(html(&plain).contains("Pixel 7"), "{plain}");
    rig.stop().await;
}

#[tokio::test]
async fn one_that_is_in_use_elsewhere_is_waited_for_or_not() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let tenant = rhaven::base::Tenant::new("acme").unwrap();
    let elsewhere = Workspace::new(WorkspaceConfig { tenant, ..config(rig.home.path()).workspace });
    let id = SessionId::new("shared").unwrap();
    let held = elsewhere.plain(&id, &SessionOptions::default()).await.unwrap();
    let ask = async |mode: &str| {
        let body = json!({"url": site.url("/"), "session": {"id": "shared", "mode": mode}});
        rig.post("/v1/fetch", &body).await
    };
    let refused = ask("fail").await;
    assert_eq!(error(&refused), (409, "session_busy".into()));
    let told = refused.json();
    assert!(told["error"]["holder"].as_str().unwrap().starts_with("a test"), "{told}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!((&told["session"]["id"], &told["diagnostics"]["retryable"]), (&json!("shared"), &json!(true)));
    let soon = rhaven::base::Deadline::after(std::time::Duration::from_secs(10));
    let (waited, given_back) = tokio::join!(ask("wait"), held.finish(soon));
    assert!(given_back.unwrap().save_error.is_none());
    assert_eq!(waited.status, StatusCode::OK, "{}", waited.text);
    rig.stop().await;
}

#[tokio::test]
async fn pages_are_told_as_markdown_and_as_data() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    for render_js in [false, true] {
        let body = json!({"url": site.url("/orders"), "render_js": render_js, "output": ["markdown", "json"]});
        let answer = fetch(&rig, body).await;
        assert_eq!(answer["status"], json!("completed"), "{answer}");
        let markdown = answer["outputs"]["markdown"].as_str().unwrap();
        assert!(markdown.contains("# Orders") && markdown.contains("A-1000"), "{markdown}");
        let page = &answer["outputs"]["json"];
        assert_eq!((&page["title"], &page["lang"]), (&json!("Orders of today"), &json!("en")), "{page}");
        assert_eq!((&page["description"], &page["headings"]), (&json!("What was ordered"), &json!(["Orders"])));
        assert_eq!(page["links"][0]["url"], json!(site.url("/order/A-1000")));
        assert!(page["markdown"].as_str().unwrap().contains("A-1001"));
        assert!(answer.get("extraction_engine").is_none());

        let schema = json!({"mode": "schema", "schema": {"orders": "array of recent order IDs and statuses"}});
        let body = json!({"url": site.url("/orders"), "render_js": render_js, "output": ["json"], "extract": schema});
        let answer = fetch(&rig, body).await;
        let orders = &answer["outputs"]["json"]["orders"];
        assert_eq!(orders[0], json!({"id": "A-1000", "status": "open"}), "{answer}");
        assert_eq!((&answer["status"], &answer["extraction_engine"]), (&json!("completed"), &json!("heuristic")));

        let schema = json!({"mode": "schema", "schema": {"altitude": "altitude of the summit in metres"}});
        let body = json!({"url": site.url("/orders"), "render_js": render_js, "output": ["json"], "extract": schema});
        assert_eq!(error(&rig.post("/v1/fetch", &body).await), (422, "schema_validation_failed".into()));

        let fields =
            json!({"first": {"selector": ".id"}, "link": {"selector": "a", "type": "attr", "attribute": "href"}});
        let extract = json!({"mode": "selectors", "fields": fields});
        let body = json!({"url": site.url("/orders"), "render_js": render_js, "output": ["json"], "extract": extract});
        let found = &fetch(&rig, body).await["outputs"]["json"];
        assert_eq!(*found, json!({"first": "A-1000", "link": site.url("/order/A-1000")}), "render_js: {render_js}");
    }
    let fields = json!({"first": {"selector": "text=A-1000"}});
    let body =
        json!({"url": site.url("/orders"), "output": ["json"], "extract": {"mode": "selectors", "fields": fields}});
    assert_eq!(error(&rig.post("/v1/fetch", &body).await), (422, "selectors_unsupported".into()));
    let body = json!({"url": site.url("/json"), "output": ["markdown", "json"]});
    let answer = fetch(&rig, body).await;
    assert_eq!(answer["outputs"], json!({"markdown": "{\"a\":1}"}));
    assert_eq!(answer["diagnostics"]["output_failures"][0]["code"], "not_html");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

/// How many processes of browsers this one has.
pub fn browsers() -> usize {
    let parent = format!(" {} ", std::process::id());
    let is_ours =
        |stat: &str| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split(' ').nth(2) == Some(parent.trim()));
    let alive = |stat: &str| !stat.contains(") Z ");
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    stats.filter(|stat| stat.contains("chrom") && is_ours(stat) && alive(stat)).count()
}
