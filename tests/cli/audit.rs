//! `rhaven session check`: a store that is whole, and one in which single objects are not.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::home::{Home, Said};

/// A session of two versions: in the first a small part, in the second a blob beside it.
fn with_versions() -> Home {
    let home = Home::new();
    let origin = |host: &str, value: &str| json!({"origin": format!("https://{host}.example"), "localStorage": [{"name": "token", "value": value}]});
    let small = json!({"cookies": [], "origins": [origin("a", "needle")]});
    let large = json!({"cookies": [], "origins": [origin("a", "needle"), origin("b", &"needle".repeat(100_000))]});
    home.write("small.json", &small.to_string());
    home.write("large.json", &large.to_string());
    home.rhaven(&["session", "import", "acme", "small.json"]).ends(0);
    home.rhaven(&["session", "import", "acme", "large.json", "--replace"]).ends(0);
    home
}

fn check(home: &Home) -> Said {
    home.rhaven(&["session", "check", "acme", "--json"])
}

fn damaged(audit: &Value) -> Vec<(u64, String, String)> {
    let versions = audit["versions"].as_array().expect("versions");
    let of = |version: &Value| {
        let number = version["version"].as_u64().expect("a number");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let damages = version["damaged"].as_array().expect("a list").clone();
        damages.into_iter().map(move |one| (number, text(&one["what"]), text(&one["code"]))).collect::<Vec<_>>()
    };
    versions.iter().flat_map(of).collect()
}

fn the_blob(home: &Home) -> PathBuf {
    let folders = std::fs::read_dir(home.path().join("rhaven/store/blobs")).expect("a folder");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("one").path()).expect("a folder"));
    let all: Vec<PathBuf> = files.map(|file| file.expect("one").path()).collect();
    assert_eq!(all.len(), 1);
    all[0].clone()
}

/// What `rhaven` keeps, without what changes while nothing does.
fn bytes_of(folder: &Path) -> Vec<u8> {
    std::fs::read(the_store(folder)).expect("a database")
}

fn the_store(folder: &Path) -> PathBuf {
    folder.join("rhaven/store/store.sqlite")
}

#[test]
fn what_is_whole_is_said_to_be_and_left_as_it_is() {
    let home = with_versions();
    let before = bytes_of(home.path());
    let said = check(&home).ends(0).json();
    assert_eq!((&said["id"], &said["whole"], damaged(&said)), (&json!("acme"), &json!(true), Vec::new()));
    assert_eq!((&said["versions"][0]["parts"], &said["versions"][0]["blobs"]), (&json!(2), &json!(1)));
    assert_eq!((&said["versions"][1]["parts"], &said["versions"][1]["blobs"]), (&json!(1), &json!(0)));
    let told = home.rhaven(&["session", "check", "acme"]).ends(0).tells("session acme: all of it can be opened");
    assert!(told.out.contains("586.0 KiB") && told.out.matches("whole").count() == 2, "{}", told.out);
    assert_eq!(bytes_of(home.path()), before);
    home.rhaven(&["session", "check", "amce"]).ends(1).tells("did you mean acme?");
    let listed = home.rhaven(&["session", "list", "--json"]).ends(0).json();
    let shown = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!((&listed[0]["bytes"], &listed[0]["origins"]), (&shown["bytes"], &json!(2)));
    assert!(home.rhaven(&["session", "list"]).ends(0).out.contains("586.0 KiB"));
    assert!(home.rhaven(&["session", "show", "acme"]).ends(0).out.contains("storage   586.0 KiB of 2 origins"));
}

#[test]
fn a_blob_that_is_altered_or_gone_is_told_of_in_the_versions_that_have_it() {
    let home = with_versions();
    let blob = the_blob(&home);
    let mut bytes = std::fs::read(&blob).expect("a blob");
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(&blob, &bytes).expect("a blob");
    let of_blob = |code: &str| vec![(2, "the storage of https://b.example/".to_owned(), code.to_owned())];
    let said = check(&home).ends(5).json();
    assert_eq!((&said["whole"], damaged(&said)), (&json!(false), of_blob("decrypt_failed")));
    let told = home.rhaven(&["session", "check", "acme"]).ends(5);
    assert!(told.out.contains("v2: the storage of https://b.example/: altered, truncated or moved"), "{}", told.out);
    let told = told.tells("v1 is whole: `rhaven session fork acme NEW --at v1` copies it");
    assert!(!told.out.contains("needle") && !told.err.contains("needle"));
    home.rhaven(&["session", "fork", "acme", "copy", "--at", "v1"]).ends(0);

    std::fs::remove_file(&blob).expect("a blob");
    assert_eq!(damaged(&check(&home).ends(5).json()), of_blob("missing"));
}

#[test]
fn a_part_an_index_and_a_record_that_are_altered_are_told_apart() {
    let home = with_versions();
    let database = rusqlite::Connection::open(the_store(home.path())).expect("a database");
    let flip = |table: &str, column: &str, rows: &str| {
        let sql = format!("SELECT rowid, {column} FROM {table} WHERE {rows}");
        let (row, mut body): (i64, Vec<u8>) =
            database.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row");
        *body.last_mut().expect("a byte") ^= 1;
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
        database.execute(&sql, rusqlite::params![body, row]).expect("an update");
    };
    // The part of v1: v2 has one of its own, since an import writes all of it.
    let first = "part = (SELECT part FROM version_part WHERE number = 1)";
    flip("part", "body", first);
    let of_part = (1, "the storage of https://a.example/".to_owned(), "decrypt_failed".to_owned());
    assert_eq!(damaged(&check(&home).ends(5).json()), std::slice::from_ref(&of_part));
    flip("version", "body", "number = 2");
    let of_index = (2, "the index of v2".to_owned(), "decrypt_failed".to_owned());
    assert_eq!(damaged(&check(&home).ends(5).json()), [of_index, of_part]);
    home.rhaven(&["session", "check", "acme"]).ends(5).tells("no kept version is whole");
    flip("session", "record", "record IS NOT NULL");
    home.rhaven(&["session", "check", "acme"])
        .ends(5)
        .tells("error[decrypt_failed]: the session's record cannot be opened");
}
