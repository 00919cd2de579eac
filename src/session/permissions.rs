//! What sites may do: read by the pages themselves, since Chromium lists it to nobody, and compared with what a site may that nobody
//! has met. Kept beside the state: no change by itself.

use std::collections::BTreeMap;

use chromiumoxide::cdp::browser_protocol::browser::{PermissionDescriptor, PermissionSetting, SetPermissionParams};
use futures_util::future::join_all;
use serde::Deserialize;

use crate::browser::Context;

/// By the permission's name: `granted`, `denied` or `prompt`.
pub(super) type Permissions = BTreeMap<String, String>;
/// By origin, with a slash at its end.
pub(super) type ByOrigin = BTreeMap<String, Permissions>;

/// What a document told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Told {
    /// Whether it is a secure context, which decides what an origin may that nobody has met.
    pub(super) secure: bool,
    pub(super) states: Permissions,
}

/// Nothing is decided.
const OPEN: &str = "prompt";
/// What a browser allows and refuses a site that nobody has met, where it does not leave everything to be asked (as the headless
/// shell of Chromium 156 does). Only there to save a look, which costs a page: where a document tells something else than either,
/// such a site is asked.
const USUAL: [(&str, &str); 10] = [
    ("accelerometer", "granted"),
    ("background-sync", "granted"),
    ("clipboard-write", "granted"),
    ("display-capture", "denied"),
    ("gyroscope", "granted"),
    ("magnetometer", "granted"),
    ("notifications", "denied"),
    ("payment-handler", "granted"),
    ("screen-wake-lock", "granted"),
    ("storage-access", "granted"),
];

impl Told {
    /// Whether nothing was ever decided for this origin, as far as can be told without a comparison.
    pub(super) fn is_usual(&self) -> bool {
        let usual = |name: &str| USUAL.iter().find(|(usual, _)| *usual == name).map_or(OPEN, |(_, state)| state);
        self.states.values().all(|state| state == OPEN) || self.states.iter().all(|(name, state)| state == usual(name))
    }

    /// An origin that nobody has met, of the same kind.
    pub(super) fn stranger(&self) -> &'static str {
        if self.secure { "https://rhaven.invalid/" } else { "http://rhaven.invalid/" }
    }

    /// What differs from what a stranger may.
    pub(super) fn beyond(&self, stranger: &Permissions) -> Permissions {
        let own = self.states.iter().filter(|(name, state)| stranger.get(*name) != Some(*state));
        own.map(|(name, state)| (name.clone(), state.clone())).collect()
    }
}

/// Puts them in place; answers what could not be, for the user.
pub(super) async fn write(context: &Context, all: &ByOrigin) -> Vec<String> {
    let each = all.iter().flat_map(|(origin, states)| states.iter().map(move |(name, state)| (origin, name, state)));
    let sent = each.filter_map(|(origin, name, state)| {
        let setting: PermissionSetting = state.parse().ok()?;
        let mut params = SetPermissionParams::new(PermissionDescriptor::new(name.clone()), setting);
        params.origin = Some(origin.trim_end_matches('/').to_owned());
        params.browser_context_id = Some(context.id().clone());
        let sent = context.browser().cdp().send(params);
        Some(async move {
            let failed = sent.await.err()?;
            Some(format!("the permission {name:?} of {origin} was not put back: {failed}"))
        })
    });
    join_all(sent.collect::<Vec<_>>()).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(states: &[(&str, &str)]) -> Told {
        let states = states.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect();
        Told { secure: true, states }
    }

    #[test]
    fn what_was_decided_is_what_differs_from_a_stranger() {
        let stranger = told(&[("geolocation", "prompt"), ("notifications", "denied"), ("midi", "granted")]);
        let own =
            told(&[("geolocation", "granted"), ("notifications", "denied"), ("midi", "prompt"), ("new", "prompt")]);
        let beyond = own.beyond(&stranger.states);
        assert_eq!(
            Told { secure: true, states: beyond },
            told(&[("geolocation", "granted"), ("midi", "prompt"), ("new", "prompt")])
        );
        assert!(own.beyond(&own.states).is_empty());
        assert!(told(&[("geolocation", "prompt"), ("notifications", "denied")]).is_usual() && !own.is_usual());
        assert!(told(&[("accelerometer", "prompt"), ("notifications", "prompt")]).is_usual());
    }
}
