//! What can stand at the cursor. Pure: what has to be looked up (elements of the page, files) is only named.

use super::code::escaped;
use super::commands::{COMMANDS, Takes};
use super::context::{Context, Open};
use super::knowledge::Knowledge;
use super::members::members;
use crate::script::{self, Kind, OptionDoc, STD};

/// Something that can be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is put in, from the completion's start on.
    pub text: String,
    /// What the list shows.
    pub shown: String,
}

impl Candidate {
    fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: text.clone(), text }
    }

    /// One whose list entry says more than what is put in.
    pub(super) fn described(text: impl Into<String>, what: &str) -> Self {
        let text = text.into();
        let shown = if what.is_empty() { text.clone() } else { format!("{text}  {what}") };
        Self { text, shown }
    }
}

/// What is being completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// These, and nothing has to be looked up.
    Words(Vec<Candidate>),
    /// A selector of the page that begins so.
    Selector {
        /// As the page knows it, escapes of a script's string resolved.
        prefix: String,
        /// Whether it goes into a string of a script.
        quoted: bool,
    },
    /// A file whose path begins so.
    File(String),
}

/// What Tab puts in where nothing stands before it.
const INDENT: &str = "  ";
/// What of a field's description in `extract` is no selector.
const NO_SELECTORS: &[&str] = &["attr", "type", "default", "regex", "schema"];

/// The keywords that one begins to type.
const KEYWORDS: &[&str] = &[
    "let", "const", "if", "else", "for", "in", "while", "loop", "break", "continue", "return", "fn", "import", "as",
    "try", "catch", "throw", "switch", "true", "false",
];

/// What can stand at the byte `cursor` of `text`, and where the part begins that it replaces.
pub fn complete(text: &str, cursor: usize, knowledge: &Knowledge) -> (usize, Completion) {
    let text = text.get(..cursor).unwrap_or(text);
    if let Some(command) = text.strip_prefix('.')
        && !command.starts_with(['.', '('])
    {
        return complete_command(text, knowledge);
    }
    let line = text.rsplit('\n').next().unwrap_or_default();
    if line.trim().is_empty() && !text.is_empty() {
        // The key is meant as what it was before there was completion: text that is pasted has it at the start of lines.
        return (text.len(), Completion::Words(vec![Candidate::new(INDENT)]));
    }
    let context = Context::of(text);
    let start = context.word;
    if context.commented {
        return (start, Completion::Words(Vec::new()));
    }
    if context.quoted {
        return (start, in_text(&context, knowledge));
    }
    let words = if context.last() == Some(".") {
        members(&context, knowledge)
    } else if let Some((known, map)) = options_map(&context).or_else(|| fields_map(&context)) {
        in_options(known, map)
    } else {
        anything(knowledge)
    };
    (start, Completion::Words(beginning(words, context.written())))
}

fn complete_command(text: &str, knowledge: &Knowledge) -> (usize, Completion) {
    let Some((name, argument)) = text.split_once(char::is_whitespace) else {
        let names = COMMANDS.iter().map(|command| Candidate::described(format!(".{}", command.name), command.doc));
        return (0, Completion::Words(beginning(names, text)));
    };
    let argument = argument.trim_start();
    let start = text.len() - argument.len();
    let takes = COMMANDS.iter().find(|command| name[1..] == *command.name).map(|command| command.takes);
    let words = match takes {
        Some(Takes::File) => return (start, Completion::File(argument.to_owned())),
        Some(Takes::Selector) => {
            return (start, Completion::Selector { prefix: argument.to_owned(), quoted: false });
        }
        Some(Takes::Session) => knowledge.sessions.iter().map(Candidate::new).collect(),
        Some(Takes::Topic) => {
            let functions = script::docs().map(|entry| entry.name);
            functions.chain(script::topics().map(|topic| topic.name)).map(Candidate::new).collect()
        }
        Some(Takes::Nothing) | None => Vec::new(),
    };
    (start, Completion::Words(beginning(words, argument)))
}

/// Inside a string: by what the string is for.
fn in_text(context: &Context<'_>, knowledge: &Knowledge) -> Completion {
    let words = |names: &[String]| {
        Completion::Words(beginning(names.iter().map(|name| Candidate::new(escaped(name))), context.written()))
    };
    if context.last() == Some("import") {
        let standard = STD.iter().map(|(name, _)| format!("std/{name}"));
        return words(&standard.chain(knowledge.modules.iter().cloned()).collect::<Vec<_>>());
    }
    let Some((call, options)) = context.call() else { return Completion::Words(Vec::new()) };
    let function = call.function.unwrap_or_default();
    let kinds: Vec<Kind> = match options {
        Some(map) => match fields_map(context) {
            Some((known, map)) => kind_of(known, map).into_iter().collect(),
            None => option_kind(function, map).into_iter().collect(),
        },
        None => argument_kinds(function, call.commas),
    };
    match function {
        "session" if options.is_none() => return words(&knowledge.sessions),
        "secret" => return words(&knowledge.secrets),
        "env" => return words(&knowledge.env),
        _ => {}
    }
    // Its schema is as deep as one likes, and has a selector in nearly every text.
    let in_schema = function == "extract" && !innermost_key(context).is_some_and(|key| NO_SELECTORS.contains(&key));
    if in_schema || kinds.iter().any(|kind| matches!(kind, Kind::Selector | Kind::Selectors)) {
        return Completion::Selector { prefix: unescaped(context.written()), quoted: true };
    }
    let allowed = kinds.iter().find_map(|kind| match kind {
        Kind::OneOf(words) | Kind::SomeOf(words) => Some(*words),
        _ => None,
    });
    words(&allowed.unwrap_or_default().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

fn innermost_key<'t>(context: &Context<'t>) -> Option<&'t str> {
    context.open.last().and_then(|open| open.key)
}

/// The kinds that the argument with this index can be of.
pub(super) fn argument_kinds(function: &str, index: usize) -> Vec<Kind> {
    let shapes = script::find(function).map_or(&[][..], |entry| entry.shapes);
    shapes.iter().filter_map(|shape| shape.get(index)).map(|param| param.kind).collect()
}

fn option_kind(function: &str, map: &Open<'_>) -> Option<Kind> {
    kind_of(script::find(function)?.options, map)
}

fn kind_of(known: &[OptionDoc], map: &Open<'_>) -> Option<Kind> {
    known.iter().find(|option| Some(option.name) == map.key).map(|option| option.kind)
}

/// The options map that the cursor is directly in, and whose it is.
fn options_map<'c, 't>(context: &'c Context<'t>) -> Option<(&'static [OptionDoc], &'c Open<'t>)> {
    let (call, options) = context.call()?;
    let map = options.filter(|map| context.open.last() == Some(*map))?;
    let entry = script::find(call.function?)?;
    argument_kinds(entry.name, call.commas).contains(&Kind::Options).then_some((entry.options, map))
}

/// The map that the cursor is directly in, where it is the value of an option and has entries of its own.
fn fields_map<'c, 't>(context: &'c Context<'t>) -> Option<(&'static [OptionDoc], &'c Open<'t>)> {
    let (call, options) = context.call()?;
    let [.., outer, map] = context.open.as_slice() else { return None };
    let is_value = options == Some(outer) && map.bracket == "#{";
    match option_kind(call.function.filter(|_| is_value)?, outer)? {
        Kind::Fields(fields) => Some((fields.known, map)),
        _ => None,
    }
}

/// Option names where one is wanted, values where its name stands there.
fn in_options(known: &'static [OptionDoc], map: &Open<'_>) -> Vec<Candidate> {
    let Some(key) = map.key else {
        let described = |option: &OptionDoc| Candidate::described(format!("{}: ", option.name), &option.kind.wanted());
        return known.iter().map(described).collect();
    };
    match known.iter().find(|option| option.name == key).map(|option| option.kind) {
        Some(Kind::Flag) => ["true", "false"].map(Candidate::new).into(),
        Some(Kind::OneOf(words)) => words.iter().map(|word| Candidate::new(format!("{word:?}"))).collect(),
        _ => Vec::new(),
    }
}

fn anything(knowledge: &Knowledge) -> Vec<Candidate> {
    let functions = script::docs().map(|entry| Candidate {
        text: format!("{}(", entry.name),
        shown: entry.signatures().pop().unwrap_or_default(),
    });
    let variables = knowledge.variables.iter().map(|variable| Candidate::described(&variable.name, &variable.kind));
    let properties = script::PROPERTIES.iter().filter(|property| property.of == "script");
    variables
        .chain(properties.map(|property| Candidate::new(property.name)))
        .chain(functions)
        .chain(KEYWORDS.iter().map(|word| Candidate::new(*word)))
        .collect()
}

fn beginning(words: impl IntoIterator<Item = Candidate>, prefix: &str) -> Vec<Candidate> {
    let mut words: Vec<Candidate> = words.into_iter().filter(|word| word.text.starts_with(prefix)).collect();
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(word.text.clone()));
    words
}

fn unescaped(written: &str) -> String {
    let mut out = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Variable;

    fn knowledge() -> Knowledge {
        let variable = |name: &str, kind: &str| Variable { name: name.into(), kind: kind.into() };
        Knowledge {
            variables: vec![variable("acme", "Session"), variable("orders", "list")],
            sessions: vec!["acme".into(), "zeta".into()],
            secrets: vec!["ACME_PASSWORD".into()],
            ..Knowledge::default()
        }
    }

    #[track_caller]
    fn check(text: &str, wanted: &[&str]) {
        let (start, completion) = complete(text, text.len(), &knowledge());
        let Completion::Words(words) = completion else { panic!("{text}: {completion:?}") };
        let found: Vec<String> = words.iter().map(|word| format!("{}{}", &text[..start], word.text)).collect();
        for want in wanted {
            assert!(found.iter().any(|word| word == want), "{text}: no {want:?} in {found:?}");
        }
        assert!(!wanted.is_empty() || found.is_empty(), "{text}: {found:?}");
    }

    #[test]
    fn functions_variables_and_keywords() {
        check("cli", &["click("]);
        check("let x = ord", &["let x = orders"]);
        check("let x = 1; wh", &["let x = 1; while"]);
        check("arg", &["args"]);
        check("nothing_like_it", &[]);
        check("// cli", &[]);
    }

    #[test]
    fn options_and_their_words() {
        check("click(\"#a\", #{ but", &["click(\"#a\", #{ button: "]);
        check("click(\"#a\", #{ force: t", &["click(\"#a\", #{ force: true"]);
        check("click(\"#a\", #{ button: ", &["click(\"#a\", #{ button: \"right\""]);
        check("click(\"#a\", #{ button: \"mi", &["click(\"#a\", #{ button: \"middle"]);
        check("click(\"#a\", #{ modifiers: [\"Sh", &["click(\"#a\", #{ modifiers: [\"Shift"]);
    }

    #[test]
    fn sessions_secrets_and_modules() {
        check("session(\"a", &["session(\"acme"]);
        check("fill(\"#p\", secret(\"AC", &["fill(\"#p\", secret(\"ACME_PASSWORD"]);
        check("import \"std/lo", &["import \"std/login"]);
    }

    #[test]
    fn members_by_the_variables_kind() {
        check("acme.cli", &["acme.click("]);
        check("acme.ver", &["acme.version"]);
        check("acme.page.goto", &["acme.page.goto("]);
        check("session(\"acme\").sa", &["session(\"acme\").save("]);
        check("orders.fil", &["orders.filter("]);
        check("orders.goto", &[]);
    }

    #[test]
    fn commands_and_what_they_take() {
        check(".he", &[".help", ".headed"]);
        check(".help cli", &[".help click"]);
        check(".session z", &[".session zeta"]);
        assert_eq!(complete(".load a", 7, &knowledge()), (6, Completion::File("a".into())));
        let selector = |prefix: &str, quoted| Completion::Selector { prefix: prefix.into(), quoted };
        assert_eq!(complete(".snapshot #m", 12, &knowledge()), (10, selector("#m", false)));
    }

    #[test]
    fn selectors_where_a_selector_is_wanted() {
        let check = |text: &str, wanted: Option<&str>| {
            let (_, found) = complete(text, text.len(), &knowledge());
            let prefix = match found {
                Completion::Selector { prefix, .. } => Some(prefix),
                _ => None,
            };
            assert_eq!(prefix.as_deref(), wanted, "{text}");
        };
        check("click(\"#us", Some("#us"));
        check("click(\"role=button[name=\\\"Si", Some("role=button[name=\"Si"));
        check("acme.click(\"", Some(""));
        check("fill(\"#a\", \"x", None);
        check("screenshot(#{ selector: \"#m", Some("#m"));
        check("goto(\"http", None);
        check("extract(\"h", Some("h"));
        check("extract(#{ title: \"h", Some("h"));
        check("extract([#{ selector: \".o\", fields: #{ id: \".i", Some(".i"));
        check("extract(#{ price: #{ selector: \".p\", type: \"nu", None);
    }

    #[test]
    fn tab_indents_where_nothing_stands_before_it() {
        let indent = |at| (at, Completion::Words(vec![Candidate::new(INDENT)]));
        assert_eq!(complete("if true {\n  ", 12, &knowledge()), indent(12));
        assert_eq!(complete("  ", 2, &knowledge()), indent(2));
        check("", &["click("]);
    }

    #[test]
    fn no_cursor_is_out_of_place() {
        let text = "click(\"é🐎\", #{ })";
        for cursor in 0..=text.len() + 2 {
            let (start, _) = complete(text, cursor, &knowledge());
            assert!(start <= text.len());
        }
    }
}
