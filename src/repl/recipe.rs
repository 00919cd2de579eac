//! The script that comes of a dialogue: only what worked, in order, without secrets; and its way into a file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::code::Vault;
use crate::run::Change;
use crate::script::{TokenKind, tokens};

/// The mode of a file that is new.
const MODE: u32 = 0o644;
const LEFT_OUT: &str = "// left out: a secret stood in it in a way that cannot be written as secret(..)";

/// What worked so far.
#[derive(Debug, Default)]
pub(super) struct Recipe {
    /// `session("acme");`, where the dialogue was started so.
    head: Option<String>,
    /// What worked of each input, oldest first; what can be taken back goes with its input.
    inputs: Vec<Input>,
    next: u64,
    /// What was written to which file already.
    written: BTreeMap<PathBuf, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Input {
    /// What worked of it; each with a number of its own.
    pieces: Vec<(u64, String)>,
    /// How the dialogue calls it.
    number: usize,
    /// What the dialogue can take back of it.
    change: Change,
}

/// What saving came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saved {
    /// Lines that were added, blank ones and comments of ours aside.
    pub lines: usize,
    /// Whether the file was there.
    pub appended: bool,
    /// Names of secrets that the code asks for.
    pub secrets: BTreeSet<String>,
}

impl Recipe {
    pub fn new(session: Option<&str>) -> Self {
        Self { head: session.map(|id| format!("session({id:?});")), ..Self::default() }
    }

    /// Notes what worked of the input by that number, and whether it changed variables or functions.
    pub fn note(&mut self, number: usize, worked: &[String], change: Change) {
        let pieces = worked.iter().filter(|piece| !piece.trim().is_empty()).map(|piece| {
            self.next += 1;
            (self.next, piece.trim().to_owned())
        });
        let pieces: Vec<_> = pieces.collect();
        if change != Change::None || !pieces.is_empty() {
            self.inputs.push(Input { pieces, number, change });
        }
    }

    /// The number of the last input, and whether it changed variables or functions; none where there is no input.
    pub fn last(&self) -> Option<(usize, Change)> {
        self.inputs.last().map(|input| (input.number, input.change))
    }

    /// Forgets the last input; answers the files that a part of it was written to.
    pub fn undo(&mut self) -> Vec<PathBuf> {
        let Some(input) = self.inputs.pop() else { return Vec::new() };
        let holds = |done: &BTreeSet<u64>| input.pieces.iter().any(|(id, _)| done.contains(id));
        self.written.iter().filter(|(_, done)| holds(done)).map(|(file, _)| file.clone()).collect()
    }

    /// The script.
    pub fn code(&self, vault: &Vault) -> String {
        let pieces = self.pieces().map(|(_, piece)| piece.as_str());
        script(self.head.as_deref(), pieces, vault)
    }

    fn pieces(&self) -> impl Iterator<Item = &(u64, String)> {
        self.inputs.iter().flat_map(|input| &input.pieces)
    }

    /// Adds what is not in the file yet; `shown` is how the user calls it, `args` the names of arguments that a run of it
    /// needs. Either all of it is written or nothing.
    pub fn save(&mut self, path: &Path, shown: &str, args: &[String], vault: &Vault) -> io::Result<Saved> {
        // A link stays one: what it leads to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let done = self.written.get(&path).filter(|_| before.is_some());
        let is_new = |id: &u64| done.is_none_or(|done| !done.contains(id));
        let pieces: Vec<&(u64, String)> = self.pieces().filter(|(id, _)| is_new(id)).collect();
        let head = self.head.as_deref().filter(|_| done.is_none());
        let code = script(head, pieces.iter().map(|(_, piece)| piece.as_str()), vault);
        let saved = Saved { lines: code.lines().count(), appended: before.is_some(), secrets: secrets_of(&code) };
        if !code.is_empty() {
            let text = match before.filter(|before| !before.trim().is_empty()) {
                None => format!("{}\n{code}\n", header(shown, args, &saved.secrets)),
                Some(before) => {
                    format!("{}\n\n// {} more from `rhaven repl`:\n{code}\n", ended(before.trim_end()), saved.lines)
                }
            };
            write(&path, &text)?;
        }
        let ids: Vec<u64> = pieces.iter().map(|(id, _)| *id).collect();
        let path = path.canonicalize().unwrap_or(path);
        self.written.entry(path).or_default().extend(ids);
        Ok(saved)
    }
}

/// The pieces one after the other, each ended but the last, whose value is the script's.
fn script<'p>(head: Option<&str>, pieces: impl Iterator<Item = &'p str>, vault: &Vault) -> String {
    let mut lines: Vec<String> =
        pieces.map(|piece| vault.without_secrets(piece).unwrap_or_else(|| LEFT_OUT.to_owned())).collect();
    let last = lines.pop();
    lines = lines.iter().map(|piece| ended(piece)).collect();
    head.map(str::to_owned).into_iter().chain(lines).chain(last).collect::<Vec<_>>().join("\n")
}

/// `piece` with a semicolon at its end where the next one needs it.
fn ended(piece: &str) -> String {
    const BLOCKS: [&str; 9] = ["fn", "private", "if", "for", "while", "loop", "switch", "try", "{"];
    let tokens = tokens(piece);
    let code: Vec<_> = tokens.iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let written = |index: usize| code.get(index).and_then(|token| piece.get(token.range.clone()));
    let (Some(first), Some(last)) = (written(0), code.len().checked_sub(1).and_then(written)) else {
        return piece.to_owned();
    };
    let is_single_block = last == "}" && BLOCKS.contains(&first);
    if last == ";" || is_single_block {
        return piece.to_owned();
    }
    // Before a comment that may stand at its end.
    let end = code[code.len() - 1].range.end;
    format!("{};{}", &piece[..end], &piece[end..])
}

fn secrets_of(code: &str) -> BTreeSet<String> {
    let tokens = tokens(code);
    let named = tokens.windows(3).filter_map(|three| match three {
        [call, _, name] if code.get(call.range.clone()) == Some("secret") => match &name.kind {
            TokenKind::Text(Some(name)) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    });
    named.collect()
}

fn header(shown: &str, args: &[String], secrets: &BTreeSet<String>) -> String {
    let words = [format!("rhaven run {shown}")].into_iter().chain(args.iter().map(|name| format!("--arg {name}=..")));
    let command = words.collect::<Vec<_>>().join(" ");
    let asked = secrets.iter().map(|name| {
        format!("// It asks for a secret: RHAVEN_SECRET_{name}=.. in the environment, or --secrets-file\n")
    });
    [format!("// Made with `rhaven repl`. Run it: {command}\n")].into_iter().chain(asked).collect()
}

/// Beside it, then renamed: nobody ever finds half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let before = std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o777);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(before.unwrap_or(MODE)).open(&beside)?;
        if let Some(mode) = before {
            // The umask is for files that are new.
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })();
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Redactor, Secret};

    struct World {
        secrets: BTreeMap<String, Secret>,
        redactor: Redactor,
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let secrets = BTreeMap::from([("PW".to_owned(), Secret::new("PW", "hunter2222".into()))]);
            let redactor = Redactor::default();
            for secret in secrets.values() {
                redactor.learn(secret);
            }
            Self { secrets, redactor, folder: tempfile::tempdir().unwrap() }
        }

        fn vault(&self) -> Vault {
            Vault::new(&self.secrets, &self.redactor)
        }

        fn save(&self, recipe: &mut Recipe) -> (Saved, String) {
            let path = self.folder.path().join("a.rhai");
            let saved = recipe.save(&path, "a.rhai", &["base".to_owned()], &self.vault()).unwrap();
            (saved, std::fs::read_to_string(&path).unwrap_or_default())
        }
    }

    fn recipe(session: Option<&str>, inputs: &[&str]) -> Recipe {
        let mut recipe = Recipe::new(session);
        for input in inputs {
            recipe.note(1, &[(*input).to_owned()], Change::None);
        }
        recipe
    }

    #[test]
    fn pieces_are_ended_where_they_have_to_be() {
        let check = |piece: &str, wanted: &str| assert_eq!(ended(piece), wanted);
        check("title()", "title();");
        check("let x = #{a: 1}", "let x = #{a: 1};");
        check("let f = || { 1 }", "let f = || { 1 };");
        check("fn f() { 1 }", "fn f() { 1 }");
        check("f() // why", "f(); // why");
        check("f();", "f();");
        check("// only this", "// only this");
    }

    #[test]
    fn a_new_file_says_how_to_run_it() {
        let (saved, text) = World::new().save(&mut recipe(Some("acme"), &["fill(\"#p\", \"hunter2222\")", "title()"]));
        assert_eq!((saved.lines, saved.appended), (3, false));
        insta::assert_snapshot!(text, @r##"
        // Made with `rhaven repl`. Run it: rhaven run a.rhai --arg base=..
        // It asks for a secret: RHAVEN_SECRET_PW=.. in the environment, or --secrets-file

        session("acme");
        fill("#p", secret("PW"));
        title()
        "##);
    }

    #[test]
    fn saving_again_adds_only_what_is_new() {
        let world = World::new();
        let mut recipe = recipe(None, &["let x = 1"]);
        world.save(&mut recipe);
        recipe.note(2, &["x + 1".to_owned()], Change::None);
        let (saved, text) = world.save(&mut recipe);
        assert_eq!((saved.lines, saved.appended), (1, true));
        assert!(text.ends_with("\nlet x = 1;\n\n// 1 more from `rhaven repl`:\nx + 1\n"), "{text}");
        assert_eq!(world.save(&mut recipe).0.lines, 0);
        assert_eq!(world.save(&mut recipe).1, text);
        // What is taken back stays in the file, and that is known.
        let path = world.folder.path().canonicalize().unwrap().join("a.rhai");
        assert_eq!(recipe.undo(), [path]);
    }

    #[test]
    fn somebody_elses_file_is_added_to_and_keeps_its_mode() {
        let world = World::new();
        let path = world.folder.path().join("a.rhai");
        std::fs::write(&path, "#!/usr/bin/rhaven\nlet a = 1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let (_, text) = world.save(&mut recipe(None, &["a + 1"]));
        assert!(text.contains("let a = 1;\n\n// 1 more"), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o777);
        assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_taken_back_is_gone_and_what_cannot_be_written_is_left_out() {
        let world = World::new();
        let mut recipe = recipe(None, &["a()", "b()"]);
        assert!(recipe.undo().is_empty());
        recipe.note(3, &["let hunter2222 = 1".to_owned()], Change::Made);
        assert_eq!(recipe.last(), Some((3, Change::Made)));
        assert_eq!(recipe.code(&world.vault()), format!("a();\n{LEFT_OUT}"));
    }
}
