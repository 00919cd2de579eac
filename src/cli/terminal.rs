//! Writing for people (stderr) and for programs (stdout). A reader that has gone away is never an error to panic about.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use serde_json::Value;

use super::args::{ColorWhen, Global};
use super::environment::Environment;
use crate::diagnose::{self, Script, Style, Tone, after_failure, session_lines, visible_json};
use crate::run::Failure;
use crate::session::SessionOutcome;

/// Columns where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 100;

/// How much to say on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Errors only.
    Quiet,
    Normal,
    /// Each verb, every change.
    Verbose,
}

/// How to talk to whoever started us. Cheap to clone; all clones know when stdout's reader has gone.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    /// How text on stderr looks.
    pub style: Style,
    /// How tables on stdout look.
    pub out_style: Style,
    pub loudness: Loudness,
    /// One JSON document on stdout.
    pub json: bool,
    /// Whether stdout is a terminal, where JSON is laid out for people.
    pub out_tty: bool,
    /// Set once stdout's reader has gone.
    closed: Arc<AtomicBool>,
}

impl Terminal {
    /// What flags, environment and configuration say, and what the terminal can do.
    pub fn new(flags: &Global, environment: &Environment, color: Option<ColorWhen>) -> Self {
        let when = flags.color.or(color).unwrap_or(ColorWhen::Auto);
        let dumb = environment.path("TERM").is_some_and(|term| term.as_os_str() == "dumb");
        let style = |is_terminal: bool, width: usize| Style {
            width,
            color: match when {
                ColorWhen::Always => true,
                ColorWhen::Never => false,
                ColorWhen::Auto => is_terminal && !dumb && !environment.is_set("NO_COLOR"),
            },
            unicode: !is_terminal || (!dumb && speaks_unicode(environment)),
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            style: style(err, width(io::stderr())),
            out_style: style(out, width(io::stdout())),
            loudness: match flags.verbose {
                _ if flags.quiet => Loudness::Quiet,
                0 => Loudness::Normal,
                _ => Loudness::Verbose,
            },
            json: flags.json,
            out_tty: out,
            closed: Arc::default(),
        }
    }

    /// Without anything known.
    pub fn plain() -> Self {
        Self::new(&Global::default(), &Environment::default(), None)
    }

    /// A line for people that `--quiet` drops.
    pub fn note(&self, line: &str) {
        if self.loud() {
            self.say(line);
        }
    }

    /// A line for people.
    pub fn say(&self, line: &str) {
        self.say_text(&format!("{line}\n"));
    }

    /// Text for people that ends with a newline.
    fn say_text(&self, text: &str) {
        let choice = if self.style.color { ColorChoice::Always } else { ColorChoice::Never };
        // Where stderr is closed there is nobody to tell.
        let _ = AutoStream::new(io::stderr(), choice).lock().write_all(text.as_bytes());
    }

    /// A line of data, flushed, so that the next program in a pipe has it at once. False where nobody reads any more.
    pub fn data(&self, line: &str) -> bool {
        if self.closed() {
            return false;
        }
        let mut out = io::stdout().lock();
        let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        if written.is_err() {
            self.closed.store(true, Ordering::Relaxed);
        }
        written.is_ok()
    }

    /// A JSON value as data: laid out on a terminal, one line otherwise.
    pub fn value(&self, value: &Value) -> bool {
        if self.out_tty { self.data(&visible_json(&format!("{value:#}"))) } else { self.value_line(value) }
    }

    /// A JSON value as data, on one line.
    pub fn value_line(&self, value: &Value) -> bool {
        let line = value.to_string();
        if self.out_tty { self.data(&visible_json(&line)) } else { self.data(&line) }
    }

    /// What became of sessions, for people.
    pub fn sessions(&self, sessions: &[SessionOutcome], shown: Option<&Failure>) {
        for session in sessions {
            let session = after_failure(session, shown);
            for line in session_lines(&session, self.verbose(), self.style) {
                self.note(&line);
            }
        }
    }

    /// Whether anything is wanted.
    pub fn loud(&self) -> bool {
        self.loudness != Loudness::Quiet
    }

    /// Whether everything is wanted.
    pub fn verbose(&self) -> bool {
        self.loudness == Loudness::Verbose
    }

    /// Whether stdout's reader has gone.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Shows why a command could not do its work; the exit code.
    pub fn fail(&self, failure: &Failure) -> u8 {
        let code = diagnose::exit_code(failure.kind);
        if self.json {
            self.value(&serde_json::json!({ "ok": false, "exit_code": code, "failure": failure }));
        } else {
            self.failure(failure, &Script::NONE);
        }
        code
    }

    /// Shows a failure, with its place in `script`.
    pub fn failure(&self, failure: &Failure, script: &Script<'_>) {
        self.say_text(&diagnose::render(failure, script, self.style_now()));
    }

    /// How text on stderr looks now: windows are made narrower and wider.
    pub fn style_now(&self) -> Style {
        Style { width: width(io::stderr()), ..self.style }
    }

    /// The columns of stderr now, be they few or many.
    pub fn columns_now(&self) -> usize {
        columns(io::stderr()).unwrap_or(self.style.width)
    }

    /// `text` on stderr in `tone`.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        self.style.paint(tone, text)
    }
}

/// Only a locale that is set and says otherwise speaks against it: containers mostly have none and show UTF-8 well.
fn speaks_unicode(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.text(name).ok().flatten());
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

fn width(stream: impl std::os::fd::AsFd) -> usize {
    columns(stream).map_or(DEFAULT_WIDTH, |columns| columns.clamp(40, 140))
}

fn columns(stream: impl std::os::fd::AsFd) -> Option<usize> {
    let columns = rustix::termios::tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_col));
    Some(columns).filter(|columns| *columns > 0)
}
