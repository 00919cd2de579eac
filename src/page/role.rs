//! `role=`: reading it. Finding by it is Chromium's own computation, asked for in `accessibility.rs`.

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::selector::{Fault, Matcher, matcher, normal};

/// A role with what its accessible name and states have to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RoleQuery {
    pub role: String,
    #[serde(skip)]
    pub name: Option<NameTest>,
    /// State and wanted value, as the accessibility tree writes them.
    #[serde(skip)]
    pub states: Vec<(&'static str, String)>,
    #[serde(skip)]
    pub include_hidden: bool,
}

/// What an accessible name has to be, as in Playwright: exact and case-sensitive where nothing else is said. White space is
/// normalised on both sides.
#[derive(Debug, Clone)]
pub(super) enum NameTest {
    /// `=` and its kin.
    Words { how: How, words: String, any_case: bool },
    /// `=/re/`.
    Pattern(Regex),
}

/// The operators of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// `=`
    Whole,
    /// `*=`
    Part,
    /// `^=`
    Start,
    /// `$=`
    End,
}

impl PartialEq for NameTest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Words { how, words, any_case }, Self::Words { how: h, words: w, any_case: a }) => {
                (how, words, any_case) == (h, w, a)
            }
            (Self::Pattern(one), Self::Pattern(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl NameTest {
    /// What was looked for, as written.
    pub fn words(&self) -> &str {
        match self {
            Self::Words { words, .. } => words,
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// Whether an accessible name is as wanted.
    pub fn fits(&self, name: &str) -> bool {
        let name = normal(name);
        match self {
            Self::Pattern(pattern) => pattern.is_match(&name),
            Self::Words { how, words, any_case: true } => how.fits(&name.to_lowercase(), &words.to_lowercase()),
            Self::Words { how, words, any_case: false } => how.fits(&name, words),
        }
    }
}

impl How {
    fn fits(self, name: &str, words: &str) -> bool {
        match self {
            Self::Whole => name == words,
            Self::Part => name.contains(words),
            Self::Start => name.starts_with(words),
            Self::End => name.ends_with(words),
        }
    }
}

/// The roles of WAI-ARIA 1.2 that a document's author can give, as Chromium knows them.
pub(super) const ROLES: &[&str] = &[
    "alert",
    "alertdialog",
    "application",
    "article",
    "banner",
    "blockquote",
    "button",
    "caption",
    "cell",
    "checkbox",
    "code",
    "columnheader",
    "combobox",
    "complementary",
    "contentinfo",
    "definition",
    "deletion",
    "dialog",
    "directory",
    "document",
    "emphasis",
    "feed",
    "figure",
    "form",
    "generic",
    "grid",
    "gridcell",
    "group",
    "heading",
    "image",
    "img",
    "insertion",
    "link",
    "list",
    "listbox",
    "listitem",
    "log",
    "main",
    "mark",
    "marquee",
    "math",
    "menu",
    "menubar",
    "menuitem",
    "menuitemcheckbox",
    "menuitemradio",
    "meter",
    "navigation",
    "none",
    "note",
    "option",
    "paragraph",
    "presentation",
    "progressbar",
    "radio",
    "radiogroup",
    "region",
    "row",
    "rowgroup",
    "rowheader",
    "scrollbar",
    "search",
    "searchbox",
    "separator",
    "slider",
    "spinbutton",
    "status",
    "strong",
    "subscript",
    "suggestion",
    "superscript",
    "switch",
    "tab",
    "table",
    "tablist",
    "tabpanel",
    "term",
    "textbox",
    "time",
    "timer",
    "toolbar",
    "tooltip",
    "tree",
    "treegrid",
    "treeitem",
];

impl RoleQuery {
    /// The role as Chromium's accessibility tree calls it.
    pub fn chromium_role(&self) -> &str {
        match self.role.as_str() {
            "img" => "image",
            "presentation" => "none",
            "directory" => "list",
            role => role,
        }
    }
}

const STATES: [&str; 6] = ["checked", "disabled", "expanded", "level", "pressed", "selected"];
const ATTRIBUTES: [&str; 8] =
    ["name", "include-hidden", "checked", "disabled", "expanded", "level", "pressed", "selected"];

/// Reads `button[name="Save"][disabled]`.
pub(super) fn parse_role(body: &str) -> Result<RoleQuery, Fault> {
    let end = body.find('[').unwrap_or(body.len());
    let role = body[..end].trim();
    if role.is_empty() || !role.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err((0, format!("role= takes a role as in role=button[name=\"Save\"], found {role:?}")));
    }
    let role = role.to_ascii_lowercase();
    if !ROLES.contains(&role.as_str()) {
        let near =
            crate::base::closest(&role, ROLES.iter().copied()).map(|near| format!("; did you mean role={near}?"));
        return Err((0, format!("there is no role {role:?}{}", near.unwrap_or_default())));
    }
    let mut query = RoleQuery { role, name: None, states: Vec::new(), include_hidden: false };
    let mut at = end;
    while at < body.len() {
        if !body[at..].starts_with('[') {
            return Err((at, format!("expected [ after the role, found {:?}", &body[at..])));
        }
        let close = close_of(&body[at + 1..]).ok_or((at, "the [ that opens here is never closed".to_owned()))? + at + 1;
        attribute(&body[at + 1..close], at + 1, &mut query)?;
        at = close + 1;
        at += body[at..].len() - body[at..].trim_start().len();
    }
    Ok(query)
}

/// The `]` that closes, outside quotes and regular expressions.
#[allow(clippy::match_same_arms, reason = "the order of the arms is the meaning")]
fn close_of(rest: &str) -> Option<usize> {
    let (mut inside, mut escaped, mut previous) = (None, false, ' ');
    for (at, c) in rest.char_indices() {
        match (inside, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), _) if open == c => inside = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => inside = Some(c),
            (None, '/') if previous == '=' => inside = Some('/'),
            (None, ']') => return Some(at),
            _ => {}
        }
        if !c.is_whitespace() {
            previous = c;
        }
    }
    None
}

fn attribute(text: &str, at: usize, query: &mut RoleQuery) -> Result<(), Fault> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.trim(), value.trim()),
        None => (text.trim(), "true"),
    };
    let (word, how) = match key.strip_suffix(['*', '^', '$']) {
        Some(word) if key.ends_with('*') => (word.trim_end(), How::Part),
        Some(word) if key.ends_with('^') => (word.trim_end(), How::Start),
        Some(word) => (word.trim_end(), How::End),
        None => (key, How::Whole),
    };
    if word == "name" {
        if !text.contains('=') {
            return Err((at, "name needs a value, as in [name=\"Save\"]".to_owned()));
        }
        query.name = Some(name(value, how, at)?);
        return Ok(());
    }
    let value = value.trim_matches(['"', '\'']);
    if key == "include-hidden" {
        query.include_hidden = value == "true";
    } else if let Some(state) = STATES.into_iter().find(|state| *state == key) {
        let good = match state {
            "level" => value.parse::<u8>().is_ok(),
            "checked" | "pressed" => matches!(value, "true" | "false" | "mixed"),
            _ => matches!(value, "true" | "false"),
        };
        if !good {
            return Err((at, format!("{state} cannot be {value:?}")));
        }
        query.states.push((state, value.to_owned()));
    } else {
        let hint = crate::base::closest(key, ATTRIBUTES)
            .map_or_else(|| format!("known are {}", ATTRIBUTES.join(", ")), |near| format!("did you mean {near}?"));
        return Err((at, format!("role= knows no attribute {key:?}; {hint}")));
    }
    Ok(())
}

/// `"Save"` is exact, `"Save" i` in any case, `/re/` a regular expression.
fn name(value: &str, how: How, at: usize) -> Result<NameTest, Fault> {
    let (text, any_case) = match value.strip_suffix(['s', 'i', 'S', 'I']) {
        Some(text) if text.trim_end().ends_with(['"', '\'']) => (text.trim_end(), value.ends_with(['i', 'I'])),
        _ => (value, false),
    };
    match matcher(text, at)? {
        Matcher::Re { .. } if how != How::Whole => Err((at, "a regular expression is compared by = alone".to_owned())),
        Matcher::Re { v, f } => RegexBuilder::new(&v)
            .case_insensitive(f.contains('i'))
            .multi_line(f.contains('m'))
            .dot_matches_new_line(f.contains('s'))
            .build()
            .map(NameTest::Pattern)
            .map_err(|error| (at, format!("the name /{v}/ is no regular expression: {error}"))),
        Matcher::Exact { v } => Ok(NameTest::Words { how, words: v, any_case }),
        // Without quotes: `matcher` has lost the case.
        Matcher::Sub { .. } => Ok(NameTest::Words { how, words: normal(text), any_case }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(query: &str, name: &str) -> bool {
        parse_role(query).unwrap().name.unwrap().fits(name)
    }

    #[test]
    fn names_and_states_are_read() {
        let query = parse_role("Button[name=\"Save ]\"][disabled][pressed=mixed]").unwrap();
        assert_eq!(query.role, "button");
        assert!(query.name.unwrap().fits("Save  ]"));
        assert_eq!(query.states, [("disabled", "true".into()), ("pressed", "mixed".into())]);
        assert!(fits("link[name=/a[]]/i]", "xA]"));
    }

    #[test]
    fn names_are_exact_unless_an_operator_or_a_flag_says_otherwise() {
        for (query, yes, no) in [
            ("button[name=\"Save\"]", "Save", "Save as"),
            ("button[name=\"Save\"]", " Save\n", "save"),
            ("button[name=Save]", "Save", "Save as"),
            ("button[name='save' i]", "SAVE", "Save as"),
            ("button[name=\"save\"i]", "Save", "Saved"),
            ("button[name=\"Save\" s]", "Save", "save"),
            ("button[name*=\"ave\"]", "Save as", "SAVE"),
            ("button[name*=\"AVE\" i]", "Save as", "Sa ve"),
            ("button[name^=\"Save\"]", "Save as", "Do Save"),
            ("button[name $= \"as\"]", "Save as", "as Save"),
            ("button[name=/^S.*s$/]", "Save as", "Save"),
        ] {
            assert!(fits(query, yes), "{query} {yes}");
            assert!(!fits(query, no), "{query} {no}");
        }
        assert!(parse_role("button[name*=/a/]").is_err());
        assert!(parse_role("button[name]").unwrap_err().1.contains("needs a value"));
        assert!(parse_role("button[name=/a(/]").is_err());
    }

    #[test]
    fn an_unknown_role_names_the_nearest() {
        let reason = parse_role("buton").unwrap_err().1;
        assert_eq!(reason, "there is no role \"buton\"; did you mean role=button?");
        assert!(parse_role("a[name=x]").is_err());
        assert!(ROLES.is_sorted());
    }

    #[test]
    fn unknown_attributes_name_the_nearest() {
        assert!(parse_role("button[nmae=\"x\"]").unwrap_err().1.contains("did you mean name?"));
        assert!(parse_role("button[name=\"x\"").unwrap_err().1.contains("never closed"));
        assert!(parse_role("[name=x]").is_err());
        assert!(parse_role("heading[level=x]").is_err());
    }
}
