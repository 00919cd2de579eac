//! Answers of the store that are lost on their way: what was written is, and whoever wrote it does not know.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use serde_json::json;

use super::super::access::Caller;
use super::super::app::App;
use super::super::config::ServeConfig;
use super::super::request_id::RequestId;
use super::super::task::Work;
use super::execution::Stage;
use super::inline::{begin, elsewhere, promote};
use super::kept::{self, Claimed};
use super::record::{JobStatus, Record};
use crate::base::{Secret, Tenant};
use crate::seal::{NameTag, Sealed, TenantTag};
use crate::session::{JobPart, KeySource, LeaseTimes, Saving, Scope, Sessions, StoreConfig, WorkspaceConfig};
use crate::store::{Backends, DocumentName, Documents, Expected, KeptDocument, StoreError};

/// Documents whose answers to some writes of jobs are lost.
struct Lossy {
    kept: Arc<dyn Documents>,
    /// How many more.
    lose: AtomicUsize,
}

impl Lossy {
    fn lose(&self, answers: usize) {
        self.lose.store(answers, Ordering::SeqCst);
    }
}

#[async_trait]
impl Documents for Lossy {
    async fn get(&self, name: &DocumentName) -> Result<Option<Sealed>, StoreError> {
        self.kept.get(name).await
    }

    async fn put(
        &self,
        name: &DocumentName,
        expected: &Expected,
        value: &Sealed,
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let put = self.kept.put(name, expected, value, ttl).await;
        let fewer = |left: usize| left.checked_sub(1);
        if name.kind == "job" && self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            return Err(StoreError::Unavailable { what: "the store".to_owned(), source: "no answer".into() });
        }
        put
    }

    async fn remove(&self, name: &DocumentName) -> Result<bool, StoreError> {
        self.kept.remove(name).await
    }

    async fn list(
        &self,
        tenant: TenantTag,
        kind: &'static str,
        after: Option<NameTag>,
        limit: usize,
    ) -> Result<Vec<(NameTag, Sealed)>, StoreError> {
        self.kept.list(tenant, kind, after, limit).await
    }

    async fn all(&self, after: Option<&KeptDocument>, limit: usize) -> Result<Vec<KeptDocument>, StoreError> {
        self.kept.all(after, limit).await
    }

    async fn reseal(&self, kept: &KeptDocument, new: &Sealed) -> Result<bool, StoreError> {
        self.kept.reseal(kept, new).await
    }
}

/// A server with one slot on such a store, and what asks it.
struct Place {
    app: App,
    /// Another one on the same store.
    other: App,
    documents: Arc<Lossy>,
    caller: Caller,
    _home: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let memory = Backends::memory();
        let documents = Arc::new(Lossy { kept: memory.documents.clone(), lose: AtomicUsize::new(0) });
        let backends = Backends { documents: documents.clone(), ..memory };
        let key = KeySource::MadeOnFirstUse(home.path().join("key"));
        let workspace = WorkspaceConfig {
            tenant: Tenant::default(),
            store: StoreConfig::Memory,
            key: key.clone(),
            launch: crate::browser::LaunchOptions::default(),
            holder: "a test".to_owned(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        };
        let places = ("memory".to_owned(), "memory".to_owned());
        let sessions = Sessions::over(backends, key, places, false, LeaseTimes::default()).await.unwrap();
        let tenant = Tenant::new("acme").unwrap();
        let (token, _): (_, Secret) =
            sessions.create_token(&tenant, &BTreeSet::from([Scope::Run]), None).await.unwrap();
        let address = "127.0.0.1:1".parse().unwrap();
        let mut config = ServeConfig::new(address, workspace);
        config.max_concurrent = 1;
        let app = |config: ServeConfig| App::new(config, address, sessions.clone());
        Self { app: app(config.clone()), other: app(config), documents, caller: Caller::of(token), _home: home }
    }

    fn tenant(&self) -> &Tenant {
        self.caller.tenant()
    }

    fn work() -> Work {
        serde_json::from_value(json!({"kind": "run", "input": {"script": "6 * 7"}})).unwrap()
    }

    async fn jobs(&self) -> Vec<Record> {
        self.app.sessions.job_documents(self.tenant(), JobPart::Job).await.unwrap()
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_this_servers() {
    let on = Place::new().await;
    let record = Record::new(kept::new_id(), Place::work(), on.caller.token_id());
    assert!(kept::create(&on.app, on.tenant(), &record).await.unwrap());
    on.documents.lose(1);
    assert_eq!(kept::claim(&on.app, on.tenant(), &record.id).await.unwrap(), Claimed::Taken);
    assert_eq!(kept::claim(&on.other, on.tenant(), &record.id).await.unwrap(), Claimed::Gone);
    let job = &on.jobs().await[0];
    assert!(job.status == JobStatus::Running && job.is_run_by(on.app.jobs.node()), "{job:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_which_the_store_does_not_say_whether_it_is_a_job_is_run_once() {
    // By this server, which takes it back, or by the other one, which had found it in the store.
    for is_found in [false, true] {
        let on = Place::new().await;
        let slot = on.app.slots.request(on.tenant(), None).unwrap().await.unwrap();
        let id = RequestId("req_1".to_owned());
        let timeout = Duration::from_mins(5);
        let execution = begin(&on.app, on.caller.clone(), &id, Place::work(), timeout).unwrap();
        on.documents.lose(1);
        let mut execution = promote(on.app.clone(), execution).await.unwrap_err();
        assert!(matches!(&*execution.stage.lock().await, Stage::Unsure { .. }));
        let job = on.jobs().await.pop().unwrap();
        assert!(on.app.jobs.has(&job.id), "nobody here takes up what it finds of it");
        if is_found {
            assert_eq!(kept::claim(&on.other, on.tenant(), &job.id).await.unwrap(), Claimed::Taken);
        }
        drop(slot);
        let ended = execution.ended().await;
        if is_found {
            assert!(ended.is_none(), "it is the other's");
            assert_eq!(elsewhere(id, &execution).await.unwrap().status(), StatusCode::ACCEPTED);
            assert!(on.jobs().await[0].is_run_by(on.other.jobs.node()));
        } else {
            let answer = ended.unwrap().outcome.unwrap();
            assert_eq!(answer.body["result"], 42);
            assert_eq!(on.jobs().await.len(), 0, "it is no job");
        }
    }
}
