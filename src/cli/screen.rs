//! What watch mode shows: results on stdout, everything for people on stderr; on a terminal a status line below it all.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::events::Events;
use super::job::read_import;
use super::keys::is_ours;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::show_duration;
use crate::diagnose::{self, Tone, visible_line};
use crate::files::write_numbered;
use crate::repl::Explain;
use crate::run::{Failure, Report};
use crate::session::SessionOutcome;
use crate::watch::News;

const KEYS: &str = "r rerun  p pause  h headed  s screenshot  q quit";
const KEYS_AT_LENGTH: &str = "\
  r  run it again as it is
  p  let changes wait, or no longer
  h  another browser, with a window or without
  s  a screenshot of the page, into a new file
  q  quit: the session is saved, the browser closed (Ctrl-C does so too, and twice ends at once)";

/// Cheap to clone; the clones draw on one screen.
#[derive(Clone)]
pub(super) struct WatchScreen(Arc<Inner>);

struct Inner {
    terminal: Terminal,
    quit: CancellationToken,
    working_folder: PathBuf,
    /// What is watched, as it was named.
    script: PathBuf,
    /// Knows more of a browser that is not there.
    explain: Explain,
    /// Whether keys are read, so that a status line is of use.
    has_keys: bool,
    state: Mutex<State>,
}

/// The last line of the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing stands there.
    Free,
    /// The status: that many characters.
    Drawn(usize),
    /// Somebody else draws there.
    Shared,
}

struct State {
    events: Events,
    runs: usize,
    running: bool,
    paused: bool,
    /// The last run's exit code.
    code: u8,
    line: Line,
}

impl WatchScreen {
    /// The screen for a watch over `script`.
    pub fn new(
        script: &str,
        terminal: &Terminal,
        settings: &Settings,
        environment: &Environment,
        quit: CancellationToken,
        has_keys: bool,
    ) -> Self {
        let state = State {
            events: Events::new(terminal.clone(), quit.clone()),
            runs: 0,
            running: false,
            paused: false,
            code: 0,
            line: Line::Free,
        };
        Self(Arc::new(Inner {
            terminal: terminal.clone(),
            quit,
            working_folder: environment.working_folder.clone(),
            script: PathBuf::from(script),
            explain: settings.explainer(),
            has_keys: has_keys && std::io::IsTerminal::is_terminal(&std::io::stderr()) && terminal.loud(),
            state: Mutex::new(state),
        }))
    }

    /// Says what is watched.
    pub fn begin(&self) {
        let script = visible_line(&self.0.script.display().to_string());
        self.drawing(|screen, _| {
            screen.terminal.note(&format!("watching {}", screen.terminal.paint(Tone::Strong, &script)));
        });
    }

    /// A line for people.
    pub fn say(&self, line: &str) {
        self.drawing(|screen, _| screen.terminal.note(line));
    }

    /// Leaves the last line to somebody else, or takes it back.
    pub fn share(&self, shared: bool) {
        let mut state = self.0.state();
        self.0.erase(&mut state);
        state.line = if shared { Line::Shared } else { Line::Free };
        self.0.draw_status(&mut state);
    }

    /// Takes the status line away until something is shown again.
    pub fn hide(&self) {
        self.0.erase(&mut self.0.state());
    }

    pub fn explain_keys(&self) {
        self.say(KEYS_AT_LENGTH);
    }

    pub fn fail(&self, failure: &Failure) {
        self.drawing(|screen, _| screen.terminal.failure(failure, &diagnose::Script::NONE));
    }

    /// Shows what happened; of a screenshot once it is on the disk. For a runtime's thread.
    pub fn show(&self, news: News) {
        if let News::Screenshot(picture) = news {
            let screen = self.clone();
            // A disk may take its time, and everybody waits for whoever draws.
            drop(tokio::task::spawn_blocking(move || screen.save(&picture)));
            return;
        }
        let imported = self.0.imported(&news);
        self.drawing(|screen, state| screen.show(state, news, imported.as_deref()));
    }

    /// Into a file of its own beside others, never over one.
    fn save(&self, picture: &[u8]) {
        let stem = self.0.script.file_stem().unwrap_or_default().to_string_lossy();
        let line = match write_numbered(&self.0.working_folder, &stem, "png", picture) {
            Ok(name) => format!("screenshot: {}", visible_line(&name)),
            Err(error) => return self.drawing(|screen, _| screen.terminal.say(&unwritten(&error))),
        };
        self.say(&line);
    }

    /// Shows what was saved at the end; the exit code.
    pub fn end(&self, saved: &[SessionOutcome]) -> u8 {
        let mut state = self.0.state();
        self.0.erase(&mut state);
        let terminal = &self.0.terminal;
        if terminal.closed() {
            return state.code;
        }
        if terminal.json {
            terminal.value(&serde_json::json!({ "sessions": saved }));
        }
        terminal.sessions(saved, None);
        if state.code == 0 { diagnose::saving_exit_code(saved) } else { state.code }
    }

    /// Takes the status line away, draws, and puts it back.
    fn drawing(&self, draw: impl FnOnce(&Inner, &mut State)) {
        let mut state = self.0.state();
        // A reader of stdout that went away ends it, and that is nothing to be told of.
        if self.0.terminal.closed() {
            return;
        }
        self.0.erase(&mut state);
        draw(&self.0, &mut state);
        self.0.draw_status(&mut state);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_status(&self, state: &mut State) {
        // In the background the line below is the shell's.
        if !self.has_keys || state.line == Line::Shared || self.quit.is_cancelled() || !is_ours() {
            return;
        }
        let doing = match (state.running, state.paused) {
            (true, _) => "running",
            (false, true) => "paused, changes wait",
            (false, false) => "waiting for changes",
        };
        // One column stays free: a line that is full wraps.
        let room = self.terminal.columns_now().saturating_sub(1);
        let text: String = format!("{doing}  {KEYS}").chars().take(room).collect();
        raw(&self.terminal.paint(Tone::Faint, &text));
        state.line = Line::Drawn(text.chars().count());
    }

    fn erase(&self, state: &mut State) {
        if let Line::Drawn(length) = state.line {
            state.line = Line::Free;
            raw(&erasing(length, self.terminal.columns_now()));
        }
    }

    /// The text of the module that failed, where one did. Read before the screen is taken: reading may take its time.
    fn imported(&self, news: &News) -> Option<String> {
        let (News::Ended { report, .. } | News::Refused { report, .. }) = news else { return None };
        let file = report.failure.as_ref()?.place.as_ref()?.file.as_deref()?;
        let script = self.working_folder.join(&self.script);
        read_import(script.parent().unwrap_or(&self.working_folder), file)
    }

    /// `imported` is the module that failed, where one did.
    fn show(&self, state: &mut State, news: News, imported: Option<&str>) {
        let terminal = &self.terminal;
        match news {
            News::Event(event) => state.events.show(event),
            News::Started { changed } => {
                // Steps of a run that was stopped stay open for ever.
                state.events = Events::new(terminal.clone(), self.quit.clone());
                state.runs += 1;
                state.running = true;
                if changed.is_empty() && state.runs > 1 {
                    terminal.note("running it again");
                }
                self.changed(&changed);
            }
            News::Ended { report, superseded } => {
                state.running = false;
                let stopped = report.failure.as_ref().is_some_and(|failure| failure.code == "cancelled");
                if superseded && stopped {
                    self.rule(state, "stopped for a newer one", Tone::Faint, &report);
                } else {
                    self.report(state, *report, imported);
                }
            }
            News::Refused { changed, report } => {
                self.changed(&changed);
                self.refused(state, &report, imported);
            }
            News::Paused(paused) => {
                state.paused = paused;
                terminal.note(if paused { "paused: changes wait; p goes on" } else { "going on" });
            }
            // Shown once it is saved.
            News::Screenshot(_) => {}
            News::NoPage => terminal.note("there is no page to take a screenshot of"),
            News::ScreenshotFailed(failure) => terminal.failure(&failure, &diagnose::Script::NONE),
            News::BrowserGone => terminal.note("the browser ended; another one starts"),
        }
    }

    fn changed(&self, files: &[PathBuf]) {
        if !files.is_empty() {
            let names: Vec<_> = files.iter().map(|file| self.name(file)).collect();
            self.terminal.note(&format!("changed: {}", self.terminal.paint(Tone::Strong, &names.join(", "))));
        }
    }

    /// As one would type it here.
    fn name(&self, file: &Path) -> String {
        visible_line(&file.strip_prefix(&self.working_folder).unwrap_or(file).display().to_string())
    }

    fn report(&self, state: &mut State, mut report: Report, imported: Option<&str>) {
        if let Some(failure) = &mut report.failure {
            (self.explain)(failure);
        }
        state.code = diagnose::report_exit_code(&report);
        self.result(&report, &state.events.emitted());
        self.failure(&report, imported);
        self.terminal.sessions(&report.sessions, report.failure.as_ref());
        match &report.failure {
            Some(failure) => self.rule(state, &visible_line(&failure.code), Tone::Bad, &report),
            None => self.rule(state, "ok", Tone::Good, &report),
        }
    }

    fn refused(&self, state: &mut State, report: &Report, imported: Option<&str>) {
        if state.runs == 0 {
            state.code = diagnose::report_exit_code(report);
        }
        if self.terminal.json {
            // It has emitted nothing: what was, the run under way did, and tells at its own end.
            self.result(report, &[]);
        }
        self.failure(report, imported);
        self.terminal.note(match (state.running, state.runs) {
            (true, _) => "the run under way goes on",
            (false, 0) => "nothing has run yet",
            (false, _) => "the last result stands",
        });
    }

    fn result(&self, report: &Report, emitted: &[serde_json::Value]) {
        let told = if self.terminal.json {
            self.terminal.value(&diagnose::document(report, emitted))
        } else {
            report.result.is_null() || self.terminal.value(&report.result)
        };
        if !told {
            // Nobody reads any more.
            self.quit.cancel();
        }
    }

    fn failure(&self, report: &Report, imported: Option<&str>) {
        let Some(failure) = &report.failure else { return };
        let imported = |_: &str| imported.map(str::to_owned);
        let script = diagnose::Script { name: &report.name, text: &report.source, imported: &imported };
        self.terminal.failure(failure, &script);
    }

    /// Closes a run: when, which, how it ended and how long it took.
    fn rule(&self, state: &State, ending: &str, tone: Tone, report: &Report) {
        let (run, span) = (state.runs, show_duration(report.duration));
        let style = self.terminal.style_now();
        if !self.has_keys {
            return self.terminal.note(&format!("run {run}: {} in {span}", style.paint(tone, ending)));
        }
        let now = jiff::Zoned::now().strftime("%H:%M:%S");
        let dash = if style.unicode { "─" } else { "-" };
        let length = format!("{now} run {run}: {ending} in {span}").chars().count() + 4;
        let rest = dash.repeat(style.width.saturating_sub(length + 1));
        self.terminal.note(&format!("{dash}{dash} {now} run {run}: {} in {span} {rest}", style.paint(tone, ending)));
    }
}

fn unwritten(error: &std::io::Error) -> String {
    format!("the screenshot cannot be written: {error}")
}

/// What takes a line of `length` characters away that the cursor stands behind. In a window that was made narrower it has become
/// several rows.
fn erasing(length: usize, columns: usize) -> String {
    match length.saturating_sub(1) / columns.max(1) {
        0 => "\r\x1b[K".to_owned(),
        above => format!("\r\x1b[{above}A\x1b[J"),
    }
}

fn raw(text: &str) {
    let mut err = std::io::stderr().lock();
    // Where the terminal is gone there is nobody to draw for.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::erasing;

    #[test]
    fn a_line_that_was_wrapped_goes_whole() {
        assert_eq!(erasing(80, 120), "\r\x1b[K");
        assert_eq!(erasing(80, 80), "\r\x1b[K");
        assert_eq!(erasing(81, 40), "\r\x1b[2A\x1b[J");
        assert_eq!(erasing(0, 0), "\r\x1b[K");
    }
}
