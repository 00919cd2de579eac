//! Changing the root key while runs go on, keys by hand, passphrases.

use rhaven::base::{Secret, Tenant};
use rhaven::seal::{KeyRing, RootKey};
use rhaven::session::{KeySource, KeyUse, SessionOptions, Sessions, StoreConfig};
use serde_json::json;

use super::rig::{Rig, evaluate, goto, id, soon};

fn default() -> Tenant {
    Tenant::default()
}

fn text(keys: &[&RootKey]) -> KeySource {
    let keys: Vec<String> = keys.iter().map(|key| key.to_text().to_string()).collect();
    KeySource::Text(Secret::new("RHAVEN_KEY", keys.join(" ")))
}

fn words(passphrases: &str) -> KeySource {
    KeySource::Passphrase(Secret::new("RHAVEN_PASSPHRASE", passphrases.to_owned()))
}

async fn set(sessions: &Sessions, tenant: &Tenant, name: &str, value: &str) {
    sessions.set_secret(tenant, name, &Secret::new(name, value.to_owned())).await.unwrap();
}

async fn get(sessions: &Sessions, tenant: &Tenant, name: &str) -> Option<String> {
    sessions.secret(tenant, name).await.unwrap().map(|secret| secret.expose().to_owned())
}

fn in_use(key: &KeyUse) -> (usize, usize, usize) {
    (key.sessions, key.documents, key.runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_while_the_key_changes() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('token', 'before')").await;
    // One run goes on and holds the lease; a second process has the store open and has done nothing yet.
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    let idle = rig.sessions().await.unwrap();
    let other = Tenant::new("globex").unwrap();
    set(&idle, &other, "PW", "swordfish").await;

    let rotating = rig.sessions().await.unwrap();
    let old = rotating.key_uses().await.unwrap().remove(0);
    // The check, the names of two tenants, a secret; one session, and the run's lease.
    assert_eq!(in_use(&old), (1, 4, 1));
    let rotated = rotating.rotate(&default()).await.unwrap();
    assert!(rotated.new && rotated.left.is_empty() && rotated.key != old.id, "{rotated:?}");
    assert_eq!(rotated.resealed, 5);
    let uses = rotating.key_uses().await.unwrap();
    assert_eq!(uses.iter().map(in_use).collect::<Vec<_>>(), [(1, 4, 0), (0, 0, 1)]);
    let refused = rotating.retire(&old.id).await.unwrap_err();
    assert_eq!(refused.code(), "key_in_use");
    assert!(refused.to_string().contains("1 run(s) began under it"), "{refused}");

    // The run commits: what it writes is under the new key, and nothing is lost.
    evaluate(&page, "localStorage.setItem('token', 'during')").await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.save_error, outcome.updated), (None, true));
    assert_eq!(rotating.retire(&old.id[..8]).await.unwrap(), old.id);
    let keys = KeyRing::parse(&std::fs::read_to_string(rig.key_path()).unwrap()).unwrap();
    assert_eq!(keys.ids().map(|key| key.to_string()).collect::<Vec<_>>(), [rotated.key.as_str()]);

    // Who knew the old key only goes on too.
    assert_eq!(get(&idle, &other, "PW").await.as_deref(), Some("swordfish"));
    set(&idle, &other, "PW", "hunter2222").await;
    assert_eq!(idle.list(&default()).await.unwrap().sessions.len(), 1);
    let (_, seen) = rig.visit("window.seen.token").await;
    assert_eq!(seen, json!("during"));
    assert_eq!(get(&rig.sessions().await.unwrap(), &other, "PW").await.as_deref(), Some("hunter2222"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_without_a_file_are_changed_by_hand() {
    let home = tempfile::tempdir().unwrap();
    let store = StoreConfig::Embedded(home.path().join("store"));
    let [old, new] = [(); 2].map(|()| RootKey::generate().unwrap());
    let open = async |keys: &[&RootKey]| Sessions::open(store.clone(), text(keys)).await;
    let before = open(&[&old]).await.unwrap();
    set(&before, &default(), "PW", "swordfish").await;
    let refused = before.rotate(&default()).await.unwrap_err();
    assert_eq!(refused.code(), "key_unavailable");
    assert!(refused.to_string().contains("changed by hand"), "{refused}");

    let both = open(&[&new, &old]).await.unwrap();
    assert_eq!(get(&both, &default(), "PW").await.as_deref(), Some("swordfish"));
    let rotated = both.rotate(&default()).await.unwrap();
    assert_eq!((rotated.new, rotated.key), (false, new.id().to_string()));
    assert!(both.retire(&old.id().to_string()).await.unwrap_err().to_string().contains("take it out by hand"));
    assert_eq!(both.retire(&new.id().to_string()).await.unwrap_err().code(), "key_in_use");
    assert_eq!(get(&open(&[&new]).await.unwrap(), &default(), "PW").await.as_deref(), Some("swordfish"));

    // A process that cannot follow writes nothing that could not be opened again.
    let late = before.set_secret(&default(), "PW", &Secret::new("PW", "lost".into())).await.unwrap_err();
    assert_eq!(late.code(), "wrong_key");
    assert_eq!(open(&[&old]).await.err().unwrap().code(), "wrong_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_found_again_without_being_named() {
    let home = tempfile::tempdir().unwrap();
    let (store, key) = (StoreConfig::Embedded(home.path().join("store")), home.path().join("key"));
    let open = async || Sessions::open(store.clone(), KeySource::MadeOnFirstUse(key.clone())).await.unwrap();
    let tenants: Vec<Tenant> = (0..150).map(|number| Tenant::new(format!("tenant-{number}")).unwrap()).collect();
    let before = open().await;
    for tenant in &tenants {
        set(&before, tenant, "PW", tenant.as_str()).await;
    }
    let rotated = open().await.rotate(&default()).await.unwrap();
    assert_eq!((rotated.left.len(), rotated.resealed), (0, 1 + 2 * 150 + 1));
    let after = open().await;
    for tenant in &tenants {
        assert_eq!(get(&after, tenant, "PW").await.as_deref(), Some(tenant.as_str()));
    }
    assert_eq!(after.key_uses().await.unwrap()[1].documents, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_damaged_name_of_a_tenant_stops_no_rotation() {
    let home = tempfile::tempdir().unwrap();
    let (store, key) = (StoreConfig::Embedded(home.path().join("store")), home.path().join("key"));
    let open = async || Sessions::open(store.clone(), KeySource::MadeOnFirstUse(key.clone())).await.unwrap();
    let tenants = ["globex", "initech"].map(|name| Tenant::new(name).unwrap());
    let before = open().await;
    set(&before, &tenants[0], "PW", "swordfish").await;
    let is_there = |db: &rusqlite::Connection| -> Vec<i64> {
        let mut query = db.prepare("SELECT rowid FROM document WHERE kind = 'tenant'").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let db = rusqlite::Connection::open(home.path().join("store/store.sqlite")).unwrap();
    let damaged = is_there(&db);
    set(&before, &tenants[1], "PW", "hunter2222").await;
    assert_eq!((damaged.len(), is_there(&db).len()), (1, 2));
    // Its last byte is another one.
    let flipped =
        "UPDATE document SET body = CAST(substr(body, 1, length(body) - 1) || x'00' AS BLOB) WHERE rowid = ?1";
    db.execute(flipped, [damaged[0]]).unwrap();
    drop(db);

    let rotated = open().await.rotate(&default()).await.unwrap();
    assert!(rotated.new && rotated.left.len() == 2, "{rotated:?}");
    let [name, secret] = &rotated.left[..] else { panic!("{rotated:?}") };
    assert!(name.starts_with("the name of a tenant (") && secret.contains("--tenant NAME"), "{rotated:?}");
    let after = open().await;
    assert_eq!(get(&after, &tenants[1], "PW").await.as_deref(), Some("hunter2222"));
    // Nothing of the other is lost: it is under the older key, which stays.
    assert_eq!(get(&after, &tenants[0], "PW").await.as_deref(), Some("swordfish"));
    let old = after.key_uses().await.unwrap().pop().unwrap();
    assert_eq!((old.documents, after.retire(&old.id).await.unwrap_err().code()), (2, "key_in_use"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_what_it_sealed_and_a_wrong_one_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = StoreConfig::Embedded(home.path().join("store"));
    let open = async |source: KeySource| Sessions::open(store.clone(), source).await;
    // Two processes at once make one salt.
    let (one, two) = tokio::join!(open(words("correct horse battery")), open(words("correct horse battery")));
    set(&one.unwrap(), &default(), "PW", "swordfish").await;
    assert_eq!(get(&two.unwrap(), &default(), "PW").await.as_deref(), Some("swordfish"));

    let file = home.path().join("words");
    std::fs::write(&file, "correct horse battery\n").unwrap();
    let from_file = open(KeySource::PassphraseFile(file)).await.unwrap();
    assert_eq!(get(&from_file, &default(), "PW").await.as_deref(), Some("swordfish"));

    let code = async |source| open(source).await.err().unwrap().code();
    assert_eq!(code(words("correct horse batterz")).await, "wrong_key");
    assert_eq!(code(words("short")).await, "key_unavailable");
    assert_eq!(code(words("\n")).await, "key_unavailable");
    assert_eq!(code(text(&[&RootKey::generate().unwrap()])).await, "wrong_key");

    // Another one: the new line first.
    let both = open(words("staple of the battery\ncorrect horse battery")).await.unwrap();
    assert!(!both.rotate(&default()).await.unwrap().new);
    let after = open(words("staple of the battery")).await.unwrap();
    assert_eq!(get(&after, &default(), "PW").await.as_deref(), Some("swordfish"));
    assert_eq!(code(words("correct horse battery")).await, "wrong_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_does_not_open_a_store_that_a_key_made() {
    let home = tempfile::tempdir().unwrap();
    let store = StoreConfig::Embedded(home.path().join("store"));
    Sessions::open(store.clone(), text(&[&RootKey::generate().unwrap()])).await.unwrap();
    let error = Sessions::open(store, words("correct horse battery")).await.err().unwrap();
    assert_eq!(error.code(), "wrong_key");
    assert!(error.to_string().contains("a passphrase is not the one"), "{error}");
}
