//! `rhaven identity`, and runs whose sessions keep what they were made with.

use serde_json::json;

use crate::home::{Home, said};

#[test]
fn an_identity_is_set_listed_shown_and_deleted() {
    let home = Home::new();
    home.rhaven(&["identity", "list"]).ends(0).tells("no identities yet");
    assert!(!home.path().join("rhaven").exists(), "a list of nothing made something");
    let set = ["identity", "set", "phone", "--device", "iphone 15", "--locale", "de-de", "--geolocation", "-33.9,18.4"];
    home.rhaven(&set).ends(0).tells("identity phone: set");
    home.rhaven(&set).ends(0).tells("identity phone: replaced");
    home.rhaven(&["identity", "set", "wide", "--viewport", "1920x1080", "--timezone", "europe/berlin"]).ends(0);
    let list = home.rhaven(&["identity", "list"]).ends(0).out;
    assert!(list.contains("iPhone 15, de-DE") && list.contains("Europe/Berlin, 1920x1080"), "{list}");
    let shown = home.rhaven(&["identity", "show", "phone", "--json"]).ends(0).json();
    let geolocation = json!({ "latitude": -33.9, "longitude": 18.4, "accuracy": 0.0 });
    let identity = json!({ "device": "iPhone 15", "locale": "de-DE", "geolocation": geolocation });
    assert_eq!((&shown["name"], &shown["identity"]), (&json!("phone"), &identity));
    assert!(home.rhaven(&["identity", "show", "phone"]).ends(0).out.contains("languages      de-DE, de"));
    assert!(home.rhaven(&["identity", "devices"]).ends(0).out.contains("iPhone 15"));
    assert!(
        home.rhaven(&["identity", "devices", "--json"]).ends(0).json().as_array().is_some_and(|all| all.len() > 10)
    );

    home.rhaven(&["identity", "delete", "phon", "--yes"]).ends(1).tells("did you mean phone?");
    home.rhaven(&["identity", "delete", "phone"]).ends(1).tells("give --yes");
    home.rhaven(&["identity", "delete", "phone", "--yes"]).ends(0).tells("identity phone: deleted");
    home.rhaven(&["identity", "show", "phone"]).ends(1).tells("error[identity_not_found]");
}

#[test]
fn passwords_are_given_and_shown_by_name() {
    let home = Home::new();
    let set = home.rhaven(&[
        "identity",
        "set",
        "staging",
        "--header",
        "X-Client: shop 7",
        "--http-user",
        "me",
        "--http-password",
        "STAGING",
        "--proxy",
        "socks5://me@proxy.example",
        "--proxy-password",
        "PROXY",
        "--secret",
        "API=STAGING_API",
    ]);
    let set = set.ends(0);
    for name in ["PROXY", "STAGING", "STAGING_API"] {
        assert!(set.err.contains(&format!("there is no secret {name} yet")), "{}", set.err);
    }
    let shown = home.rhaven(&["identity", "show", "staging"]).ends(0).out;
    for line in [
        "headers        X-Client\n",
        "credentials    me, password: secret STAGING\n",
        "proxy          socks5://proxy.example:1080 as me, password: secret PROXY\n",
        "secrets        API",
    ] {
        assert!(shown.contains(line), "{line:?}: {shown}");
    }
    for (flags, tells) in [
        (&["--proxy", "http://me:hunter2@proxy.example"][..], "by the name of a secret"),
        (&["--proxy", "proxy.example:3128"], "it should look like"),
        (&["--proxy-password", "PROXY"], "--proxy"),
        (&["--http-user", "me"], "--http-password"),
        (&["--header", "Cookie: a=hunter2"], "cookies are the session's"),
        (&["--secret", "API"], "NAME=SECRET is wanted"),
    ] {
        let refused = home.rhaven(&[&["identity", "set", "a"], flags].concat()).ends(1);
        assert!(refused.err.contains(tells), "{tells}: {}", refused.err);
        // Clap repeats what it was given, as it does with every flag.
        assert!(flags[0] == "--header" || !refused.err.contains("hunter2"), "{}", refused.err);
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let home = Home::new();
    for (flags, tells) in [
        (&["--device", "iPhone 51"][..], "did you mean \"iPhone 15\"?"),
        (&["--locale", "de_DE"], "did you mean \"de-DE\"?"),
        (&["--timezone", "Europe/Berln"], "did you mean \"Europe/Berlin\"?"),
        (&["--viewport", "8x720"], "50 to 10000 pixels"),
        (&["--viewport", "big"], "a size such as 1280x720 is wanted"),
        (&["--geolocation", "91,0"], "a latitude is -90 to 90 degrees"),
        (&["--color-scheme", "black"], "possible values: light, dark, no-preference"),
        (&[], "required"),
    ] {
        home.rhaven(&[&["identity", "set", "a"], flags].concat()).ends(1).tells(tells);
    }
    home.rhaven(&["identity", "set", "browser", "--locale", "de"]).ends(1).tells("what the browser has by itself");
    home.write("wrong.rhai", "session(\"a\", #{ device: \"Pixel 77\", locale: \"de_DE\", timezon: \"UTC\" });");
    let checked = home.rhaven(&["check", "wrong.rhai"]).ends(2);
    for tells in ["did you mean \"Pixel 7\"?", "did you mean \"de-DE\"?", "did you mean \"timezone\"?"] {
        assert!(checked.err.contains(tells), "{tells}: {}", checked.err);
    }
    home.run("session(\"a\", #{ identity: \"nobody\" })", &[]).ends(1).tells("rhaven identity list");
}

#[test]
fn a_name_that_is_not_known_is_told_before_the_run_with_the_nearest() {
    let home = Home::new();
    home.write(
        "typo.rhai",
        "session(\"a\", #{ identity: \"wrok-phone\" });\nsession(\"b\", #{ identity: \"browser\" });",
    );
    let checked = home.rhaven(&["check", "typo.rhai"]).ends(2);
    assert!(checked.err.contains("error[identity_not_found]: there is no identity \"wrok-phone\""), "{}", checked.err);
    assert!(checked.err.contains("typo.rhai:1:27") && checked.err.contains("1 problem"), "{}", checked.err);
    assert!(!home.path().join("rhaven").exists(), "a check made a store");
    home.rhaven(&["identity", "set", "work-phone", "--device", "iPhone 15"]).ends(0);
    home.rhaven(&["check", "typo.rhai"]).ends(2).tells("did you mean \"work-phone\"?");
    home.rhaven(&["run", "typo.rhai"]).ends(1).tells("did you mean \"work-phone\"?");
    // One that only the run knows.
    home.run("let name = \"wrok\" + \"-phone\"; session(\"a\", #{ identity: name })", &[])
        .ends(1)
        .tells("did you mean \"work-phone\"?");
    home.write("right.rhai", "session(\"a\", #{ identity: \"work-phone\" });");
    home.rhaven(&["check", "right.rhai"]).ends(0);
}

/// What a page sees, after something was kept, so that there is a version.
const LOOK: &str = r#"goto(args.base + "/login"); evaluate("localStorage.setItem('seen', '1')");
evaluate("({ zone: Intl.DateTimeFormat().resolvedOptions().timeZone, languages: navigator.languages, width: innerWidth })")"#;

#[test]
fn a_session_is_the_same_visitor_in_another_place() {
    let home = Home::new();
    let run = |script: &str, zone: &str, language: &str| {
        let mut command = home.run_command(&format!("{script} {LOOK}"), &["--json"]);
        said(command.env("TZ", zone).env("LANG", language)).ends(0).json()["result"].clone()
    };
    let berlin = json!({ "zone": "Europe/Berlin", "languages": ["en-US"], "width": 1280 });
    assert_eq!(run("session(\"acme\");", "Europe/Berlin", "de_DE.UTF-8"), berlin);
    assert_eq!(run("session(\"acme\");", "Asia/Tokyo", "ja_JP.UTF-8"), berlin);
    assert_eq!(run("", "Asia/Tokyo", "ja_JP.UTF-8")["zone"], "Asia/Tokyo");
    let shown = home.rhaven(&["session", "show", "acme"]).ends(0).out;
    assert!(shown.contains("time zone      Europe/Berlin") && shown.contains("HeadlessChrome/"), "{shown}");

    home.rhaven(&["identity", "set", "phone", "--device", "Pixel 7", "--locale", "fr-CA"]).ends(0);
    let phone = json!({ "zone": "Europe/Berlin", "languages": ["fr-CA", "fr"], "width": 412 });
    assert_eq!(run("session(\"acme\", #{ identity: \"phone\" });", "UTC", "C"), phone);
    home.rhaven(&["identity", "delete", "phone", "--yes"]).ends(0);
    assert_eq!(run("session(\"acme\");", "UTC", "C"), phone);
    let identity = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json()["identity"].clone();
    assert_eq!((&identity["device"], &identity["locale"]), (&json!("Pixel 7"), &json!("fr-CA")));

    let anew = run("session(\"acme\", #{ identity: \"browser\" });", "Asia/Tokyo", "C");
    assert_eq!(anew, json!({ "zone": "Asia/Tokyo", "languages": ["en-US"], "width": 1280 }));
    assert_eq!(run("session(\"acme\");", "UTC", "C"), anew);
}
