//! What pages tell of the browser, for the rest of the run.

use super::{Entry, Group, ON_PAGE, ON_SESSION, OPTIONS, OptionDoc, Param, TIMEOUT};
use crate::script::identity::{self, Trait};
use crate::script::kind::Kind;

const WIDTH: Param = Param { name: "width", kind: Kind::Times };
const HEIGHT: Param = Param { name: "height", kind: Kind::Times };
const SIZE: Param = Param { name: "size", kind: Kind::Trait(Trait::Viewport) };
const PLACE: Param = Param { name: "place", kind: Kind::Trait(Trait::Geolocation) };

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "set_viewport_size",
        group: Group::Emulate,
        shapes: &[&[WIDTH, HEIGHT], &[SIZE]],
        returns: "()",
        doc: "Gives the page another size, in CSS pixels, for the rest of the run. The option `viewport` of `session` is for all pages, and \
              kept with the session.",
        options: &[],
        example: "set_viewport_size(400, 900);",
        receivers: ON_PAGE,
    },
    Entry {
        name: "emulate_media",
        group: Group::Emulate,
        shapes: &[&[OPTIONS]],
        returns: "()",
        doc: "Changes what the page's style sheets see, for the rest of the run; what is not named stays as it is.",
        options: &[
            OptionDoc {
                name: "media",
                kind: Kind::OneOf(&["screen", "print"]),
                default: "unchanged",
                doc: "The medium that the page is shown on.",
            },
            OptionDoc { default: "unchanged", ..identity::COLOR_SCHEME },
            OptionDoc { default: "unchanged", ..identity::REDUCED_MOTION },
            TIMEOUT,
        ],
        example: "emulate_media(#{ color_scheme: \"dark\" });",
        receivers: ON_PAGE,
    },
    Entry {
        name: "set_geolocation",
        group: Group::Emulate,
        shapes: &[&[PLACE]],
        returns: "()",
        doc: "Where the browser says that it is, in all pages of the session for the rest of the run; `accuracy` is in metres. Sites that \
              ask for it are let.",
        options: &[],
        example: "set_geolocation(#{ latitude: 52.5, longitude: 13.4 });",
        receivers: ON_SESSION,
    },
];
