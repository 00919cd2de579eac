//! `storage_state` and `set_storage_state`: a session's state as Playwright has it, and the other way.

use rhaven::base::{SessionId, Tenant};
use rhaven::practice::Practice;
use rhaven::run::Event;
use rhaven::session::{KeySource, SessionOutcome, StoreConfig};
use serde_json::{Value, json};

use super::rig::{Ran, Script, script};

/// Writes what the format holds, and something that it does not, and reads what it holds.
const VERBS: &str = r#"
    fn write(at, value) {
        goto(at + "/form");
        evaluate(`new Promise(done => {
            document.cookie = 'who=${value}; max-age=9999';
            localStorage.setItem('token', '${value}');
            sessionStorage.setItem('step', '${value}');
            const open = indexedDB.open('app', 2);
            open.onupgradeneeded = () => open.result.createObjectStore('things').put({ when: new Date(5), value: '${value}' }, 'thing');
            open.onsuccess = () => { open.result.close(); done(1); };
        })`);
    }
    fn read(at) {
        goto(at + "/form");
        evaluate(`(async () => {
            let thing = null;
            if ((await indexedDB.databases()).length) thing = await new Promise(done => {
                const open = indexedDB.open('app');
                open.onsuccess = () => {
                    const get = open.result.transaction('things').objectStore('things').get('thing');
                    get.onsuccess = () => { open.result.close(); done([open.result.version, get.result.when.getTime(), get.result.value]); };
                };
            });
            return [document.cookie, localStorage.getItem('token'), sessionStorage.getItem('step'), thing];
        })()`)
    }
"#;

/// The practice site under two names, and a store, over several runs.
struct World {
    site: Practice,
    home: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let site = Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self { site, home: tempfile::tempdir().unwrap() }
    }

    fn script(&self, text: &str) -> Script {
        let mut script = script(&format!("{VERBS}\n{text}"));
        script.job.workspace.store = StoreConfig::Embedded(self.home.path().join("store"));
        script.job.workspace.key = KeySource::MadeOnFirstUse(self.home.path().join("key"));
        script.job.workspace.tenant = Tenant::default();
        script.arg("one", self.site.url()).arg("two", &self.site.url().replace("127.0.0.1", "localhost"))
    }

    async fn run(&self, text: &str) -> Ran {
        let ran = self.script(text).run().await;
        assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
        ran
    }
}

fn notices(ran: &Ran) -> Vec<&str> {
    ran.events
        .iter()
        .filter_map(|event| match event {
            Event::Notice { text } if text.contains("storage_state") => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn outcome<'a>(ran: &'a Ran, id: &str) -> &'a SessionOutcome {
    ran.report.sessions.iter().find(|outcome| outcome.id == SessionId::new(id).unwrap()).unwrap()
}

fn stores(outcome: &SessionOutcome) -> Vec<String> {
    let mut all: Vec<_> =
        outcome.changes.iter().map(|change| format!("{:?} {} {}", change.kind, change.store, change.name)).collect();
    all.sort();
    all
}

fn held(value: &str, step: Option<&str>) -> Value {
    json!([format!("who={value}"), value, step, [2, 5, value]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_goes_from_one_session_to_another() {
    let world = World::start().await;
    world.run(r#"session("acme"); write(args.one, "needle1"); write(args.two, "needle2");"#).await;
    // Nothing of acme is visited in this run, and all that the other has goes.
    let ran = world
        .run(
            r#"let acme = session("acme");
               let state = acme.storage_state();
               let other = session("other");
               write(args.one, "old");
               evaluate("localStorage.setItem('gone', 'old')");
               other.set_storage_state(state);
               let open = evaluate("[document.cookie, localStorage.getItem('token'), localStorage.getItem('gone')]");
               let again = other.storage_state();
               [open, read(args.one), read(args.two), state == again, state.origins.map(|o| o.keys())]"#,
        )
        .await;
    let keys = json!(["indexedDB", "localStorage", "origin"]);
    assert_eq!(
        ran.report.result,
        json!([
            ["who=needle1", "needle1", null],
            held("needle1", Some("old")),
            held("needle2", None),
            true,
            [keys, keys]
        ])
    );
    // What is lost is said by name, and no value is anywhere but where the script has put it.
    let told = notices(&ran);
    assert_eq!(told.len(), 2, "{told:?}");
    for origin in [world.site.url().to_owned(), world.site.url().replace("127.0.0.1", "localhost")] {
        let line = format!("sessionStorage step of {origin}/ (the format does not hold it)");
        assert!(told[0].contains(&line), "{told:?}");
    }
    assert!(!told.iter().any(|text| text.contains("needle")), "{told:?}");
    let calls = ran.events.iter().filter_map(|event| match event {
        Event::Verb { call, .. } if call.contains("storage_state") => Some(call.as_str()),
        _ => None,
    });
    let calls: Vec<_> = calls.collect();
    assert!(calls.contains(&"set_storage_state(..)") && !calls.concat().contains("needle"), "{calls:?}");
    assert_eq!((outcome(&ran, "acme").updated, outcome(&ran, "other").save_error.as_ref()), (false, None));
    // It is kept, and what it took the place of is not.
    let ran = world.run(r#"session("other"); [read(args.two), read(args.one)]"#).await;
    assert_eq!(ran.report.result, json!([held("needle2", None), held("needle1", Some("old"))]));
    assert_eq!(stores(outcome(&ran, "other")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_and_not_visited_is_replaced_too() {
    let world = World::start().await;
    world.run(r#"session("acme"); write(args.one, "1"); write(args.two, "2");"#).await;
    let ran = world
        .run(
            r#"session("acme");
               set_storage_state(`{"cookies": [], "origins": [{"origin": "${args.two}", "localStorage": [{"name": "token", "value": "\ud800"}]}]}`);"#,
        )
        .await;
    assert_eq!(
        stores(outcome(&ran, "acme")),
        [
            "Changed localStorage token",
            "Removed cookie who",
            "Removed cookie who",
            "Removed indexedDB app",
            "Removed indexedDB app",
            "Removed indexedDB app/things",
            "Removed indexedDB app/things",
            "Removed localStorage token"
        ]
    );
    let ran = world
        .run(
            r#"session("acme");
               let state = storage_state();
               goto(args.two + "/form");
               let exact = evaluate("localStorage.getItem('token') === '\\ud800'");
               [state.origins.len(), exact, read(args.one)]"#,
        )
        .await;
    // What the format has no place for has stayed.
    assert_eq!(ran.report.result, json!([1, true, ["", null, "1", null]]));
    assert!(notices(&ran)[0].contains("U+FFFD"), "{:?}", notices(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throw_away_session_has_a_state_and_secrets_stay_secret() {
    let world = World::start().await;
    let text = r#"
        set_storage_state(#{ cookies: [#{ name: "who", value: secret("PW"), domain: "127.0.0.1", path: "/", expires: -1,
            httpOnly: false, secure: false, sameSite: "Lax" }], origins: [] });
        let found = read(args.one);
        let state = storage_state();
        [found[0] == "who=" + state.cookies[0].value, state.cookies.len(), state.origins.len()]"#;
    let ran = world.script(text).secret("PW", "hunter2-and-more").run().await;
    assert!(ran.report.failure.is_none(), "{:?}", ran.report.failure);
    assert_eq!(ran.report.result, json!([true, 1, 0]));
    assert!(!ran.everything().contains("hunter2-and-more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_state_is_refused_before_anything_is_touched() {
    let world = World::start().await;
    let check = async |given: &str, wanted: &str| {
        let text = format!(
            "session(\"acme\"); write(args.one, \"1\"); try {{ set_storage_state({given}); }} catch (e) {{ \
             return [e.code, e.message, read(args.one)]; }}"
        );
        let told = world.run(&text).await.report.result;
        assert_eq!((&told[0], &told[2]), (&json!("invalid_import"), &held("1", Some("1"))), "{told}");
        let message = told[1].as_str().unwrap();
        assert!(message.contains(wanted) && !message.contains("needle"), "{message}");
    };
    check("\"needle\"", "line 1").await;
    check("#{}", "cookies or origins were wanted").await;
    check("#{ cookies: [#{ name: \"a\", value: \"needle\" }] }", "cookies[0].domain: a text was wanted").await;
    check("#{ origins: [#{ origin: \"needle\" }] }", "origins[0].origin").await;
    let failure = world.script("set_storage_state(3);").failure().await;
    assert!(failure.message.contains("what storage_state() answers"), "{}", failure.message);
}
