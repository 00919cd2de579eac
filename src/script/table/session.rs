//! Sessions and their cookies.

use super::{Entry, Group, ON_SESSION, OPTIONS, OptionDoc, Param, TIMEOUT};
use crate::script::kind::Kind;

const ID: Param = Param { name: "id", kind: Kind::Text };
const URL: Param = Param { name: "url", kind: Kind::Text };

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "session",
        group: Group::Session,
        shapes: &[&[ID], &[ID, OPTIONS]],
        returns: "Session",
        doc: "Opens the session with this id, or makes it, and makes it the current one: every verb works on it from here on. Cookies \
              and storage are in place before the first page script runs, and are saved at the end of the run. A second call with the \
              same id answers the same session. Without any call a script runs in a throw-away session.",
        options: &[
            OptionDoc {
                name: "ttl",
                kind: Kind::TimeOrNever,
                default: "30d, or what `ttl` in rhaven.toml says",
                doc: "How long the session is kept after its last use, or \"never\" to keep it for good.",
            },
            OptionDoc {
                name: "mode",
                kind: Kind::OneOf(&["fail", "wait"]),
                default: "\"fail\"",
                doc: "What to do when another run holds it: fail at once with `session_busy`, or wait.",
            },
            OptionDoc {
                name: "timeout",
                kind: Kind::Time,
                default: "30s, or what set_default_timeout says",
                doc: "With mode \"wait\": how long to wait for a busy session.",
            },
        ],
        example: "session(\"acme\");",
        receivers: &[],
    },
    Entry {
        name: "save",
        group: Group::Session,
        shapes: &[&[], &[OPTIONS]],
        returns: "#{ version, updated, changes }",
        doc: "Saves the session now. A new version is made if cookies or storage changed; `updated` says whether one was; `changes` \
              lists, by name and never by value, what differs from the beginning of the run. Every named session is saved at the end of the run anyway, after a failing script too.",
        options: &[TIMEOUT],
        example: "print(save().version);",
        receivers: ON_SESSION,
    },
    Entry {
        name: "cookies",
        group: Group::Session,
        shapes: &[&[], &[URL]],
        returns: "list of maps",
        doc: "The cookies of the session with all their attributes, or only those that would be sent to `url`.",
        options: &[],
        example: "let names = cookies(\"https://example.com\").map(|c| c.name);",
        receivers: ON_SESSION,
    },
];
