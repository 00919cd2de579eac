//! The commands, each as a short function.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::commands::Name;
use super::conversation::{Conversation, Flow, attend};
use super::show::show;
use super::{help, pictures};
use crate::base::{Deadline, SessionId};
use crate::diagnose::visible;
use crate::diagnose::{session_lines, table};
use crate::page::{Page, ScreenshotOptions, Selector, VerbError};
use crate::run::Change;
use crate::script::Shown;

/// How long a look at the page may take.
const LOOK: Duration = Duration::from_secs(10);
/// How long the saving of sessions may take.
const SAVE: Duration = Duration::from_secs(30);
/// Characters of a script that `.load` takes; a longer file was given by mistake.
const LONGEST: u64 = 4 << 20;

impl Conversation<'_> {
    /// Does what a command asks for.
    pub(super) async fn answer(&mut self, name: Name, argument: &str) -> Flow {
        match name {
            // Leaving is not going on: the script is told to end, too.
            Name::Quit if self.dialogue.is_pause() => return Flow::Terminated,
            Name::Quit => return Flow::Quit,
            Name::Continue if self.dialogue.is_pause() => return Flow::Quit,
            Name::Continue => self.problem("nothing is paused; .quit ends the REPL"),
            Name::Help => self.help(argument),
            Name::Code => self.code(),
            Name::Save => self.save(argument).await,
            Name::Load => return self.load(argument).await,
            Name::Undo => return self.undo().await,
            Name::Trace => self.out(&self.setup.trace.show(self.setup.screen.style())),
            Name::Show => self.show_whole(),
            Name::Vars => return self.vars().await,
            Name::Snapshot => return self.snapshot(argument).await,
            Name::Screenshot => return self.screenshot(argument).await,
            Name::Session => return self.session(argument).await,
            Name::Headed => return self.toggle_window().await,
            Name::Clear => self.clear = true,
        }
        Flow::On
    }

    fn help(&mut self, argument: &str) {
        let style = self.setup.screen.style();
        match argument {
            "" => self.out(&help::commands(style)),
            name => match help::about(name, style) {
                Ok(text) => self.out(&text),
                Err(text) => self.problem(&text),
            },
        }
    }

    fn code(&mut self) {
        let code = self.recipe.code(&self.vault());
        if code.is_empty() {
            self.note("nothing has worked yet");
        } else {
            self.out(&visible(&code));
        }
    }

    async fn save(&mut self, argument: &str) {
        if argument.is_empty() {
            return self.problem("a file is wanted: .save orders.rhai");
        }
        let path = self.path(argument);
        let mut recipe = std::mem::take(&mut self.recipe);
        let args = self.setup.args.clone();
        let vault = self.vault();
        let shown = argument.to_owned();
        let saving = tokio::task::spawn_blocking(move || {
            let saved = recipe.save(&path, &shown, &args, &vault);
            (recipe, saved)
        });
        let Ok((recipe, saved)) = saving.await else { return };
        self.recipe = recipe;
        match saved {
            Err(error) => self.problem(&format!("{argument} cannot be written: {error}")),
            Ok(saved) if saved.lines == 0 => self.note(&format!("nothing new for {argument}")),
            Ok(saved) => {
                let lines = if saved.lines == 1 { "1 line".to_owned() } else { format!("{} lines", saved.lines) };
                let verb = if saved.appended { "added" } else { "written" };
                self.note(&format!("{lines} {verb} to {argument}; run it: rhaven run {argument}"));
                let unset: Vec<&str> = saved
                    .secrets
                    .iter()
                    .filter(|name| !self.setup.secrets.contains_key(*name))
                    .map(String::as_str)
                    .collect();
                if !unset.is_empty() {
                    self.note(&format!("it asks for secrets that are not set yet: {}", unset.join(", ")));
                }
            }
        }
    }

    async fn load(&mut self, argument: &str) -> Flow {
        if argument.is_empty() {
            self.problem("a file is wanted: .load orders.rhai");
            return Flow::On;
        }
        let path = self.path(argument);
        let read = tokio::task::spawn_blocking(move || {
            if std::fs::metadata(&path)?.len() > LONGEST {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            std::fs::read_to_string(&path)
        });
        match read.await.map_err(std::io::Error::other).flatten() {
            Ok(text) => self.evaluate(&text, argument).await,
            Err(error) => {
                self.problem(&format!("{argument} cannot be read: {error}"));
                Flow::On
            }
        }
    }

    async fn undo(&mut self) -> Flow {
        let Some((number, change)) = self.recipe.last() else {
            self.problem("there is nothing to take back");
            return Flow::On;
        };
        if change != Change::None {
            // One that was given up may have changed nothing in the end.
            match attend(self.signals, self.dialogue.undo_input(number)).await {
                Ok(undone) if undone || change != Change::Made => {}
                Ok(_) => {
                    self.problem(
                        "that cannot be taken back: it is too long ago, or its variables are too large to be kept",
                    );
                    return Flow::On;
                }
                Err(signal) => return self.cut_short(signal),
            }
        }
        let files = self.recipe.undo();
        self.note("the last input is taken back, and is no longer in .code; pages stay as they are");
        for file in files {
            self.note(&format!("{} still holds it: it was saved there before", visible(&file.display().to_string())));
        }
        Flow::On
    }

    fn show_whole(&mut self) {
        let text = match &self.last {
            None => return self.note("there was no value yet"),
            Some(Shown::Json(value)) => show(value, self.setup.screen.style(), true),
            Some(Shown::Opaque(text)) => visible(text).into_owned(),
            Some(Shown::Picture(bytes)) => format!("a picture of {} bytes", bytes.len()),
            Some(Shown::Bytes(count)) => format!("{count} bytes"),
            Some(Shown::Nothing) => return,
        };
        self.out(&text);
    }

    async fn vars(&mut self) -> Flow {
        let variables = match attend(self.signals, self.dialogue.variables()).await {
            Ok(variables) => variables,
            Err(signal) => return self.cut_short(signal),
        };
        if variables.is_empty() {
            self.note("there are no variables; let x = 1 makes one");
            return Flow::On;
        }
        let style = self.setup.screen.style();
        let rows = variables.into_iter().map(|variable| [variable.name, variable.kind]);
        self.out(&table(["NAME", "TYPE"], rows, style, true));
        Flow::On
    }

    async fn snapshot(&mut self, argument: &str) -> Flow {
        let selector = match Some(argument).filter(|text| !text.is_empty()).map(Selector::parse).transpose() {
            Ok(selector) => selector,
            Err(error) => {
                self.problem(&error.to_string());
                return Flow::On;
            }
        };
        let Some(page) = self.page() else { return Flow::On };
        match self.attended(page.aria_snapshot(selector.as_ref(), Deadline::after(LOOK))).await {
            Ok(Ok(text)) => {
                let text = self.dialogue.redactor().redact(&text);
                self.out(visible(&text).trim_end());
            }
            Ok(Err(error)) => self.verb_problem(&error),
            Err(flow) => return flow,
        }
        Flow::On
    }

    async fn screenshot(&mut self, argument: &str) -> Flow {
        let Some(page) = self.page() else { return Flow::On };
        let jpeg = [".jpg", ".jpeg"].iter().any(|end| argument.to_lowercase().ends_with(end));
        let options = ScreenshotOptions { jpeg, ..ScreenshotOptions::default() };
        let bytes = match self.attended(page.screenshot(&options, Deadline::after(LOOK))).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                self.verb_problem(&error);
                return Flow::On;
            }
            Err(flow) => return flow,
        };
        let (folder, path) = (self.setup.working_folder.clone(), self.path(argument));
        let name = argument.to_owned();
        let write = move || match name.as_str() {
            "" => pictures::write_new(&folder, &bytes),
            _ => std::fs::write(&path, &bytes).map(|()| name),
        };
        match tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other).flatten() {
            Ok(name) if self.is_terminal() => self.out(&visible(&name)),
            Ok(name) => self.out(&Value::from(name).to_string()),
            Err(error) => self.problem(&format!("the picture cannot be written: {error}")),
        }
        Flow::On
    }

    async fn session(&mut self, argument: &str) -> Flow {
        if argument.is_empty() {
            return self.sessions().await;
        }
        match SessionId::new(argument) {
            Ok(id) => self.evaluate(&format!("session({:?});", id.as_str()), ".session").await,
            Err(error) => {
                self.problem(&error.to_string());
                Flow::On
            }
        }
    }

    async fn sessions(&mut self) -> Flow {
        let workspace = self.dialogue.workspace().clone();
        let open = workspace.opened();
        let listing = match self.attended(Box::pin(workspace.list())).await {
            Ok(Ok(listing)) => listing,
            Ok(Err(error)) => {
                self.problem(&error.to_string());
                return Flow::On;
            }
            Err(flow) => return flow,
        };
        let version = |version: Option<crate::base::Version>| version.map(|version| version.to_string());
        let mut rows: Vec<[String; 3]> = open
            .iter()
            .map(|session| {
                let state = if session.is_current { "current" } else { "open" };
                [session.id.to_string(), state.to_owned(), version(session.version).unwrap_or_default()]
            })
            .collect();
        let stored = listing.sessions.iter().filter(|stored| open.iter().all(|open| open.id != stored.id));
        rows.extend(stored.map(|stored| [stored.id.to_string(), "stored".to_owned(), stored.version.to_string()]));
        if rows.is_empty() {
            self.note("there are no sessions yet; session(\"acme\") makes one");
        } else {
            self.out(&table(["ID", "STATE", "VERSION"], rows, self.setup.screen.style(), true));
        }
        for damaged in &listing.damaged {
            self.warn(&damaged.to_string());
        }
        Flow::On
    }

    /// Another browser, with a window or without one, on the same page.
    async fn toggle_window(&mut self) -> Flow {
        if self.dialogue.is_pause() {
            self.problem("the browser stays as it is while the script stands in it; start it with --headed or without");
            return Flow::On;
        }
        if self.dialogue.workspace().is_visiting() {
            self.problem("the browser is that of a server and stays as it is; its live page shows it");
            return Flow::On;
        }
        let headed = !self.headed;
        let launch = match (self.setup.launches)(headed) {
            Ok(launch) => launch,
            Err(failure) => {
                self.show_failure(*failure, "", "");
                return Flow::On;
            }
        };
        let workspace = self.dialogue.workspace().clone();
        let url = match workspace.open_page() {
            Some(page) => match self.attended(page.url(Deadline::after(LOOK))).await {
                Ok(url) => url.ok().filter(|url| url != "about:blank"),
                Err(flow) => return flow,
            },
            None => None,
        };
        let outcomes = match attend(self.signals, self.dialogue.save_all(Deadline::after(SAVE))).await {
            Ok(outcomes) => outcomes,
            Err(signal) => return self.cut_short(signal),
        };
        if outcomes.iter().any(|outcome| outcome.save_error.is_some()) {
            self.tell_outcomes(&outcomes);
            self.problem("the browser stays as it is: what is not saved would be lost");
            return Flow::On;
        }
        let throw_away = url.is_some() && workspace.opened().iter().all(|session| !session.is_current);
        // Begun, it happens in any case: what is cut short is the wait.
        self.headed = headed;
        if let Err(signal) = attend(self.signals, self.dialogue.restart(Some(launch))).await {
            return self.cut_short(signal);
        }
        if throw_away {
            self.note("the page was in no session: it starts empty, without its cookies; session(\"acme\") keeps them");
        }
        let Some(url) = url else {
            self.note(if headed { "the next verb opens a window" } else { "the next verb opens no window" });
            return Flow::On;
        };
        self.go_back_to(&url).await
    }

    async fn go_back_to(&mut self, url: &str) -> Flow {
        let call = format!("goto({});", Value::from(url));
        let (turn, flow) = self.say(&call).await;
        let Some(turn) = turn else { return flow };
        match turn.failure {
            None => {
                self.note(if self.headed { "the browser has a window now" } else { "the browser has no window now" });
            }
            Some(failure) => {
                let is_launch = failure.code.starts_with("browser_");
                self.show_failure(failure, ".headed", &call);
                if is_launch && let Ok(launch) = (self.setup.launches)(!self.headed) {
                    self.headed = !self.headed;
                    if let Err(signal) = attend(self.signals, self.dialogue.restart(Some(launch))).await {
                        return self.cut_short(signal);
                    }
                    self.note("the next verb starts the browser as it was before");
                }
            }
        }
        flow
    }

    fn tell_outcomes(&self, outcomes: &[crate::session::SessionOutcome]) {
        for line in outcomes.iter().flat_map(|outcome| session_lines(outcome, false, self.setup.screen.style())) {
            self.setup.screen.say(&line);
        }
    }

    /// The page that verbs act on; says so where there is none.
    fn page(&mut self) -> Option<Page> {
        let page = self.dialogue.workspace().open_page();
        if page.is_none() {
            self.problem("no page is open; goto(\"https://example.com\") opens one");
        }
        page
    }

    fn path(&self, typed: &str) -> PathBuf {
        self.setup.working_folder.join(Path::new(typed))
    }

    /// An answer, on stdout where a person reads it; a pipe's stdout is for values.
    fn out(&self, text: &str) {
        if self.is_terminal() {
            self.setup.screen.value(text);
        } else {
            self.setup.screen.say(text);
        }
    }

    fn problem(&mut self, text: &str) {
        self.fail(1);
        self.warn(text);
    }

    fn verb_problem(&mut self, error: &VerbError) {
        self.problem(&format!("[{}] {error}", error.error.code()));
    }
}
