//! Sessions and their cookies.

use super::{Entry, Group, ON_SESSION, OPTIONS, OptionDoc, Param, TIMEOUT};
use crate::script::identity::{self, Trait};
use crate::script::kind::Kind;

const ID: Param = Param { name: "id", kind: Kind::Text };
const NEW_ID: Param = Param { name: "new_id", kind: Kind::Text };
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
                default: "30d, 90d with a profile, or what `ttl` in rhaven.toml says",
                doc: "How long the session is kept after its last use, or \"never\" to keep it for good.",
            },
            OptionDoc {
                name: "mode",
                kind: Kind::OneOf(&["fail", "wait", "read_only", "fork"]),
                default: "\"fail\"",
                doc: "What to do when another run holds it: fail at once with `session_busy`, wait, or open a copy (\"fork\", its id is \
                      `ID.fork-1`). \"read_only\" opens what was saved last, whoever holds it, and saves nothing.",
            },
            OptionDoc {
                name: "profile",
                kind: Kind::Flag,
                default: "as it was made; false for a new one",
                doc: "Runs in a full Chromium of its own and keeps its whole profile: history, bookmarks, saved passwords, keys that cannot \
                      leave a page. Makes a profile session of one that is not; a profile session is one without this option too.",
            },
            OptionDoc {
                name: "timeout",
                kind: Kind::Time,
                default: "30s, or what set_default_timeout says",
                doc: "With mode \"wait\": how long to wait for a busy session.",
            },
            OptionDoc {
                name: "identity",
                kind: Kind::Trait(Trait::Identity),
                default: "what the session was made with",
                doc: "What the browser tells sites: the name of one kept by `rhaven identity set`, a map of the options below, or \"browser\" \
                      for what the browser of this run has by itself. Kept with the session; see `rhaven docs identities`.",
            },
            identity::OPTIONS[0],
            identity::OPTIONS[1],
            identity::OPTIONS[2],
            identity::OPTIONS[3],
            identity::OPTIONS[4],
            identity::OPTIONS[5],
            identity::OPTIONS[6],
            identity::OPTIONS[7],
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
    Entry {
        name: "changes",
        group: Group::Session,
        shapes: &[&[], &[OPTIONS]],
        returns: "list of #{ kind, store, origin, name }",
        doc: "What differs now from the beginning of the run, by name and never by value; nothing is saved. Empty for a throw-away session.",
        options: &[TIMEOUT],
        example: "if changes().len() > 0 { save(); }",
        receivers: ON_SESSION,
    },
    Entry {
        name: "history",
        group: Group::Session,
        shapes: &[&[]],
        returns: "list of #{ version, saved_at, pinned, against, changes }",
        doc: "The versions of the session that are kept, newest first, with what each changed against the one before it, by name; \
              `changes` is () where the one before is not kept any more. Empty for a throw-away session.",
        options: &[],
        example: "print(history()[0].saved_at);",
        receivers: ON_SESSION,
    },
    Entry {
        name: "fork",
        group: Group::Session,
        shapes: &[&[NEW_ID], &[NEW_ID, OPTIONS]],
        returns: "true, or false where nothing was written",
        doc: "Keeps the session's state as it is now under another id as well; this session is not saved by it. An error, \
              `session_exists`, where there is one of that id. Nothing is written in a throw-away session, and in watch mode without --keep-state.",
        options: &[TIMEOUT],
        example: "fork(\"acme before the change\");",
        receivers: ON_SESSION,
    },
];
