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
        Cell::Node(node, Facet::Text) if matches!(attribute.kind, Kind::Name | Kind::Person) => {
            let lines = dom.lines(*node);
            let is_value = |at: &usize| {
                let next = lines.get(at + 1).map_or("", String::as_str);
                attribute.fit(&words::label(&lines[*at])) < 0.6 && !is_monogram(&lines[*at], next)
            };
            (0..lines.len()).find(is_value).map_or_else(|| cell.text(dom), |at| lines[at].clone())
        }
        // A cell that begins with a link to what it is about is called so; the rest are notes.
        Cell::Node(node, Facet::Text) if attribute.kind == Kind::Any && attribute.output == Output::Text => {
            headed(attribute, dom, *node).unwrap_or_else(|| cell.text(dom))
        }
        // Of a price that was and one that is, the one that is.
        Cell::Node(node, Facet::Text) if attribute.kind == Kind::Money && !attribute.is_of_old() => {
            present(dom, *node).map_or_else(|| cell.text(dom), |at| dom.text(at))
        }
        _ => cell.text(dom),
    };
    let text = stripped(attribute, &text);
    if text.is_empty() || is_placeholder(text) {
        return None;
    }
    // An address is nobody's name, and no text.
    let address = text.starts_with("http://") || text.starts_with("https://");
    if address && !text.contains(' ') && attribute.output == Output::Text && !attribute.wants_url() {
        return None;
    }
    let shown = shapes::fits(attribute.kind, text);
    let dated = attribute.kind == Kind::Date
        && shown <= 0.0
        && cell.machine(dom).is_some_and(|text| shapes::iso_date(&text).is_some());
    let timed =
        attribute.kind == Kind::Date && attribute.output == Output::Text && shapes::looks(Kind::Time, text) > 0.7;
    let looks = if dated || timed { shown.max(0.9) } else { shown };
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
        // "Jane Doe, 3 February 2026"
        Kind::Person => match shapes::date(text) {
            Some((from, _)) if from > 2 && text[..from].trim_end().ends_with([',', '·', '|', '-', '–']) => {
                text[..from].trim_end_matches([' ', ',', '·', '|', '-', '–']).to_owned()
            }
            _ => text.to_owned(),
        },
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

/// Whether a line is the first letters of the name below it, as pictures of people without a picture have them.
fn is_monogram(line: &str, next: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let firsts: String = next.split(' ').filter_map(|word| word.chars().next()).collect();
    letters > 0 && letters <= 3 && line.chars().count() == letters && firsts.starts_with(line)
}

/// Whether a text says that there is nothing: "No addresses saved.", "You have not placed any orders yet."
pub fn says_nothing(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let starts = [
        "no ",
        "you have no",
        "you haven",
        "you don",
        "there are no",
        "there is no",
        "there are currently no",
        "nothing ",
        "none yet",
        "keine ",
        "keinen ",
        "sie haben noch kein",
        "es gibt keine",
        "aucun",
        "vous n",
        "nessun",
        "no hay",
        "sin ",
        "geen ",
        "your cart is empty",
        "0 ",
    ];
    lower.len() <= 120 && lower.split(' ').count() > 1 && starts.iter().any(|start| lower.starts_with(start))
}

/// Whether a text stands where there is nothing.
fn is_placeholder(text: &str) -> bool {
    ["-", "--", "–", "—", "---", "n/a", "N/A", "n.a.", "k. A.", "…", "..."].contains(&text)
}

/// The link that a cell of several lines begins with.
fn headed(attribute: &Attribute, dom: &Dom, node: usize) -> Option<String> {
    let long = ["description", "text", "detail", "note", "address", "summary", "content", "body"];
    if !dom.elements[node].is(&["td", "th"])
        || long.iter().any(|word| attribute.phrases.iter().any(|phrase| phrase.speaks_of(word)))
    {
        return None;
    }
    let lines = dom.lines(node);
    let first = (node + 1..dom.elements[node].end.min(node + 6))
        .find(|at| dom.has_text(*at) && dom.elements[*at].tag == "a")?;
    (lines.len() > 1 && dom.text(first) == lines[0]).then(|| lines[0].clone())
}
