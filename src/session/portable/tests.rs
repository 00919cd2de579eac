//! Bundles between two stores in memory: what comes back, what is refused, and that nothing is left of what was.

use std::io::Cursor;

use serde_json::{Value, json};

use super::bundle::{self, Manifest, pieces};
use super::unbundle::Bundle;
use super::{Format, ImportOptions, Imported, Source, frames};
use crate::base::{Secret, SessionId, Tenant, Version};
use crate::seal::{Context, DataKey, PassphraseKdf, RootKey, Sealed, seal_stream};
use crate::session::{KeySource, SessionError, Sessions, StoreConfig};

const PHRASE: &str = "correct horse";

async fn store() -> Sessions {
    let key = Secret::new("RHAVEN_KEY", RootKey::generate().unwrap().to_text().to_string());
    Sessions::open(StoreConfig::Memory, KeySource::Text(key)).await.unwrap()
}

fn phrase(text: &str) -> Secret {
    Secret::new("RHAVEN_BUNDLE_PASSPHRASE", text.to_owned())
}

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

async fn import(sessions: &Sessions, name: &str, bytes: &[u8], passphrase: &str) -> Result<Imported, SessionError> {
    let options = ImportOptions { passphrase: Some(phrase(passphrase)), ..ImportOptions::default() };
    let source = Source::open(Cursor::new(bytes.to_vec()), None).await?;
    Box::pin(sessions.import(&Tenant::default(), &id(name), source, &options)).await
}

async fn export(sessions: &Sessions, name: &str, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    sessions.export(&Tenant::default(), &id(name), format, Some(&phrase(PHRASE)), &mut out).await.unwrap();
    out
}

async fn blobs(sessions: &Sessions) -> usize {
    sessions.blobs().list(None, 100).await.unwrap().len()
}

/// A store with session `acme`: a small part, and one that is a blob.
async fn filled() -> Sessions {
    let sessions = store().await;
    let large = "needle-large".repeat(40_000);
    let state = json!({
        "cookies": [{"name": "sid", "value": "needle-sid", "domain": "a.example", "path": "/", "expires": -1}],
        "origins": [
            {"origin": "https://a.example", "localStorage": [{"name": "token", "value": "needle-token"}]},
            {"origin": "https://b.example", "localStorage": [{"name": "large", "value": large}]},
        ],
    });
    import(&sessions, "acme", state.to_string().as_bytes(), PHRASE).await.unwrap();
    sessions
}

#[tokio::test]
async fn all_of_it_comes_back_under_another_key_and_nothing_is_in_clear() {
    let sessions = filled().await;
    let bytes = export(&sessions, "acme", Format::Bundle).await;
    for needle in [&b"needle"[..], b"token", b"a.example", b"ttl", b"acme"] {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }
    let other = store().await;
    let imported = import(&other, "copy", &bytes, PHRASE).await.unwrap();
    assert_eq!((imported.format, imported.cookies, imported.origins), (Format::Bundle, 1, 2));
    assert_eq!((imported.version, imported.replaced, imported.lost), (Version(1), None, Vec::new()));
    assert_eq!(blobs(&other).await, 1);
    let before = export(&sessions, "acme", Format::Playwright).await;
    assert_eq!(export(&other, "copy", Format::Playwright).await, before);
    assert!(other.audit(&Tenant::default(), &id("copy")).await.unwrap().whole);
    // Twice into one store, and beside its source: each has blobs of its own.
    import(&other, "again", &bytes, PHRASE).await.unwrap();
    other.delete(&Tenant::default(), &id("copy")).await.unwrap();
    assert_eq!(export(&other, "again", Format::Playwright).await, before);
    assert_eq!(blobs(&other).await, 1);
}

#[tokio::test]
async fn all_versions_come_back_with_their_times_and_pins() {
    let (sessions, tenant) = (filled().await, Tenant::default());
    let state = json!({"cookies": [{"name": "sid", "value": "2", "domain": "a.example", "path": "/", "expires": -1}], "origins": []});
    let source = Source::open(Cursor::new(state.to_string().into_bytes()), None).await.unwrap();
    let replace = ImportOptions { replace: true, ..ImportOptions::default() };
    sessions.import(&tenant, &id("acme"), source, &replace).await.unwrap();
    // The third shares the parts of the first.
    sessions.rollback(&tenant, &id("acme"), Version(1)).await.unwrap();
    sessions.pin(&tenant, &id("acme"), Version(2), true).await.unwrap();
    let mut bytes = Vec::new();
    let exported = sessions.export_all(&tenant, &id("acme"), &phrase(PHRASE), &mut bytes).await.unwrap();
    assert_eq!((exported.version, exported.versions, exported.origins), (Version(3), 3, 2));
    // One of them alone is read by every Rhaven, all of them by none that would lose the others.
    let one = export(&sessions, "acme", Format::Bundle).await;
    for (bytes, format) in [(&one, 1), (&bytes, bundle::MANIFEST)] {
        let (key, end) = opened(bytes).await;
        let read = Bundle::open_with(Box::new(Cursor::new(bytes[end..].to_vec())), bytes[..end].to_vec(), key).await;
        assert_eq!(read.unwrap().manifest.format, format);
    }

    let told = async |sessions: &Sessions, name: &str| {
        let history = sessions.history(&tenant, &id(name)).await.unwrap();
        let all = history.all().await.unwrap();
        all.into_iter()
            .map(|one| (one.version.version, one.version.saved_at, one.version.pinned, one.changes))
            .collect::<Vec<_>>()
    };
    let other = store().await;
    let imported = import(&other, "copy", &bytes, PHRASE).await.unwrap();
    assert_eq!((imported.version, imported.versions, imported.replaced), (Version(3), 3, None));
    assert_eq!(told(&other, "copy").await, told(&sessions, "acme").await);
    assert!(other.audit(&tenant, &id("copy")).await.unwrap().whole);
    assert_eq!(blobs(&other).await, 1);
    other.rollback(&tenant, &id("copy"), Version(2)).await.unwrap();
    assert!(export(&other, "copy", Format::Cookies).await.windows(5).any(|window| window == b"sid\t2"));

    // Over a session that is there they follow what it has; cut off, nothing of them does.
    let options = ImportOptions { replace: true, passphrase: Some(phrase(PHRASE)), ..ImportOptions::default() };
    let cut = Source::open(Cursor::new(bytes[..bytes.len() - 9].to_vec()), None).await.unwrap();
    assert_eq!(other.import(&tenant, &id("copy"), cut, &options).await.unwrap_err().code(), "decrypt_failed");
    assert_eq!(told(&other, "copy").await.len(), 4);
    let source = Source::open(Cursor::new(bytes), None).await.unwrap();
    let over = other.import(&tenant, &id("copy"), source, &options).await.unwrap();
    assert_eq!((over.replaced, over.version, over.versions), (Some(Version(4)), Version(7), 3));
    assert!(other.audit(&tenant, &id("copy")).await.unwrap().whole);
    other.delete(&tenant, &id("copy")).await.unwrap();
    assert_eq!(blobs(&other).await, 0);
}

#[tokio::test]
async fn a_wrong_passphrase_is_said_and_a_short_one_never_used() {
    let sessions = filled().await;
    let bytes = export(&sessions, "acme", Format::Bundle).await;
    let error = import(&sessions, "copy", &bytes, "wrong horse").await.unwrap_err();
    assert_eq!(error.code(), "decrypt_failed");
    assert!(error.to_string().contains("the passphrase is another one"), "{error}");
    let mut out = Vec::new();
    let short = phrase("short");
    let refused = sessions.export(&Tenant::default(), &id("acme"), Format::Bundle, Some(&short), &mut out).await;
    assert_eq!((refused.unwrap_err().code(), out.len()), ("invalid_key", 0));
}

/// The key of a bundle, and how much of it stands before its objects.
async fn opened(bytes: &[u8]) -> (DataKey, usize) {
    let at = bundle::MAGIC.len() + 1;
    let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let sealed = Sealed::from_stored(bytes[at + 2..end].to_vec()).unwrap();
    let key = bundle::key(PassphraseKdf::from_sealed(&sealed).unwrap(), &phrase(PHRASE)).await.unwrap();
    (key, end)
}

/// Opens every object of a bundle whose key is known.
async fn walk(bytes: &[u8], key: &DataKey, end: usize) -> Result<(), SessionError> {
    let (header, objects) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    let mut bundle = Bundle::open_with(Box::new(Cursor::new(objects.to_vec())), header.to_vec(), key.clone()).await?;
    bundle.versions()?;
    for number in 0..bundle.manifest.parts.len() {
        bundle.part(number).await?;
    }
    Ok(bundle.finish().await?)
}

#[tokio::test]
async fn any_flipped_bit_and_any_cut_is_refused() {
    let sessions = store().await;
    let state = json!({"cookies": [], "origins": [
        {"origin": "https://a.example", "localStorage": [{"name": "token", "value": "1"}]}]});
    import(&sessions, "acme", state.to_string().as_bytes(), PHRASE).await.unwrap();
    let bytes = export(&sessions, "acme", Format::Bundle).await;
    let (key, end) = opened(&bytes).await;
    walk(&bytes, &key, end).await.unwrap();
    let code = |walked: Result<(), SessionError>| walked.err().map(|error| error.code());
    for at in 0..bytes.len() {
        // Two bits of each byte: the lowest and the highest.
        for bit in [0x01, 0x80] {
            let mut altered = bytes.clone();
            altered[at] ^= bit;
            assert_eq!(code(walk(&altered, &key, end).await), Some("decrypt_failed"), "byte {at}, bit {bit:#x}");
        }
        assert_eq!(code(walk(&bytes[..at], &key, end).await), Some("decrypt_failed"), "cut at {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(code(walk(&longer, &key, end).await), Some("decrypt_failed"));
    // By the way that a user goes: the header too, with its derivation.
    let mut other = bytes.clone();
    other[0] ^= 0x40;
    let refused = Source::open(Cursor::new(other), Some(Format::Bundle)).await.err().unwrap();
    assert_eq!(refused.code(), "invalid_import");
    for at in [bundle::MAGIC.len(), bundle::MAGIC.len() + 1, end - 1] {
        let mut altered = bytes.clone();
        altered[at] ^= 0x40;
        let source = Source::open(Cursor::new(altered), Some(Format::Bundle)).await.unwrap();
        let options = ImportOptions { passphrase: Some(phrase(PHRASE)), ..ImportOptions::default() };
        let error = sessions.import(&Tenant::default(), &id("copy"), source, &options).await.unwrap_err();
        assert_eq!(error.code(), "decrypt_failed", "header byte {at}");
    }
}

#[tokio::test]
async fn of_a_bundle_that_breaks_off_nothing_stays() {
    let sessions = filled().await;
    let bytes = export(&sessions, "acme", Format::Bundle).await;
    let other = store().await;
    // Behind the blob only the end of the file is missing, so it has been written when that is found.
    for broken in [&bytes[..bytes.len() - 1], &[&bytes[..], b"more"].concat()] {
        assert_eq!(import(&other, "copy", broken, PHRASE).await.unwrap_err().code(), "decrypt_failed");
        assert_eq!((blobs(&other).await, other.list(&Tenant::default()).await.unwrap().sessions.len()), (0, 0));
    }
    import(&other, "copy", &bytes, PHRASE).await.unwrap();
}

/// A bundle of these objects, whatever they are.
async fn forged(objects: Vec<Vec<u8>>) -> Vec<u8> {
    let kdf = PassphraseKdf::generate().unwrap();
    let sealed = kdf.to_sealed().unwrap();
    let length = u16::try_from(sealed.len()).unwrap().to_be_bytes();
    let header = [&bundle::MAGIC[..], &[bundle::FORMAT], &length, sealed.as_bytes()].concat();
    let key = bundle::key(kdf, &phrase(PHRASE)).await.unwrap();
    let mut out = header.clone();
    for (object, plain) in (0..).zip(objects) {
        let sealed = seal_stream(&key, Context::Bundle { header: &header, object }, pieces(plain)).unwrap();
        frames::write(&mut out, sealed).await.unwrap();
    }
    out
}

fn manifest(parts: &Value, blobs: &[&str]) -> Vec<u8> {
    let index = json!({"format": 1, "cookies": [], "parts": []});
    let manifest =
        json!({"format": 1, "version": 7, "settings": {}, "index": index, "parts": parts, "blobs": blobs, "lists": []});
    serde_json::from_value::<Manifest>(manifest.clone()).unwrap();
    manifest.to_string().into_bytes()
}

#[tokio::test]
async fn what_opens_and_is_nonsense_is_named_and_leaves_nothing() {
    let sessions = store().await;
    let part = |bytes: u64| json!([{"storage_key": "https://a.example/", "bytes": bytes, "partial": []}]);
    let later = String::from_utf8(manifest(&json!([]), &[])).unwrap().replacen("\"format\":1", "\"format\":9", 1);
    let mut beyond: Value = serde_json::from_slice(&manifest(&json!([]), &[])).unwrap();
    beyond["format"] = json!(2);
    let at = "2026-11-22T01:50:12Z";
    beyond["versions"] =
        json!([{"version": 1, "saved_at": at, "pinned": false, "index": beyond["index"], "parts": [[0, []]]}]);
    let beyond = beyond.to_string().into_bytes();
    for (objects, wanted) in [
        (vec![b"{}".to_vec()], "manifest: not readable"),
        (vec![later.into_bytes()], "the bundle is of format 9"),
        (vec![manifest(&part(9), &[]), b"xx".to_vec()], "parts[0]: it has another length"),
        (vec![manifest(&part(2), &[]), b"xx".to_vec()], "parts[0]: it is not lines of JSON"),
        (vec![manifest(&part(2), &[])], "it was altered or cut off"),
        (vec![beyond], "versions[0]: it names a part that is not listed"),
        (vec![manifest(&json!([]), &[]), b"xx".to_vec()], "there is more than the manifest lists"),
        (vec![manifest(&json!([]), &[&"ab".repeat(32)]), b"xx".to_vec()], "more than this Rhaven knows"),
    ] {
        let error = import(&sessions, "acme", &forged(objects).await, PHRASE).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
        assert_eq!(blobs(&sessions).await, 0, "{wanted}");
    }
    assert!(sessions.list(&Tenant::default()).await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn what_each_format_cannot_hold_is_named_and_never_shown() {
    let sessions = store().await;
    let index = json!({"format": 1, "cookies": [], "parts": [], "tabs": ["https://a.example/needle"]});
    let lines = [
        json!({"t": "ls", "k": "token", "v": "needle"}),
        json!({"t": "ss", "k": "step", "v": "needle"}),
        json!({"t": "cache", "name": "shell"}),
        json!({"t": "entry", "method": "GET", "url": "https://a.example/x", "headers": [], "status": 200, "text": "", "response": []}),
        json!({"t": "body", "d": "bmVlZGxl"}),
        json!({"t": "dir", "path": ["d"]}),
        json!({"t": "file", "path": ["d", "f"]}),
        json!({"t": "body", "d": "bmVlZGxl"}),
        json!({"t": "sw", "scope": "https://a.example/", "script": "https://a.example/w.js", "update": "imports"}),
    ];
    let text = lines.map(|line| line.to_string()).join("\n") + "\n";
    let entry = json!([{"storage_key": "https://a.example/", "bytes": text.len(), "partial": []}]);
    let manifest =
        json!({"format": 1, "version": 1, "settings": {}, "index": index, "parts": entry, "blobs": [], "lists": []});
    let bytes = forged(vec![manifest.to_string().into_bytes(), text.clone().into_bytes()]).await;
    import(&sessions, "acme", &bytes, PHRASE).await.unwrap();
    let lost = async |format| {
        let exported = sessions.export(&Tenant::default(), &id("acme"), format, None, &mut Vec::new()).await.unwrap();
        let shown = exported.lost.iter().map(|lost| format!("{} {}", lost.store, lost.key.as_deref().unwrap_or("-")));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        lost(Format::Playwright).await,
        [
            "cacheStorage shell",
            "fileSystem d",
            "fileSystem d/f",
            "serviceWorker https://a.example/",
            "sessionStorage step",
            "tabs -"
        ]
    );
    assert_eq!(lost(Format::Cookies).await, ["storage -", "tabs -"]);
    // A bundle loses none of it.
    let other = store().await;
    import(&other, "copy", &export(&sessions, "acme", Format::Bundle).await, PHRASE).await.unwrap();
    let (before, after) =
        (sessions.show(&Tenant::default(), &id("acme")).await, other.show(&Tenant::default(), &id("copy")).await);
    let (before, after) = (json!(before.unwrap()), json!(after.unwrap()));
    assert_eq!((&before["origins"], &before["tabs"]), (&after["origins"], &after["tabs"]));
    assert_eq!(before["tabs"], json!(["https://a.example/needle"]));
}
