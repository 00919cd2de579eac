//! `rollback`, `delete`, `close`, `add_cookies` and `clear_cookies`: what a run can do to the sessions that it holds.

use rhaven::base::{SessionId, Tenant, Version};
use rhaven::practice::Practice;
use rhaven::run::{Event, FailureKind};
use rhaven::session::{KeySource, Saving, Sessions, StoreConfig};
use serde_json::{Value, json};

use super::rig::{Ran, Script, place, script};

/// Writes a value where it is kept, and reads it.
const KEEP: &str = "
    fn keep(value) { goto(args.base + \"/form\"); evaluate(`localStorage.setItem('k', '${value}')`); }
    fn kept() { goto(args.base + \"/form\"); evaluate(\"localStorage.getItem('k')\") }
";

/// The practice site and a store, over several runs.
struct World {
    site: Practice,
    home: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let site = Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self { site, home: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> StoreConfig {
        StoreConfig::Embedded(self.home.path().join("store"))
    }

    fn script(&self, text: &str) -> Script {
        let mut script = script(&format!("{KEEP}\n{text}"));
        script.job.workspace.store = self.store();
        script.job.workspace.key = KeySource::MadeOnFirstUse(self.home.path().join("key"));
        script.arg("base", self.site.url())
    }

    async fn run(&self, text: &str) -> Ran {
        let ran = self.script(text).run().await;
        assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
        ran
    }

    async fn sessions(&self) -> Vec<(String, u64)> {
        let key = KeySource::MadeOnFirstUse(self.home.path().join("key"));
        let listing = Sessions::open(self.store(), key).await.unwrap().list(&Tenant::default()).await.unwrap();
        assert!(listing.damaged.is_empty() && listing.sessions.iter().all(|one| one.held_by.is_none()));
        listing.sessions.into_iter().map(|one| (one.id.as_str().to_owned(), one.version.0)).collect()
    }

    /// `acme` with three versions that keep `one`, `two`, `three`.
    async fn with_versions(&self) {
        for value in ["one", "two", "three"] {
            self.run(&format!("session(\"acme\"); keep(\"{value}\");")).await;
        }
        assert_eq!(self.sessions().await, [("acme".to_owned(), 3)]);
    }

    async fn failure(&self, text: &str, code: &str, wanted: &str) {
        let failure = self.script(text).failure().await;
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.message.contains(wanted), "{text}: {}", failure.message);
    }
}

fn acme(ran: &Ran) -> &rhaven::session::SessionOutcome {
    ran.report.sessions.iter().find(|outcome| outcome.id == SessionId::new("acme").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_back_and_the_run_goes_on_with_it() {
    let world = World::start().await;
    world.with_versions().await;
    let ran = world
        .run(
            r#"let s = session("acme"); let copy = s; let p = s.page;
               keep("dropped");
               let done = s.rollback(1);
               let gone = ""; try { p.title() } catch (e) { gone = e.code }
               // Handles of before are the session as it is now.
               [done, kept(), s.version, copy.version, copy.url() == url(), gone, changes().len()]"#,
        )
        .await;
    let back = json!({ "from": 3, "to": 1, "version": 4 });
    assert_eq!(ran.report.result, json!([back, "one", 4, 4, true, "page_closed", 0]));
    let outcome = acme(&ran);
    assert_eq!((outcome.restored, outcome.version), (Some(Version(3)), Some(Version(4))));
    assert_eq!((outcome.rolled_back, outcome.updated), (Some(Version(1)), true));
    assert_eq!(world.sessions().await, [("acme".to_owned(), 4)]);
    // What is changed after it is saved on top; the newest version is no way back, but drops what was not saved.
    let ran = world
        .run(
            r#"let s = session("acme"); s.rollback(2); keep("four"); save(); keep("dropped");
               let done = rollback(s.version);
               [done.version, kept(), history().map(|entry| entry.version)]"#,
        )
        .await;
    assert_eq!(ran.report.result, json!([6, "four", [6, 5, 4, 3, 2, 1]]));
    assert_eq!(world.run("session(\"acme\"); kept()").await.report.result, json!("four"));
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_leaves_the_other_session_the_current_one() {
    let world = World::start().await;
    world.with_versions().await;
    let ran = world
        .run(
            r#"let a = session("acme"); let b = session("other"); keep("b");
               a.rollback(1);
               let here = evaluate("localStorage.getItem('k')");
               session("acme");
               [here, kept(), a.url() == url()]"#,
        )
        .await;
    assert_eq!(ran.report.result, json!(["b", "one", true]));
    assert_eq!(world.sessions().await, [("acme".to_owned(), 4), ("other".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_way_back_it_is_said() {
    let world = World::start().await;
    world.with_versions().await;
    let open = "let s = session(\"acme\");";
    world.failure(&format!("{open} s.rollback(9)"), "version_not_found", "no version v9; kept are v3, v2, v1").await;
    // The session is as it was, and saved.
    let ran = world
        .run("let s = session(\"acme\"); keep(\"four\"); try { s.rollback(9) } catch (e) { log(e.code) } kept()")
        .await;
    assert_eq!((&ran.report.result, acme(&ran).version), (&json!("four"), Some(Version(4))));
    world.failure("session(\"new\").rollback(1)", "version_not_found", "kept are none").await;
    let read = "session(\"acme\", #{ mode: \"read_only\" })";
    world.failure(&format!("{read}.rollback(1)"), "session_read_only", "leave mode: \"read_only\" out").await;
    world.failure(&format!("{read}.delete()"), "session_read_only", "session acme cannot be deleted").await;
    world.failure("rollback(1)", "invalid_argument", "session(\"acme\") opens one that is").await;
    world.failure("delete()", "invalid_argument", "the throw-away session cannot be deleted").await;
    world.failure("session(\"acme\").rollback(0)", "invalid_argument", "wanted a whole number from 1").await;
    assert_eq!(world.sessions().await, [("acme".to_owned(), 4)]);
    let mut script = world.script("session(\"acme\").delete()");
    script.job.workspace.saving = Saving::AtEnd;
    let failure = script.failure().await;
    assert!(failure.message.contains("--keep-state"), "{failure:?}");
    assert_eq!(world.sessions().await, [("acme".to_owned(), 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_session_is_gone_and_the_run_goes_on() {
    let world = World::start().await;
    world.with_versions().await;
    let ran = world
        .run(
            r#"let s = session("acme"); keep("dropped");
               s.delete();
               let closed = ""; try { s.url() } catch (e) { closed = e.code }
               [closed, url(), kept()]"#,
        )
        .await;
    assert_eq!(ran.report.result, json!(["session_closed", "about:blank", null]));
    let outcome = acme(&ran);
    assert_eq!((outcome.deleted, outcome.restored, outcome.version), (true, Some(Version(3)), None));
    assert!(world.sessions().await.is_empty());
    // It may begin anew in the same run, also where nothing of it was ever saved.
    let ran = world.run("session(\"acme\").delete(); session(\"acme\"); keep(\"again\"); kept()").await;
    assert_eq!(ran.report.result, json!("again"));
    assert_eq!(ran.report.sessions.len(), 2);
    assert_eq!(world.sessions().await, [("acme".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_is_saved_and_free_for_others() {
    let world = World::start().await;
    let ran = world
        .run(
            r#"goto(args.base + "/form");
               let s = session("acme"); keep("one");
               let saved = s.close();
               let closed = ""; try { s.save() } catch (e) { closed = e.code }
               // The throw-away session of before is the current one again.
               let back = url().contains("/form");
               let again = session("acme");
               [saved.version, saved.updated, closed, back, again.version, kept(), again.close().updated]"#,
        )
        .await;
    assert_eq!(ran.report.result, json!([1, true, "session_closed", true, 1, "one", false]));
    let versions: Vec<_> = ran.report.sessions.iter().map(|outcome| outcome.version).collect();
    assert_eq!(versions, [Some(Version(1)), Some(Version(1))]);
    assert_eq!(world.sessions().await, [("acme".to_owned(), 1)]);
    // While the run goes on another may have it.
    let other = world.script("session(\"acme\").version");
    let (sender, mut free) = tokio::sync::mpsc::unbounded_channel();
    let first = world.script("session(\"acme\").close(); log(\"free\"); sleep(\"30s\");").on_event(move |event| {
        if matches!(event, Event::Log { .. }) {
            sender.send(()).unwrap();
        }
    });
    let cancel = first.cancel.clone();
    let (first, second) = tokio::join!(first.run(), async {
        free.recv().await.unwrap();
        let version = other.result().await;
        cancel.cancel();
        version
    });
    assert_eq!((second, first.report.failure.unwrap().kind), (json!(1), FailureKind::Interrupted));
    // Closing the throw-away one answers nothing; read-only ones have nothing to save.
    let text = "let a = close().version; session(\"acme\", #{ mode: \"read_only\" }).close(); [a, url()]";
    assert_eq!(world.run(text).await.report.result, json!([null, "about:blank"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_stays_open_when_it_is_closed() {
    let world = World::start().await;
    let text = "let s = session(\"acme\"); keep(\"one\"); let updated = s.close().updated;
        [updated, url(), s.evaluate(\"localStorage.getItem('k')\")]";
    let mut script = world.script(text);
    script.job.workspace.saving = Saving::AtEnd;
    assert_eq!(script.result().await, json!([true, "about:blank", "one"]));
    assert_eq!(world.sessions().await, [("acme".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_given_and_taken() {
    let world = World::start().await;
    let text = r#"let s = session("acme");
        s.add_cookies([
            #{ name: "plain", value: "1", url: args.base + "/account/orders" },
            #{ name: "hidden", value: secret("PW"), domain: "127.0.0.1", httpOnly: true, expires: 4000000000 },
        ]);
        let seen = s.cookies().map(|c| `${c.name} ${c.path} ${c.httpOnly}`);
        seen.sort();
        let all = s.cookies();
        clear_cookies();
        let none = cookies().len();
        add_cookies(all);
        [seen, none, cookies().len()]"#;
    let ran = world.script(text).secret("PW", "hunter2-and-more").run().await;
    assert!(ran.report.failure.is_none(), "{:?}", ran.report.failure);
    assert_eq!(ran.report.result, json!([["hidden / true", "plain /account/ false"], 0, 2]));
    assert!(!ran.everything().contains("hunter2-and-more"));
    let calls: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verb { call, .. } if call.starts_with("add_cookies") => Some(call.as_str()),
            _ => None,
        })
        .collect();
    let shown = "add_cookies([#{ name: \"plain\", .. }, #{ name: \"hidden\", .. }])";
    assert_eq!(calls[0], shown);
    assert!(!calls[1].contains("value"), "{calls:?}");
    // The session keeps them, and they are sent.
    let ran = world.run("session(\"acme\"); cookies().len()").await;
    assert_eq!(ran.report.result, json!(2));
    let names: Vec<Value> = acme(&ran).changes.iter().map(|change| json!(change.name)).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_no_browser_takes_is_named() {
    let world = World::start().await;
    let check = async |cookie: &str, wanted: &str| {
        let failure = script(&format!("add_cookies([{cookie}]);")).failure().await;
        assert_eq!((failure.code.as_str(), failure.kind), ("invalid_argument", FailureKind::Parse), "{failure:?}");
        assert!(failure.message.contains(wanted), "{cookie}: {}", failure.message);
        assert!(!failure.message.contains("swordfish"), "{failure:?}");
    };
    check(r#"#{ name: "sid", value: "swordfish" }"#, "cookie 1 (\"sid\"): it has neither a url nor a domain").await;
    check(r#"#{ name: "sid", value: "swordfish", url: "/login" }"#, "its url is none").await;
    check(r#"#{ name: "sid", value: "swordfish", domain: "a.example", same_site: "Lax" }"#, "\"sameSite\"?").await;
    check(r#""sid=swordfish""#, "wanted a list of maps").await;
    // What only the run knows; none of them is set.
    let text = "let c = cookies(); c.push(#{ name: \"a\", value: args.base, url: args.base });\n\
                c.push(#{ name: \"b\" });\ntry { add_cookies(c) } catch (e) { log(e.message) }\ncookies().len()";
    let ran = world.run(text).await;
    assert_eq!(ran.report.result, json!(0));
    // What it alone refuses is told in Chromium's words.
    let text = "add_cookies([#{ name: \"__Host-a\", value: \"1\", domain: \".example.com\", secure: true }]);";
    let failure = world.script(text).failure().await;
    assert_eq!((failure.code.as_str(), failure.kind), ("invalid_argument", FailureKind::Script), "{failure:?}");
    assert!(failure.message.contains("the browser refuses"), "{failure:?}");
    assert_eq!(place(failure.place.as_ref()), format!("{}:1", KEEP.lines().count() + 2));
}
