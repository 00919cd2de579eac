//! From flags, settings and a script's text to a job: what `run`, `watch` and `repl` have in common.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::session_id;
use super::environment::Environment;
use super::error::CliError;
use super::secrets;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::{SessionId, parse_duration};
use crate::browser::{Flavor, LaunchOptions};
use crate::document::llm::Llm;
use crate::run::{Job, Limits, Pauses};
use crate::session::{LeaseTimes, Saving, WorkspaceConfig};

/// How long a server waits for an answer of the language model at most.
const MODEL: Duration = Duration::from_mins(2);
/// What the script is called that comes on stdin.
const STDIN_NAME: &str = "<stdin>";

/// The flags of commands that run scripts.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct JobArgs {
    /// An argument for the script: args.KEY; may be given again
    #[arg(long = "arg", short = 'a', value_name = "KEY=VALUE", value_parser = pair)]
    args: Vec<(String, String)>,
    /// The session to restore before the first line and to save after the last
    #[arg(long, value_name = "ID", value_parser = session_id)]
    session: Option<SessionId>,
    /// Show the browser's window
    #[arg(long)]
    headed: bool,
    /// A pause after every verb, to watch
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    slow_mo: Option<Duration>,
    /// A secret; other users of this machine can see it while it runs
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = pair)]
    secrets: Vec<(String, String)>,
    /// A file of NAME=VALUE lines that only you can read (mode 0600)
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
    /// A variable of the environment that the script may read: env("NAME"); may be given again
    #[arg(long = "allow-env", value_name = "NAME")]
    allow_env: Vec<String>,
}

/// The flag of commands whose runs come to an end by themselves.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TimeArgs {
    /// How long a run may take [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl TimeArgs {
    /// Limits the job.
    pub fn limit(&self, job: &mut Job) {
        if let Some(wall_time) = self.timeout {
            job.limits.wall_time = wall_time;
        }
    }
}

impl JobArgs {
    /// The job that runs `script`; `holder` is how others see who has the session.
    pub fn job(
        self,
        script: Script,
        holder: String,
        settings: &Settings,
        environment: &Environment,
        terminal: &Terminal,
    ) -> Result<Job, CliError> {
        if !self.secrets.is_empty() {
            terminal.note("note: --secret can be seen by other users of this machine; --secrets-file cannot");
        }
        let secrets_file = self.secrets_file.as_ref().or(settings.secrets_file.as_ref());
        let secrets = secrets::collect(environment, secrets_file.map(PathBuf::as_path), &self.secrets)?;
        let mut env = BTreeMap::new();
        for name in self.allow_env {
            if let Some(value) = environment.text(&name)? {
                env.insert(name, value);
            }
        }
        let limits = Limits::default();
        Ok(Job {
            source: script.text,
            name: script.name,
            import_root: script.import_root,
            working_folder: environment.working_folder.clone(),
            args: self.args.into_iter().map(|(name, value)| (name, value.into())).collect(),
            env,
            session: self.session,
            secrets,
            workspace: workspace(launch(self.headed || settings.headed, settings, environment)?, holder, settings),
            limits: Limits { wall_time: settings.timeout.unwrap_or(limits.wall_time), ..limits },
            slow_mo: self.slow_mo.or(settings.slow_mo),
            pauses: Pauses::default(),
            handover: None,
            llm: llm(settings)?,
        })
    }
}

/// The language model that scripts may ask, reached directly.
pub(super) fn llm(settings: &Settings) -> Result<Option<Llm>, CliError> {
    llm_with(settings, reqwest::Client::builder())
}

/// The same for a server: the model is where its settings say, straight there, and nowhere that an answer leads.
pub(super) fn served_llm(settings: &Settings) -> Result<Option<Llm>, CliError> {
    llm_with(settings, reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(MODEL))
}

fn llm_with(settings: &Settings, client: reqwest::ClientBuilder) -> Result<Option<Llm>, CliError> {
    let Some(config) = &settings.llm else { return Ok(None) };
    let client = client.build();
    let bad = |error| CliError::Value { what: "RHAVEN_LLM_URL".into(), reason: crate::base::with_causes(&error) };
    Ok(Some(config.with(client.map_err(bad)?)))
}

/// What the sessions of a run need; `holder` is how others see who has them.
pub(super) fn workspace(launch: LaunchOptions, holder: String, settings: &Settings) -> WorkspaceConfig {
    WorkspaceConfig {
        tenant: settings.tenant.clone(),
        store: settings.store.clone(),
        key: settings.key.clone(),
        launch,
        holder,
        ttl: settings.ttl,
        profile_ttl: settings.profile_ttl,
        saving: Saving::AsAsked,
        lease: LeaseTimes::default(),
        outbox: Some(settings.outbox()),
    }
}

/// How to start the browser; fails where it is to have a window and there is no display.
pub(super) fn launch(headed: bool, settings: &Settings, environment: &Environment) -> Result<LaunchOptions, CliError> {
    if headed && cfg!(target_os = "linux") && !environment.is_set("DISPLAY") && !environment.is_set("WAYLAND_DISPLAY") {
        return Err(CliError::NoDisplay);
    }
    Ok(LaunchOptions {
        flavor: if headed { Flavor::Full } else { Flavor::HeadlessShell },
        headed,
        executable: settings.chromium.clone(),
        downloads: Some(settings.downloads.clone()),
        ..LaunchOptions::default()
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The text may be a secret and is not repeated.
        _ => Err("NAME=VALUE is wanted".to_owned()),
    }
}

/// A script's text, its name in messages and the folder that its imports resolve below.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub text: String,
    pub name: String,
    pub import_root: PathBuf,
}

impl Script {
    /// Reads the file; `-` is stdin.
    pub fn read(file: &str, environment: &Environment) -> Result<Self, CliError> {
        let unreadable = |error: std::io::Error| CliError::File {
            what: "the script",
            path: file.into(),
            verb: "read",
            reason: error.to_string(),
        };
        if file == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
            return Ok(Self { text, name: STDIN_NAME.to_owned(), import_root: environment.working_folder.clone() });
        }
        let path = environment.working_folder.join(file);
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let import_root = path.parent().unwrap_or(&environment.working_folder).to_owned();
        Ok(Self { text, name: file.to_owned(), import_root })
    }
}

/// The text of an imported module, for an excerpt.
pub(super) fn read_import(root: &Path, file: &str) -> Option<String> {
    crate::script::locate_module(root, file).ok().map(|module| module.text)
}
