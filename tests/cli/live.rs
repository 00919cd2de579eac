//! Live pages of the command line: somebody looks on and steers over the socket, as the page in a browser does.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::home::{Home, Running, Said};
use crate::open::{KNOWS, site};
use crate::person::{Person, parts, runtime};
use crate::processes::{Process, browsers_of, outlived};

/// The browsers of a command that runs, of which there is at least one.
fn seen_browsers(open: &Running) -> Vec<Process> {
    let browsers = browsers_of(open.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    browsers
}

fn ended(open: Running, browsers: &[Process], code: i32) -> Said {
    let said = open.end().ends(code);
    assert_eq!(outlived(browsers, Duration::from_secs(1)), []);
    said
}

/// What a script finds of what `enter` has left in session acme.
fn found(home: &Home, url: &str) -> String {
    home.write("look.rhai", &format!("session(\"acme\"); goto(args.at + \"/look\"); evaluate({KNOWS:?})"));
    let seen = home.rhaven(&["run", "look.rhai", "--arg", &format!("at={url}")]).ends(0);
    seen.out.trim().to_owned()
}

#[test]
fn somebody_signs_in_on_a_live_page() {
    let (home, (_site, url), runtime) = (Home::new(), site(), runtime());
    let mut open = Running::start(&mut home.command(&["session", "open", "acme", &url, "--live"]));
    let page = open.line();
    let browsers = runtime.block_on(async {
        let (address, token) = parts(&page);
        let base = address.split("/live/").next().expect("a base");
        // The page is there, and nothing of a server's.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let shown = client.get(address).send().await.expect("an answer");
        assert!(shown.headers()["content-security-policy"].to_str().expect("text").contains("default-src 'none'"));
        assert!(shown.text().await.expect("a page").contains("assets/page.js"));
        for (path, status) in [("/live/assets/page.js", 200), ("/v0/vm", 404), ("/v1/sessions", 404), ("/", 404)] {
            let answer = client.get(format!("{base}{path}")).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{path}: {}", answer.text().await.expect("a text"));
        }
        let other = format!("{address}#token={}", token.replacen('c', "v", 1));
        assert_eq!(Person::at(&other).await.hears_the_end().await, "unauthorized");
        let mut person = Person::at(&page).await;
        person.is_paused("press Done when you are, and all is saved").await;
        let browsers = seen_browsers(&open);
        person.signs_in().await;
        person.done().await;
        assert_eq!(person.hears_the_end().await, "ended");
        browsers
    });
    let said =
        ended(open, &browsers, 0).tells("session acme is open at that address").tells("done: saving the session");
    assert!(!said.err.contains("token="), "{}", said.err);
    assert_eq!(found(&home, &url), "\"long=kept,sid=short|kept|kept\"");
}

#[test]
fn ctrl_c_keeps_what_was_done_on_a_live_page() {
    let (home, (_site, url), runtime) = (Home::new(), site(), runtime());
    let args = ["session", "open", "acme", &url, "--live", "--profile", "--listen", "0.0.0.0:0", "--json"];
    let mut open = Running::start(&mut home.command(&args));
    let page: Value = serde_json::from_str(&open.line()).expect("JSON");
    let page = page["url"].as_str().expect("an address").to_owned();
    let browsers = runtime.block_on(async {
        let mut person = Person::at(&page).await;
        person.signs_in().await;
        let browsers = seen_browsers(&open);
        open.signal(Signal::INT);
        assert_eq!(person.hears_the_end().await, "shutdown");
        browsers
    });
    let said = ended(open, &browsers, 0).tells("0.0.0.0 is reached from elsewhere");
    let said = said.tells("interrupted: saving the session");
    assert_eq!(said.json()["saved"], "full", "{}", said.out);
    assert_eq!(found(&home, &url), "\"long=kept,sid=short|kept|kept\"");
}

#[test]
fn where_a_live_page_cannot_be_nothing_begins() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let said = home.rhaven(&["session", "open", "acme", "--live", "--listen", &taken]).ends(1);
    said.tells("error[listen_failed]").tells(&taken);
    home.rhaven(&["session", "open", "acme", "--listen", &taken]).ends(1).tells("--live");
    home.rhaven(&["session", "show", "acme"]).ends(1);
}

/// A run that waits for somebody, and where.
fn waiting(home: &Home, url: &str, more: &[&str]) -> (Running, String) {
    let script = "session(\"acme\", #{ live: args.get(\"live\") == \"yes\" }); goto(args.at); pause_for_human(\"sign in, please\");";
    home.write("human.rhai", &format!("{script} [title(), evaluate({KNOWS:?})]"));
    let at = format!("at={url}");
    let mut args = vec!["run", "human.rhai", "--arg", &at];
    args.extend(more);
    let mut run = Running::start(&mut home.command(&args));
    run.hears("pause: sign in, please");
    let page = run.hears("/live/");
    (run, page)
}

#[test]
fn a_script_waits_for_a_person_and_goes_on() {
    let (home, (_site, url), runtime) = (Home::new(), site(), runtime());
    let (run, page) = waiting(&home, &url, &[]);
    let browsers = runtime.block_on(async {
        let mut person = Person::at(&page).await;
        person.is_paused("sign in, please").await;
        let browsers = seen_browsers(&run);
        person.signs_in().await;
        person.done().await;
        assert_eq!(person.hears_the_end().await, "done");
        browsers
    });
    let said = ended(run, &browsers, 0).tells("pause: done").tells("session acme: new, saved v1");
    assert_eq!(said.json(), json!(["Welcome in", "long=kept,sid=short|kept|kept"]), "{}", said.err);
    // Shown from its start, it has one address; an interrupt ends the wait, and what was done is saved.
    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0);
    let (run, page) = waiting(&home, &url, &["--arg", "live=yes", "--quiet"]);
    let browsers = runtime.block_on(async {
        let mut person = Person::at(&page).await;
        person.signs_in().await;
        let browsers = seen_browsers(&run);
        run.signal(Signal::INT);
        person.hears_the_end().await;
        browsers
    });
    let said = ended(run, &browsers, 130);
    assert_eq!(said.err.matches(&page).count(), 2, "{}", said.err);
    assert_eq!(found(&home, &url), "\"long=kept,sid=short|kept|kept\"");
}
