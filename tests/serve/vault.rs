//! Secrets and identities over HTTP.

use reqwest::{Method, StatusCode};
use rhaven::base::Tenant;
use rhaven::session::Scope;
use serde_json::json;

use crate::rig::{Answered, Rig};

fn code(answer: &Answered) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn secrets_are_written_and_listed_by_name_only() {
    let rig = Rig::start().await;
    let put = async |name: &str, value: serde_json::Value| {
        rig.ask(Method::PUT, &format!("/v1/secrets/{name}"), Some(&value)).await
    };
    let set = put("ACME", json!({"value": "swordfish"})).await;
    assert_eq!((set.status, &set.json()["replaced"]), (StatusCode::OK, &json!(false)));
    assert_eq!(put("ACME", json!({"value": "hunter2222"})).await.json()["replaced"], true);
    let list = rig.ask(Method::GET, "/v1/secrets", None).await;
    let listed = &list.json()["secrets"];
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("ACME")));
    assert_eq!(listed[0].as_object().unwrap().len(), 2, "{}", list.text);
    let kept = rig.sessions.secret(&Tenant::new("acme").unwrap(), "ACME").await.unwrap();
    assert_eq!(kept.unwrap().expose(), "hunter2222");
    assert_eq!(rig.ask(Method::GET, "/v1/secrets/ACME", None).await.status, StatusCode::METHOD_NOT_ALLOWED);

    for (name, value) in [
        ("A%20B", json!({"value": "x"})),
        ("ACME", json!({"value": ""})),
        ("ACME", json!({"value": "x".repeat(70_000)})),
        ("ACME", json!({"value": 1})),
        ("ACME", json!({"value": "x", "more": "swordfish"})),
        ("ACME", json!({})),
        ("ACME", json!("swordfish")),
    ] {
        let refused = put(name, value).await;
        assert_eq!(code(&refused), (400, "invalid_request".into()), "{}", refused.text);
        assert!(!refused.text.contains("swordfish"), "{}", refused.text);
    }
    let large = put("ACME", json!({"value": "x".repeat(5 << 20)})).await;
    assert_eq!(code(&large), (413, "payload_too_large".into()));
    let reader = rig.token_of("acme", &[Scope::Run, Scope::Fetch]).await;
    let refused = rig.ask_as(&reader, Method::GET, "/v1/secrets", None).await;
    assert_eq!(code(&refused), (403, "forbidden".into()));
    assert_eq!(rig.ask(Method::DELETE, "/v1/secrets/ACME", None).await.json()["deleted"], "ACME");
    assert_eq!(code(&rig.ask(Method::DELETE, "/v1/secrets/ACME", None).await), (404, "not_found".into()));
    rig.stop().await;
}

#[tokio::test]
async fn identities_are_those_that_scripts_name() {
    let rig = Rig::start().await;
    let put = async |name: &str, value: serde_json::Value| {
        rig.ask(Method::PUT, &format!("/v1/identities/{name}"), Some(&value)).await
    };
    let phone = json!({"device": "pixel 7", "locale": "DE-de", "timezone": "europe/berlin",
        "geolocation": {"latitude": 52.5, "longitude": 13.4}});
    assert_eq!(put("phone", phone).await.json()["replaced"], false);
    let told = json!({"device": "Pixel 7", "locale": "de-DE", "timezone": "Europe/Berlin",
        "geolocation": {"latitude": 52.5, "longitude": 13.4, "accuracy": 0.0}});
    let shown = rig.ask(Method::GET, "/v1/identities/phone", None).await.json();
    assert_eq!((&shown["name"], &shown["identity"]), (&json!("phone"), &told));
    assert!(shown["request_id"].is_string() && shown["set_at"].is_string());
    let list = rig.ask(Method::GET, "/v1/identities", None).await.json();
    assert_eq!(list["identities"][0]["identity"], told);
    let kept = rig.sessions.identity(&Tenant::new("acme").unwrap(), "phone").await.unwrap();
    assert_eq!(json!(kept.identity), told);

    for (name, value, says) in [
        ("phone", json!({"device": "Pixel 77"}), "did you mean"),
        ("phone", json!({"locale": "de_DE"}), "de-DE"),
        ("phone", json!({"viewport": {"width": 1, "height": 1}}), "50 to 10000"),
        ("phone", json!({"geolocation": {"latitude": 95, "longitude": 0}}), "-90 to 90"),
        ("phone", json!({"devise": "Pixel 7"}), "devise"),
        ("phone", json!({}), "says nothing"),
        ("browser", json!({"locale": "de"}), "browser"),
        ("a%20b", json!({"locale": "de"}), "an identity's name has"),
    ] {
        let refused = put(name, value).await;
        assert_eq!(code(&refused), (400, "invalid_request".into()), "{}", refused.text);
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    // Who may run scripts may see what they name, and no more.
    let reader = rig.token_of("acme", &[Scope::Run]).await;
    assert!(rig.ask_as(&reader, Method::GET, "/v1/identities/phone", None).await.status.is_success());
    let refused = rig.ask_as(&reader, Method::DELETE, "/v1/identities/phone", None).await;
    assert_eq!(code(&refused), (403, "forbidden".into()));
    let near = rig.ask(Method::GET, "/v1/identities/phome", None).await;
    assert_eq!(code(&near), (404, "not_found".into()));
    assert!(near.text.contains("there is \\\"phone\\\""), "{}", near.text);
    assert_eq!(rig.ask(Method::DELETE, "/v1/identities/phone", None).await.json()["deleted"], "phone");
    assert_eq!(code(&rig.ask(Method::DELETE, "/v1/identities/phone", None).await), (404, "not_found".into()));
    rig.stop().await;
}
