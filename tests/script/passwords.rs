//! Passwords that are typed in clear, where somebody keeps what is typed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rhaven::base::{Deadline, Redactor, Secret, Tenant};
use rhaven::browser::LaunchOptions;
use rhaven::run::{Event, Limits};
use rhaven::script::{Host, Program, Progress, Source, Stopper};
use rhaven::session::{KeySource, LeaseTimes, Saving, StoreConfig, Workspace, WorkspaceConfig};
use serde_json::{Value, json};

use super::rig::script;

/// A host as a dialogue makes one, and what it told.
struct Stage {
    host: Arc<Host>,
    told: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

const FORM: &str = r#"goto("data:text/html,<label>User <input id=user></label><label>Password <input id=pw type=password></label>\
<input id=once autocomplete=new-password><input id=dots style='-webkit-text-security:disc'>");"#;

impl Stage {
    fn new(on: bool, secrets: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(WorkspaceConfig {
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
        });
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = told.clone();
        let redactor = Redactor::default();
        let secrets: BTreeMap<String, Secret> =
            secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(name, (*value).to_owned()))).collect();
        for secret in secrets.values() {
            redactor.learn(secret);
        }
        let host = Host {
            name: "script".into(),
            workspace,
            pauses: None,
            handover: None,
            llm: None,
            runtime: tokio::runtime::Handle::current(),
            stop: Stopper::default(),
            events: Box::new(move |event: Event| kept.lock().unwrap().push(format!("{event:?}"))),
            redactor,
            secrets,
            args: BTreeMap::new(),
            env: BTreeMap::new(),
            limits: Limits::default(),
            import_root: folder.path().to_owned(),
            working_folder: folder.path().to_owned(),
            slow_mo: None,
            progress: Progress::default(),
        };
        host.progress.learn_passwords(on);
        Self { host: Arc::new(host), told, folder }
    }

    async fn run(&self, text: &str) -> Result<Value, String> {
        let program = read(text, self.folder.path());
        program.run(self.host.clone(), None).await.map_err(|failed| failed.error.to_string())
    }

    fn learnt(&self) -> Vec<(String, String)> {
        let learnt = self.host.progress.learnt_passwords();
        learnt.iter().map(|secret| (secret.name().to_owned(), secret.expose().to_owned())).collect()
    }

    fn notices(&self) -> Vec<String> {
        self.told.lock().unwrap().iter().filter(|event| event.contains("a password was")).cloned().collect()
    }

    /// Ends the browser, of which nothing may be left; answers all that was told.
    async fn end(self) -> String {
        let pid = self.host.workspace.browser_pid().await.unwrap();
        self.host.workspace.finish(Deadline::after(std::time::Duration::from_secs(20))).await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the browser is left");
        self.told.lock().unwrap().join("\n")
    }
}

fn read(text: &str, folder: &Path) -> Program {
    Program::read(&Source { text, import_root: folder, has_secret: &|_| true, has_identity: &|_| Ok(()) }).unwrap()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_clear_becomes_a_secret_before_it_is_typed() {
    let stage = Stage::new(true, &[]);
    let text = format!(
        r##"{FORM} fill("#user", "somebody"); fill("#pw", "hunter22"); type("#pw", "hunter22"); fill("label=Password", "");
        fill("#once", "other-one"); fill("#dots", "abc");
        let values = [input_value("#user"), input_value("#dots"), input_value("#once")]; fill("#once", secret("PASSWORD"));
        values.push(input_value("#once") == "hunter22"); values"##
    );
    assert_eq!(stage.run(&text).await.unwrap(), json!(["somebody", "abc", "other-one", true]));
    assert_eq!(stage.learnt(), pairs(&[("PASSWORD", "hunter22"), ("PASSWORD_2", "other-one"), ("PASSWORD_3", "abc")]));
    let notices = stage.notices();
    assert_eq!(notices.len(), 3, "{notices:?}");
    assert!(
        notices[0].contains(r#"kept out of history and .code as secret(\"PASSWORD\"); RHAVEN_SECRET_PASSWORD sets it"#)
    );
    assert_eq!(stage.host.redactor.redact("it is hunter22"), "it is ***PASSWORD***");
    let told = stage.end().await;
    for value in ["hunter22", "other-one", "abc"] {
        assert!(!told.contains(value), "{told}");
    }
    assert!(told.contains("somebody"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_not_given_again() {
    let stage = Stage::new(true, &[("PASSWORD", "swordfish")]);
    let text =
        format!(r##"{FORM} fill("#pw", "swordfish"); fill("#pw", secret("PASSWORD")); fill("#pw", "hunter22")"##);
    stage.run(&text).await.unwrap();
    assert_eq!(stage.learnt(), pairs(&[("PASSWORD_2", "hunter22")]));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_late_or_misspelt_is_no_hole() {
    let stage = Stage::new(true, &[]);
    let text = r##"evaluate("setTimeout(() => { pw.id = 'late' }, 1500)"); fill("#late", "hunter22", #{ timeout: "20s" });
        for selector in ["#nothing", "#passwort"] { try { fill(selector, "value of " + selector, #{ timeout: 200 }) } catch (e) { print(e.code) } }"##;
    stage.run(&format!("{FORM} {text}")).await.unwrap();
    assert_eq!(stage.learnt(), pairs(&[("PASSWORD", "hunter22"), ("PASSWORD_2", "value of #passwort")]));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_learnt_unless_it_was_asked_for() {
    let stage = Stage::new(false, &[]);
    stage.run(&format!("{FORM} fill(\"#pw\", \"hunter22\"); input_value(\"#pw\")")).await.unwrap();
    assert_eq!((stage.learnt(), stage.notices()), (Vec::new(), Vec::new()));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_as_assistive_technology_sees_it() {
    let text = r#"session("a"); goto("data:text/html,<p>Some</p><button disabled>Other</button>"); let s = session("a");
        [aria_snapshot(), aria_snapshot("button"), s.aria_snapshot(), s.page.aria_snapshot("button", #{ timeout: "5s" })]"#;
    let answer = script(text).result().await;
    let other = "- button \"Other\" [disabled]";
    let whole = "- paragraph: Some\n- button \"Other\" [disabled]";
    assert_eq!(answer, json!([whole, other, whole, other]));
    let failure = script("goto(\"data:text/html,<p>1<p>2\"); aria_snapshot(\"p\")").failure().await;
    assert_eq!(failure.code, "strict_violation");
    let failure = script("goto(\"data:text/html,x\"); aria_snapshot(\"#none\", #{ timeout: 200 })").failure().await;
    assert_eq!(failure.code, "timeout");
}
