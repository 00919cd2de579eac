//! Reading the page.

use rhai::Dynamic;
use serde::Serialize;

use super::{Answer, Call, Verb};
use crate::document::MarkdownOptions;
use crate::page::{Schema, Selector};
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
    ("markdown", markdown),
    ("tables", tables),
    ("structured_data", structured_data),
    ("links", links),
];

fn extract(call: &Call) -> Answer {
    let deadline = call.deadline();
    let schema = value::to_json(call.arg("schema").unwrap_or(&Dynamic::UNIT))?;
    if let Some(described) = Described::read(&schema)? {
        let page = call.page()?;
        let work = described.answer(&page, call.host.llm.as_ref(), &call.host.redactor, deadline);
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
    // As much as a value of the script may hold.
    let most = call.host.limits.string_bytes;
    call.wait(frame.evaluate_within(&call.text("javascript"), argument.as_ref(), most, deadline)).map(value::from_json)
}

fn aria_snapshot(call: &Call) -> Answer {
    let deadline = call.deadline();
    let selector = maybe_selector(call)?;
    let page = call.page()?;
    call.wait(page.aria_snapshot(selector.as_ref(), deadline)).map(Dynamic::from)
}

fn markdown(call: &Call) -> Answer {
    let deadline = call.deadline();
    let selector = maybe_selector(call)?;
    let options = MarkdownOptions { main_content: call.options().flag("main_content") };
    let page = call.page()?;
    call.wait(page.markdown(selector.as_ref(), &options, deadline)).map(Dynamic::from)
}

fn tables(call: &Call) -> Answer {
    let deadline = call.deadline();
    let selector = maybe_selector(call)?;
    let page = call.page()?;
    told(call.wait(page.tables(selector.as_ref(), deadline))?)
}

fn structured_data(call: &Call) -> Answer {
    let deadline = call.deadline();
    let page = call.page()?;
    told(call.wait(page.structured_data(deadline))?)
}

fn links(call: &Call) -> Answer {
    let deadline = call.deadline();
    let selector = maybe_selector(call)?;
    let page = call.page()?;
    told(call.wait(page.links(selector.as_ref(), deadline))?)
}

fn maybe_selector(call: &Call) -> Result<Option<Selector>, ScriptError> {
    call.arg("selector").map(|_| call.selector()).transpose()
}

/// What was read, as a value of the script.
fn told(read: impl Serialize) -> Answer {
    let json = serde_json::to_value(read).map_err(|error| ScriptError::new("internal_error", error.to_string()))?;
    Ok(value::from_json(json))
}
