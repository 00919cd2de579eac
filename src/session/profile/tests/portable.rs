//! A profile in a bundle: into another store, under another key, and the next save there.

use std::fs;
use std::io::Cursor;

use super::rig::{Rig, id, tree};
use crate::base::{Secret, Version};
use crate::session::{Format, ImportOptions, Source};

async fn bundle(rig: &Rig, session: &str) -> Vec<u8> {
    let (passphrase, mut bytes) = (Secret::new("PASSPHRASE", "correct horse".to_owned()), Vec::new());
    let exported =
        rig.sessions.export(&rig.tenant, &id(session), Format::Bundle, Some(&passphrase), &mut bytes).await.unwrap();
    assert_eq!(exported.lost, []);
    bytes
}

async fn import(rig: &Rig, session: &str, bytes: &[u8], replace: bool) -> Version {
    let passphrase = Some(Secret::new("PASSPHRASE", "correct horse".to_owned()));
    let source = Source::open(Cursor::new(bytes.to_vec()), None).await.unwrap();
    let options = ImportOptions { replace, passphrase, ..ImportOptions::default() };
    rig.sessions.import(&rig.tenant, &id(session), source, &options).await.unwrap().version
}

#[tokio::test]
async fn a_profile_comes_along_in_a_bundle() {
    let (here, there) = (Rig::start().await, Rig::start().await);
    let dir = here.folder("profile");
    fs::create_dir(dir.join("Default")).unwrap();
    fs::write(dir.join("Local State"), "needle").unwrap();
    fs::write(dir.join("Default/History"), "needle".repeat(500_000)).unwrap();
    here.save("acme", &dir).await.unwrap();
    fs::write(dir.join("Default/Bookmarks"), "{}").unwrap();
    let kept = here.save("acme", &dir).await.unwrap();
    let bytes = bundle(&here, "acme").await;

    assert_eq!(import(&there, "copy", &bytes, false).await, Version(1));
    let into = there.folder("into").join("profile");
    there.restore("copy", &into).await.unwrap();
    let contents = |dir| tree(dir).into_iter().map(|(path, entry)| (path, entry.content)).collect::<Vec<_>>();
    assert_eq!(contents(&into), contents(&dir));
    assert!(there.sessions.audit(&there.tenant, &id("copy")).await.unwrap().whole);

    // Beside its source every blob is another one, so that neither goes with the other.
    let before = here.blobs().await.len();
    import(&here, "twin", &bytes, false).await;
    assert!(here.blobs().await.len() > before);
    here.sessions.delete(&here.tenant, &id("acme")).await.unwrap();
    let again = here.folder("again").join("profile");
    here.restore("twin", &again).await.unwrap();
    assert_eq!(contents(&again), contents(&dir));

    // The state that it was taken with is known by its number here; any other is older than what is laid over it.
    let state = |stored: &crate::session::sessions::Stored| stored.index.beside.profile.as_ref().unwrap().state;
    let source_state = kept.state;
    let wanted = if source_state == Version(2) { Version(1) } else { Version(0) };
    assert_eq!(state(&there.head("copy").await.unwrap()), wanted);

    // The next archive there finds what has not changed, or writes it anew; either way it is whole.
    fs::write(into.join("Default/History"), "other").unwrap();
    there.save("copy", &into).await.unwrap();
    let third = there.folder("third").join("profile");
    there.restore("copy", &third).await.unwrap();
    assert_eq!(contents(&third), contents(&into));
    there.sessions.delete(&there.tenant, &id("copy")).await.unwrap();
    assert_eq!(there.blobs().await, []);
}
