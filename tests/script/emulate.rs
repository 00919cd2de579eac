//! What scripts tell sites: options of `session`, and verbs for one run.

use rhaven::practice::Practice;
use serde_json::json;

use super::rig::{Script, script};

async fn site() -> Practice {
    Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap()
}

fn on(site: &Practice, text: &str) -> Script {
    script(text).arg("site", site.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_a_session_are_what_its_pages_tell() {
    let site = site().await;
    let text = "let options = #{ user_agent: \"Mine/1.0\", locale: \"de-DE\", timezone: \"Asia/Tokyo\", viewport: #{ width: 900, height: 500 },
            color_scheme: \"dark\", reduced_motion: \"reduce\", geolocation: #{ latitude: 1, longitude: 2.5 } };
        session(\"a\", options);
        goto(args.site + \"/login\");
        evaluate(`new Promise(done => navigator.geolocation.getCurrentPosition(p => done([
            navigator.userAgent, navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone, innerWidth, innerHeight,
            matchMedia('(prefers-color-scheme: dark)').matches, matchMedia('(prefers-reduced-motion: reduce)').matches,
            p.coords.longitude])))`)";
    let expected = json!(["Mine/1.0", "de-DE", "Asia/Tokyo", 900, 500, true, true, 2.5]);
    assert_eq!(on(&site, text).result().await, expected);
    // A map in place of a name; what stands beside it wins.
    let text = "session(\"a\", #{ identity: #{ device: \"iPhone 15\", locale: \"de\" }, locale: \"fr\" });
        goto(args.site + \"/login\");
        [evaluate(\"navigator.platform\"), evaluate(\"navigator.language\"), evaluate(\"navigator.maxTouchPoints > 0\")]";
    assert_eq!(on(&site, text).result().await, json!(["iPhone", "fr", true]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_changes_for_the_rest_of_a_run_without_a_session_too() {
    let site = site().await;
    let text = "goto(args.site + \"/login\");
        set_viewport_size(400, 900);
        let small = evaluate(\"[innerWidth, innerHeight]\");
        set_viewport_size(#{ width: 1000, height: 600 });
        emulate_media(#{ media: \"print\" });
        emulate_media(#{ color_scheme: \"dark\" });
        set_geolocation(#{ latitude: 10, longitude: 20, accuracy: 5 });
        reload();
        let seen = evaluate(`new Promise(done => navigator.geolocation.getCurrentPosition(p => done([
            innerWidth, matchMedia('print').matches, matchMedia('(prefers-color-scheme: dark)').matches, p.coords.latitude])))`);
        [small, seen]";
    assert_eq!(on(&site, text).result().await, json!([[400, 900], [1000, true, true, 10]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_says_so() {
    let site = site().await;
    for (text, code, message) in [
        ("session(\"a\", #{ device: \"Pixel\" + \" 77\" })", "invalid_option", "did you mean \"Pixel 7\"?"),
        ("session(\"a\", #{ viewport: #{ width: 8, height: 8 } })", "invalid_option", "50 to 10000 pixels"),
        ("session(\"a\", #{ identity: #{ devise: \"x\" } })", "invalid_option", "identity has no option \"devise\""),
        ("set_viewport_size(20000, 300)", "invalid_argument", "50 to 10000 pixels"),
        ("set_geolocation(#{ latitude: 10 })", "invalid_argument", "found one without longitude"),
        ("emulate_media(#{ media: \"paper\" })", "invalid_option", "\"screen\", \"print\""),
        (
            "let name = \"nobody\"; session(\"a\", #{ identity: name })",
            "identity_not_found",
            "there is no identity \"nobody\"",
        ),
    ] {
        let failure = on(&site, text).failure().await;
        assert_eq!(failure.code, code, "{text}: {failure:?}");
        assert!(failure.message.contains(message), "{text}: {}", failure.message);
    }
}
