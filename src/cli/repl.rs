//! `rhaven repl`: a run that is told what to do one input at a time. Also what a script's `pause()` opens.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::attach::AttachArgs;
use super::config::FILE_NAME;
use super::environment::Environment;
use super::error::CliError;
use super::events::Events;
use super::interrupt::{INTERRUPTED, Interrupts};
use super::job::{JobArgs, Script, launch};
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::Deadline;
use crate::diagnose::{self, Style};
use crate::repl::{self, End, History, Screen, Setup, Signal, Source, Trace};
use crate::run::{Dialogue, Event, FINISH, Failure, Job, Pauses};
use crate::session::Workspace;

/// How inputs are called where a script's name is wanted.
const NAME: &str = "<repl>";

const EXAMPLES: &str = "\
Examples:
  rhaven repl                                  type goto(\"https://example.com\"), then title()
  rhaven repl --session acme                   with a session, which is saved at the end
  echo 'goto(\"https://example.com\"); title()' | rhaven repl
  rhaven repl --attach 5f0c..                  in a live browser of a server, whose token is in RHAVEN_TOKEN
  rhaven docs repl                             commands, keys, what is kept

.help lists the commands, Tab completes, Ctrl-C stops a verb, Ctrl-D ends. `.save FILE` writes what worked as a script. \
From a pipe: values as JSON lines on stdout; the exit code is that of the first input that failed.";

/// Arguments of `repl`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplArgs {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    attach: AttachArgs,
}

/// Talks until the end, then saves and closes.
pub(super) async fn execute(
    args: ReplArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    let script = Script { text: String::new(), name: NAME.to_owned(), import_root: environment.working_folder.clone() };
    let job = args.job.job(script, "rhaven repl".to_owned(), settings, environment, terminal)?;
    let mut interrupts = Interrupts::catch_all().map_err(|error| no_signals(&error))?;
    let attached = tokio::select! {
        attached = args.attach.browser(environment) => attached?,
        _ = interrupts.which() => return Ok(INTERRUPTED),
    };
    // What dead runs left is cleared away while this one starts.
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let workspace = match attached {
        Some(browser) => {
            terminal.note("attached to a live browser, which goes on when this ends; what is in it its server saves");
            Workspace::visiting(job.workspace.clone(), browser)
        }
        None => Workspace::new(job.workspace.clone()),
    };
    let trace = Trace::default();
    let setup = setup(&job, trace.clone(), settings, environment, terminal);
    let unread = CancellationToken::new();
    let shown = Events::lines(terminal.clone(), unread.clone());
    let events = move |event: Event| {
        trace.hear(&event);
        shown.show(event);
    };
    let opened = tokio::select! {
        opened = Dialogue::open(&workspace, job, events) => Some(opened),
        _ = interrupts.which() => None,
    };
    let finish = workspace.finish(Deadline::after(FINISH));
    let mut dialogue = match opened {
        Some(Ok(dialogue)) => dialogue,
        Some(Err(mut failure)) => {
            settings.explain_missing_browser(&mut failure);
            return attended(finish, &mut interrupts, terminal).await.map_or(Ok(INTERRUPTED), |_| Err(failure));
        }
        None => {
            if let Some(outcomes) = attended(finish, &mut interrupts, terminal).await {
                terminal.sessions(&outcomes, None);
            }
            return Ok(INTERRUPTED);
        }
    };
    let end = Box::pin(talk(&mut dialogue, setup, &mut interrupts, &unread)).await;
    let finished = attended(dialogue.finish(Deadline::after(FINISH)), &mut interrupts, terminal).await;
    // Nothing to do about it where it failed: it is tried again at the next start.
    let _ = reaping.await;
    let Some(outcomes) = finished else { return Ok(INTERRUPTED) };
    terminal.sessions(&outcomes, None);
    Ok(match end {
        End { terminated: true, .. } => INTERRUPTED,
        End { code: 0, .. } => diagnose::saving_exit_code(&outcomes),
        End { code, .. } => code,
    })
}

/// Waits for the end of the work, which a signal cuts short.
async fn attended<T>(work: impl Future<Output = T>, interrupts: &mut Interrupts, terminal: &Terminal) -> Option<T> {
    tokio::select! {
        answer = work => Some(answer),
        _ = interrupts.which() => {
            terminal.say("interrupted again: ending now");
            None
        }
    }
}

/// Converses, signals being passed on as they come; also that stdout is `unread`.
async fn talk(dialogue: &mut Dialogue, setup: Setup, interrupts: &mut Interrupts, unread: &CancellationToken) -> End {
    let (sender, mut signals) = mpsc::unbounded_channel();
    let mut talking = Box::pin(repl::converse(dialogue, setup, &mut signals));
    let mut told = false;
    loop {
        // A signal is known of before the next input begins.
        tokio::select! {
            biased;
            // The receiver is in our hand.
            signal = interrupts.which() => drop(sender.send(signal)),
            () = unread.cancelled(), if !told => {
                told = true;
                let _ = sender.send(Signal::Unread);
            }
            end = &mut talking => {
                if end.terminated {
                    interrupts.know_hangup();
                }
                return end;
            }
        }
    }
}

fn setup(job: &Job, trace: Trace, settings: &Settings, environment: &Environment, terminal: &Terminal) -> Setup {
    let is_terminal = std::io::stdin().is_terminal() && terminal.out_tty;
    let history = Some(History::of(&settings.home, project(&environment.working_folder)));
    Setup {
        screen: Arc::new(terminal.clone()),
        source: if is_terminal {
            Source::Terminal { history, color: terminal.out_style.color, apart: false }
        } else {
            Source::Pipe
        },
        working_folder: environment.working_folder.clone(),
        import_root: job.import_root.clone(),
        session: job.session.clone(),
        args: job.args.keys().cloned().collect(),
        secrets: job.secrets.clone(),
        env: job.env.keys().cloned().collect(),
        trace,
        launches: {
            let plan = (launch(true, settings, environment), launch(false, settings, environment));
            let plan = (plan.0.map_err(Failure::from), plan.1.map_err(Failure::from));
            Arc::new(move |headed| if headed { plan.0.clone() } else { plan.1.clone() }.map_err(Box::new))
        },
        explain: settings.explainer(),
        headed: job.workspace.launch.headed,
        json: terminal.json,
        quiet: !terminal.loud(),
    }
}

/// The folder that the history belongs to: that of the nearest `rhaven.toml`, else the working folder.
fn project(working_folder: &Path) -> &Path {
    working_folder.ancestors().find(|folder| folder.join(FILE_NAME).is_file()).unwrap_or(working_folder)
}

pub(super) fn no_signals(error: &std::io::Error) -> CliError {
    CliError::Value { what: "signals".to_owned(), reason: error.to_string() }
}

impl Screen for Terminal {
    fn value(&self, text: &str) -> bool {
        self.data(text)
    }

    fn say(&self, text: &str) {
        Self::say(self, text);
    }

    fn style(&self) -> Style {
        self.style
    }
}

/// A terminal whose stdout belongs to the script that paused: values are shown on stderr.
struct Apart(Terminal);

impl Screen for Apart {
    fn value(&self, text: &str) -> bool {
        self.0.say(text);
        true
    }

    fn say(&self, text: &str) {
        self.0.say(text);
    }

    fn style(&self) -> Style {
        self.0.style
    }
}

/// The pauses of a script that runs where a person sits; none where there is nobody.
pub(super) struct Paused {
    dialogues: mpsc::UnboundedReceiver<Dialogue>,
    setup: Setup,
}

impl Paused {
    /// Takes the pauses of `job`, where stdin and stderr are a terminal. `trace` has to hear the job's events.
    pub fn take(
        job: &mut Job,
        trace: &Trace,
        settings: &Settings,
        environment: &Environment,
        terminal: &Terminal,
    ) -> Self {
        let (sender, dialogues) = mpsc::unbounded_channel();
        let mut setup = setup(job, trace.clone(), settings, environment, terminal);
        setup.screen = Arc::new(Apart(terminal.clone()));
        let history = Some(History::of(&settings.home, project(&environment.working_folder)));
        setup.source = Source::Terminal { history, color: terminal.style.color, apart: true };
        // What the script opened it with stands in the script.
        setup.session = None;
        if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            // One that nobody takes any more is dropped, and the script goes on.
            job.pauses = Pauses(Some(Arc::new(move |dialogue| drop(sender.send(dialogue)))));
        }
        Self { dialogues, setup }
    }

    /// The next pause; never where there is none.
    pub async fn next(&mut self) -> Dialogue {
        match self.dialogues.recv().await {
            Some(dialogue) => dialogue,
            None => std::future::pending().await,
        }
    }

    /// Talks until the person lets the script go on. Where the talk ended otherwise (a signal, `.quit`, a terminal that is gone)
    /// the script is stopped and its run told by `cancel`; answers whether it was.
    pub async fn hold(&self, mut dialogue: Dialogue, interrupts: &mut Interrupts, cancel: &CancellationToken) -> bool {
        // Where the system refuses, the line editor still finds out that the terminal is gone.
        let _ = interrupts.catch_hangup();
        let end = Box::pin(talk(&mut dialogue, self.setup.clone(), interrupts, &CancellationToken::new())).await;
        if end.terminated {
            cancel.cancel();
            dialogue.abandon();
        } else {
            dialogue.finish(Deadline::after(FINISH)).await;
        }
        end.terminated
    }
}
