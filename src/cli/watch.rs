//! `rhaven watch`: keys and signals into orders, and the end.

use std::io::IsTerminal as _;

use tokio::sync::{mpsc, watch as latest};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::environment::Environment;
use super::error::CliError;
use super::interrupt::{INTERRUPTED, Interrupts};
use super::job::{self, JobArgs, Script, TimeArgs};
use super::keys::{CTRL_Z, Keys, Suspended};
use super::repl::{Paused, no_signals};
use super::screen::WatchScreen;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::diagnose;
use crate::files::FilesError;
use crate::repl::Trace;
use crate::session::SessionOutcome;
use crate::watch::{News, Order, Plan, watch};

/// Orders that may wait; more keys than this in one go are nobody's wish.
const ORDERS: usize = 16;

const EXAMPLES: &str = "\
Examples:
  rhaven watch orders.rhai --session acme
  rhaven watch orders.rhai --headed --slow-mo 250ms
  rhaven watch orders.rhai --keep-state --arg days=30

The script is run again whenever it, or a module that it imports, has changed. The browser stays; the state of sessions is put back \
to what it was before the first run, and saved once, at the end. Keys: r runs it again, p lets changes wait, h shows or \
hides the browser's window, s takes a screenshot, q quits. Flags are those of rhaven run; rhaven docs watch tells more.";

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArgs {
    /// The script
    file: String,
    /// Each run goes on from where the last one ended, and is saved
    #[arg(long)]
    keep_state: bool,
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    time: TimeArgs,
}

/// Watches until it is told to quit; the exit code is that of the last run.
pub(super) async fn execute(
    args: WatchArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    if args.file == "-" {
        let reason = "stdin does not change; give a file".to_owned();
        return Err(CliError::Value { what: "rhaven watch".to_owned(), reason }.into());
    }
    let script = Script::read(&args.file, environment)?;
    let holder = format!("rhaven watch {}", script.name);
    let mut job = args.job.job(script, holder, settings, environment, terminal)?;
    args.time.limit(&mut job);
    let file = environment.working_folder.join(&args.file);
    let headed = job.workspace.launch.headed;
    let trace = Trace::default();
    let mut paused = Paused::take(&mut job, &trace, settings, environment, terminal);
    let plan = Plan { job, file, keep_state: args.keep_state };
    // With a terminal that goes away the person is gone, too.
    let has_terminal = std::io::stdin().is_terminal();
    let caught = if has_terminal { Interrupts::catch_all() } else { Interrupts::catch() };
    let mut interrupts = caught.map_err(|error| no_signals(&error))?;
    // What dead runs left is cleared away while this one starts.
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let quit = CancellationToken::new();
    // Signals are caught before the terminal is changed: none can leave it so.
    let keys = Keys::open();
    let screen = WatchScreen::new(&args.file, terminal, settings, environment, quit.clone(), keys.is_some());
    screen.begin();
    let (give, orders) = mpsc::channel(ORDERS);
    let (hold, is_held) = latest::channel(false);
    let shown = screen.clone();
    let mut watching = std::pin::pin!(watch(plan, orders, is_held, quit.clone(), move |news| {
        if let News::Event(event) = &news {
            trace.hear(event);
        }
        shown.show(news);
    }));
    let mut desk = Desk { keys, screen: screen.clone(), settings, environment, give, hold, quit, headed };
    let mut interrupted = false;
    let ended = loop {
        tokio::select! {
            ended = &mut watching => break ended,
            () = interrupts.next() => {
                if desk.quit.is_cancelled() {
                    desk.screen.say("interrupted again: ending now");
                    return Ok(INTERRUPTED);
                }
                interrupted = true;
                desk.screen.say("interrupted: stopping, saving the session; once more ends at once");
                desk.quit.cancel();
            }
            dialogue = paused.next() => {
                let quit = desk.quit.clone();
                let handed_over = desk.hand_over();
                let ended = {
                    let mut talk = std::pin::pin!(paused.hold(dialogue, &mut interrupts, &quit));
                    loop {
                        // The run goes on meanwhile: its time may be over before the person is done.
                        tokio::select! {
                            ended = &mut watching => break Some(ended),
                            terminated = &mut talk => {
                                interrupted |= terminated;
                                break None;
                            }
                            () = desk.serve_suspended() => {}
                        }
                    }
                };
                if let Some(ended) = ended {
                    break ended;
                }
                desk.take_back(handed_over);
            }
            () = desk.serve() => {}
        }
    };
    drop(desk);
    // Nothing to do about it where it failed: it is tried again at the next start.
    let _ = reaping.await;
    conclude(ended, &screen, interrupted)
}

fn conclude(ended: Result<Vec<SessionOutcome>, FilesError>, screen: &WatchScreen, interrupted: bool) -> Outcome {
    let saved = ended.map_err(|error| diagnose::usage_failure(error.code(), error.to_string(), None))?;
    let code = screen.end(&saved);
    Ok(if interrupted { INTERRUPTED } else { code })
}

/// Whoever sits at the terminal.
struct Desk<'a> {
    keys: Option<Keys>,
    screen: WatchScreen,
    settings: &'a Settings,
    environment: &'a Environment,
    give: mpsc::Sender<Order>,
    /// Whether changes wait because a person is at work in the script.
    hold: latest::Sender<bool>,
    quit: CancellationToken,
    /// Whether the browser has a window, or will have one once it was started anew.
    headed: bool,
}

impl Desk<'_> {
    /// Waits for one key and does what it means; pends for ever without a terminal.
    async fn serve(&mut self) {
        let Some(keys) = &mut self.keys else { return std::future::pending().await };
        match keys.next().await {
            CTRL_Z => {
                self.screen.hide();
                keys.stand_still();
                self.screen.say("going on");
            }
            'r' => {
                self.order(Order::Rerun);
            }
            'p' => {
                self.order(Order::Pause);
            }
            's' => {
                self.order(Order::Screenshot);
            }
            'h' => self.toggle_window(),
            'q' => {
                self.screen.say("quitting: saving the session, closing the browser; Ctrl-C ends at once");
                self.quit.cancel();
            }
            _ => self.screen.explain_keys(),
        }
    }

    /// As [`Self::serve`] while a script's `pause()` has the terminal: all keys are its own but Ctrl-Z, which is a signal.
    async fn serve_suspended(&mut self) {
        let Some(keys) = &mut self.keys else { return std::future::pending().await };
        keys.stopped().await;
        keys.stand_still_suspended().await;
        self.screen.say("going on: the script is still paused");
    }

    /// Lets a script's `pause()` have the terminal.
    fn hand_over(&self) -> Option<Suspended> {
        self.hold.send_replace(true);
        self.screen.share(true);
        self.keys.as_ref().and_then(Keys::suspend)
    }

    fn take_back(&mut self, handed_over: Option<Suspended>) {
        if let Some(keys) = &mut self.keys {
            keys.forget();
        }
        drop(handed_over);
        self.screen.share(false);
        self.hold.send_replace(false);
    }

    fn toggle_window(&mut self) {
        match job::launch(!self.headed, self.settings, self.environment) {
            Ok(launch) => {
                let window = if self.headed { "without" } else { "with" };
                if self.order(Order::Restart(Box::new(launch))) {
                    self.headed = !self.headed;
                    self.screen.say(&format!("another browser, {window} a window"));
                }
            }
            Err(error) => self.screen.fail(&error.into()),
        }
    }

    /// Whether the order was taken: not where there are too many at once, or where it is ending.
    fn order(&self, order: Order) -> bool {
        self.give.try_send(order).is_ok()
    }
}
