//! The table of script functions. It drives registration, checking, `rhaven docs` and did-you-mean: a function that is not
//! in it does not exist.

mod act;
mod emulate;
mod navigate;
mod read;
mod script;
mod session;
mod wait;

use super::kind::Kind;

/// What a group of functions is about; the order of `rhaven docs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Sessions and their cookies.
    Session,
    /// Going somewhere.
    Navigate,
    /// Doing something to an element.
    Act,
    /// Waiting.
    Wait,
    /// Reading the page.
    Read,
    /// What pages tell of the browser.
    Emulate,
    /// The script itself.
    Script,
}

impl Group {
    /// Its heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Navigate => "navigate",
            Self::Act => "act",
            Self::Wait => "wait",
            Self::Read => "read",
            Self::Emulate => "emulate",
            Self::Script => "script",
        }
    }
}

/// What a function can be a method of, beside standing alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// `session("a").goto(..)`.
    Session,
    /// `session("a").page.goto(..)`.
    Page,
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its name in signatures.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// One option of an options map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDoc {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default, as a reader would write it.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// One function.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// The ways to call it, without the receiver.
    pub shapes: &'static [&'static [Param]],
    /// What it answers.
    pub returns: &'static str,
    /// One paragraph.
    pub doc: &'static str,
    /// What its options map may hold.
    pub options: &'static [OptionDoc],
    /// A call as one would write it.
    pub example: &'static str,
    /// What it is a method of as well.
    pub receivers: &'static [Receiver],
}

impl Entry {
    /// Its options by name, the entries of those that are maps behind them: `check`, `check.url`, ..
    pub fn options_in_full(&self) -> Vec<(String, &'static OptionDoc)> {
        let mut all = Vec::new();
        for option in self.options {
            all.push((option.name.to_owned(), option));
            if let Kind::Fields(fields) = option.kind {
                all.extend(fields.known.iter().map(|field| (format!("{}.{}", option.name, field.name), field)));
            }
        }
        all
    }

    /// The ways to call it as a reader would write them: `click(selector, #{..})`.
    pub fn signatures(&self) -> Vec<String> {
        let show = |param: &Param| match param.kind {
            Kind::Options => "#{..}".to_owned(),
            Kind::Function => "|| ..".to_owned(),
            _ => param.name.to_owned(),
        };
        let signature =
            |shape: &&[Param]| format!("{}({})", self.name, shape.iter().map(show).collect::<Vec<_>>().join(", "));
        self.shapes.iter().map(signature).collect()
    }
}

/// A property of a value that our functions answer.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// The value's type.
    pub of: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// All properties.
pub const PROPERTIES: &[Property] = &[
    Property { of: "script", name: "args", doc: "What was given by --arg, as a map of text; seen in functions too." },
    Property { of: "Session", name: "id", doc: "Its id; () for a throw-away one." },
    Property { of: "Session", name: "version", doc: "The newest saved version; () where nothing was saved yet." },
    Property { of: "Session", name: "page", doc: "Its current page." },
    Property { of: "Error", name: "code", doc: "The stable code, e.g. \"timeout\"." },
    Property { of: "Error", name: "message", doc: "One line that says what was wanted and what was found." },
    Property { of: "Error", name: "log", doc: "What the verb tried, line by line." },
];

/// All functions, group by group.
pub fn docs() -> impl Iterator<Item = &'static Entry> {
    [session::ENTRIES, navigate::ENTRIES, act::ENTRIES, wait::ENTRIES, read::ENTRIES, emulate::ENTRIES, script::ENTRIES]
        .into_iter()
        .flatten()
}

/// The function by that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    docs().find(|entry| entry.name == name)
}

const ON_SESSION: &[Receiver] = &[Receiver::Session];
const ON_PAGE: &[Receiver] = &[Receiver::Session, Receiver::Page];

const SELECTOR: Param = Param { name: "selector", kind: Kind::Selector };
const OPTIONS: Param = Param { name: "options", kind: Kind::Options };

/// Every function that can wait has it.
const TIMEOUT: OptionDoc = OptionDoc {
    name: "timeout",
    kind: Kind::Time,
    default: "30s, or what set_default_timeout says",
    doc: "How long to try before the error `timeout`.",
};
const FORCE: OptionDoc = OptionDoc {
    name: "force",
    kind: Kind::Flag,
    default: "false",
    doc: "Act without waiting for the element to be visible, stable, enabled and uncovered.",
};
const TRIAL: OptionDoc =
    OptionDoc { name: "trial", kind: Kind::Flag, default: "false", doc: "Wait as usual, but do not act." };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_is_complete_and_stands_once() {
        let mut names = BTreeSet::new();
        for entry in docs() {
            assert!(names.insert(entry.name), "{} stands twice", entry.name);
            assert!(entry.doc.ends_with('.') && entry.doc.len() > 15, "{} has no doc", entry.name);
            assert!(entry.example.contains(entry.name), "the example of {} does not use it", entry.name);
            assert!(!entry.shapes.is_empty(), "{} cannot be called", entry.name);
        }
    }

    #[test]
    fn options_are_documented_exactly_where_a_shape_takes_them() {
        for entry in docs() {
            let takes = entry.shapes.iter().any(|shape| shape.iter().any(|param| param.kind == Kind::Options));
            assert_eq!(takes, !entry.options.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn signatures_read_as_one_would_write_them() {
        assert_eq!(find("click").unwrap().signatures(), ["click(selector)", "click(selector, #{..})"]);
        assert_eq!(find("step").unwrap().signatures(), ["step(name, || ..)"]);
    }
}
