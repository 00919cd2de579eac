//! Where inputs come from: a line editor on a terminal, or the lines of a pipe. Each reads on a thread of its own.

use std::io::{self, Write as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{Behavior, ColorMode, Config, Editor};

use super::assistant::Assistant;
use super::code::Vault;
use super::commands::is_command_line;
use super::editing::Editing;
use super::helper::{COMPLETION, Helper};
use super::keeping::cleaned;
use crate::script::{Whole, is_whole};

/// The judgement whether a text is whole is recursive in its nesting.
const STACK_BYTES: usize = 64 << 20;
/// How long an escape key may be the beginning of a sequence.
const ESCAPE_MILLIS: u16 = 300;
/// How long an editor that has begun a line may take to change the terminal's modes.
const PATIENCE: Duration = Duration::from_secs(1);
/// A piped text of more bytes than this is not looked at again for every line.
const LONG: usize = 4 << 10;
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// What came in.
#[derive(Debug)]
pub(super) enum Heard {
    /// A whole input.
    Text(String),
    /// Ctrl-C; whether on an empty line.
    Cancelled { was_empty: bool },
    /// Something that is no text.
    Garbage,
    /// Ctrl-D, or the end of the pipe.
    End,
    /// The terminal, and with it the person.
    Gone,
}

/// What changes in the editor's own history.
#[derive(Default)]
pub(super) struct Remember {
    /// Entries that were there before are to be cleaned of what this knows.
    pub forget: Option<Vault>,
    /// Entries that are new.
    pub entries: Vec<String>,
}

struct Ask {
    /// Plain and coloured.
    prompt: (String, String),
    remember: Remember,
    clear: bool,
}

/// The one end of a thread that reads.
pub(super) struct Input {
    heard: tokio::sync::mpsc::Receiver<Heard>,
    keyboard: Option<Keyboard>,
}

struct Keyboard {
    asks: mpsc::Sender<Ask>,
    editing: Arc<Editing>,
    /// Shows lines above the one that is being typed.
    above: Option<mpsc::Sender<String>>,
    /// As the terminal was found; put back in every way out.
    modes: Option<Termios>,
    apart: bool,
}

impl Input {
    /// Edits lines on the terminal that is stdin; where stdout is another one, or none, `apart`. `entries` is the history.
    pub fn terminal(assistant: Assistant, entries: Vec<String>, color: bool, apart: bool) -> io::Result<Self> {
        let modes = tcgetattr(io::stdin()).ok();
        let editing = Arc::new(Editing::default());
        let config = Config::builder()
            .max_history_size(entries.len().max(2_000))
            .map_err(io::Error::other)?
            .completion_type(COMPLETION)
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(80)
            .keyseq_timeout(Some(ESCAPE_MILLIS))
            .bell_style(BellStyle::None)
            .color_mode(if color { ColorMode::Forced } else { ColorMode::Disabled })
            .behavior(if apart { Behavior::PreferTerm } else { Behavior::Stdio })
            .build();
        let mut history = MemHistory::with_config(&config);
        for entry in entries {
            history.add_owned(entry).map_err(io::Error::other)?;
        }
        let mut editor = Editor::with_history(config, history).map_err(io::Error::other)?;
        editor.set_helper(Some(Helper { assistant, editing: editing.clone(), color }));
        let above = editor.create_external_printer().ok().map(print_on_thread).transpose()?;
        let (asks, asked) = mpsc::channel();
        let (hear, heard) = tokio::sync::mpsc::channel(1);
        if let Some(modes) = &modes {
            // Where it is refused, keys that are typed ahead are shown as the terminal shows them, and that is all.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &between_lines(modes));
        }
        let edits = editing.clone();
        on_thread("keyboard", move || edit(&mut editor, &edits, &asked, &hear))?;
        Ok(Self { heard, keyboard: Some(Keyboard { asks, editing, above, modes, apart }) })
    }

    /// Reads stdin as a script of lines.
    pub fn pipe() -> io::Result<Self> {
        let (hear, heard) = tokio::sync::mpsc::channel(1);
        on_thread("pipe", move || read(io::stdin().lock(), |what| hear.blocking_send(what).is_ok()))?;
        Ok(Self { heard, keyboard: None })
    }

    /// Asks a person for the next input; a pipe is not asked.
    pub fn ask(&self, prompt: (String, String), remember: Remember, clear: bool) {
        if let Some(keyboard) = &self.keyboard {
            // A thread that has ended has told why.
            let _ = keyboard.asks.send(Ask { prompt, remember, clear });
        }
    }

    /// The next input. May be given up and called again: nothing is lost.
    pub async fn next(&mut self) -> Heard {
        let none = if self.keyboard.is_some() { Heard::Gone } else { Heard::End };
        self.heard.recv().await.unwrap_or(none)
    }

    /// Shows a line above the one that is being typed, when the editor next looks; false where there is none.
    pub fn print_above(&self, line: &str) -> bool {
        let above = self.keyboard.as_ref().and_then(|keyboard| keyboard.above.as_ref());
        above.is_some_and(|above| above.send(format!("{line}\n")).is_ok())
    }

    /// Puts the terminal back as it was found, also while a line is being typed.
    pub fn restore(&self) {
        let Some(Keyboard { editing, modes: Some(modes), apart, .. }) = &self.keyboard else { return };
        editing.close(PATIENCE);
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        let _ = if *apart {
            io::stderr().write_all(PASTE_OFF)
        } else {
            let mut out = io::stdout().lock();
            out.write_all(PASTE_OFF).and_then(|()| out.flush())
        };
    }
}

/// The terminal while no line is being typed. Keys that come then wait for the next line as they are: a terminal that edits
/// lines itself would show them twice, and keep a Ctrl-D to itself. Ctrl-C stays a signal; Ctrl-\ would end us without putting
/// anything back.
fn between_lines(found: &Termios) -> Termios {
    let mut modes = found.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
    modes
}

impl Drop for Input {
    fn drop(&mut self) {
        self.restore();
    }
}

fn on_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Nobody waits for it: a read that blocks ends with the process.
    std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// The editor takes a line only when it looks for keys, and only one: while it asks something itself the next one waits, and
/// with it whoever hands it over.
fn print_on_thread(mut printer: impl rustyline::ExternalPrinter + Send + 'static) -> io::Result<mpsc::Sender<String>> {
    let (above, lines) = mpsc::channel();
    // One that cannot be shown has nobody to be shown to.
    on_thread("above", move || lines.iter().for_each(|line| drop(printer.print(line))))?;
    Ok(above)
}

fn edit(
    editor: &mut Editor<Helper, MemHistory>,
    editing: &Editing,
    asked: &mpsc::Receiver<Ask>,
    hear: &tokio::sync::mpsc::Sender<Heard>,
) {
    while let Ok(ask) = asked.recv() {
        // In memory: cannot fail.
        if let Some(vault) = ask.remember.forget {
            let history = editor.history();
            let entries = (0..history.len()).map(|index| history[index].as_str());
            let entries: Vec<String> = entries.filter_map(|entry| cleaned(&vault, entry)).collect();
            let _ = editor.clear_history();
            for entry in entries {
                let _ = editor.add_history_entry(entry);
            }
        }
        for entry in ask.remember.entries {
            let _ = editor.add_history_entry(entry);
        }
        if ask.clear {
            let _ = editor.clear_screen();
        }
        if !editing.begin() {
            return;
        }
        let line = editor.readline(&ask.prompt);
        let was_empty = editing.is_empty();
        editing.end();
        let heard = match line {
            Ok(line) => Heard::Text(line),
            Err(ReadlineError::Interrupted) => Heard::Cancelled { was_empty },
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => Heard::Garbage,
            // A terminal that was hung up reads as one where Ctrl-D was pressed.
            Err(ReadlineError::Eof) if tcgetattr(io::stdin()).is_ok() => Heard::End,
            Err(_) => Heard::Gone,
        };
        if hear.blocking_send(heard).is_err() {
            return;
        }
    }
}

/// Gathers lines until they are a whole input. A line that is a command ends what stands before it.
fn read(mut lines: impl io::BufRead, mut hear: impl FnMut(Heard) -> bool) {
    let mut gathered = String::new();
    let mut bytes = Vec::new();
    let mut pace = Pace::default();
    loop {
        bytes.clear();
        let is_end = lines.read_until(b'\n', &mut bytes).map_or(true, |count| count == 0);
        let line = String::from_utf8_lossy(&bytes);
        let is_command = is_command_line(line.trim_end());
        let text = if is_command || is_end { std::mem::take(&mut gathered) } else { String::new() };
        if !text.trim().is_empty() && !hear(Heard::Text(text)) {
            return;
        }
        if is_end {
            hear(Heard::End);
            return;
        }
        gathered.push_str(&line);
        let may_be_whole = pace.is_due(&gathered, &line);
        if is_command || gathered.trim().is_empty() || (may_be_whole && is_whole(&gathered) == Whole::Yes) {
            pace = Pace::default();
            let text = std::mem::take(&mut gathered);
            if !text.trim().is_empty() && !hear(Heard::Text(text.trim_end().to_owned())) {
                return;
            }
        }
    }
}

/// How often a text that grows line by line is looked at.
#[derive(Default)]
struct Pace {
    /// Its length when it was last looked at.
    seen: usize,
}

impl Pace {
    /// Whether to look whether `gathered`, which ends with `line`, is whole. A long one is read again only where it has grown
    /// by an eighth, or where the line stands as far left as the first: so does what closes it.
    fn is_due(&mut self, gathered: &str, line: &str) -> bool {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let is_due = gathered.len() <= LONG
            || gathered.len() - self.seen >= self.seen / 8
            || (!line.trim().is_empty() && indent(line) <= indent(gathered.trim_start_matches(['\r', '\n'])));
        if is_due {
            self.seen = gathered.len();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(piped: &[u8], wanted: &[&str]) {
        let mut texts = Vec::new();
        let mut is_ended = false;
        read(piped, |heard| {
            match heard {
                Heard::Text(text) => texts.push(text),
                Heard::End => is_ended = true,
                other => panic!("{other:?}"),
            }
            true
        });
        assert!(is_ended);
        assert_eq!(texts.iter().map(|text| text.trim_end()).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn lines_are_gathered_until_they_are_whole() {
        check(b"1 + 1\n\nfn f() {\n\n  1\n}\nf()", &["1 + 1", "fn f() {\n\n  1\n}", "f()"]);
        check(b"", &[]);
    }

    #[test]
    fn a_long_block_is_not_read_anew_for_every_line() {
        let (mut pace, mut gathered, mut looks) = (Pace::default(), "fn f() {\n".to_owned(), 0);
        for _ in 0..10_000 {
            gathered += "    print(1);\n";
            looks += usize::from(pace.is_due(&gathered, "    print(1);\n"));
        }
        assert!(looks < 500, "{looks}");
        gathered += "}\n";
        assert!(pace.is_due(&gathered, "}\n"));
    }

    #[test]
    fn what_follows_a_long_block_is_an_input_of_its_own() {
        let block = format!("fn f() {{\n{}}}", "    print(1);\n".repeat(500));
        check(format!("{block}\nf()\n").as_bytes(), &[&block, "f()"]);
    }

    #[test]
    fn a_command_ends_what_is_open() {
        check(b"let x = (\n.vars\n1\n", &["let x = (", ".vars", "1"]);
        check(b"if true {\n", &["if true {"]);
        check(b"\xff\xfe\n", &["\u{fffd}\u{fffd}"]);
    }
}
