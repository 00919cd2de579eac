//! What holds of every request.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::follow;
use crate::rig::Rig;

#[tokio::test]
async fn a_token_is_wanted_and_its_scopes_hold() {
    let rig = Rig::start().await;
    let body = json!({"url": "http://127.0.0.1:9/"});
    let answer = rig.ask_as("", Method::POST, "/v1/fetch", Some(&body)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let json = answer.json();
    assert_eq!(json["error"]["code"], "unauthorized");
    assert_eq!(json["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let runs_only = rig.token_of("acme", &[rhaven::session::Scope::Run]).await;
    let answer = rig.ask_as(&runs_only, Method::POST, "/v1/fetch", Some(&body)).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    rig.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_with_its_place() {
    let rig = Rig::start().await;
    let answer = rig.post("/v1/fetch", &json!({"url": 7})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (&answer.json()["error"]["code"], &answer.json()["error"]["path"]),
        (&json!("invalid_request"), &json!("url"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn what_is_too_much_is_told_so() {
    let rig = Rig::start_with(|config| config.max_body = 1000).await;
    let large = rig.post("/v1/run", &json!({ "script": " ".repeat(1000) })).await;
    assert_eq!((large.status.as_u16(), &large.json()["error"]["code"]), (413, &json!("payload_too_large")));
    let long = rig.ask(Method::GET, &format!("/v1/scripts?{}", "a".repeat(9000)), None).await;
    assert_eq!((long.status.as_u16(), &long.json()["error"]["code"]), (414, &json!("uri_too_long")));
    let none = rig.ask(Method::GET, "/v2/nothing", None).await;
    assert_eq!((none.status.as_u16(), &none.json()["error"]["code"]), (404, &json!("not_found")));
    let other = rig.ask(Method::DELETE, "/v1/run", None).await;
    assert_eq!((other.status.as_u16(), &other.json()["error"]["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(other.headers["allow"], "POST");
    for answer in [large, long, none, other] {
        assert_eq!(answer.json()["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_server_tells_how_it_is() {
    let rig = Rig::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = rig.ask_as("", Method::GET, path, None).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "status": "ok" })), "{path}");
    }
    rig.post("/v1/run", &json!({ "script": "1" })).await;
    rig.ask_as("", Method::GET, "/v1/x?secret=1", None).await;
    let metrics = rig.ask_as("", Method::GET, "/metrics", None).await;
    assert_eq!(metrics.status, StatusCode::OK);
    let run = r#"rhaven_requests_total{method="POST",route="/v1/run",status="200"} 1"#;
    assert!(metrics.text.contains(run) && metrics.text.contains("rhaven_work_total{"), "{}", metrics.text);
    assert!(metrics.text.contains(r#"route="none""#) && !metrics.text.contains("secret"), "{}", metrics.text);
    assert!(!metrics.text.contains("acme"), "{}", metrics.text);
    // Through a proxy on the same machine it is somebody from elsewhere.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("http://{}/metrics", rig.address)).header("x-forwarded-for", "1.2.3.4");
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    rig.stop().await;
}

#[tokio::test]
async fn the_document_says_what_there_is_and_the_page_loads_nothing_from_elsewhere() {
    let rig = Rig::start_with(|config| config.public_url = Some("https://rhaven.example/x".to_owned())).await;
    let document = rig.ask_as("", Method::GET, "/openapi.json", None).await.json();
    assert_eq!(document["servers"][0]["url"], "https://rhaven.example/x");
    let run = &document["paths"]["/v1/run"]["post"];
    assert_eq!(run["security"], json!([{ "token": ["run"] }]));
    for status in ["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "502", "503", "504"] {
        assert!(run["responses"][status]["content"]["application/json"].is_object(), "{status}: {run:#}");
    }
    let page = rig.ask_as("", Method::GET, "/docs", None).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for part in ["docs/docs.js", "docs/docs.css"] {
        assert!(page.text.contains(part) && !page.text.contains("://"), "{}", page.text);
        assert_eq!(rig.ask_as("", Method::GET, &format!("/{part}"), None).await.status, StatusCode::OK, "{part}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_learn_nothing_of_the_servers_insides() {
    let rig = Rig::start_with(|config| {
        config.workspace.launch.executable = Some("/nowhere/hidden/chromium".into());
    })
    .await;
    let ready = rig.ask_as("", Method::GET, "/readyz", None).await;
    let run = rig.post("/v1/run", &json!({ "script": "1;\n  goto(\"about:blank\")" })).await;
    let page = rig.post("/v1/fetch", &json!({ "url": "http://127.0.0.1:9/", "render_js": true })).await;
    for answer in [&ready, &run, &page] {
        let told = answer.json();
        let found = (answer.status.as_u16(), &told["error"]["code"]);
        assert_eq!(found, (503, &json!("browser_unavailable")), "{told}");
        assert!(!answer.text.contains("hidden"), "{told}");
    }
    assert_eq!(run.json()["error"]["line"], 2, "{}", run.text);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_counted() {
    let rig = Rig::start_with(|config| config.max_concurrent = 1).await;
    let endless = follow::ask_endless(&rig, None).await;
    let done = follow::ask_script(&rig, "1", None).await;
    // What has ended is told before it is counted; the test ends at its own limit where that never comes.
    let has = async |wanted: &[&str]| loop {
        let text = rig.ask_as("", Method::GET, "/metrics", None).await.text;
        if wanted.iter().all(|wanted| text.lines().any(|line| line == *wanted)) {
            break;
        }
    };
    has(&["rhaven_jobs_running 1", "rhaven_jobs_queued 1"]).await;
    follow::cancel(&rig, &endless).await;
    assert_eq!(follow::ended(&rig, &done).await["status"], "completed");
    let ended = ["rhaven_jobs_total{status=\"cancelled\"} 1", "rhaven_jobs_total{status=\"completed\"} 1"];
    has(&ended).await;
    has(&["rhaven_jobs_running 0", "rhaven_jobs_queued 0"]).await;
    rig.stop().await;
}
