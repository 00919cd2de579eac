//! Scripts that extract by description: by what a page shows and says, and by a language model.

use axum::routing::post;
use axum::{Json, Router};
use rhaven::document::llm::LlmConfig;
use rhaven::practice::Practice;
use rhaven::run::Event;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::rig::{Script, script};

async fn on_article(text: &str) -> (Practice, Script) {
    let site = Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let script = script(&format!("goto(args.site + \"/article\"); {text}")).arg("site", site.url());
    (site, script)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_read_by_description() {
    let text = "extract(#{ schema: #{ title: \"title of the article\", author: \"name of the author\", \
                costs: \"list of parts with part, days as number and cost\", phone: \"phone number\" }, details: true })";
    let (_site, script) = on_article(text).await;
    let ran = script.run().await;
    assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
    let (data, missing) = (&ran.report.result["data"], &ran.report.result["missing"]);
    assert_eq!((&data["title"], &data["author"]), (&json!("How the tide mill was mended"), &json!("Nora Quill")));
    assert_eq!(data["costs"][2], json!({"part": "Bearings", "days": 9, "cost": "770.00 EUR"}));
    assert_eq!((&data["phone"], missing), (&Value::Null, &json!(["phone"])));
    assert!(ran.report.result["sources"].as_array().unwrap().len() >= 5, "{}", ran.report.result);
    let told =
        ran.events.iter().any(|event| matches!(event, Event::Notice { text } if text.contains("nothing fits phone")));
    assert!(told, "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_is_an_error_and_so_is_a_model_that_nobody_set_up() {
    let (_site, script) = on_article("extract(#{ schema: #{ iban: \"IBAN\" } }, #{ timeout: \"1s\" })").await;
    let failure = script.failure().await;
    assert_eq!(failure.code, "schema_validation_failed");
    assert!(failure.message.contains("iban"), "{}", failure.message);
    for asked in ["#{ schema: #{ title: \"title\" }, engine: \"llm\" }", "#{ instruction: \"sum it up\" }"] {
        let (_site, script) = on_article(&format!("extract({asked})")).await;
        assert_eq!(script.failure().await.code, "llm_unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_model_is_asked_and_secrets_stay_here() {
    let sent = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let kept = sent.clone();
    let answer = async move |Json(body): Json<Value>| {
        *kept.lock().unwrap() = body.to_string();
        Json(
            json!({"choices": [{"message": {"content": "{\"author\": \"Nora Quill\", \"editor\": \"Nobody There\"}"}}]}),
        )
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/chat/completions", post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let text = "extract(#{ schema: #{ author: \"author\", editor: \"editor\" }, engine: \"llm\" })";
    let (_site, script) = on_article(text).await;
    let mut script = script.secret("NAME", "tide mill");
    script.job.llm = Some(LlmConfig::new(&address, "m", None).unwrap().with(reqwest::Client::new()));
    assert_eq!(script.result().await, json!({"author": "Nora Quill", "editor": null}));
    let sent = sent.lock().unwrap().clone();
    assert!(sent.contains("NAME") && !sent.contains("tide mill") && sent.contains("Sluice"), "{sent}");
}
