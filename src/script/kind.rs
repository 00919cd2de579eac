//! What a parameter or option may be. The same rules serve a running call and the check of a literal before the run.

use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, INT, Map};

use crate::base::{Secret, closest, parse_duration};
use crate::page::{Selector, check_glob, check_url};

use super::ScriptError;
use super::cookies;
use super::fields::Fields;
use super::files;
use super::identity::Trait;
use super::pattern::Pattern;

/// The kinds of values that our functions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// Text.
    Text,
    /// Text or a [`Secret`].
    Input,
    /// A selector.
    Selector,
    /// One selector or several.
    Selectors,
    /// Milliseconds or text such as `"5s"`.
    Time,
    /// A time or `"never"`.
    TimeOrNever,
    /// A whole number from 0.
    Count,
    /// A whole number from 1.
    Times,
    /// Text that ends as a picture's file does.
    Picture,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words.
    SomeOf(&'static [&'static str]),
    /// `#{ x, y }`.
    Point,
    /// A glob or a `regex(..)`.
    Pattern,
    /// What `select_option` takes: text, `#{ value | label | index }`, or a list of them.
    Choice,
    /// What `set_input_files` takes: a path, a map with a file's content, or a list of them.
    Files,
    /// A function or closure.
    Function,
    /// Text that is a whole URL.
    Url,
    /// A list of cookies, as `cookies()` answers them.
    Cookies,
    /// What `storage_state` answers, or the text of such a file.
    State,
    /// A map with entries of its own.
    Fields(&'static Fields),
    /// What an identity is made of.
    Trait(Trait),
    /// An options map.
    Options,
}

impl Kind {
    /// In words, for messages.
    pub fn wanted(self) -> String {
        match self {
            Self::Any => "anything".into(),
            Self::Text => "text".into(),
            Self::Input => "text or a secret".into(),
            Self::Selector => "a selector (text)".into(),
            Self::Selectors => "a selector or a list of selectors".into(),
            Self::Time => "a time: milliseconds or text such as \"250ms\", \"5s\", \"2m\"".into(),
            Self::TimeOrNever => "a time such as \"30d\", or \"never\"".into(),
            Self::Count => "a whole number from 0".into(),
            Self::Times => "a whole number from 1".into(),
            Self::Picture => "a path that ends in .png, .jpg or .jpeg".into(),
            Self::Flag => "true or false".into(),
            Self::OneOf(words) => format!("one of {}", quoted(words)),
            Self::SomeOf(words) => format!("a list of {}", quoted(words)),
            Self::Point => "a point such as #{ x: 10, y: 5 }".into(),
            Self::Pattern => "a glob (text) or regex(..)".into(),
            Self::Choice => "text, #{ value: .. }, #{ label: .. }, #{ index: .. }, or a list of them".into(),
            Self::Files => files::WANTED.into(),
            Self::Function => "a function such as || ..".into(),
            Self::Url => "a URL such as \"https://example.com\"".into(),
            Self::Cookies => {
                "a list of maps such as #{ name: \"sid\", value: \"..\", url: \"https://example.com\" }".into()
            }
            Self::State => "what storage_state() answers, or the text of such a file".into(),
            Self::Fields(fields) => fields.wanted(),
            Self::Trait(told) => told.wanted().into(),
            Self::Options => "an options map #{ .. }".into(),
        }
    }

    /// Whether the type fits: enough to tell the shapes of a function apart.
    pub fn takes(self, value: &Dynamic) -> bool {
        match self {
            Self::Any => true,
            Self::Text | Self::Url | Self::Picture | Self::Selector | Self::OneOf(_) => value.is_string(),
            Self::Input => value.is_string() || value.is::<Secret>(),
            Self::Selectors => value.is_string() || all(value, Dynamic::is_string),
            Self::Time | Self::TimeOrNever => value.is_string() || value.is_int() || value.is_float(),
            Self::Count => value.as_int().is_ok_and(|number| number >= 0),
            Self::Times => value.as_int().is_ok_and(|number| number >= 1),
            Self::Flag => value.is_bool(),
            Self::SomeOf(_) => all(value, Dynamic::is_string),
            Self::Point => point(value).is_some(),
            Self::Pattern => value.is_string() || value.is::<Pattern>(),
            Self::Choice => value.is_string() || value.is_map() || value.is_array(),
            Self::Files => files::takes(value),
            Self::Function => value.is::<FnPtr>(),
            Self::Cookies => all(value, Dynamic::is_map),
            Self::State => value.is_map() || value.is_string(),
            Self::Trait(told) => told.takes(value),
            Self::Options | Self::Fields(_) => value.is_map(),
        }
    }

    /// Why the value does not fit, if it does not.
    pub fn fault(self, value: &Dynamic) -> Option<ScriptError> {
        if !self.takes(value) {
            return Some(invalid(format!("wanted {}, found {}", self.wanted(), found(value))));
        }
        match self {
            Self::TimeOrNever if is_word(value, "never") => None,
            Self::Time | Self::TimeOrNever => time(value).err(),
            Self::Picture => not_a_picture(&text(value)),
            Self::Url => check_url(&text(value)).err().map(|error| invalid(error.to_string())),
            Self::Pattern if value.is_string() => {
                check_glob(&text(value)).err().map(|error| invalid(error.to_string()))
            }
            Self::Cookies => cookies::fault(value),
            Self::Files => files::fault(value),
            Self::Fields(fields) => entries(value, fields),
            Self::OneOf(words) => unknown_word(value, words),
            Self::SomeOf(words) => value.read_lock::<Array>()?.iter().find_map(|word| unknown_word(word, words)),
            Self::Selector => Selector::parse(&text(value)).err().map(|error| selector_fault(&error)),
            Self::Selectors => selectors(value).err(),
            Self::Trait(told) => told.fault(value),
            _ => None,
        }
    }
}

/// A time as scripts write it.
pub fn time(value: &Dynamic) -> Result<Duration, ScriptError> {
    let written = value.as_int().map(|millis| millis.to_string());
    let written = written.or_else(|_| value.as_float().map(|millis| millis.to_string()));
    let written = written.or_else(|_| value.as_immutable_string_ref().map(|text| text.to_string()));
    let written = written.map_err(|_| invalid(format!("wanted {}, found {}", Kind::Time.wanted(), found(value))))?;
    parse_duration(&written).map_err(|error| invalid(error.to_string()))
}

/// One selector or a list of them.
pub fn selectors(value: &Dynamic) -> Result<Vec<Selector>, ScriptError> {
    let parse = |value: &Dynamic| Selector::parse(&text(value)).map_err(|error| selector_fault(&error));
    match value.read_lock::<Array>() {
        Some(items) => items.iter().map(parse).collect(),
        None => Ok(vec![parse(value)?]),
    }
}

/// `#{ x, y }` in CSS pixels.
pub fn point(value: &Dynamic) -> Option<(f64, f64)> {
    let map = value.read_lock::<Map>()?;
    let number = |name: &str| {
        let value = map.get(name)?;
        // A coordinate beyond 2^52 pixels does not exist.
        #[allow(clippy::cast_precision_loss)]
        value.as_float().or_else(|_| value.as_int().map(|whole: INT| whole as f64)).ok()
    };
    (map.len() == 2).then_some(())?;
    Some((number("x")?, number("y")?))
}

/// Text as a `String`; empty where the value is no text (callers have checked).
pub fn text(value: &Dynamic) -> String {
    value.as_immutable_string_ref().map(|text| text.to_string()).unwrap_or_default()
}

/// How a value is called in messages. Never its content: it may be private.
pub fn found(value: &Dynamic) -> String {
    let name = match value.type_name() {
        "()" => "nothing",
        "i64" if value.as_int().is_ok_and(|number| number < 0) => "a negative number",
        "i64" => "a whole number",
        "f64" => "a number",
        "bool" => "true or false",
        "string" => "text",
        "char" => "a character",
        "array" => "a list",
        "map" => "a map",
        "Fn" => "a function",
        _ if value.is::<Secret>() => "a secret",
        other => other,
    };
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

/// What is wrong with the entries of a map.
fn entries(value: &Dynamic, fields: &Fields) -> Option<ScriptError> {
    let map = value.read_lock::<Map>()?;
    let fault = map.iter().find_map(|(name, value)| match fields.find(name) {
        Some(field) => field.kind.fault(value).map(|fault| in_entry(name, &fault)),
        None => Some(fields.unknown(name)),
    });
    fault.or_else(|| fields.missing(|name| map.contains_key(name)))
}

/// The error for an entry of a map that is the value of an option.
pub fn in_entry(name: &str, fault: &ScriptError) -> ScriptError {
    ScriptError::new(fault.parts().code.clone(), format!("{name:?}: {}", fault.parts().message))
}

/// A path that names no kind of picture is most often a selector.
fn not_a_picture(path: &str) -> Option<ScriptError> {
    let extension = std::path::Path::new(path).extension().map(std::ffi::OsStr::to_ascii_lowercase);
    if extension.is_some_and(|extension| ["png", "jpg", "jpeg"].iter().any(|known| extension == *known)) {
        return None;
    }
    let message = format!("wanted {}, found {path:?}", Kind::Picture.wanted());
    Some(invalid(message).with_hint("for a picture of an element: screenshot(#{ selector: \"#a\" })"))
}

fn selector_fault(error: &crate::page::SelectorError) -> ScriptError {
    ScriptError::new("invalid_selector", error.to_string())
}

fn invalid(message: String) -> ScriptError {
    ScriptError::new("invalid_argument", message)
}

fn unknown_word(value: &Dynamic, words: &'static [&'static str]) -> Option<ScriptError> {
    let word = text(value);
    if words.contains(&word.as_str()) {
        return None;
    }
    // Too short to be near to what it stands for.
    let written = if word.eq_ignore_ascii_case("ctrl") { "Control" } else { word.as_str() };
    let meant = closest(written, words.iter().copied()).map(|meant| format!("; did you mean {meant:?}?"));
    Some(invalid(format!("wanted one of {}, found {word:?}{}", quoted(words), meant.unwrap_or_default())))
}

fn all(value: &Dynamic, fits: impl Fn(&Dynamic) -> bool) -> bool {
    value.read_lock::<Array>().is_some_and(|items| items.iter().all(fits))
}

fn is_word(value: &Dynamic, word: &str) -> bool {
    value.as_immutable_string_ref().is_ok_and(|text| text.as_str() == word)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_text() {
        let check = |value: Dynamic, millis: u64| assert_eq!(time(&value).unwrap(), Duration::from_millis(millis));
        check(250.into(), 250);
        check("5s".into(), 5_000);
        check(20.0.into(), 20);
        assert!(Kind::Time.fault(&"5 parsecs".into()).is_some());
        assert!(Kind::Time.fault(&(-1).into()).is_some());
        assert!(Kind::TimeOrNever.fault(&"never".into()).is_none());
    }

    #[test]
    fn an_unknown_word_names_the_nearest() {
        const WORDS: &[&str] = &["visible", "hidden"];
        let error = Kind::OneOf(WORDS).fault(&"visibel".into()).unwrap();
        assert_eq!(
            error.parts().message,
            r#"wanted one of "visible", "hidden", found "visibel"; did you mean "visible"?"#
        );
    }

    #[test]
    fn a_wrong_type_is_named_but_not_shown() {
        let error = Kind::Flag.fault(&"swordfish".into()).unwrap();
        assert_eq!(error.parts().message, "wanted true or false, found text");
    }
}
