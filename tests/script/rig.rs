//! Runs scripts and keeps what they told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rhaven::base::{Secret, Tenant};
use rhaven::browser::LaunchOptions;
use rhaven::run::{Event, Failure, Job, Limits, Pauses, Report};
use rhaven::session::{KeySource, LeaseTimes, Saving, StoreConfig, WorkspaceConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A script on its way to a run.
pub struct Script {
    pub job: Job,
    pub cancel: CancellationToken,
    /// Called with each event, before it is kept.
    pub on_event: Box<dyn Fn(&Event) + Send + Sync>,
    folder: tempfile::TempDir,
}

/// What a run came to.
pub struct Ran {
    pub report: Report,
    pub events: Vec<Event>,
}

/// A script in a folder of its own, in memory, with nothing given to it.
pub fn script(text: &str) -> Script {
    let folder = tempfile::tempdir().unwrap();
    let job = Job {
        source: text.to_owned(),
        name: "test.rhai".to_owned(),
        import_root: folder.path().to_owned(),
        working_folder: folder.path().to_owned(),
        args: BTreeMap::new(),
        env: BTreeMap::new(),
        session: None,
        secrets: BTreeMap::new(),
        workspace: WorkspaceConfig {
            tenant: Tenant::default(),
            store: StoreConfig::Memory,
            key: KeySource::MadeOnFirstUse(folder.path().join("key")),
            launch: LaunchOptions::default(),
            holder: "a test".to_owned(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        },
        limits: Limits::default(),
        slow_mo: None,
        pauses: Pauses::default(),
        handover: None,
        llm: None,
    };
    Script { job, cancel: CancellationToken::new(), on_event: Box::new(|_| {}), folder }
}

impl Script {
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.job.args.insert(name.to_owned(), value.into());
        self
    }

    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.job.secrets.insert(name.to_owned(), Secret::new(name, value.to_owned()));
        self
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.job.limits);
        self
    }

    /// A file beside the script.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn on_event(mut self, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.on_event = Box::new(on_event);
        self
    }

    pub async fn run(self) -> Ran {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (kept, on_event) = (events.clone(), self.on_event);
        let report = rhaven::run::run(self.job, self.cancel, move |event| {
            on_event(&event);
            kept.lock().unwrap().push(event);
        });
        let report = report.await;
        let events = std::mem::take(&mut *events.lock().unwrap());
        Ran { report, events }
    }

    /// Runs it and answers its result; a failure fails the test.
    pub async fn result(self) -> Value {
        let ran = self.run().await;
        assert!(ran.report.failure.is_none(), "{:#?}", ran.report.failure);
        ran.report.result
    }

    /// Runs it and answers its failure.
    pub async fn failure(self) -> Failure {
        let ran = self.run().await;
        ran.report.failure.unwrap_or_else(|| panic!("it succeeded with {}", ran.report.result))
    }
}

impl Ran {
    /// Everything that people or files get to see, as one text.
    pub fn everything(&self) -> String {
        format!("{:?}\n{}", self.events, serde_json::to_string(&self.report).unwrap())
    }
}

/// `file:line:column`, as `line:column` in the script itself.
pub fn place(place: Option<&rhaven::run::Place>) -> String {
    place.map_or_else(String::new, |place| match &place.file {
        Some(file) => format!("{file}:{}:{}", place.line, place.column),
        None => format!("{}:{}", place.line, place.column),
    })
}
