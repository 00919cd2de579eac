//! Doing something to an element.

use rhai::{Array, Dynamic, Map};

use super::{Answer, Call, Verb};
use crate::page::{ActionOptions, ClickOptions, Direction, ScrollOptions, SelectBy, Selector, TypeOptions};
use crate::script::ScriptError;
use crate::script::files;
use crate::script::kind::{Kind, found, text};

pub(super) const VERBS: &[(&str, Verb)] = &[
    ("click", click),
    ("dblclick", dblclick),
    ("hover", hover),
    ("fill", fill),
    ("type", type_text),
    ("press", press),
    ("clear", clear),
    ("check", |call| set_checked(call, true)),
    ("uncheck", |call| set_checked(call, false)),
    ("select_option", select_option),
    ("set_input_files", set_input_files),
    ("scroll", scroll),
    ("scroll_into_view", scroll_into_view),
];

fn click(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.click(&clicking(call), deadline)).map(Dynamic::from)
}

fn dblclick(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.dblclick(&clicking(call), deadline)).map(Dynamic::from)
}

fn hover(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.hover(&clicking(call), deadline)).map(Dynamic::from)
}

fn fill(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.fill(&call.input("text"), &acting(call), deadline)).map(Dynamic::from)
}

fn type_text(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.type_text(&call.input("text"), &typing(call), deadline)).map(Dynamic::from)
}

fn press(call: &Call) -> Answer {
    let deadline = call.deadline();
    let key = call.text("key");
    if call.arg("selector").is_some() {
        let locator = call.locator()?;
        return call.wait(locator.press(&key, &typing(call), deadline)).map(Dynamic::from);
    }
    let page = call.page()?;
    call.wait(page.keyboard_press(&key, &typing(call), deadline)).map(Dynamic::from)
}

fn clear(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.clear(&acting(call), deadline)).map(Dynamic::from)
}

/// The target is a direction or a selector.
fn scroll(call: &Call) -> Answer {
    let deadline = call.deadline();
    let target = call.text("target");
    let told = Direction::parse(&target);
    let selector = match told {
        None if call.arg("target").is_some() => Some(Selector::parse(&target)),
        _ => None,
    };
    let selector = selector.transpose().map_err(|error| ScriptError::new("invalid_selector", error.to_string()))?;
    let given = call.options();
    let direction = given.text("direction").and_then(|name| Direction::parse(&name)).or(told).unwrap_or_default();
    let amount = given.count("amount");
    let options = ScrollOptions { direction, amount, until_stable: given.flag("until_stable") };
    let page = call.page()?;
    let done = call.wait(page.scroll(selector.as_ref(), &options, deadline))?;
    let mut map = Map::new();
    map.insert("moved".into(), done.moved.into());
    map.insert("at_end".into(), done.at_end.into());
    if options.until_stable {
        map.insert("stable".into(), done.stable.into());
    }
    Ok(map.into())
}

fn scroll_into_view(call: &Call) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.scroll_into_view(deadline)).map(Dynamic::from)
}

fn set_checked(call: &Call, checked: bool) -> Answer {
    let deadline = call.deadline();
    let locator = call.locator()?;
    call.wait(locator.set_checked(checked, &acting(call), deadline)).map(Dynamic::from)
}

fn select_option(call: &Call) -> Answer {
    let deadline = call.deadline();
    let by = call.arg("choice").map(choices).transpose()?.unwrap_or_default();
    let locator = call.locator()?;
    let selected = call.wait(locator.select_option(&by, &acting(call), deadline))?;
    Ok(Dynamic::from_array(selected.into_iter().map(Dynamic::from).collect()))
}

fn set_input_files(call: &Call) -> Answer {
    let deadline = call.deadline();
    let given = call.arg("files").map(|given| files::read(given, &call.host.working_folder)).transpose()?;
    let locator = call.locator()?;
    call.wait(locator.set_input_files(&given.unwrap_or_default(), deadline)).map(Dynamic::from)
}

/// One choice or a list of them.
pub fn choices(value: &Dynamic) -> Result<Vec<SelectBy>, ScriptError> {
    match value.read_lock::<Array>() {
        Some(items) => items.iter().map(choice).collect(),
        None => Ok(vec![choice(value)?]),
    }
}

fn choice(value: &Dynamic) -> Result<SelectBy, ScriptError> {
    if value.is_string() {
        return Ok(SelectBy::ValueOrLabel(text(value)));
    }
    let wrong = || {
        let message = format!("select_option, choice: wanted {}, found {}", Kind::Choice.wanted(), found(value));
        ScriptError::new("invalid_argument", message)
    };
    let map = value.read_lock::<Map>().ok_or_else(wrong)?;
    let mut entries = map.iter();
    let (Some((name, by)), None) = (entries.next(), entries.next()) else { return Err(wrong()) };
    match name.as_str() {
        "value" if by.is_string() => Ok(SelectBy::Value(text(by))),
        "label" if by.is_string() => Ok(SelectBy::Label(text(by))),
        "index" => by.as_int().ok().and_then(|at| usize::try_from(at).ok()).map(SelectBy::Index).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn acting(call: &Call) -> ActionOptions {
    ActionOptions { force: call.options().flag("force"), trial: call.options().flag("trial") }
}

fn clicking(call: &Call) -> ClickOptions {
    let options = call.options();
    ClickOptions {
        action: acting(call),
        button: options.text("button"),
        modifiers: options.words("modifiers"),
        position: options.point("position"),
        click_count: options.count("click_count"),
        delay: options.time("delay"),
    }
}

fn typing(call: &Call) -> TypeOptions {
    TypeOptions { action: acting(call), delay: call.options().time("delay") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_text_a_map_or_a_list() {
        let map = |name: &str, value: Dynamic| Dynamic::from_map([(name.into(), value)].into_iter().collect());
        assert_eq!(choices(&"no".into()).unwrap(), [SelectBy::ValueOrLabel("no".into())]);
        let list = Dynamic::from_array(vec![map("label", "Norway".into()), map("index", 2.into())]);
        assert_eq!(choices(&list).unwrap(), [SelectBy::Label("Norway".into()), SelectBy::Index(2)]);
        for bad in [5.into(), map("lable", "x".into()), map("index", (-1).into())] {
            assert_eq!(choices(&bad).unwrap_err().code(), "invalid_argument");
        }
    }
}
