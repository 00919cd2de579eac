//! `rhaven token`: made once, listed without what makes it one, revoked.

use crate::golden::compare;
use crate::home::Home;

#[test]
fn a_token_is_printed_once_and_nothing_else_is() {
    let home = Home::new();
    home.rhaven(&["token", "list"]).ends(0).tells("no tokens yet");
    assert!(!home.path().join("rhaven").exists(), "a list of nothing made something");
    let made =
        home.rhaven(&["token", "create", "--tenant", "acme", "--expires", "90d", "--scope", "run,fetch"]).ends(0);
    let token = made.out.trim().to_owned();
    assert!(token.starts_with("rhvn_") && made.out == format!("{token}\n"), "{made:?}");
    assert!(made.err.contains("of tenant acme: opens run,fetch, runs out 2") && !made.err.contains(&token), "{made:?}");
    let json = home.rhaven(&["token", "create", "--tenant", "globex", "--json"]).ends(0).json();
    assert_eq!(json["scopes"], serde_json::json!(["run", "fetch", "vm", "admin"]));
    assert!(json["token"].as_str().is_some_and(|token| token.starts_with("rhvn_")) && json["expires_at"].is_null());

    let list = home.rhaven(&["token", "list"]).ends(0);
    assert!(list.out.contains("acme") && list.out.contains("globex") && !list.out.contains("rhvn_"), "{list:?}");
    let of_one = home.rhaven(&["token", "list", "--tenant", "acme", "--json"]).ends(0).json();
    assert_eq!((of_one.as_array().map(Vec::len), &of_one[0]["tenant"]), (Some(1), &"acme".into()));
    assert!(of_one[0].get("token").is_none() && of_one[0].get("hash").is_none(), "{of_one}");
    let quiet = home.rhaven(&["token", "create", "--quiet"]).ends(0);
    assert!(quiet.err.is_empty() && quiet.out.starts_with("rhvn_"));

    let id = of_one[0]["id"].as_str().expect("an id");
    home.rhaven(&["token", "revoke", id]).ends(0).tells(&format!("token {id}: revoked"));
    home.rhaven(&["token", "revoke", id]).ends(1).tells("error[not_found]");
    // Somebody may paste the token itself: it is not repeated.
    let pasted = home.rhaven(&["token", "revoke", &token]).ends(1).tells("error[not_found]");
    assert!(!pasted.err.contains(&token), "{pasted:?}");
}

#[test]
fn what_cannot_be_a_token_is_refused() {
    let home = Home::new();
    let refused = home.rhaven(&["token", "create", "--scope", "root"]).ends(1);
    assert!(refused.err.contains("a scope is one of run, fetch, vm, admin"), "{}", refused.err);
    home.rhaven(&["token", "create", "--expires", "0"]).ends(1).tells("at least a second is wanted");
    home.rhaven(&["token", "create", "--expires", "99999999999d"]).ends(1).tells("beyond the calendar");
    home.rhaven(&["token", "create", "--tenant", "a b"]).ends(1).tells("a tenant name has");
}

#[test]
fn help_shows_how() {
    let home = Home::new();
    compare("token_help", &home.rhaven(&["token", "create", "--help"]), &home);
}
