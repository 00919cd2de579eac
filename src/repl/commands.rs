//! The commands that begin with a dot: their names, what they take, and how an input is told to be one. Pure.

use crate::base::closest;

/// What a command's argument is, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Topic,
    File,
    Selector,
    Session,
}

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Help,
    Code,
    Save,
    Load,
    Undo,
    Trace,
    Snapshot,
    Screenshot,
    Session,
    Vars,
    Show,
    Headed,
    Clear,
    Continue,
    Quit,
}

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub name: &'static str,
    pub is: Name,
    pub takes: Takes,
    /// Its argument as help writes it.
    pub argument: &'static str,
    pub doc: &'static str,
}

const fn command(name: &'static str, is: Name, takes: Takes, argument: &'static str, doc: &'static str) -> Command {
    Command { name, is, takes, argument, doc }
}

pub(super) const COMMANDS: &[Command] = &[
    command("help", Name::Help, Takes::Topic, "[NAME]", "this list, or a function or topic"),
    command("code", Name::Code, Takes::Nothing, "", "what worked so far, as a script"),
    command("save", Name::Save, Takes::File, "FILE", "write it to a file, or add what is new to one"),
    command("load", Name::Load, Takes::File, "FILE", "run a script's text here"),
    command("undo", Name::Undo, Takes::Nothing, "", "take back what the last input did to variables and functions"),
    command("trace", Name::Trace, Takes::Nothing, "", "what the last input did and how long it took"),
    command("show", Name::Show, Takes::Nothing, "", "all of the last value"),
    command("vars", Name::Vars, Takes::Nothing, "", "the variables and their types"),
    command("snapshot", Name::Snapshot, Takes::Selector, "[SELECTOR]", "the page as assistive technology sees it"),
    command("screenshot", Name::Screenshot, Takes::File, "[FILE]", "a picture of the page"),
    command("session", Name::Session, Takes::Session, "[ID]", "the sessions, or open one"),
    command("headed", Name::Headed, Takes::Nothing, "", "show the browser's window, or hide it"),
    command("clear", Name::Clear, Takes::Nothing, "", "clear the screen"),
    command("continue", Name::Continue, Takes::Nothing, "", "let the script go on that said pause(); so does Ctrl-D"),
    command("quit", Name::Quit, Takes::Nothing, "", "save the sessions and end; in a pause() of the script, too"),
    command("exit", Name::Quit, Takes::Nothing, "", "the same"),
];

/// An input that is a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<'t> {
    Known(Name, &'t str),
    /// There is none of that name; perhaps this was meant.
    Unknown(&'t str, Option<&'static str>),
}

/// The command that `input` is; none where it is script text.
pub(super) fn asked(input: &str) -> Option<Asked<'_>> {
    let input = input.trim();
    let rest = input.strip_prefix('.')?;
    let (name, argument) = match rest.split_once(char::is_whitespace) {
        Some((name, argument)) => (name, argument.trim()),
        None => (rest, ""),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
    is_name.then_some(())?;
    Some(match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => Asked::Known(command.is, argument),
        None => Asked::Unknown(name, closest(name, COMMANDS.iter().map(|command| command.name))),
    })
}

/// Whether a line of piped text is a command, whatever stands before it: no piece of a script begins a line so.
pub(super) fn is_command_line(line: &str) -> bool {
    line.starts_with('.') && matches!(asked(line), Some(Asked::Known(..)))
}

/// The ways out of a script's `pause()`.
pub(super) const IN_PAUSE: &str = ".continue lets the script go on, .quit ends it";

/// What habits from elsewhere are told, where no variable has that name.
pub(super) fn habit(input: &str, is_pause: bool) -> Option<&'static str> {
    Some(match input.trim().trim_end_matches(';') {
        "exit" | "exit()" | "quit" | "quit()" | ":q" | "bye" | "logout" | "continue" | "resume" | "c" if is_pause => {
            IN_PAUSE
        }
        "exit" | "exit()" | "quit" | "quit()" | ":q" | "bye" | "logout" => ".quit ends the REPL; so does Ctrl-D",
        "help" | "help()" | "?" | ":help" => ".help lists the commands; .help click tells of a function",
        "cls" | "reset" => ".clear clears the screen",
        "history" => "the up key goes through what was typed, Ctrl-R searches it; .code shows what worked",
        "vars" | "vars()" => ".vars lists the variables",
        "undo" | "undo()" => ".undo takes the last input back",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_script() {
        assert_eq!(asked(" .help  click "), Some(Asked::Known(Name::Help, "click")));
        assert_eq!(asked(".snapshto #a"), Some(Asked::Unknown("snapshto", Some("snapshot"))));
        assert_eq!(asked(".banana"), Some(Asked::Unknown("banana", None)));
        for text in ["", ".", "..", ".5", ".click(\"#a\")", "x.help", ". help", ".é"] {
            assert_eq!(asked(text), None, "{text}");
        }
        assert!(is_command_line(".quit") && !is_command_line("  .len") && !is_command_line(".len"));
    }

    #[test]
    fn habits_are_answered() {
        assert!(habit("exit();", false).is_some_and(|answer| answer.contains(".quit")));
        assert_eq!(habit("quit", true), Some(IN_PAUSE));
        assert!(habit("click", false).is_none() && habit("c", false).is_none());
    }
}
