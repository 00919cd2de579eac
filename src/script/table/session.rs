//! Sessions and their cookies.

use super::{Entry, Group, ON_SESSION, OPTIONS, OptionDoc, Param, TIMEOUT};
use crate::script::fields::Fields;
use crate::script::identity::{self, Trait};
use crate::script::kind::Kind;

const ID: Param = Param { name: "id", kind: Kind::Text };
const NEW_ID: Param = Param { name: "new_id", kind: Kind::Text };
const VERSION: Param = Param { name: "version", kind: Kind::Times };
const COOKIES: Param = Param { name: "cookies", kind: Kind::Cookies };
const STATE: Param = Param { name: "state", kind: Kind::State };
const URL: Param = Param { name: "url", kind: Kind::Text };

/// `check` of `session`.
const CHECK: Fields = Fields {
    known: &[
        OptionDoc { name: "url", kind: Kind::Url, default: "needed", doc: "The page to look at." },
        OptionDoc {
            name: "visible",
            kind: Kind::Selector,
            default: "none",
            doc: "An element that only those who are signed in see: one match is visible, also if there are more.",
        },
        OptionDoc {
            name: "hidden",
            kind: Kind::Selector,
            default: "none",
            doc: "An element that they do not see, such as the form to sign in: no match is visible.",
        },
        OptionDoc {
            name: "ends_at",
            kind: Kind::Pattern,
            default: "none",
            doc: "The address that the page has in the end, for sites that send strangers elsewhere.",
        },
        OptionDoc {
            name: "status",
            kind: Kind::Times,
            default: "none",
            doc: "The HTTP status that the page answers with, e.g. 200.",
        },
        OptionDoc { name: "timeout", kind: Kind::Time, default: "10s", doc: "How long all of it may take." },
    ],
    required: "url",
    any_of: &["visible", "hidden", "ends_at", "status"],
};

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
                name: "check",
                kind: Kind::Fields(&CHECK),
                default: "none",
                doc: "What shows that the session is signed in; give a url and what is to be seen there. Looked for in a tab of its own, \
                      when what was saved has been restored, and before a new version is written. Where it is not there, the \
                      error is `auth_required`, and nothing is saved.",
            },
            OptionDoc {
                name: "login",
                kind: Kind::Function,
                default: "none",
                doc: "Signs in: |s| { .. }, called with the session where the check fails, and at once where the session is new. \
                      Then the check is made again.",
            },
            OptionDoc {
                name: "tabs",
                kind: Kind::Flag,
                default: "false",
                doc: "Opens the tabs again that were open when it was saved. All begin to load at once; the first is the current page, and \
                      the only one that is waited for, until its document is there. One that does not load is a warning. Does \
                      nothing where the session is open already.",
            },
            OptionDoc {
                name: "live",
                kind: Kind::Flag,
                default: "false",
                doc: "Where a live browser (`/v0/vm`) has the session open, or is called so: acts in it, in the same tabs, with whoever else \
                      does; the other options do not count, and it is the live browser that saves and ends it. Else people may watch \
                      and steer while the script runs, at an address that is handed out as the event `live`.",
            },
            OptionDoc {
                name: "timeout",
                kind: Kind::Time,
                default: "30s, or what set_default_timeout says",
                doc: "With mode \"wait\": how long to wait for a busy session. With tabs: how long they may take to load.",
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
            identity::OPTIONS[8],
            identity::OPTIONS[9],
            identity::OPTIONS[10],
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
    Entry {
        name: "rollback",
        group: Group::Session,
        shapes: &[&[VERSION]],
        returns: "#{ from, to, version }",
        doc: "Makes what a kept version holds the newest version again, as a version of its own, and opens the session anew with it: \
              what was not saved is dropped, and its pages are closed. An error, `version_not_found`, where it is not kept; history() \
              lists those that are. What `session(..)` checks is checked after it.",
        options: &[],
        example: "let s = session(\"acme\"); s.rollback(s.version - 1);",
        receivers: ON_SESSION,
    },
    Entry {
        name: "delete",
        group: Group::Session,
        shapes: &[&[]],
        returns: "()",
        doc: "Deletes all that is kept of the session, its key first, and closes it. The run goes on without it: verbs without a session \
              go to a throw-away one, and session(..) with its id begins anew.",
        options: &[],
        example: "session(\"acme\").delete();",
        receivers: ON_SESSION,
    },
    Entry {
        name: "close",
        group: Group::Session,
        shapes: &[&[], &[OPTIONS]],
        returns: "#{ version, updated, changes }",
        doc: "Saves the session as save() does, lets others have it, and closes its pages before the run ends; of a profile session the \
              browser is ended and its whole profile kept. Where it cannot be saved that is an error, and it stays open. In watch mode without --keep-state it stays open until the end.",
        options: &[TIMEOUT],
        example: "session(\"acme\").close();",
        receivers: ON_SESSION,
    },
    Entry {
        name: "add_cookies",
        group: Group::Session,
        shapes: &[&[COOKIES]],
        returns: "()",
        doc: "Gives the session cookies: maps with the attributes that cookies() answers. Each needs a name, a value (text or a secret) \
              and either a `url` or a `domain`; one that begins with a dot is for subdomains too. All are taken, or none and an error.",
        options: &[],
        example: "add_cookies([#{ name: \"sid\", value: secret(\"SID\"), url: \"https://example.com\" }]);",
        receivers: ON_SESSION,
    },
    Entry {
        name: "clear_cookies",
        group: Group::Session,
        shapes: &[&[]],
        returns: "()",
        doc: "Removes all cookies of the session. Storages stay as they are.",
        options: &[],
        example: "clear_cookies();",
        receivers: ON_SESSION,
    },
    Entry {
        name: "storage_state",
        group: Group::Session,
        shapes: &[&[], &[OPTIONS]],
        returns: "#{ cookies, origins }",
        doc: "The cookies, localStorage and IndexedDB of the session as they are now, as Playwright's storageState has them, values in clear. \
              What the session has and that format does not hold is named in a warning.",
        options: &[TIMEOUT],
        example: "let state = storage_state();",
        receivers: ON_SESSION,
    },
    Entry {
        name: "set_storage_state",
        group: Group::Session,
        shapes: &[&[STATE], &[STATE, OPTIONS]],
        returns: "()",
        doc: "Puts cookies, localStorage and IndexedDB of a state, as storage_state() answers it or as Playwright writes it into a file, in \
              the place of all that the session has of them. sessionStorage, caches, files and service workers stay. What is not taken \
              is named in a warning. Values may be secrets.",
        options: &[TIMEOUT],
        example: "set_storage_state(#{ cookies: [], origins: [] });",
        receivers: ON_SESSION,
    },
];
