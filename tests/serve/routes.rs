//! A walk over all routes that the server's own document names: who is let in, and where. New routes are walked by themselves.

use regex::Regex;
use reqwest::{Method, StatusCode};
use rhaven::session::Scope;
use serde_json::{Value, json};

use crate::kept::{import, keep, state};
use crate::rig::{Answered, Rig};

/// What anybody may ask.
const PUBLIC: &[&str] = &[
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/v1/artifacts/{name}",
    "/dashboard/sign-in",
    "/dashboard/sign-out",
    "/dashboard/me",
    "/embed.js",
    "/live/assets/{name}",
    "/live/{id}",
];
/// What begins the paths that a live browser's own tokens open, and no other.
const LIVE: &str = "/live/{id}/";
/// Those of them that want a WebSocket before they look at anything.
const SOCKETS: &[&str] = &["/live/{id}/socket", "/live/{id}/cdp/{token}"];
/// What makes a thing where there is none: another tenant gets one of its own.
const MAKES: &[(&str, &str)] =
    &[("put", "/v1/sessions/{id}/import"), ("put", "/v1/secrets/{name}"), ("put", "/v1/identities/{name}")];
/// The tags whose operations document every status that they answer.
const DOCUMENTED: &[&str] = &["sessions", "secrets", "identities", "live browsers"];

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    /// As it is asked: with the names of what the first tenant has, and a query that it takes.
    target: String,
    bodies: Vec<Option<Value>>,
    scope: Option<Scope>,
    told: Value,
}

impl Operation {
    fn has_name(&self) -> bool {
        self.path.contains('{')
    }

    fn is_documented(&self) -> bool {
        DOCUMENTED.contains(&self.told["tags"][0].as_str().unwrap_or_default())
    }

    fn makes(&self) -> bool {
        MAKES.iter().any(|(method, path)| self.method.as_str().eq_ignore_ascii_case(method) && *path == self.path)
    }

    async fn ask(&self, rig: &Rig, token: &str) -> Answered {
        let mut answers = Vec::new();
        for body in &self.bodies {
            let answer = rig.ask_as(token, self.method.clone(), &self.target, body.as_ref()).await;
            let understood = answer.status != StatusCode::BAD_REQUEST;
            answers.push(answer);
            if understood {
                break;
            }
        }
        let answer = answers.pop().unwrap();
        let status = answer.status.as_str();
        assert!(
            !self.is_documented() || self.told["responses"].get(status).is_some(),
            "{self}: {status} is not documented"
        );
        answer
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// All operations, public ones left out.
async fn operations(rig: &Rig, job: &str) -> Vec<Operation> {
    let document = rig.ask_as("", Method::GET, "/openapi.json", None).await.json();
    let mut all = Vec::new();
    let parameter = Regex::new(r"\{[^}]*\}").unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        if PUBLIC.contains(&path.as_str()) {
            continue;
        }
        for (method, told) in item.as_object().unwrap().iter().filter(|(_, told)| told["responses"].is_object()) {
            let name = if path.contains("/identities/") { "phone" } else { "THEIRS" };
            let target = path.replace("{id}", "theirs").replace("{name}", name).replace("{job_id}", job);
            // Of kinds that are not known here there is none by this name.
            let target = parameter.replace_all(&target, "nothing");
            let query = if path.ends_with("/export") { "?format=cookies_txt" } else { "" };
            all.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                target: format!("{target}{query}"),
                bodies: bodies(path, told),
                scope: scope(path, told),
                told: told.clone(),
            });
        }
    }
    all
}

/// Bodies of which one is understood: the document's example, or one of these. What comes before the token's scope is looked at
/// has to be right.
fn bodies(path: &str, told: &Value) -> Vec<Option<Value>> {
    if !told["requestBody"].is_object() {
        return vec![None];
    }
    let example = &told["requestBody"]["content"]["application/json"]["example"];
    if !example.is_null() {
        return vec![Some(example.clone())];
    }
    let page = json!({"url": "https://shop.example/"});
    let body = match path.rsplit('/').next().unwrap_or_default() {
        "fetch" => page,
        "interact" => {
            let actions = json!([{"type": "wait_ms", "duration_ms": 1}]);
            return vec![Some(json!({"url": page["url"], "actions": actions})), Some(page)];
        }
        "run" => json!({"script": "1"}),
        "jobs" => json!({"kind": "run", "input": {"script": "1"}}),
        "fork" => json!({"id": "a fork"}),
        "rollback" => json!({"version": 1}),
        "import" => state("other"),
        "{name}" if path.contains("secrets") => json!({"value": "other"}),
        "{name}" => json!({"locale": "de-DE"}),
        _ => json!({}),
    };
    vec![Some(body)]
}

/// The scope that an operation needs, as the document tells it; of pages and scripts it is the one that they are named after.
fn scope(path: &str, told: &Value) -> Option<Scope> {
    let named = told["security"][0]["token"][0].as_str();
    let by_path = match path {
        "/v1/fetch" | "/v1/interact" => Some("fetch"),
        "/v1/run" | "/v1/scripts" => Some("run"),
        // Of a job whose kind is `run`.
        path if path.starts_with("/v1/jobs/") => Some("run"),
        _ => None,
    };
    named.or(by_path).map(|name| Scope::parse(name).unwrap_or_else(|| panic!("{path}: there is no scope {name}")))
}

fn code(answer: &Answered) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_of_the_tenant_that_opens_it() {
    let rig = Rig::start().await;
    keep(&rig, "theirs", "sid").await;
    rig.ask(Method::PUT, "/v1/secrets/THEIRS", Some(&json!({"value": "swordfish"}))).await;
    rig.ask(Method::PUT, "/v1/identities/phone", Some(&json!({"device": "Pixel 7"}))).await;
    let job = rig.post("/v1/jobs", &json!({"kind": "run", "input": {"script": "1"}})).await.json();
    let operations = operations(&rig, job["job_id"].as_str().unwrap()).await;
    let (of_live, operations): (Vec<_>, Vec<_>) =
        operations.into_iter().partition(|operation| operation.path.starts_with(LIVE));
    assert!(operations.len() >= 22 && of_live.len() >= 8, "{} {}", operations.len(), of_live.len());
    for operation in &of_live {
        for token in ["", &*rig.token] {
            let answer = operation.ask(&rig, token).await;
            let is_socket = SOCKETS.contains(&&*operation.path);
            let wanted = if is_socket { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
            assert_eq!(answer.status, wanted, "{operation}: {}", answer.text);
        }
    }

    let (all_but_the_last, last) = rig.token.split_at(rig.token.len() - 1);
    let near = format!("{all_but_the_last}{}", if last == "A" { "E" } else { "A" });
    let revoked = rig.token_of("acme", &Scope::ALL).await;
    let id = revoked.split('.').nth(1).unwrap().to_owned();
    assert!(rig.sessions.revoke_token(&id).await.unwrap());
    let beginning = rig.token.rsplit_once('.').unwrap().0.to_owned() + ".";
    for operation in &operations {
        for token in ["", "x", "rhvn_", &near, &revoked, &beginning] {
            let answer = operation.ask(&rig, token).await;
            let told = (answer.status, code(&answer));
            assert_eq!(told, (StatusCode::UNAUTHORIZED, "unauthorized".into()), "{operation} with {token:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }

    let stranger = rig.token_of("globex", &Scope::ALL).await;
    let (makers, others): (Vec<_>, Vec<_>) = operations.iter().partition(|operation| operation.makes());
    for operation in others.iter().filter(|operation| operation.has_name()) {
        let answer = operation.ask(&rig, &stranger).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{operation}: {}", answer.text);
        assert!(!answer.text.contains("theirs") || answer.text.contains("no session theirs"), "{}", answer.text);
    }
    assert_eq!(makers.len(), MAKES.len(), "one of these is not there any more");
    for operation in makers {
        let answer = operation.ask(&rig, &stranger).await;
        assert_eq!(answer.status, StatusCode::OK, "{operation}: {}", answer.text);
    }
    // It has its own now, and the first tenant's are as they were.
    let shown = rig.ask(Method::GET, "/v1/sessions/theirs", None).await.json();
    assert_eq!((&shown["version"], &shown["cookies"][0]["name"]), (&json!(1), &json!("sid")));
    let secret = rig.sessions.secret(&rhaven::base::Tenant::new("acme").unwrap(), "THEIRS").await.unwrap();
    assert_eq!(secret.unwrap().expose(), "swordfish");
    let phone = rig.ask(Method::GET, "/v1/identities/phone", None).await.json();
    assert_eq!(phone["identity"], json!({"device": "Pixel 7"}));
    import(&rig, &stranger, "only theirs", "", &state("sid")).await;

    for operation in &operations {
        let Some(scope) = operation.scope else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let answer = operation.ask(&rig, &rig.token_of("acme", &others).await).await;
        let told = (answer.status, code(&answer));
        assert_eq!(told, (StatusCode::FORBIDDEN, "forbidden".into()), "{operation}: {}", answer.text);
        assert_eq!(answer.json()["error"]["scope"], scope.name(), "{operation}");
    }
    // What needs no scope of its own is open to each; but a list of jobs needs one that opens a kind of them.
    let open = operations.iter().filter(|operation| operation.scope.is_none() && operation.method == Method::GET);
    for operation in open.filter(|operation| operation.path != "/v1/jobs") {
        let answer = operation.ask(&rig, &rig.token_of("acme", &[Scope::Vm]).await).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{operation}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_public_routes_are_few_and_open() {
    let rig = Rig::start().await;
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(rig.ask_as("", Method::GET, path, None).await.status, StatusCode::OK, "{path}");
    }
    // Paths that are none say so to anybody, and no more.
    let nothing = rig.ask_as("", Method::GET, "/v1/nothing", None).await;
    assert_eq!((nothing.status, code(&nothing)), (StatusCode::NOT_FOUND, "not_found".into()));
    let method = rig.ask(Method::PATCH, "/v1/sessions", None).await;
    assert_eq!((method.status, code(&method)), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed".into()));
    rig.stop().await;
}
