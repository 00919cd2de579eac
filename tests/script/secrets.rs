//! Secrets: used, joined, never seen.

use rhaven::run::FailureKind;
use serde_json::json;

use super::rig::{place, script};

const VALUE: &str = "hunter2-and-more";

#[tokio::test]
async fn a_secret_joined_with_text_is_a_secret() {
    let text =
        r#"[type_of("Bearer " + secret("PW")), type_of(secret("PW") + "!"), type_of(secret("PW") + secret("PW"))]"#;
    assert_eq!(script(text).secret("PW", VALUE).result().await, json!(["Secret", "Secret", "Secret"]));
}

#[tokio::test]
async fn no_way_of_showing_a_secret_works() {
    for text in [
        "secret(\"PW\")",
        "`is ${secret(\"PW\")}`",
        "secret(\"PW\").to_string()",
        "print(secret(\"PW\"))",
        "debug(secret(\"PW\"))",
        "log(secret(\"PW\"))",
        "emit([secret(\"PW\")])",
        "#{ a: secret(\"PW\") }.to_json()",
        "[secret(\"PW\")].to_string()",
        "let t = \"x\"; t += secret(\"PW\"); t",
        "try { `${secret(\"PW\")}` } catch { }; 1",
        "`${secret(\"PW\")}`; let x = 1; x",
        "try { emit(secret(\"PW\")) } catch { }; 1",
        "try { log(#{ a: secret(\"PW\") }) } catch { }; 1",
        "try { #{ a: secret(\"PW\") }.to_json() } catch { }; 1",
        "throw secret(\"PW\")",
    ] {
        let ran = script(text).secret("PW", VALUE).run().await;
        assert!(!ran.everything().contains(VALUE), "{text} shows it");
        let failure = ran.report.failure.unwrap_or_else(|| panic!("{text} succeeded"));
        let expected = if text.starts_with("throw") { "script_error" } else { "secret_exposed" };
        assert_eq!(failure.code, expected, "{text}: {}", failure.message);
    }
}

#[tokio::test]
async fn interpolating_a_secret_names_its_place() {
    let failure = script("let a = 1;\nlet t = `is ${secret(\"PW\")}`;\nprint(t);").secret("PW", VALUE).failure().await;
    assert_eq!(place(failure.place.as_ref()), "2:14");
}

#[tokio::test]
async fn a_value_that_came_by_another_way_is_redacted_everywhere() {
    let text = r#"print(args.p); log(args.p); emit(#{ x: args.p }); step(args.p, || 1);
        try { throw args.p } catch (e) { print(e) } throw "it is " + args.p"#;
    let ran = script(text).secret("PW", VALUE).arg("p", VALUE).run().await;
    assert!(!ran.everything().contains(VALUE), "{}", ran.everything());
    assert_eq!(ran.report.failure.unwrap().message, "it is ***PW***");
    let result = script("#{ a: [args.p] }").secret("PW", VALUE).arg("p", VALUE).result().await;
    assert_eq!(result, json!({ "a": ["***PW***"] }));
}

#[tokio::test]
async fn an_unset_secret_is_an_error_before_anything_starts() {
    let ran = script("print(\"started\");\nlet p = secret(\"ACME_PASSWORD\");").run().await;
    assert!(ran.events.is_empty());
    let failure = ran.report.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.kind), ("secret_not_set", FailureKind::Usage));
    assert_eq!(place(failure.place.as_ref()), "2:9");
    assert!(failure.hint.unwrap().contains("RHAVEN_SECRET_ACME_PASSWORD"));
    let computed = script("let name = \"ACME\"; secret(name)").failure().await;
    assert_eq!((computed.code.as_str(), computed.kind), ("secret_not_set", FailureKind::Usage));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_secret_is_not_shown_where_a_text_was_cut() {
    let key = "sk-proj-01234567890123456789012345678901234567890123456789012345678901";
    let page = "data:text/html,<input id=t oninput=\"p.textContent = this.value; p.title = this.value\"><p id=p class=x></p><p class=x>";
    for after in [
        "click(\".x\", #{ timeout: \"300ms\" })",
        "extract(#{ n: #{ selector: \"#p\", type: \"bool\" } })",
        "extract(#{ n: #{ selector: \"#p\", regex: \"^x\" } })",
        "let found = extract(#{ n: #{ selector: \"#p\" } }); throw found.n",
    ] {
        let text = format!("goto(args.page); fill(\"#t\", secret(\"KEY\")); {after}");
        let ran = script(&text).arg("page", page).secret("KEY", key).run().await;
        assert!(ran.report.failure.is_some(), "{after}");
        assert!(!ran.everything().contains("sk-proj"), "{after}: {}", ran.everything());
        assert!(ran.everything().contains("***KEY***"), "{after}: {}", ran.everything());
    }
}
