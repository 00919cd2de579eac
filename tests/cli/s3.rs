//! Blobs in S3, from the command line: two machines with one bucket, and what is said where it does not do.

use std::process::Command;

use crate::home::{Home, Said, said};
use crate::s3_server::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};

/// `rhaven` with its blobs below a prefix of the server.
fn at(home: &Home, server: &S3Server, prefix: &str, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command
        .env("RHAVEN_BLOBS", server.url(prefix))
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // What outlives a machine has a key that does, too: none is made.
        .env("RHAVEN_KEY", "17".repeat(32));
    command
}

/// Imports a session with a part that is a blob.
fn import(home: &Home, server: &S3Server, prefix: &str) -> Said {
    let state = serde_json::json!({"cookies": [], "origins": [{"origin": "https://a.example",
        "localStorage": [{"name": "large", "value": "needle-large".repeat(40_000)}]}]});
    home.write("state.json", &state.to_string());
    said(&mut at(home, server, prefix, &["session", "import", "acme", "state.json", "--replace"]))
}

#[test]
fn large_values_go_to_the_bucket_sealed_and_come_back() {
    let (home, server) = (Home::new(), S3Server::start());
    import(&home, &server, "a").ends(0);
    // Copies of the store's own documents stay when its sessions go.
    let is_paper = |key: &String| key.starts_with("a/blobs/72/7268766e686561640000000000000000");
    let blobs: Vec<_> = server.keys().into_iter().filter(|key| key.starts_with("a/blobs/") && !is_paper(key)).collect();
    assert!(!blobs.is_empty() && server.keys().contains(&"a/rhaven-store".to_owned()), "{:?}", server.keys());
    let exported =
        said(&mut at(&home, &server, "a", &["session", "export", "acme", "--format", "playwright", "-o", "back.json"]));
    exported.ends(0);
    assert!(std::fs::read_to_string(home.path().join("back.json")).unwrap().contains("needle-large"));
    for key in server.keys() {
        let bytes = server.object(&key);
        assert!(!bytes.windows(6).any(|window| window == b"needle"), "{key} is in clear");
    }

    // What nothing refers to goes once it is old.
    let litter = format!("a/blobs/01/{}", "01".repeat(32));
    server.plant(&litter, b"litter");
    let swept = said(&mut at(&home, &server, "a", &["store", "sweep", "--json"])).ends(0).json();
    assert_eq!(swept["removed"], 0);
    server.age(&litter, std::time::Duration::from_hours(48));
    for blob in &blobs {
        server.age(blob, std::time::Duration::from_hours(48));
    }
    let swept = said(&mut at(&home, &server, "a", &["store", "sweep"])).ends(0);
    assert!(swept.out.starts_with("1 of "), "{}", swept.out);
    assert!(!server.keys().contains(&litter));
    said(&mut at(&home, &server, "a", &["session", "check", "acme"])).ends(0);
    said(&mut at(&home, &server, "a", &["store", "sweep", "--grace", "5m"])).ends(1).tells("at least");
    said(&mut at(&home, &server, "a", &["session", "delete", "acme", "--yes"])).ends(0);
    assert!(!server.keys().iter().any(|key| blobs.contains(key)), "{:?}", server.keys());
}

#[test]
fn a_bucket_of_another_store_and_one_that_ignores_conditions_are_refused() {
    let (home, other, server) = (Home::new(), Home::new(), S3Server::start());
    import(&home, &server, "a").ends(0);
    import(&other, &server, "a").ends(5).tells("store_unfit").tells("another store");
    import(&other, &server, "b").ends(0);
    server.ignore_conditions();
    let third = Home::new();
    import(&third, &server, "c").ends(5).tells("store_unfit").tells("If-None-Match");
    // Not again where it was found to be fit before.
    import(&home, &server, "a").ends(0);
}

#[test]
fn a_bucket_that_may_not_be_used_is_named_with_the_reason() {
    let (home, server) = (Home::new(), S3Server::start());
    let mut stranger = at(&home, &server, "a", &["session", "list"]);
    stranger.env("AWS_SECRET_ACCESS_KEY", "another-secret");
    let told = said(&mut stranger).ends(5).tells("store_unavailable").tells("SignatureDoesNotMatch").tells(BUCKET);
    assert!(!told.err.contains("another-secret") && !told.err.contains(SECRET_KEY), "{}", told.err);
}
