//! Going somewhere, and where one is.

use super::{Entry, Group, ON_PAGE, OPTIONS, OptionDoc, Param, TIMEOUT};
use crate::script::kind::Kind;

pub(super) const LOAD_STATES: &[&str] = &["commit", "domcontentloaded", "load", "networkidle"];

const URL: Param = Param { name: "url", kind: Kind::Text };
pub(super) const WAIT_UNTIL: OptionDoc = OptionDoc {
    name: "wait_until",
    kind: Kind::OneOf(LOAD_STATES),
    default: "\"load\"",
    doc: "When the navigation counts as done: the new document has begun (commit), is parsed, has loaded, or there was no traffic for 500 ms.",
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "goto",
        group: Group::Navigate,
        shapes: &[&[URL], &[URL, OPTIONS]],
        returns: "HTTP status, or () where there is none",
        doc: "Loads a page and waits until it has loaded. An answer such as 404 is not an error; a page that cannot be loaded at all is \
              `navigation_failed`.",
        options: &[
            WAIT_UNTIL,
            OptionDoc { name: "referer", kind: Kind::Text, default: "none", doc: "The Referer header to send." },
            TIMEOUT,
        ],
        example: "goto(\"https://example.com/login\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "reload",
        group: Group::Navigate,
        shapes: &[&[], &[OPTIONS]],
        returns: "HTTP status, or () where there is none",
        doc: "Loads the current page anew and waits until it has loaded.",
        options: &[WAIT_UNTIL, TIMEOUT],
        example: "reload();",
        receivers: ON_PAGE,
    },
    Entry {
        name: "go_back",
        group: Group::Navigate,
        shapes: &[&[], &[OPTIONS]],
        returns: "true, or false where there is nothing to go back to",
        doc: "Goes one step back in the page's history and waits until that page has loaded.",
        options: &[WAIT_UNTIL, TIMEOUT],
        example: "go_back();",
        receivers: ON_PAGE,
    },
    Entry {
        name: "url",
        group: Group::Navigate,
        shapes: &[&[], &[OPTIONS]],
        returns: "text",
        doc: "The page's URL. Waits for a navigation that is under way to commit.",
        options: &[TIMEOUT],
        example: "if url().contains(\"/login\") { throw \"signed out\"; }",
        receivers: ON_PAGE,
    },
    Entry {
        name: "title",
        group: Group::Navigate,
        shapes: &[&[], &[OPTIONS]],
        returns: "text",
        doc: "The page's title.",
        options: &[TIMEOUT],
        example: "print(title());",
        receivers: ON_PAGE,
    },
    Entry {
        name: "content",
        group: Group::Navigate,
        shapes: &[&[], &[OPTIONS]],
        returns: "text",
        doc: "The page's document as HTML, as it stands now.",
        options: &[TIMEOUT],
        example: "let html = content();",
        receivers: ON_PAGE,
    },
];
