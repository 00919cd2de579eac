//! The script itself: its input, its output, its flow.

use super::{Entry, Group, OPTIONS, OptionDoc, Param};
use crate::script::kind::Kind;

const NAME: Param = Param { name: "name", kind: Kind::Text };
const SOURCE: Param = Param { name: "pattern", kind: Kind::Text };
const VALUE: Param = Param { name: "value", kind: Kind::Any };
const COUNT: Param = Param { name: "times", kind: Kind::Count };
const TIME: Param = Param { name: "time", kind: Kind::Time };
const WORK: Param = Param { name: "work", kind: Kind::Function };

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "secret",
        group: Group::Script,
        shapes: &[&[NAME]],
        returns: "Secret",
        doc: "A secret by name, as something that verbs accept and nothing shows. + with text gives a secret again; turning one into text, \
              printing or emitting it is `secret_exposed`. One that is not set is an error before the browser starts.",
        options: &[],
        example: "fill(\"#password\", secret(\"ACME_PASSWORD\"));",
        receivers: &[],
    },
    Entry {
        name: "env",
        group: Group::Script,
        shapes: &[&[NAME]],
        returns: "text",
        doc: "An environment variable, if the run allows scripts to read that one.",
        options: &[],
        example: "let stage = env(\"STAGE\");",
        receivers: &[],
    },
    Entry {
        name: "print",
        group: Group::Script,
        shapes: &[&[VALUE]],
        returns: "()",
        doc: "Writes a line to standard error, of any value as Rhai writes it.",
        options: &[],
        example: "print(`${title()} has loaded`);",
        receivers: &[],
    },
    Entry {
        name: "log",
        group: Group::Script,
        shapes: &[&[VALUE]],
        returns: "()",
        doc: "Writes a line for people, of any value: text as it is, everything else as JSON.",
        options: &[],
        example: "log(#{ rows: 12 });",
        receivers: &[],
    },
    Entry {
        name: "emit",
        group: Group::Script,
        shapes: &[&[VALUE]],
        returns: "()",
        doc: "Writes a value to standard output now, as one line of JSON.",
        options: &[],
        example: "for order in orders { emit(order); }",
        receivers: &[],
    },
    Entry {
        name: "step",
        group: Group::Script,
        shapes: &[&[NAME, WORK]],
        returns: "what the function answers",
        doc: "Names a part of the script: its beginning, its end and how long it took are shown and reported.",
        options: &[],
        example: "step(\"add to the basket\", || click(\"#add\"));",
        receivers: &[],
    },
    Entry {
        name: "retry",
        group: Group::Script,
        shapes: &[&[COUNT, WORK], &[COUNT, WORK, OPTIONS]],
        returns: "what the function answers",
        doc: "Calls a function until it ends without an error, at most so many times; the last error is thrown. The wait between two tries \
              doubles each time.",
        options: &[OptionDoc {
            name: "delay",
            kind: Kind::Time,
            default: "100ms",
            doc: "The wait before the second try.",
        }],
        example: "retry(3, || click(\"#refresh\"), #{ delay: \"1s\" });",
        receivers: &[],
    },
    Entry {
        name: "regex",
        group: Group::Script,
        shapes: &[&[SOURCE]],
        returns: "a regular expression",
        doc: "A regular expression for functions that take one, such as wait_for_url.",
        options: &[],
        example: "wait_for_url(regex(\"/orders/\\\\d+$\"));",
        receivers: &[],
    },
    Entry {
        name: "set_default_timeout",
        group: Group::Script,
        shapes: &[&[TIME]],
        returns: "()",
        doc: "How long every verb from here on may take that does not say otherwise.",
        options: &[],
        example: "set_default_timeout(\"10s\");",
        receivers: &[],
    },
    Entry {
        name: "pause",
        group: Group::Script,
        shapes: &[&[]],
        returns: "()",
        doc: "Opens the REPL here, with the variables that the script has here: look around, try things, change them; the script goes on \
              with what they are when you quit. The time that this takes does not count. Where nobody is at a terminal it says so and \
              the script goes on.",
        options: &[],
        example: "click(\"#pay\"); pause();",
        receivers: &[],
    },
];
