//! Opens dialogues and talks to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::run::{Dialogue, Event, Failure, Turn};
use rhaven::script::Shown;
use rhaven::session::Workspace;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::rig::{Script, script};

/// A dialogue and what it told.
pub struct Talk {
    pub dialogue: Dialogue,
    pub events: Arc<Mutex<Vec<Event>>>,
    /// Its folder goes with it.
    pub _script: Script,
}

/// No browser is needed: one that cannot be found is not waited for.
pub fn quiet(text: &str) -> Script {
    let mut script = script(text);
    script.job.workspace.launch.executable = Some("/nowhere/chromium".into());
    script
}

pub async fn open(script: Script) -> Talk {
    let workspace = Workspace::new(script.job.workspace.clone());
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = events.clone();
    let opened = Dialogue::open(&workspace, script.job.clone(), move |event| kept.lock().unwrap().push(event));
    Talk { dialogue: opened.await.unwrap(), events, _script: script }
}

pub async fn talk() -> Talk {
    open(quiet("")).await
}

impl Talk {
    pub async fn say(&mut self, text: &str) -> Turn {
        self.dialogue.say(text, CancellationToken::new()).await
    }

    pub async fn value(&mut self, text: &str) -> Value {
        let turn = self.say(text).await;
        assert!(turn.failure.is_none(), "{text}: {:#?}", turn.failure);
        match turn.value {
            Shown::Nothing => Value::Null,
            Shown::Json(value) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    pub async fn failure(&mut self, text: &str) -> Failure {
        let turn = self.say(text).await;
        turn.failure.unwrap_or_else(|| panic!("{text} succeeded with {:?}", turn.value))
    }

    pub async fn finish(self) {
        let outcomes = self.dialogue.finish(Deadline::after(Duration::from_secs(30))).await;
        assert!(outcomes.iter().all(|outcome| outcome.save_error.is_none()), "{outcomes:?}");
    }
}
