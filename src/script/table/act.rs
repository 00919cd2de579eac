//! Doing something to an element. Each of them is strict (one match) and waits until the element can take the action.

use super::{Entry, FORCE, Group, ON_PAGE, OPTIONS, OptionDoc, Param, SELECTOR, TIMEOUT, TRIAL};
use crate::script::kind::Kind;

const TEXT: Param = Param { name: "text", kind: Kind::Input };
const KEY: Param = Param { name: "key", kind: Kind::Text };
/// A direction is a word that is also a selector, of elements that there are not.
const TARGET: Param = Param { name: "target", kind: Kind::Selector };
const CHOICE: Param = Param { name: "choice", kind: Kind::Choice };
const FILES: Param = Param { name: "files", kind: Kind::Files };

const BUTTON: OptionDoc = OptionDoc {
    name: "button",
    kind: Kind::OneOf(&["left", "right", "middle"]),
    default: "\"left\"",
    doc: "Which mouse button.",
};
const MODIFIERS: OptionDoc = OptionDoc {
    name: "modifiers",
    kind: Kind::SomeOf(&["Alt", "Control", "ControlOrMeta", "Meta", "Shift"]),
    default: "[]",
    doc: "Keys held down meanwhile; ControlOrMeta is another name of Control.",
};
const POSITION: OptionDoc = OptionDoc {
    name: "position",
    kind: Kind::Point,
    default: "the middle",
    doc: "A point relative to the element's top left corner, in CSS pixels.",
};
const HOLD: OptionDoc =
    OptionDoc { name: "delay", kind: Kind::Time, default: "0", doc: "How long the mouse button is held down." };
const KEY_DELAY: OptionDoc =
    OptionDoc { name: "delay", kind: Kind::Time, default: "0", doc: "The time between two keys." };
const CLICK_COUNT: OptionDoc = OptionDoc {
    name: "click_count",
    kind: Kind::Times,
    default: "1",
    doc: "How many clicks, one after the other: 2 is a double click.",
};

const PLAIN: &[OptionDoc] = &[FORCE, TRIAL, TIMEOUT];
const KEYS: &[OptionDoc] = &[KEY_DELAY, FORCE, TRIAL, TIMEOUT];

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "click",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Clicks an element once it is visible, stable, enabled, scrolled into view and really the one that would receive the click. \
              More than one match is `strict_violation`.",
        options: &[BUTTON, MODIFIERS, POSITION, CLICK_COUNT, HOLD, FORCE, TRIAL, TIMEOUT],
        example: "click(\"button[type=submit]\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "dblclick",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Clicks an element twice; waits as `click` does.",
        options: &[BUTTON, MODIFIERS, POSITION, HOLD, FORCE, TRIAL, TIMEOUT],
        example: "dblclick(\"text=Rename\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "hover",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Moves the mouse over an element; waits as `click` does.",
        options: &[MODIFIERS, POSITION, FORCE, TRIAL, TIMEOUT],
        example: "hover(\"#menu\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "fill",
        group: Group::Act,
        shapes: &[&[SELECTOR, TEXT], &[SELECTOR, TEXT, OPTIONS]],
        returns: "()",
        doc: "Replaces the value of a field in one input event, once it is visible, enabled and editable.",
        options: PLAIN,
        example: "fill(\"label=Password\", secret(\"ACME_PASSWORD\"));",
        receivers: ON_PAGE,
    },
    Entry {
        name: "type",
        group: Group::Act,
        shapes: &[&[SELECTOR, TEXT], &[SELECTOR, TEXT, OPTIONS]],
        returns: "()",
        doc: "Focuses a field and presses key after key, adding to what is there, as Playwright's pressSequentially. Characters that are \
              not on the keyboard go in as text.",
        options: KEYS,
        example: "type(\"#email\", \"user@example.com\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "press",
        group: Group::Act,
        shapes: &[&[KEY], &[KEY, OPTIONS], &[SELECTOR, KEY], &[SELECTOR, KEY, OPTIONS]],
        returns: "()",
        doc: "Presses a key or chord (\"Enter\", \"Control+A\") where the focus is, or on an element that is focused first.",
        options: KEYS,
        example: "press(\"#search\", \"Enter\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "clear",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Empties a field, once it is visible, enabled and editable.",
        options: PLAIN,
        example: "clear(\"#search\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "check",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Checks a checkbox or radio button, by a click unless it is checked already.",
        options: PLAIN,
        example: "check(\"label=Keep me signed in\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "uncheck",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Unchecks a checkbox, by a click unless it is unchecked already.",
        options: PLAIN,
        example: "uncheck(\"label=Newsletter\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "select_option",
        group: Group::Act,
        shapes: &[&[SELECTOR, CHOICE], &[SELECTOR, CHOICE, OPTIONS]],
        returns: "list of the values that are selected then",
        doc: "Selects an option of a <select>: by value or else label (text), by #{ value }, #{ label } or #{ index } (from 0), or several by \
              a list of these.",
        options: PLAIN,
        example: "select_option(\"#country\", #{ label: \"Norway\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "set_input_files",
        group: Group::Act,
        shapes: &[&[SELECTOR, FILES], &[SELECTOR, FILES, OPTIONS]],
        returns: "()",
        doc: "Gives files to an <input type=file> or the one that a label belongs to, in place of those that it has: paths below the run's \
              folder, or #{ name, mime_type, body } with the content as text, secret or blob (or base64: \"..\" in place of body); several as a \
              list, where the field is `multiple`; [] empties it. Does not wait for it to be visible. At most 100 files, 64 MiB together.",
        options: &[TIMEOUT],
        example: "set_input_files(\"label=Avatar\", #{ name: \"me.txt\", body: \"hello\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "scroll",
        group: Group::Act,
        shapes: &[&[], &[TARGET], &[OPTIONS], &[TARGET, OPTIONS]],
        returns: "#{ moved, at_end, stable }",
        doc: "Scrolls the page (or, where that does not scroll, the largest part of it that does) down, or as the target says: a direction, \
              \"down\", \"up\", \"left\" or \"right\", or a selector of the element to scroll. until_stable goes on to the end until nothing \
              more is added, for lists that load as one scrolls; when the time is over it ends without an error and with stable: false.",
        options: &[
            OptionDoc {
                name: "direction",
                kind: Kind::OneOf(&["down", "up", "left", "right"]),
                default: "\"down\"",
                doc: "Where to.",
            },
            OptionDoc {
                name: "amount",
                kind: Kind::Count,
                default: "four fifths of what is seen",
                doc: "How far, in CSS pixels; with until_stable for each step.",
            },
            OptionDoc {
                name: "until_stable",
                kind: Kind::Flag,
                default: "false",
                doc: "On and on, until the end is reached and nothing more is added.",
            },
            TIMEOUT,
        ],
        example: "scroll(\"#list\", #{ until_stable: true, timeout: \"20s\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "scroll_into_view",
        group: Group::Act,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "()",
        doc: "Brings an element into the viewport. The verbs that act on elements do so themselves.",
        options: &[TIMEOUT],
        example: "scroll_into_view(\"#comments\");",
        receivers: ON_PAGE,
    },
];
