//! From what was found to what is answered: the part of a text that was asked for, in the type that was asked for.

use serde_json::Value;
use url::Url;

use super::choose::is_old;
use super::dom::Dom;
use super::model::{Cell, Facet};
use super::shapes::{self, Kind, Output};
use super::wanted::Attribute;
use super::words;

/// What a cell makes as `attribute`, and how much it looks like it (0: not at all).
pub fn of(attribute: &Attribute, cell: &Cell, dom: &Dom, base: Option<&Url>) -> Option<(Value, f32)> {
    let facet = match cell {
        Cell::Node(_, facet) => *facet,
        _ => Facet::Text,
    };
    let wants_address = matches!(attribute.kind, Kind::Url | Kind::Image) || attribute.output == Output::Url;
    match facet {
        Facet::Link if !wants_address || attribute.kind == Kind::Image => return None,
        Facet::Picture if attribute.kind != Kind::Image => return None,
        Facet::Link | Facet::Picture => {
            return shapes::absolute(&cell.text(dom), base).map(|url| (url.into(), 1.0));
        }
        // The link in an element says more than its text.
        Facet::Text if wants_address && attribute.kind != Kind::Image => {
            let within = cell.node().and_then(|node| {
                let end = dom.elements[node].end.min(node + 8);
                (node..end).find(|at| dom.elements[*at].tag == "a" && dom.elements[*at].attr("href").is_some())
            });
            if let Some(href) = within.and_then(|at| dom.elements[at].attr("href")) {
                return shapes::absolute(href, base).map(|url| (url.into(), 0.95));
            }
        }
        Facet::Text => {}
    }
    let text = match cell {
        // A name is one line.
        Cell::Node(node, Facet::Text) if attribute.kind == Kind::Name => {
            let is_value = |line: &String| attribute.fit(&words::label(line)) < 0.6;
            dom.lines(*node).into_iter().find(is_value).unwrap_or_else(|| cell.text(dom))
        }
        // Of a price that was and one that is, the one that is.
        Cell::Node(node, Facet::Text) if attribute.kind == Kind::Money && !attribute.is_of_old() => {
            present(dom, *node).map_or_else(|| cell.text(dom), |at| dom.text(at))
        }
        _ => cell.text(dom),
    };
    let text = stripped(attribute, &text);
    if text.is_empty() {
        return None;
    }
    let shown = shapes::fits(attribute.kind, text);
    let dated = attribute.kind == Kind::Date
        && shown <= 0.0
        && cell.machine(dom).is_some_and(|text| shapes::iso_date(&text).is_some());
    let looks = if dated { 0.9 } else { shown };
    if looks <= 0.0 {
        return None;
    }
    let value = match attribute.output {
        Output::Date | Output::DateTime => {
            let machine = cell.machine(dom).and_then(|text| shapes::convert(attribute.output, &text, base, dom.commas));
            machine.or_else(|| shapes::convert(attribute.output, &core(attribute, text), base, dom.commas))
        }
        Output::Number | Output::Integer => {
            let machine = cell.machine(dom).filter(|text| text.trim().parse::<f64>().is_ok());
            shapes::convert(attribute.output, machine.as_deref().unwrap_or(&core(attribute, text)), base, dom.commas)
        }
        Output::Url => shapes::convert(Output::Url, text, base, dom.commas),
        Output::Bool => shapes::boolean(text).map(Value::from),
        Output::Text | Output::Loose => shapes::convert(attribute.output, &core(attribute, text), base, dom.commas),
    };
    value.map(|value| (value, looks))
}

/// The part of a text that is of the kind.
fn core(attribute: &Attribute, text: &str) -> String {
    let part = |found: Option<(usize, usize)>| found.map_or(text, |(from, to)| &text[from..to]).to_owned();
    let wordy = |found: Option<(usize, usize)>| {
        found.filter(|(from, to)| text[..*from].chars().chain(text[*to..].chars()).any(char::is_alphabetic))
    };
    match attribute.kind {
        Kind::Money => part(wordy(shapes::money(text))),
        Kind::Date => part(
            shapes::date(text)
                .filter(|found| wordy(Some(*found)).is_some() && shapes::time(&text[found.1..]).is_none()),
        ),
        Kind::Email | Kind::Phone => shapes::core(attribute.kind, text).to_owned(),
        _ => text.to_owned(),
    }
}

/// Without a label that stands in the text itself: "SKU: 123", "by Jane".
fn stripped<'a>(attribute: &Attribute, text: &'a str) -> &'a str {
    if let Some((label, value)) = text.split_once(':')
        && super::model::is_label(label)
        && !value.trim().is_empty()
        && attribute.fit(&words::label(label)) >= 0.6
    {
        return value.trim();
    }
    if let Some((first, rest)) = text.split_once(' ')
        && first.eq_ignore_ascii_case("by")
        && attribute.fit(&words::label("by")) >= 0.6
    {
        return rest.trim();
    }
    text.trim()
}

/// The element with the amount that counts, where another in the same place is marked as one that was.
fn present(dom: &Dom, node: usize) -> Option<usize> {
    let inside = || node + 1..dom.elements[node].end.min(node + 20);
    let has_money = |at: &usize| dom.length(*at) < 60 && shapes::money(&dom.text(*at)).is_some();
    inside().find(|at| is_old(dom, *at))?;
    inside().find(|at| !dom.upwards(*at).take_while(|up| *up > node).any(|up| is_old(dom, up)) && has_money(at))
}
