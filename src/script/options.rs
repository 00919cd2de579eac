//! Options maps: every name known, every value of the right kind, before the verb begins.

use std::time::Duration;

use rhai::Map;

use crate::base::closest;
use crate::page::Selector;

use super::ScriptError;
use super::kind;
use super::table::OptionDoc;

/// The checked options of one call.
#[derive(Debug, Default)]
pub struct Options(Map);

impl Options {
    /// Checks `map` against what `function` knows.
    pub fn new(map: Map, function: &str, known: &[OptionDoc]) -> Result<Self, ScriptError> {
        for (name, value) in &map {
            let option = known.iter().find(|option| option.name == name.as_str());
            let option = option.ok_or_else(|| unknown(name, function, known))?;
            if let Some(fault) = option.kind.fault(value) {
                return Err(misfit(name, function, &fault));
            }
        }
        Ok(Self(map))
    }

    /// A time.
    pub fn time(&self, name: &str) -> Option<Duration> {
        kind::time(self.0.get(name)?).ok()
    }

    /// A map that is the value of an option, with what it may hold.
    pub fn fields(&self, name: &str) -> Option<Options> {
        self.0.get(name)?.read_lock::<Map>().map(|map| Self(map.clone()))
    }

    /// The value itself.
    pub fn value(&self, name: &str) -> Option<&rhai::Dynamic> {
        self.0.get(name)
    }

    /// A flag; false where it is not given.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.as_bool().unwrap_or(false))
    }

    /// A flag; none where it is not given.
    pub fn maybe_flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(|value| value.as_bool().ok())
    }

    /// Text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(kind::text)
    }

    /// A whole number, cut to what fits.
    pub fn count(&self, name: &str) -> Option<u32> {
        let number = self.0.get(name)?.as_int().ok()?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A list of words.
    pub fn words(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(rhai::Dynamic::read_lock::<rhai::Array>);
        list.map(|items| items.iter().map(kind::text).collect()).unwrap_or_default()
    }

    /// A point.
    pub fn point(&self, name: &str) -> Option<(f64, f64)> {
        kind::point(self.0.get(name)?)
    }

    /// One selector or several; none where it is not given.
    pub fn selectors(&self, name: &str) -> Vec<Selector> {
        self.0.get(name).and_then(|value| kind::selectors(value).ok()).unwrap_or_default()
    }
}

/// The error for an option that does not exist.
pub fn unknown(name: &str, function: &str, known: &[OptionDoc]) -> ScriptError {
    let names: Vec<&str> = known.iter().map(|option| option.name).collect();
    let hint = match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}? {function} knows {}", names.join(", ")),
        None if names.is_empty() => format!("{function} has no options"),
        None => format!("{function} knows {}", names.join(", ")),
    };
    ScriptError::new("invalid_option", format!("{function} has no option {name:?}")).with_hint(hint)
}

/// The error for an option with a value that does not fit.
pub fn misfit(name: &str, function: &str, fault: &ScriptError) -> ScriptError {
    let code = if fault.code() == "invalid_selector" { "invalid_selector" } else { "invalid_option" };
    ScriptError::new(code, format!("{function}, option {name:?}: {}", fault.parts().message))
}

#[cfg(test)]
mod tests {
    use rhai::Dynamic;

    use super::*;
    use crate::script::kind::Kind;

    const KNOWN: &[OptionDoc] = &[
        OptionDoc { name: "timeout", kind: Kind::Time, default: "30s", doc: "" },
        OptionDoc { name: "force", kind: Kind::Flag, default: "false", doc: "" },
    ];

    fn read(entries: &[(&str, Dynamic)]) -> Result<Options, ScriptError> {
        let map = entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        Options::new(map, "click", KNOWN)
    }

    #[test]
    fn known_options_are_read() {
        let options = read(&[("timeout", "5s".into()), ("force", true.into())]).unwrap();
        assert_eq!(options.time("timeout"), Some(Duration::from_secs(5)));
        assert!(options.flag("force"));
    }

    #[test]
    fn an_unknown_option_names_the_nearest() {
        let error = read(&[("timout", 5.into())]).unwrap_err();
        assert_eq!(error.code(), "invalid_option");
        assert_eq!(error.parts().message, r#"click has no option "timout""#);
        assert_eq!(error.parts().hint.as_deref(), Some("did you mean \"timeout\"? click knows timeout, force"));
    }

    #[test]
    fn a_wrong_type_names_option_wanted_and_found() {
        let error = read(&[("force", 1.into())]).unwrap_err();
        assert_eq!(error.code(), "invalid_option");
        assert_eq!(error.parts().message, r#"click, option "force": wanted true or false, found a whole number"#);
    }
}
