//! `check` and `login` of `session(..)`: a run that is logged out never overwrites a session that is signed in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rhaven::base::{SessionId, Tenant, Version};
use rhaven::practice::{PASSWORD, Practice};
use rhaven::run::{Event, FailureKind};
use rhaven::session::{Saving, Sessions, StoreConfig};
use serde_json::json;

use super::rig::{Ran, Script, place, script};

/// Opens `acme` with a check that only those pass who are signed in, and signs in where it is needed.
const OPEN: &str = r##"
    fn sign_in() {
        log("signing in");
        goto(args.base + "/login");
        type("#email", "user@example.com");
        type("label=Password", secret("PRACTICE_PASSWORD"));
        click("button[type=submit]");
        wait_for(".user-avatar");
        wait_for("html[data-ready=yes]");
    }
    fn check() { #{ url: args.base + "/dashboard", visible: ".user-avatar" } }
    fn impatient() { #{ url: args.base + "/dashboard", visible: ".user-avatar", timeout: "2s" } }
"##;

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

    /// A script on this site and store, after [`OPEN`].
    fn script(&self, text: &str) -> Script {
        let mut script = script(&format!("{OPEN}\n{text}"));
        script.job.workspace.store = StoreConfig::Embedded(self.home.path().join("store"));
        script.job.workspace.key = self.key();
        script.arg("base", self.site.url()).secret("PRACTICE_PASSWORD", PASSWORD)
    }

    fn key(&self) -> rhaven::session::KeySource {
        rhaven::session::KeySource::MadeOnFirstUse(self.home.path().join("key"))
    }

    async fn run(&self, text: &str) -> Ran {
        self.script(text).run().await
    }

    /// The newest version of `acme`, if there is one.
    async fn head(&self) -> Option<Version> {
        let store = StoreConfig::Embedded(self.home.path().join("store"));
        let sessions = Sessions::open(store, self.key()).await.unwrap();
        let listing = sessions.list(&Tenant::default()).await.unwrap();
        assert!(listing.damaged.is_empty() && listing.sessions.iter().all(|one| one.held_by.is_none()));
        listing.sessions.into_iter().find(|one| one.id == SessionId::new("acme").unwrap()).map(|one| one.version)
    }

    /// The site forgets who is signed in.
    fn forget(&self) {
        let host = self.site.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "POST /api/reset HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// A session that is signed in, and its version.
    async fn signed_in(&self) -> Version {
        let ran = self.run("session(\"acme\"); sign_in();").await;
        assert!(ran.report.failure.is_none(), "{:?}", ran.report.failure);
        self.head().await.unwrap()
    }
}

/// What the script logged.
fn logged(ran: &Ran) -> Vec<&str> {
    let mut texts = Vec::new();
    for event in &ran.events {
        if let Event::Log { text } = event {
            texts.push(text.as_str());
        }
    }
    texts
}

fn succeeded(ran: &Ran) {
    assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_signed_in_is_not_signed_in_again() {
    let world = World::start().await;
    let before = world.signed_in().await;
    let ran = world
        .run(
            r#"let s = session("acme", #{ check: check(), login: |s| sign_in() });
               let at = url();
               session("acme", #{ check: check(), login: |s| sign_in() });
               [at, s.version, changes().len()]"#,
        )
        .await;
    succeeded(&ran);
    // The page of the script has been nowhere.
    assert_eq!(ran.report.result, json!(["about:blank", before.0, 0]));
    assert!(logged(&ran).is_empty());
    assert_eq!(world.head().await, Some(before), "a check alone is no change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ran_out_at_the_site_is_signed_in_once_and_saved() {
    let world = World::start().await;
    let before = world.signed_in().await;
    world.forget();
    let ran = world
        .run(
            r#"let s = session("acme", #{ check: check(), login: |s| {
                   log(s.id);
                   session("another");
                   session("acme", #{ check: check(), login: |s| log("never called") });
                   sign_in();
                   session("another");
               } });
               log("on");
               goto(args.base + "/account/orders");
               [url().contains("/login"), s.id]"#,
        )
        .await;
    succeeded(&ran);
    assert_eq!(logged(&ran), ["acme", "signing in", "on"]);
    assert_eq!(ran.report.result, json!([false, "acme"]));
    assert_eq!(world.head().await, Some(before.next()));
    let again = world.run("session(\"acme\", #{ check: check() });").await;
    succeeded(&again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_is_signed_in_at_once_or_left_to_the_script() {
    let world = World::start().await;
    let ran = world.run("session(\"acme\", #{ check: check(), login: || sign_in() }); url()").await;
    succeeded(&ran);
    assert_eq!((logged(&ran), world.head().await), (vec!["signing in"], Some(Version(1))));
    assert!(ran.report.result.as_str().unwrap().ends_with("/dashboard"));
    let other = World::start().await;
    let ran = other.run("session(\"acme\", #{ check: check() }); log(\"on\"); sign_in();").await;
    succeeded(&ran);
    assert_eq!((logged(&ran), other.head().await), (vec!["on", "signing in"], Some(Version(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_to_sign_in_it_is_an_error_that_says_what_was_found() {
    let world = World::start().await;
    let before = world.signed_in().await;
    world.forget();
    let ran = world.run("session(\"acme\", #{ check: impatient() });\nlog(\"never\")").await;
    let failure = ran.report.failure.as_ref().unwrap();
    assert_eq!((failure.code.as_str(), failure.kind), ("auth_required", FailureKind::Expect));
    let site = world.site.url();
    let wanted =
        format!("session acme is not signed in: {site}/dashboard led to {site}/login, which asks for a password");
    assert_eq!(failure.message, wanted);
    assert!(failure.hint.as_ref().unwrap().contains("login: |s|") && logged(&ran).is_empty());
    let outcome = &ran.report.sessions[0];
    assert_eq!((outcome.version, outcome.updated), (Some(before), false));
    assert_eq!(world.head().await, Some(before), "a visit of the login page was saved");

    // It can be caught, and the script signs in by itself.
    let text = r#"
        try { session("acme", #{ check: impatient() }) } catch (e) { log(e.code); sign_in(); }
        session("acme", #{ check: impatient() }).version"#;
    let ran = world.run(text).await;
    succeeded(&ran);
    assert_eq!(logged(&ran), ["auth_required", "signing in"]);
    assert_eq!(world.head().await, Some(before.next()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_signed_out_leaves_the_session_as_it_was() {
    let world = World::start().await;
    let before = world.signed_in().await;
    let text = r##"session("acme", #{ check: impatient() });
        goto(args.base + "/dashboard");
        wait_for(".user-avatar");
        click("text=Sign out");
        wait_for("#email");"##;
    let ran = world.run(text).await;
    let failure = ran.report.failure.as_ref().unwrap();
    assert_eq!((failure.code.as_str(), failure.kind), ("auth_required", FailureKind::Expect));
    assert!(
        failure.message.starts_with("session \"acme\" was not saved: session acme is not signed in: "),
        "{failure:?}"
    );
    assert!(failure.message.ends_with(&format!("; {before} stays the newest")), "{failure:?}");
    let outcome = &ran.report.sessions[0];
    assert_eq!((outcome.version, outcome.updated), (Some(before), false));
    assert_eq!(outcome.save_error.as_ref().unwrap().0, "auth_required");
    assert_eq!(world.head().await, Some(before));
    // What is kept is what was signed in: its cookie is there still, and the next run signs in anew.
    let ran = world.run("session(\"acme\"); cookies(args.base).map(|c| c.name)").await;
    assert_eq!(ran.report.result, json!(["sid"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_by_hand_and_a_close_are_checked_too() {
    let world = World::start().await;
    let before = world.signed_in().await;
    let text = r##"
        let s = session("acme", #{ check: impatient() });
        add_cookies([#{ name: "seen", value: "1", url: args.base }]);
        let good = save().version;
        goto(args.base + "/dashboard");
        click("text=Sign out");
        wait_for("#email");
        try { save() } catch (e) { log(e.code) }
        try { s.close() } catch (e) { log(e.code) }
        fork("copy");
        sign_in();
        [good, s.close().version]"##;
    let ran = world.run(text).await;
    succeeded(&ran);
    assert_eq!(logged(&ran), ["auth_required", "auth_required", "signing in"]);
    assert_eq!(ran.report.result, json!([before.next().0, before.next().next().0]));
    assert_eq!(world.head().await, Some(before.next().next()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_the_login_is_told_as_what_it_is() {
    let world = World::start().await;
    let before = world.signed_in().await;
    world.forget();
    let failure = world
        .script("session(\"acme\", #{ check: impatient(), login: |s| {\n  throw \"no luck\"; } });")
        .failure()
        .await;
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("script_error", "no luck"));
    let line = OPEN.lines().count() + 3;
    assert_eq!(place(failure.place.as_ref()), format!("{line}:3"));
    let failure =
        world.script("session(\"acme\", #{ check: impatient(), login: |s| log(\"did nothing\") });").failure().await;
    assert_eq!(failure.code, "auth_required");
    let failure = world
        .script("session(\"acme\", #{ check: impatient(), login: |s| s.click(\"#nowhere\", #{ timeout: 50 }) });")
        .failure()
        .await;
    assert_eq!(failure.code, "timeout");
    let failure = world.script("session(\"acme\", #{ check: impatient(), login: |a, b| a });").failure().await;
    assert_eq!((failure.code.as_str(), place(failure.place.as_ref())), ("invalid_option", format!("{}:1", line - 1)));
    assert_eq!(world.head().await, Some(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_waits_for_a_slow_page_and_not_for_ever() {
    let world = World::start().await;
    world.signed_in().await;
    let open = |rest: &str| format!("session(\"acme\", #{{ check: #{{ {rest} }} }});");
    succeeded(&world.run(&open("url: args.base + \"/dashboard?avatar=1500\", visible: \".user-avatar\"")).await);
    let slow = open("url: args.base + \"/dashboard?avatar=60000\", visible: \".user-avatar\", timeout: \"700ms\"");
    let failure = world.script(&slow).failure().await;
    assert!(failure.message.contains("after 700 ms at") && !failure.message.contains("avatar=60000"), "{failure:?}");
    let gone = open("url: \"http://127.0.0.1:1/\", status: 200");
    let failure = world.script(&gone).failure().await;
    assert_eq!(failure.code, "auth_required");
    assert!(failure.message.contains("http://127.0.0.1:1/ did not load: net::ERR"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_thing_that_a_check_can_ask_for() {
    let world = World::start().await;
    world.signed_in().await;
    let open = |rest: &str| format!("session(\"acme\", #{{ check: #{{ timeout: \"2s\", {rest} }} }});");
    for good in [
        r##"url: args.base + "/dashboard", hidden: "#email""##,
        r#"url: args.base + "/dashboard", ends_at: "**/dashboard""#,
        r##"url: args.base + "/dashboard", ends_at: regex("board$"), visible: "text=Dashboard", hidden: "#email""##,
        r#"url: args.base + "/api/token", status: 200"#,
        // Several match: one that is seen is enough.
        r#"url: args.base + "/account/orders", visible: ".order""#,
    ] {
        let ran = world.run(&open(good)).await;
        assert!(ran.report.failure.is_none(), "{good}: {:?}", ran.report.failure);
    }
    world.forget();
    let check = async |rest: &str, wanted: &str| {
        let failure = world.script(&open(rest)).failure().await;
        assert_eq!(failure.code, "auth_required", "{rest}");
        assert!(failure.message.contains(wanted), "{rest}: {}", failure.message);
    };
    check(r##"url: args.base + "/dashboard", hidden: "#email""##, "\"#email\" is visible after 2 s at ").await;
    check(
        r#"url: args.base + "/dashboard", ends_at: "**/dashboard""#,
        "\"**/dashboard\" is not the address after 2 s at ",
    )
    .await;
    check(r#"url: args.base + "/api/token", status: 200"#, "/api/token answered 401, wanted was 200").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_only_read_is_checked_when_it_is_opened() {
    let world = World::start().await;
    let before = world.signed_in().await;
    let text = r##"session("acme", #{ mode: "read_only", check: impatient() });
        goto(args.base + "/dashboard"); click("text=Sign out"); wait_for("#email");"##;
    succeeded(&world.run(text).await);
    let failure = world.script(text).failure().await;
    assert_eq!(failure.code, "auth_required");
    assert_eq!(world.head().await, Some(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_to_the_end_is_checked_there() {
    let world = World::start().await;
    let before = world.signed_in().await;
    let mut script = world.script(
        r##"session("acme", #{ check: impatient() });
           goto(args.base + "/dashboard"); click("text=Sign out"); wait_for("#email");"##,
    );
    script.job.workspace.saving = Saving::AtEnd;
    let failure = script.failure().await;
    assert_eq!((failure.code.as_str(), failure.kind), ("auth_required", FailureKind::Expect));
    assert_eq!(world.head().await, Some(before));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_needs_is_known_before_the_run() {
    let check = async |text: &str, wanted: &str| {
        let failure = script(text).failure().await;
        assert_eq!(failure.kind, FailureKind::Parse, "{failure:?}");
        assert_eq!(failure.code, "invalid_option");
        assert!(failure.message.contains(wanted), "{text}: {}", failure.message);
    };
    check(r#"session("a", #{ check: #{ url: "https://a.example", visibel: ".a" } })"#, "did you mean \"visible\"?")
        .await;
    check(r#"session("a", #{ check: #{ visible: ".a" } })"#, "it needs \"url\"").await;
    check(r#"session("a", #{ check: #{ url: "https://a.example" } })"#, "give at least one of visible, hidden,").await;
    check(r#"let u = "/x"; session("a", #{ check: #{ url: args.base + u, status: "ok" } })"#, "a whole number").await;
    check(r#"session("a", #{ check: #{ url: "a.example", status: 200 } })"#, "https://a.example").await;
    check(r#"session("a", #{ check: ".user-avatar" })"#, "wanted a map #{ url, visible, hidden,").await;
    check(r#"session("a", #{ login: "sign_in" })"#, "a function such as").await;
    // What only the run knows is told by the run.
    let failure = script("let c = parse_json(\"{}\"); session(\"a\", #{ check: c })").failure().await;
    assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Script, "invalid_option"));
}
