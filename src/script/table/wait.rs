//! Waiting for the page.

use super::navigate::{LOAD_STATES, WAIT_UNTIL};
use super::{Entry, Group, ON_PAGE, OPTIONS, OptionDoc, Param, SELECTOR, TIMEOUT};
use crate::script::kind::Kind;

const PATTERN: Param = Param { name: "pattern", kind: Kind::Pattern };
const STATE: Param = Param { name: "state", kind: Kind::OneOf(LOAD_STATES) };
const REASON: Param = Param { name: "reason", kind: Kind::Text };
const TIME: Param = Param { name: "time", kind: Kind::Time };

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "wait_for",
        group: Group::Wait,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Waits until an element is there and visible, or whatever `state` says.",
        options: &[
            OptionDoc {
                name: "state",
                kind: Kind::OneOf(&["visible", "hidden", "attached", "detached"]),
                default: "\"visible\"",
                doc: "What to wait for: to be seen, not to be seen (or not there), to be in the document, not to be in it.",
            },
            TIMEOUT,
        ],
        example: "wait_for(\".user-avatar\", #{ timeout: \"10s\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "wait_for_url",
        group: Group::Wait,
        shapes: &[&[PATTERN], &[PATTERN, OPTIONS]],
        returns: "()",
        doc: "Waits until the page's URL matches and the page has loaded. In a glob, * stays within a path segment, ** does not, {a,b} \
              is either; the whole URL has to match. A regex(..) may match anywhere.",
        options: &[WAIT_UNTIL, TIMEOUT],
        example: "wait_for_url(\"**/dashboard\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "wait_for_load_state",
        group: Group::Wait,
        shapes: &[&[], &[STATE], &[OPTIONS], &[STATE, OPTIONS]],
        returns: "()",
        doc: "Waits until the page has loaded, or has reached the given state: \"commit\", \"domcontentloaded\", \"load\" or \"networkidle\" \
              (no traffic for 500 ms).",
        options: &[TIMEOUT],
        example: "wait_for_load_state(\"networkidle\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "pause_for_human",
        group: Group::Wait,
        shapes: &[&[REASON], &[REASON, OPTIONS]],
        returns: "()",
        doc: "Shows the session to a person, at an address that is handed out as the event `pause`, and waits until the person presses \
              Done; then the script goes on with what the person did: cookies, tabs, pages. Waiting counts towards the run's time. Where \
              nobody can be shown anything it is `nobody_to_ask`. `rhaven docs handover` tells more.",
        options: &[OptionDoc {
            name: "timeout",
            kind: Kind::Time,
            default: "as long as the run may take",
            doc: "How long to wait before the error `human_timeout`.",
        }],
        example: "pause_for_human(\"sign in, please\", #{ timeout: \"10m\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "sleep",
        group: Group::Wait,
        shapes: &[&[TIME]],
        returns: "()",
        doc: "Does nothing for a while. Verbs wait by themselves, so this is seldom what a script needs.",
        options: &[],
        example: "sleep(\"250ms\");",
        receivers: &[],
    },
];
