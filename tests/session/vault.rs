//! The vault: what is kept of secrets, for whom, and what the store gets to see.

use std::collections::BTreeSet;

use rhaven::base::{Secret, Tenant};
use rhaven::session::{KeySource, Sessions, StoreConfig};

struct Vault {
    home: tempfile::TempDir,
    acme: Tenant,
}

impl Vault {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), acme: Tenant::new("acme").unwrap() }
    }

    async fn open(&self) -> Sessions {
        let store = StoreConfig::Embedded(self.home.path().join("store"));
        Sessions::open(store, KeySource::MadeOnFirstUse(self.home.path().join("key"))).await.unwrap()
    }
}

async fn set(sessions: &Sessions, tenant: &Tenant, name: &str, value: &str) -> bool {
    sessions.set_secret(tenant, name, &Secret::new(name, value.to_owned())).await.unwrap()
}

async fn get(sessions: &Sessions, tenant: &Tenant, name: &str) -> Option<String> {
    sessions.secret(tenant, name).await.unwrap().map(|secret| secret.expose().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_replaced_listed_and_deleted() {
    let vault = Vault::new();
    let (sessions, acme) = (vault.open().await, &vault.acme);
    assert_eq!(get(&sessions, acme, "PW").await, None);
    assert!(!set(&sessions, acme, "PW", "swordfish").await);
    assert!(!set(&sessions, acme, "API.key-2", "line one\nline two\n").await);
    assert!(set(&sessions, acme, "PW", "hunter2222").await, "the first value is replaced");

    // Another process.
    let again = vault.open().await;
    assert_eq!(get(&again, acme, "PW").await.as_deref(), Some("hunter2222"));
    assert_eq!(get(&again, acme, "API.key-2").await.as_deref(), Some("line one\nline two\n"));
    let all = again.secrets(acme).await.unwrap();
    assert_eq!(all.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["API.key-2", "PW"]);
    assert!(all.iter().all(|secret| secret.set_at.ends_with('Z')), "{all:?}");
    let asked = BTreeSet::from(["PW", "OTHER"].map(str::to_owned));
    assert_eq!(again.known_secrets(acme, asked).await.unwrap(), BTreeSet::from(["PW".to_owned()]));

    again.delete_secret(acme, "PW").await.unwrap();
    assert_eq!(get(&sessions, acme, "PW").await, None);
    assert_eq!(again.delete_secret(acme, "PW").await.unwrap_err().code(), "secret_not_set");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_share_nothing() {
    let vault = Vault::new();
    let (sessions, acme, globex) = (vault.open().await, &vault.acme, &Tenant::new("globex").unwrap());
    set(&sessions, acme, "PW", "of acme").await;
    assert_eq!(get(&sessions, globex, "PW").await, None);
    assert!(sessions.secrets(globex).await.unwrap().is_empty());
    set(&sessions, globex, "PW", "of globex").await;
    sessions.delete_secret(globex, "PW").await.unwrap();
    assert_eq!(get(&sessions, acme, "PW").await.as_deref(), Some("of acme"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_that_cannot_be_are_refused_and_nothing_is_kept() {
    let vault = Vault::new();
    let (sessions, acme) = (vault.open().await, &vault.acme);
    let refused = async |name: &str, value: &str| {
        let value = Secret::new("x", value.to_owned());
        let error = sessions.set_secret(acme, name, &value).await.unwrap_err();
        assert_eq!(error.code(), "invalid_argument");
        error.to_string()
    };
    for name in ["", "A B", "A=B", "\u{c4}", "a/b", &"x".repeat(129)] {
        assert!(refused(name, "value-of-it").await.starts_with("a secret's name has"), "{name}");
    }
    assert!(refused("PW", "").await.contains("is empty"));
    let long = refused("PW", &"x".repeat((64 << 10) + 1)).await;
    assert!(long.contains("65537 bytes") && !long.contains("xxx"), "{long}");
    assert!(sessions.secrets(acme).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_sees_neither_names_nor_values() {
    let vault = Vault::new();
    let sessions = vault.open().await;
    set(&sessions, &vault.acme, "UNUSUAL_NAME", "unusual-value").await;
    drop(sessions);
    let mut read = 0;
    for entry in vault.home.path().join("store").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for text in ["UNUSUAL_NAME", "unusual-value", "acme"] {
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{text} is in {}", path.display());
            }
            read += bytes.len();
        }
    }
    assert!(read > 0, "no file was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_leave_one_whole_value() {
    let vault = Vault::new();
    let acme = &vault.acme;
    let stores = futures_util::future::join_all((0..4).map(|_| vault.open())).await;
    let values: Vec<String> = (0..4).map(|number| format!("value {number}")).collect();
    let sets = stores.iter().zip(&values).map(|(store, value)| set(store, acme, "PW", value));
    let replaced = futures_util::future::join_all(sets).await;
    assert_eq!(replaced.iter().filter(|replaced| !**replaced).count(), 1, "one was the first");
    let kept = get(&stores[0], acme, "PW").await.unwrap();
    assert!(values.contains(&kept), "{kept}");
}
