//! Passwords that were typed in clear where somebody keeps what is typed: the value becomes a secret before a verb uses it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::{Redactor, Secret};

/// The name of the first one.
const NAME: &str = "PASSWORD";

/// Whether passwords are learnt, and those that were.
#[derive(Default)]
pub struct Passwords {
    on: AtomicBool,
    learnt: Mutex<Vec<Secret>>,
}

impl Passwords {
    /// Switches it on or off; off at first. On, it costs a question to the page per text that is typed.
    pub fn learn(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Those that were learnt, in the order in which they came.
    pub fn learnt(&self) -> Vec<Secret> {
        self.learnt.lock().map(|learnt| learnt.clone()).unwrap_or_default()
    }

    /// Makes `value` a secret with a name that is not `taken`; answers it where it is new. The redactor knows it from then on; a
    /// value too short to be replaced everywhere is in the list all the same.
    pub fn add(&self, value: &str, redactor: &Redactor, taken: impl Fn(&str) -> bool) -> Option<Secret> {
        let mut learnt = self.learnt.lock().ok()?;
        if value.is_empty() || redactor.secrets().iter().chain(learnt.iter()).any(|known| known.expose() == value) {
            return None;
        }
        let is_free = |name: &String| !taken(name) && !learnt.iter().any(|known| known.name() == name);
        let names = std::iter::once(NAME.to_owned()).chain((2_u32..).map(|number| format!("{NAME}_{number}")));
        let secret = Secret::new(&names.into_iter().find(is_free)?, value.to_owned());
        redactor.learn(&secret);
        learnt.push(secret.clone());
        Some(secret)
    }
}

/// What the user is told of a new one.
pub fn notice(secret: &Secret) -> String {
    let name = secret.name();
    format!(
        "a password was typed in clear: it is kept out of history and .code as secret(\"{name}\"); RHAVEN_SECRET_{name} sets it for a run"
    )
}

/// Whether a selector is about a password, by its words: for one that finds nothing (yet).
pub fn is_meant(selector: &str) -> bool {
    let selector = selector.to_lowercase();
    ["passw", "pasw", "passphrase", "pwd", "passcode"].iter().any(|word| selector.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_name_that_nothing_else_has() {
        let (passwords, redactor) = (Passwords::default(), Redactor::default());
        let add = |value: &str| passwords.add(value, &redactor, |name| name == "PASSWORD").map(|s| s.name().to_owned());
        redactor.learn(&Secret::new("OTHER", "swordfish".into()));
        assert_eq!(add("hunter22").as_deref(), Some("PASSWORD_2"));
        assert_eq!(add("abc").as_deref(), Some("PASSWORD_3"));
        for known in ["hunter22", "abc", "swordfish", ""] {
            assert_eq!(add(known), None, "{known}");
        }
        assert_eq!(redactor.redact("hunter22"), "***PASSWORD_2***");
        let names: Vec<String> = redactor.secrets().iter().map(|s| s.name().to_owned()).collect();
        assert_eq!(names, ["OTHER", "PASSWORD_2", "PASSWORD_3"]);
    }
}
