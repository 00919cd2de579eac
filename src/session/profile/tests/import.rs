//! A user-data directory from elsewhere: what is taken, and what is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::base::Version;
use crate::session::SessionError;
use crate::session::profile::{ImportedProfile, Progress, check_rows};

use super::rig::{Rig, id, tree, write};

/// A database with one encrypted value.
fn database(path: &Path, table: &str, column: &str, value: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let database = Connection::open(path).unwrap();
    database.execute_batch(&format!("CREATE TABLE {table} (name TEXT, {column} BLOB)")).unwrap();
    database.execute(&format!("INSERT INTO {table} VALUES ('a', ?1)"), [value]).unwrap();
}

fn profile(rig: &Rig) -> std::path::PathBuf {
    let dir = rig.folder("chrome");
    write(&dir, "Last Version", "156.0.7000.1\n");
    write(&dir, "Local State", "{}");
    write(&dir, "Default/Preferences", "{}");
    write(&dir, "Default/Cache/data", "cache");
    write(&dir, "Default/Sessions/Session_1", "tabs");
    database(&dir.join("Default/Cookies"), "cookies", "encrypted_value", b"v10abc");
    dir
}

async fn import(rig: &Rig, session: &str, dir: &Path) -> Result<ImportedProfile, SessionError> {
    let ttl = Some(Duration::from_hours(1));
    rig.sessions.import_profile(&rig.tenant, &id(session), dir, ttl, &Progress::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_becomes_a_session_and_stays_as_it_is() {
    let rig = Rig::start().await;
    let dir = profile(&rig);
    let before = tree(&dir);
    let imported = import(&rig, "acme", &dir).await.unwrap();
    assert_eq!((imported.version, imported.chromium.as_str(), imported.files), (Version(1), "156.0.7000.1", 5));
    assert_eq!(tree(&dir), before);
    let listed = rig.sessions.list(&rig.tenant).await.unwrap().sessions.remove(0);
    assert!(listed.id == id("acme") && listed.held_by.is_none() && listed.expires_at.is_some());

    let into = rig.folder("into");
    rig.restore("acme", &into).await.unwrap();
    let mut wanted = before;
    wanted.retain(|path, _| !path.starts_with(b"Default/Cache/"));
    assert_eq!(tree(&into), wanted);

    let again = import(&rig, "acme", &dir).await.unwrap_err();
    assert_eq!(again.code(), "session_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_taken_is_refused_and_makes_no_session() {
    let rig = Rig::start().await;
    let dir = profile(&rig);
    let refused = async |code: &str, word: &str| {
        let error = import(&rig, "acme", &dir).await.expect_err(word);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    symlink("host-1", dir.join("SingletonLock")).unwrap();
    refused("profile_dirty", "SingletonLock").await;
    fs::remove_file(dir.join("SingletonLock")).unwrap();

    database(&dir.join("Profile 1/Login Data"), "logins", "password_value", b"v11abc");
    refused("profile_keyring", "Profile 1/Login Data").await;
    fs::remove_dir_all(dir.join("Profile 1")).unwrap();

    write(&dir, "Last Version", "soon");
    refused("profile_dirty", "Last Version").await;
    fs::remove_file(dir.join("Last Version")).unwrap();
    refused("profile_dirty", "Last Version").await;
    let nowhere = import(&rig, "acme", &rig.home.path().join("nowhere")).await.unwrap_err();
    assert_eq!(nowhere.code(), "file_error");

    assert!(rig.sessions.list(&rig.tenant).await.unwrap().sessions.is_empty());
    assert_eq!(rig.blobs().await, []);
}

#[test]
fn values_of_a_keyring_are_found_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    check_rows(dir).unwrap();
    let bad = [
        ("Default/Cookies", "cookies", "encrypted_value", "v11"),
        ("Default/Network/Cookies", "cookies", "encrypted_value", "v12"),
        ("Profile 7/Login Data", "logins", "password_value", "v11"),
        ("Default/Login Data For Account", "logins", "password_value", "v20"),
        ("Default/Web Data", "token_service", "encrypted_token", "v11"),
    ];
    for (file, table, column, scheme) in bad {
        let path = dir.join(file);
        database(&path, table, column, format!("{scheme}xyz").as_bytes());
        let before = tree(dir);
        let error = check_rows(dir).unwrap_err();
        assert_eq!(error.code(), "profile_keyring", "{file}: {error}");
        assert!(error.to_string().contains(file) && error.to_string().contains(scheme), "{error}");
        assert!(!error.to_string().contains("xyz"), "{error}");
        assert_eq!(tree(dir), before, "{file}: something was written");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_moves_is_let_through_and_what_is_no_database_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for (number, value) in [&b"v10abc"[..], b"", b"v", b"plain", b"vxyz", b"\0v11"].into_iter().enumerate() {
        database(&dir.join(format!("Profile {number}/Cookies")), "cookies", "encrypted_value", value);
    }
    // A database without the table, and an empty one.
    database(&dir.join("Default/Login Data"), "meta", "value", b"v11abc");
    write(dir, "Default/Cookies", "");
    // In no profile's folder.
    database(&dir.join("Elsewhere/Cookies"), "cookies", "encrypted_value", b"v11abc");
    check_rows(dir).unwrap();

    write(dir, "Default/Cookies", "no database, but long enough to be looked at as one ".repeat(100));
    let error = check_rows(dir).unwrap_err();
    assert_eq!(error.code(), "profile_dirty");
    assert!(error.to_string().contains("Default/Cookies"), "{error}");
}
