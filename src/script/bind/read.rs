//! Reading the page.

use rhai::Dynamic;

use super::{Answer, Call, Verb};
use crate::page::Schema;
use crate::script::described::Described;
use crate::script::{Event, ScriptError, value};

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("extract", extract),
    ("text_content", text_content),
    ("inner_text", inner_text),
    ("get_attribute", get_attribute),
    ("input_value", input_value),
    ("is_visible", is_visible),
    ("evaluate", evaluate),
    ("aria_snapshot", aria_snapshot),
];

fn extract(call: &Call) -> Answer {
    let deadline = call.deadline();
    let schema = value::to_json(call.arg("schema").unwrap_or(&Dynamic::UNIT))?;
    if let Some(described) = Described::read(&schema)? {
        let frame = call.page()?.main_frame();
        let work = described.answer(&frame, call.host.llm.as_ref(), &call.host.redactor, deadline);
        let (value, missing) = call.wait_until(deadline, Box::pin(work))?;
        if !missing.is_empty() {
            call.host.tell(Event::Notice { text: format!("extract: nothing fits {}", missing.join(", ")) });
        }
        return Ok(value::from_json(value));
    }
    let schema = Schema::parse(&schema).map_err(ScriptError::from)?;
    let frame = call.page()?.main_frame();
    call.wait(frame.extract(&schema, deadline)).map(value::from_json)
}

fn text_content(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.text_content(deadline)).map(Dynamic::from)
}

fn inner_text(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.inner_text(deadline)).map(Dynamic::from)
}

fn get_attribute(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    let value = call.wait(locator.get_attribute(&call.text("name"), deadline))?;
    Ok(value.map_or(Dynamic::UNIT, Dynamic::from))
}

fn input_value(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.input_value(deadline)).map(Dynamic::from)
}

fn is_visible(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.is_visible(deadline)).map(Dynamic::from)
}

fn evaluate(call: &Call) -> Answer {
    let deadline = call.deadline();
    let argument = call.arg("argument").map(value::to_json).transpose()?;
    let frame = call.page()?.main_frame();
    call.wait(frame.evaluate(&call.text("javascript"), argument.as_ref(), deadline)).map(value::from_json)
}

fn aria_snapshot(call: &Call) -> Answer {
    let deadline = call.deadline();
    let selector = match call.arg("selector") {
        Some(_) => Some(call.selector()?),
        None => None,
    };
    let page = call.page()?;
    call.wait(page.aria_snapshot(selector.as_ref(), deadline)).map(Dynamic::from)
}
