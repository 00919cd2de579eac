//! The loop: an input, what it came to, the next one. Beside it, at every moment: signals, and a browser that dies.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::assistant::Assistant;
use super::commands::{Asked, IN_PAUSE, asked, habit};
use super::input::{Heard, Input, Remember};
use super::knowledge::Knowledge;
use super::recipe::Recipe;
use super::{End, History, Setup, Signal, Source};
use crate::base::SessionId;
use crate::diagnose::Tone;
use crate::run::{Dialogue, Turn};
use crate::script::Shown;

/// How inputs are called in messages.
const NAME: &str = "<repl>";
/// The code of a text that is no script.
const NOT_READ: &str = "parse_error";
/// Variables come from memory.
const SOON: Duration = Duration::from_millis(500);

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Quit,
    Terminated,
}

/// How far an input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Well,
    /// It is a script's text; some of it was perhaps not reached.
    Failed,
    /// It is none.
    NotRead,
}

/// One conversation.
pub(super) struct Conversation<'d> {
    pub dialogue: &'d mut Dialogue,
    pub setup: Setup,
    pub recipe: Recipe,
    /// The value that `.show` shows.
    pub last: Option<Shown>,
    /// Whether the browser has a window.
    pub headed: bool,
    /// Clear the screen before the next prompt.
    pub clear: bool,
    pub signals: &'d mut UnboundedReceiver<Signal>,
    assistant: Assistant,
    pub history: Option<History>,
    /// For the editor's own history, without secrets.
    pub remember: Remember,
    /// How many secrets were known when the history was last written.
    pub secrets: usize,
    /// How far the last input got.
    pub ran: Ran,
    code: u8,
    /// The sessions whose loss was said.
    told_leases: BTreeSet<SessionId>,
}

/// What came while nothing ran.
enum Came {
    Heard(Heard),
    Signal(Signal),
    BrowserGone,
    LeaseLost(SessionId),
    /// The script that the pause belongs to.
    Ended,
}

impl<'d> Conversation<'d> {
    pub async fn hold(dialogue: &'d mut Dialogue, setup: Setup, signals: &'d mut UnboundedReceiver<Signal>) -> End {
        let knowledge = Knowledge {
            secrets: setup.secrets.keys().cloned().collect(),
            env: setup.env.clone(),
            modules: modules(&setup),
            ..Knowledge::default()
        };
        let assistant = Assistant::new(dialogue.workspace().clone(), setup.working_folder.clone(), knowledge);
        let history = match &setup.source {
            Source::Terminal { history, .. } => history.clone(),
            Source::Pipe => None,
        };
        let recipe = Recipe::new(setup.session.as_ref().map(crate::base::SessionId::as_str));
        let (headed, code) = (setup.headed, 0);
        let secrets = dialogue.redactor().secrets().len();
        let mut conversation = Self {
            dialogue,
            setup,
            recipe,
            last: None,
            headed,
            clear: false,
            signals,
            assistant,
            history,
            remember: Remember::default(),
            secrets,
            ran: Ran::Well,
            code,
            told_leases: BTreeSet::new(),
        };
        let mut input = match conversation.input().await {
            Ok(input) => input,
            Err(error) => {
                conversation.warn(&format!("the input cannot be read: {error}"));
                return End { code: 1, terminated: false };
            }
        };
        conversation.greet();
        let flow = Box::pin(conversation.talk(&mut input)).await;
        input.restore();
        let code = if conversation.is_terminal() { 0 } else { conversation.code };
        End { code, terminated: flow == Flow::Terminated }
    }

    async fn input(&self) -> std::io::Result<Input> {
        let Source::Terminal { color, apart, .. } = self.setup.source else { return Input::pipe() };
        let history = self.history.clone();
        let loaded = tokio::task::spawn_blocking(move || history.map(|history| history.load()).transpose()).await;
        let entries = match loaded {
            Ok(Ok(entries)) => entries.unwrap_or_default(),
            Ok(Err(error)) => {
                self.warn(&format!("the history cannot be read: {error}"));
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        Input::terminal(self.assistant.clone(), entries, color, apart)
    }

    fn greet(&self) {
        if self.setup.quiet || !self.is_terminal() {
            return;
        }
        let style = self.setup.screen.style();
        if self.dialogue.is_pause() {
            let line =
                "the script is paused; .vars lists its variables, .continue or Ctrl-D lets it go on, .quit ends it";
            self.setup.screen.say(&style.paint(Tone::Strong, line));
            return;
        }
        let name = format!("rhaven {}", env!("CARGO_PKG_VERSION"));
        self.setup.screen.say(&format!(
            "{}: .help lists the commands, Tab completes, Ctrl-D ends",
            style.paint(Tone::Strong, &name)
        ));
        for session in self.dialogue.workspace().opened() {
            let from = session.version.map_or_else(|| "new".to_owned(), |version| format!("restored {version}"));
            self.setup.screen.say(&format!("session {}: {from}", style.paint(Tone::Strong, session.id.as_str())));
        }
    }

    async fn talk(&mut self, input: &mut Input) -> Flow {
        loop {
            self.renew_knowledge().await;
            input.ask(self.prompt(), std::mem::take(&mut self.remember), std::mem::take(&mut self.clear));
            let flow = match self.listen(input).await {
                Ok(Heard::Text(text)) => Box::pin(self.hear(&text)).await,
                Ok(Heard::Cancelled { was_empty }) => {
                    if was_empty {
                        self.note(self.way_out());
                    }
                    Flow::On
                }
                Ok(Heard::Garbage) => {
                    self.warn("what was typed is no text (UTF-8)");
                    Flow::On
                }
                Ok(Heard::End) => Flow::Quit,
                Ok(Heard::Gone) => Flow::Terminated,
                Err(flow) => flow,
            };
            if flow != Flow::On {
                return flow;
            }
        }
    }

    /// Waits for the next input, and sees to what else happens.
    async fn listen(&mut self, input: &mut Input) -> Result<Heard, Flow> {
        loop {
            let workspace = self.dialogue.workspace().clone();
            let is_pause = self.dialogue.is_pause();
            // A pipe always has a next line: what else there is comes first.
            let came = tokio::select! {
                biased;
                signal = next_signal(self.signals) => Came::Signal(signal),
                () = workspace.browser_gone() => Came::BrowserGone,
                id = workspace.lease_lost(&self.told_leases) => Came::LeaseLost(id),
                () = self.dialogue.ended(), if is_pause => Came::Ended,
                heard = input.next() => Came::Heard(heard),
            };
            match came {
                Came::Heard(heard) => return Ok(heard),
                // The line editor takes Ctrl-C as a key; one that comes as a signal came between two lines.
                Came::Signal(Signal::Interrupt) if self.is_terminal() => {
                    self.say_above(input, self.way_out());
                }
                Came::Signal(signal) => return Err(self.meaning(signal)),
                Came::BrowserGone if workspace.is_visiting() => {
                    self.say_above(input, "the live browser, or its server, has ended: nothing is left to be driven");
                    self.fail(3);
                    return Err(Flow::Quit);
                }
                Came::BrowserGone => {
                    let text = "the browser died; a new one starts with the next verb; sessions are as last saved";
                    self.say_above(input, text);
                    let restarted = attend(self.signals, self.dialogue.restart(None)).await;
                    // They are opened again.
                    self.told_leases.clear();
                    let flow = restarted.map_or_else(|signal| self.meaning(signal), |()| Flow::On);
                    if flow != Flow::On {
                        return Err(flow);
                    }
                }
                Came::LeaseLost(id) => {
                    let text = format!("the lease of session {id} is lost: what follows in it is not saved");
                    self.told_leases.insert(id);
                    self.say_above(input, &text);
                }
                Came::Ended => {
                    self.say_above(input, "the script was stopped; its pause is over");
                    return Err(Flow::Quit);
                }
            }
        }
    }

    /// Says something while a line is being typed.
    fn say_above(&self, input: &Input, text: &str) {
        let line = format!("{} {text}", self.setup.screen.style().paint(Tone::Warning, "note:"));
        if !input.print_above(&line) {
            self.setup.screen.say(&line);
        }
    }

    /// A command or a script's text.
    async fn hear(&mut self, text: &str) -> Flow {
        if text.trim().is_empty() {
            return Flow::On;
        }
        self.ran = Ran::Well;
        let flow = match asked(text) {
            Some(Asked::Known(name, argument)) => self.answer(name, argument).await,
            Some(Asked::Unknown(name, near)) => {
                let near =
                    near.map_or_else(|| "; .help lists them".to_owned(), |near| format!("; did you mean .{near}?"));
                self.fail(1);
                self.warn(&format!("there is no command .{name}{near}"));
                Flow::On
            }
            None => match habit(text, self.dialogue.is_pause()).filter(|_| !self.is_variable(text)) {
                Some(answer) => {
                    self.note(answer);
                    Flow::On
                }
                None => self.evaluate(text, NAME).await,
            },
        };
        self.keep(text).await;
        flow
    }

    /// Runs a text; `name` is how messages call it.
    pub async fn evaluate(&mut self, text: &str, name: &str) -> Flow {
        self.ran = Ran::Failed;
        let (turn, flow) = self.say(text).await;
        let Some(turn) = turn else { return flow };
        self.ran = match &turn.failure {
            None => Ran::Well,
            Some(failure) if failure.code == NOT_READ => Ran::NotRead,
            Some(_) => Ran::Failed,
        };
        self.recipe.note(turn.number, &turn.worked, turn.change());
        let is_shown = self.show(turn.value).await;
        // Where nobody reads any more nobody wants to know what that stopped.
        if let Some(failure) = turn.failure.filter(|_| flow != Flow::Quit) {
            self.show_failure(failure, name, text);
        }
        if is_shown { flow } else { Flow::Quit }
    }

    /// Runs a text, stopping it where a signal says so; nothing where it was given up.
    pub async fn say(&mut self, text: &str) -> (Option<Turn>, Flow) {
        let cancel = CancellationToken::new();
        let trace = self.setup.trace.clone();
        trace.begin();
        let is_terminal = self.is_terminal();
        let mut flow = Flow::On;
        let turn = {
            let mut saying = std::pin::pin!(self.dialogue.say(text, cancel.clone()));
            loop {
                tokio::select! {
                    biased;
                    turn = &mut saying => break turn,
                    signal = next_signal(self.signals) => {
                        let meaning = meaning(signal, is_terminal);
                        if meaning == Flow::Terminated && flow == Flow::Terminated {
                            return (None, flow);
                        }
                        if flow != Flow::Terminated {
                            flow = meaning;
                        }
                        cancel.cancel();
                    }
                }
            }
        };
        trace.end(turn.failure.as_ref());
        (Some(turn), flow)
    }

    /// Waits for something that Ctrl-C may cut short.
    pub async fn attended<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Flow> {
        let answer = attend(self.signals, work).await;
        answer.map_err(|signal| self.cut_short(signal))
    }

    /// Whether to go on where a signal cut a wait short; says so where it is.
    pub fn cut_short(&self, signal: Signal) -> Flow {
        let flow = self.meaning(signal);
        if flow == Flow::On {
            self.interrupted();
        }
        flow
    }

    fn meaning(&self, signal: Signal) -> Flow {
        meaning(signal, self.is_terminal())
    }

    /// Says so on a line of its own: the terminal has echoed the key.
    pub fn interrupted(&self) {
        self.note(if self.is_terminal() { "\ninterrupted" } else { "interrupted" });
    }

    /// Counts a failure, the first of which gives a pipe's exit code.
    pub fn fail(&mut self, code: u8) {
        if self.code == 0 {
            self.code = code;
        }
    }

    async fn renew_knowledge(&self) {
        if !self.is_terminal() {
            return;
        }
        if let Ok(variables) = tokio::time::timeout(SOON, self.dialogue.variables()).await {
            self.assistant.learn(|knowledge| knowledge.variables = variables);
        }
        self.assistant.renew_sessions();
    }

    fn way_out(&self) -> &'static str {
        if self.dialogue.is_pause() { IN_PAUSE } else { ".quit ends the REPL" }
    }

    fn is_variable(&self, text: &str) -> bool {
        self.assistant.knows_variable(text.trim().trim_end_matches(';'))
    }

    fn prompt(&self) -> (String, String) {
        let current = self.dialogue.workspace().opened().into_iter().find(|session| session.is_current);
        let name = match current {
            _ if self.dialogue.is_pause() => "paused".to_owned(),
            Some(session) => session.id.to_string(),
            None => "rhaven".to_owned(),
        };
        let style = self.setup.screen.style();
        (format!("{name}> "), format!("{}> ", style.paint(Tone::Strong, &name)))
    }

    pub fn is_terminal(&self) -> bool {
        matches!(self.setup.source, Source::Terminal { .. })
    }

    /// A line for people that `--quiet` drops.
    pub fn note(&self, text: &str) {
        if !self.setup.quiet {
            self.setup.screen.say(text);
        }
    }

    /// A line for people about something that did not work.
    pub fn warn(&self, text: &str) {
        let style = self.setup.screen.style();
        self.setup.screen.say(&format!("{} {}", style.paint(Tone::Bad, "error:"), crate::diagnose::visible(text)));
    }
}

/// What a signal means to the conversation. Ctrl-C stops what a person has begun; a script of lines it ends.
fn meaning(signal: Signal, is_terminal: bool) -> Flow {
    match signal {
        Signal::Interrupt if is_terminal => Flow::On,
        Signal::Interrupt | Signal::Terminate => Flow::Terminated,
        Signal::Unread => Flow::Quit,
    }
}

/// Waits for `work` or for a signal, which ends it.
pub(super) async fn attend<T>(
    signals: &mut UnboundedReceiver<Signal>,
    work: impl Future<Output = T>,
) -> Result<T, Signal> {
    tokio::select! {
        answer = work => Ok(answer),
        signal = next_signal(signals) => Err(signal),
    }
}

/// The next signal; never where nobody sends any more.
async fn next_signal(signals: &mut UnboundedReceiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// The modules beside the script, as an import names them.
fn modules(setup: &Setup) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(&setup.import_root) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned)).take(500).collect();
    names.sort();
    names
}
