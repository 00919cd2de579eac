//! Reading the page.

use super::{Entry, Group, ON_PAGE, OPTIONS, OptionDoc, Param, SELECTOR, TIMEOUT};
use crate::script::kind::Kind;

const SCHEMA: Param = Param { name: "schema", kind: Kind::Any };
const NAME: Param = Param { name: "name", kind: Kind::Text };
const CODE: Param = Param { name: "javascript", kind: Kind::Text };
const ARGUMENT: Param = Param { name: "argument", kind: Kind::Any };
const PATH: Param = Param { name: "path", kind: Kind::Picture };

const ONLY_TIMEOUT: &[OptionDoc] = &[TIMEOUT];

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "extract",
        group: Group::Read,
        shapes: &[&[SCHEMA], &[SCHEMA, OPTIONS]],
        returns: "what the schema describes",
        doc: "Reads structured data, all of one moment. \"h1\" is the text of the one match, \"a@href\" an attribute, [\"li\"] all matches, \
              #{ name: .. } a map, [#{ selector: \".row\", fields: #{ .. } }] a list of records. A field may be #{ selector, attr, type, optional, \
              default, trim, regex, limit }, where type is \"text\" (the default), \"html\", \"number\", \"integer\", \"bool\", \"date\" or \"url\". \
              Waits for required matches, a list for one at least unless it is optional: true. Keys come in alphabetical order. Without selectors: \
              #{ schema: #{ orders: \"array of order IDs and statuses\" } }, with engine: \"llm\" by a language model, which also follows \
              #{ instruction: \"..\" }.",
        options: ONLY_TIMEOUT,
        example: "extract(#{ orders: [#{ selector: \".order\", fields: #{ id: \".id\", link: \"a@href\" } }] })",
        receivers: ON_PAGE,
    },
    Entry {
        name: "text_content",
        group: Group::Read,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "text",
        doc: "The text of an element with everything in it, hidden parts too.",
        options: ONLY_TIMEOUT,
        example: "let heading = text_content(\"h1\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "inner_text",
        group: Group::Read,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "text",
        doc: "The text of an element as it is rendered.",
        options: ONLY_TIMEOUT,
        example: "let status = inner_text(\".status\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "get_attribute",
        group: Group::Read,
        shapes: &[&[SELECTOR, NAME], &[SELECTOR, NAME, OPTIONS]],
        returns: "text, or () where the element lacks it",
        doc: "An attribute of an element as it stands in the document.",
        options: ONLY_TIMEOUT,
        example: "let target = get_attribute(\"a.next\", \"href\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "input_value",
        group: Group::Read,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "text",
        doc: "The value of a field.",
        options: ONLY_TIMEOUT,
        example: "let email = input_value(\"#email\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "is_visible",
        group: Group::Read,
        shapes: &[&[SELECTOR], &[SELECTOR, OPTIONS]],
        returns: "true or false",
        doc: "Whether the one match can be seen now; false where nothing matches. Does not wait for it: to wait, use wait_for.",
        options: ONLY_TIMEOUT,
        example: "if is_visible(\"#login\") { click(\"#login\"); }",
        receivers: ON_PAGE,
    },
    Entry {
        name: "evaluate",
        group: Group::Read,
        shapes: &[&[CODE], &[CODE, ARGUMENT], &[CODE, ARGUMENT, OPTIONS]],
        returns: "the value, as far as JSON holds it",
        doc: "Runs JavaScript in the page: an expression, or a function that is called with the argument. A promise is awaited. What is not \
              JSON (undefined, functions) comes back as ().",
        options: ONLY_TIMEOUT,
        example: "let count = evaluate(\"(s) => document.querySelectorAll(s).length\", \"a\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "aria_snapshot",
        group: Group::Read,
        shapes: &[&[], &[SELECTOR], &[OPTIONS], &[SELECTOR, OPTIONS]],
        returns: "text",
        doc: "The page, or one element, as assistive technology sees it: a line per role with its name and states, indented, frames \
              included, in the manner of Playwright's ARIA snapshots. What stands in a password field is told as ***.",
        options: ONLY_TIMEOUT,
        example: "print(aria_snapshot(\"form\"));",
        receivers: ON_PAGE,
    },
    Entry {
        name: "markdown",
        group: Group::Read,
        shapes: &[&[], &[SELECTOR], &[OPTIONS], &[SELECTOR, OPTIONS]],
        returns: "text",
        doc: "The page, or one element, as Markdown: what a reader sees now, with absolute links, tables and code; open shadow roots and \
              frames of the same origin included, fields with what they hold.",
        options: &[
            OptionDoc {
                name: "main_content",
                kind: Kind::Flag,
                default: "false",
                doc: "Only what the page is about: no navigation, sidebars, footers, banners.",
            },
            TIMEOUT,
        ],
        example: "print(markdown(#{ main_content: true }));",
        receivers: ON_PAGE,
    },
    Entry {
        name: "tables",
        group: Group::Read,
        shapes: &[&[], &[SELECTOR], &[OPTIONS], &[SELECTOR, OPTIONS]],
        returns: "list of #{ caption, heading, headers, rows }",
        doc: "The tables of the page, or of one element, as data: rows are maps by header, or lists where a table has no headers; cells that \
              span several places are in each of them. caption and heading are there where the table has one.",
        options: ONLY_TIMEOUT,
        example: "for row in tables(\"#orders\")[0].rows { emit(row); }",
        receivers: ON_PAGE,
    },
    Entry {
        name: "structured_data",
        group: Group::Read,
        shapes: &[&[], &[OPTIONS]],
        returns: "#{ json_ld, microdata, open_graph, twitter, meta }",
        doc: "What the page says for machines: the nodes of its JSON-LD, the items of its microdata, Open Graph, Twitter card, title and \
              further <meta>. problems is there where a block could not be read.",
        options: ONLY_TIMEOUT,
        example: "let product = structured_data().json_ld.find(|node| node[\"@type\"] == \"Product\");",
        receivers: ON_PAGE,
    },
    Entry {
        name: "links",
        group: Group::Read,
        shapes: &[&[], &[SELECTOR], &[OPTIONS], &[SELECTOR, OPTIONS]],
        returns: "list of #{ url, text, rel, title }",
        doc: "Where the page, or one element, leads: absolute addresses, each once, in the order of the page, also from menus that are not \
              open now. rel and title are there where the link has them.",
        options: ONLY_TIMEOUT,
        example: "let pages = links(\"nav\").map(|link| link.url);",
        receivers: ON_PAGE,
    },
    Entry {
        name: "screenshot",
        group: Group::Read,
        shapes: &[&[], &[PATH], &[OPTIONS], &[PATH, OPTIONS]],
        returns: "the path, or the bytes where no path was given",
        doc: "Takes a picture of the viewport, of the whole page, or of one element. A path is below the working folder and never leaves it; \
              .jpg and .jpeg give a JPEG, .png a PNG.",
        options: &[
            OptionDoc { name: "selector", kind: Kind::Selector, default: "the page", doc: "Only this element." },
            OptionDoc {
                name: "full_page",
                kind: Kind::Flag,
                default: "false",
                doc: "The whole page and not only the viewport.",
            },
            OptionDoc { name: "mask", kind: Kind::Selectors, default: "[]", doc: "Elements to paint over." },
            OptionDoc {
                name: "type",
                kind: Kind::OneOf(&["png", "jpeg"]),
                default: "by the path, or \"png\"",
                doc: "The format.",
            },
            TIMEOUT,
        ],
        example: "screenshot(\"shots/orders.png\", #{ full_page: true });",
        receivers: ON_PAGE,
    },
];
