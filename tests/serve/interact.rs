//! `/v1/interact`: actions, their steps, and what is answered where one fails.

use reqwest::StatusCode;
use rhaven::base::Secret;
use rhaven::practice::{EMAIL, PASSWORD, Practice};
use serde_json::{Value, json};

use crate::fetch::browsers;
use crate::follow;
use crate::rig::Rig;
use crate::site::Site;

async fn interact(rig: &Rig, body: Value) -> Value {
    let answer = rig.post("/v1/interact", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn html(answer: &Value) -> &str {
    answer["result"]["outputs"]["html"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// Puts a secret into the vault of tenant `acme`.
pub async fn keep_secret(rig: &Rig, name: &str, value: &str) {
    let tenant = rhaven::base::Tenant::new("acme").unwrap();
    rig.sessions.set_secret(&tenant, name, &Secret::new(name, value.to_owned())).await.unwrap();
}

/// The actions that sign in to the practice site, with the password from the vault.
pub fn sign_in() -> Value {
    json!([
        {"type": "type", "selector": "#email", "value": EMAIL},
        {"type": "type", "selector": "#password", "value": {"secret": "PRACTICE_PASSWORD"}},
        {"type": "click", "selector": "button[type=submit]"},
        {"type": "wait_for", "selector": ".user-avatar", "timeout_ms": 10_000}
    ])
}

#[tokio::test]
async fn actions_sign_in_and_their_steps_are_told() {
    let (rig, practice) = (Rig::start().await, Practice::start("127.0.0.1:0".parse().unwrap()).await.unwrap());
    keep_secret(&rig, "PRACTICE_PASSWORD", PASSWORD).await;
    let login = format!("{}/login", practice.url());
    let body = json!({"url": login, "session": {"id": "acme"}, "actions": sign_in(), "output": ["html", "screenshot"]});
    let answer = interact(&rig, body).await;
    assert_eq!((&answer["kind"], &answer["mode"]), (&json!("interact"), &json!("inline")));
    assert_eq!((&answer["status"], &answer["id"]), (&json!("completed"), &answer["request_id"]), "{answer}");
    let steps = answer["steps"].as_array().unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["type", "type", "click", "wait_for"]);
    for (at, step) in steps.iter().enumerate() {
        assert_eq!((&step["step_id"], &step["status"]), (&json!(format!("step_{}", at + 1)), &json!("completed")));
        let time = |name: &str| step[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(time("started_at") <= time("completed_at") && step.get("error").is_none());
    }
    assert_eq!(answer["result"]["final_url"], json!(format!("{}/dashboard", practice.url())));
    assert!(html(&answer).contains("user-avatar") && answer["result"]["outputs"]["screenshot"]["url"].is_string());
    assert_eq!(answer["diagnostics"], json!({"step_errors": [], "output_failures": []}));
    let session = &answer["session"];
    assert_eq!((&session["id"], &session["updated"], &session["version"]), (&json!("acme"), &json!(true), &json!(1)));
    let changes = session["changes"].as_array().unwrap();
    assert!(changes.iter().any(|change| change["name"] == "sid" && change["store"] == "cookie"), "{session}");
    assert!(!answer.to_string().contains(PASSWORD), "{answer}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn a_failed_action_ends_the_sequence_and_what_is_there_is_answered_and_saved() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let body = json!({
        "url": site.url("/set"),
        "session": {"id": "half"},
        "timeout_ms": 3_000,
        "actions": [
            {"type": "goto", "url": site.url("/several")},
            {"type": "click", "selector": "#nothing"},
            {"type": "click", "selector": "button"}
        ]
    });
    let answer = interact(&rig, body).await;
    let statuses: Vec<_> = answer["steps"].as_array().unwrap().iter().map(|step| step["status"].clone()).collect();
    assert_eq!((&answer["status"], statuses), (&json!("failed"), vec![json!("completed"), json!("failed")]));
    let error = &answer["steps"][1]["error"];
    assert_eq!(error["code"], "timeout");
    assert!(error["message"].as_str().unwrap().contains("#nothing"), "{error}");
    let told = &answer["diagnostics"]["step_errors"][0];
    assert_eq!((&told["step_id"], &told["code"]), (&json!("step_2"), &json!("timeout")));
    assert!(html(&answer).contains("<title>Several</title>"));
    assert_eq!((&answer["session"]["version"], &answer["session"]["updated"]), (&json!(1), &json!(true)));
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn of_several_matches_the_first_is_taken_unless_it_is_strict() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let click = |strict: bool| json!({"url": site.url("/several"), "actions": [{"type": "click", "selector": "text=Go", "strict": strict}]});
    let answer = interact(&rig, click(false)).await;
    assert_eq!((&answer["status"], &answer["steps"][0]["matches"]), (&json!("completed"), &json!(2)), "{answer}");
    assert!(html(&answer).contains(">first</p>"), "{answer}");
    assert_eq!(answer["session"], json!(null));
    let answer = interact(&rig, click(true)).await;
    assert_eq!(
        (&answer["status"], &answer["steps"][0]["error"]["code"]),
        (&json!("failed"), &json!("strict_violation"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn every_kind_of_action_does_what_it_says() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let body = json!({
        "url": site.url("/several"),
        "actions": [
            {"type": "fill", "selector": "#field", "value": "one"},
            {"type": "type", "selector": "#field", "value": " two"},
            {"type": "press", "selector": "#field", "key": "Home"},
            {"type": "press", "key": "x"},
            {"type": "select", "selector": "#choice", "value": "Two"},
            {"type": "check", "selector": "#box"},
            {"type": "uncheck", "selector": "#box"},
            {"type": "hover", "selector": "a.link"},
            {"type": "wait_for", "selector": ".never", "timeout_ms": 50, "optional": true},
            {"type": "wait_ms", "duration_ms": 20},
            {"type": "evaluate", "expression": "x => [field.value, choice.value, box.checked, x]", "argument": 7},
            {"type": "screenshot"},
            {"type": "goto"},
            {"type": "evaluate", "expression": "field.value"}
        ]
    });
    let answer = interact(&rig, body).await;
    assert_eq!(answer["status"], json!("completed"), "{answer}");
    assert_eq!(answer["steps"][8]["found"], json!(false));
    assert_eq!(answer["steps"][10]["result"], json!(["xone two", "b", false, 7]));
    assert!(answer["steps"][11]["screenshot"]["url"].is_string());
    assert_eq!(answer["steps"][13]["result"], json!(""));
    let script = "fill(\"#field\", \"by script\"); #{ value: input_value(\"#field\"), url: url() }";
    let body = json!({"url": site.url("/several"), "session": {"id": "with a script"},
        "actions": [{"type": "script", "source": script}, {"type": "evaluate", "expression": "field.value"}]});
    let answer = interact(&rig, body.clone()).await;
    assert_eq!(answer["steps"][0]["result"], json!({"value": "by script", "url": site.url("/several")}), "{answer}");
    assert_eq!(answer["steps"][1]["result"], json!("by script"));
    // Who may fetch may not run scripts.
    let fetch_only = rig.token_of("acme", &[rhaven::session::Scope::Fetch]).await;
    let refused = rig.ask_as(&fetch_only, reqwest::Method::POST, "/v1/interact", Some(&body)).await;
    assert_eq!((refused.status, &refused.json()["error"]["scope"]), (StatusCode::FORBIDDEN, &json!("run")));
    let body = json!({"url": site.url("/long"), "actions": [{"type": "scroll", "until_stable": true}]});
    let answer = interact(&rig, body).await;
    assert_eq!(html(&answer).matches("class=\"row\"").count(), 3, "{answer}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_actions_is_told_before_anything_is_done() {
    let rig = Rig::start().await;
    let url = "https://example.com/";
    for (body, path) in [
        (json!({"url": url}), "actions"),
        (json!({"url": url, "actions": []}), "actions"),
        (json!({"url": url, "actions": [{"type": "click", "selector": "#a", "valu": 1}]}), "actions[0].valu"),
        (json!({"url": url, "actions": [{"type": "click", "selector": 7}]}), "actions[0].selector"),
        (
            json!({"url": url, "actions": [{"type": "type", "selector": "#a", "value": {"secre": "A"}}]}),
            "actions[0].value",
        ),
    ] {
        let answer = rig.post("/v1/interact", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text);
        assert_eq!(answer.json()["error"]["path"], path, "{body}: {}", answer.text);
    }
    let secret = json!({"url": url, "actions": [{"type": "fill", "selector": "#a", "value": {"secret": "NOBODYS"}}]});
    let answer = rig.post("/v1/interact", &secret).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (422, &json!("secret_not_set")));
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn a_page_that_never_rests_is_given_up_in_time() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let started = std::time::Instant::now();
    let body = json!({"url": site.url("/endless"), "timeout_ms": 2_000, "session": {"id": "stuck"},
        "actions": [{"type": "evaluate", "expression": "1"}]});
    let answer = rig.post("/v1/interact", &body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (504, &json!("timeout")), "{}", answer.text);
    assert_eq!(answer.json()["session"]["id"], "stuck");
    assert!(started.elapsed().as_secs() < 15, "{:?}", started.elapsed());
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn events_tell_no_secret_that_a_page_shows() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    keep_secret(&rig, "PIN", "correct horse").await;
    let actions = json!([
        {"type": "fill", "selector": "#field", "value": {"secret": "PIN"}},
        {"type": "evaluate", "expression": "field.value"}
    ]);
    let input = json!({"url": site.url("/several"), "actions": actions});
    let id = follow::ask(&rig, &json!({"kind": "interact", "input": input})).await;
    let told = follow::Events::of(&rig, &id, 0).await.rest().await;
    let results: Vec<_> = told.iter().filter_map(|(_, _, data)| data.get("result")).collect();
    assert!(results.contains(&&json!("***PIN***")), "{told:?}");
    assert!(!format!("{told:?}").contains("correct horse"), "{told:?}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn what_is_too_large_is_missing_and_costs_nothing_else() {
    let rig = Rig::start_with(|config| config.max_output = 1_000).await;
    let site = Site::start().await;
    let grow = "document.body.textContent = 'x'.repeat(2000)";
    let body = json!({"url": site.url("/"), "output": ["html", "markdown", "json", "screenshot"],
        "actions": [{"type": "evaluate", "expression": format!("{grow}; 1")}]});
    let answer = interact(&rig, body).await;
    let outputs = answer["result"]["outputs"].as_object().unwrap();
    assert_eq!(
        (&answer["status"], outputs.keys().map(String::as_str).collect::<Vec<_>>()),
        (&json!("partial"), vec!["screenshot"]),
        "{answer}"
    );
    let failures = answer["diagnostics"]["output_failures"].as_array().unwrap();
    let failures: Vec<_> = failures.iter().map(|failed| (&failed["output"], &failed["code"])).collect();
    let code = json!("result_too_large");
    assert_eq!(failures, [(&json!("html"), &code), (&json!("markdown"), &code), (&json!("json"), &code)]);
    let body = json!({"url": site.url("/"), "actions": [{"type": "evaluate", "expression": "'x'.repeat(2000)"}]});
    let answer = interact(&rig, body).await;
    assert_eq!((&answer["status"], &answer["steps"][0]["error"]["code"]), (&json!("failed"), &code), "{answer}");
    assert!(html(&answer).contains("Start"));
    // Together they are no more either, and what is too large for the rest leaves what was before it.
    let grow = "Array.from({ length: 30 }, () => 'x'.repeat(20))";
    let actions = json!([{"type": "evaluate", "expression": grow}, {"type": "evaluate", "expression": grow}]);
    let answer = interact(&rig, json!({"url": site.url("/"), "actions": actions})).await;
    assert_eq!(answer["steps"][0]["result"].as_array().map(Vec::len), Some(30), "{answer}");
    assert_eq!(answer["steps"][1]["error"]["code"], code, "{answer}");
    // Nor does a script hold what it may not have: it does not leave the page.
    let script = json!({"script": "evaluate(\"'x'.repeat(2e8)\").len()"});
    let told = rig.post("/v1/run", &script).await.json();
    assert_eq!(told["error"]["inner_code"], code, "{told}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn a_failed_action_is_told_even_where_nothing_fits_the_schema() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let schema = json!({"mode": "schema", "schema": {"altitude": "altitude of the summit in metres"}});
    let body = json!({"url": site.url("/several"), "output": ["html", "json"], "extract": schema,
        "actions": [{"type": "evaluate", "expression": "nothing()"}]});
    let answer = interact(&rig, body).await;
    assert_eq!(answer["status"], json!("failed"), "{answer}");
    assert!(html(&answer).contains("Several"));
    assert_eq!(answer["diagnostics"]["output_failures"][0]["code"], "schema_validation_failed");
    rig.stop().await;
}

#[tokio::test]
async fn a_page_that_never_loads_whole_is_captured_as_it_is() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let go = format!("location.href = '{}'; 1", site.url("/hanging"));
    let body = json!({"url": site.url("/several"), "timeout_ms": 4_000,
        "actions": [{"type": "evaluate", "expression": go}, {"type": "wait_for", "selector": "img"}]});
    let answer = interact(&rig, body).await;
    assert_eq!(
        (&answer["status"], &answer["diagnostics"]["output_failures"]),
        (&json!("completed"), &json!([])),
        "{answer}"
    );
    assert!(html(&answer).contains("<title>Hanging</title>"), "{answer}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn the_session_that_was_named_is_told_and_no_other() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let script = format!("session(\"another\"); goto(\"{}\");", site.url("/set"));
    let actions = json!([{"type": "script", "source": script}]);
    let body = json!({"url": site.url("/set"), "session": {"id": "named"}, "actions": actions});
    let answer = interact(&rig, body).await;
    assert_eq!((&answer["status"], &answer["session"]["id"]), (&json!("completed"), &json!("named")), "{answer}");
    let body = json!({"url": site.url("/set"), "actions": actions});
    let answer = interact(&rig, body).await;
    assert_eq!((&answer["status"], &answer["session"]), (&json!("completed"), &json!(null)), "{answer}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}

#[tokio::test]
async fn files_are_given_in_the_request() {
    let (rig, site) = (Rig::start().await, Site::start().await);
    let read = "async () => (await Promise.all([...document.querySelector('#file').files].map(async file => \
                `${file.name} ${file.type} ${await file.text()}`))).join()";
    let files = json!([{"name": "a.txt", "content": "aGVsbG8="}, {"name": "b", "mime_type": "x/y", "content": ""}]);
    let body = json!({
        "url": site.url("/several"),
        "actions": [
            {"type": "evaluate", "expression": "document.body.insertAdjacentHTML('beforeend', '<label>Files<input id=file type=file multiple></label>')"},
            {"type": "upload", "selector": "text=Files", "files": files},
            {"type": "evaluate", "expression": read},
            {"type": "upload", "selector": "#field", "files": files}
        ]
    });
    let answer = interact(&rig, body).await;
    assert_eq!(answer["steps"][2]["result"], "a.txt text/plain hello,b x/y ", "{answer}");
    assert_eq!(answer["steps"][3]["error"]["code"], "not_actionable", "{answer}");
    rig.stop().await;
    assert_eq!(browsers(), 0);
}
