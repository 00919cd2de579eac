//! `set_viewport_size`, `emulate_media`, `set_geolocation`: what pages tell, for the rest of the run.

use rhai::Dynamic;

use super::{Answer, Call, Verb};
use crate::page::{Emulation, Screen};
use crate::script::{ScriptError, identity};
use crate::session::{self, Viewport};

pub(super) const VERBS: &[(&str, Verb)] =
    &[("set_viewport_size", set_viewport_size), ("emulate_media", emulate_media), ("set_geolocation", set_geolocation)];

fn set_viewport_size(call: &Call) -> Answer {
    let side = |name: &str| call.arg(name).and_then(|side| side.as_int().ok());
    let Viewport { width, height } = match side("width").zip(side("height")) {
        Some((width, height)) => session::identity::viewport(width, height).map_err(ScriptError::from)?,
        None => identity::size(call.arg("size").unwrap_or(&Dynamic::UNIT))?,
    };
    let page = call.page()?;
    let change = |told: &mut Emulation| {
        let before = told.screen.unwrap_or(Screen { width: 0, height: 0, scale: 0.0, mobile: false });
        told.screen = Some(Screen { width, height, ..before });
    };
    call.wait(page.emulate(change, call.deadline()))?;
    Ok(Dynamic::UNIT)
}

fn emulate_media(call: &Call) -> Answer {
    let page = call.page()?;
    let options = call.options();
    let change = |told: &mut Emulation| {
        // What is not named stays as it is.
        told.media = options.text("media").or(told.media.take());
        told.color_scheme = options.text("color_scheme").or(told.color_scheme.take());
        told.reduced_motion = options.text("reduced_motion").or(told.reduced_motion.take());
    };
    call.wait(page.emulate(change, call.deadline()))?;
    Ok(Dynamic::UNIT)
}

fn set_geolocation(call: &Call) -> Answer {
    let place = identity::place(call.arg("place").unwrap_or(&Dynamic::UNIT))?;
    let session = call.session()?;
    call.wait_until(call.deadline(), session.set_geolocation(place))?;
    Ok(Dynamic::UNIT)
}
