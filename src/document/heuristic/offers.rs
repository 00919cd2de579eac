//! What an element of a row offers besides its text: whom a link writes to or calls, what is read out, a value with its label.

use super::dom::Dom;
use super::facts::siblings_after;
use super::model::{Aspect, Cell, is_label};
use super::shapes;

/// Longer labels and spoken texts are sentences.
const LONGEST: usize = 60;

/// Whom a link writes to or calls.
pub fn contact(dom: &Dom, at: usize) -> Option<(Aspect, String)> {
    let href = dom.elements[at].attr("href")?;
    if let Some(address) = href.strip_prefix("mailto:") {
        return Some((Aspect::Mail, address.split('?').next().unwrap_or(address).to_owned()));
    }
    let number = href.strip_prefix("tel:")?;
    let text = dom.text(at);
    Some((Aspect::Phone, if shapes::phone(&text).is_some() { text } else { number.to_owned() }))
}

/// What is read out of an element that shows something else.
pub fn spoken(dom: &Dom, at: usize) -> Option<String> {
    let element = &dom.elements[at];
    let spoken = element.attr("aria-label").or(element.attr("title"))?;
    let telling = spoken.len() <= LONGEST && spoken.bytes().any(|byte| byte.is_ascii_digit());
    (telling && dom.has_text(at) && dom.text(at) != spoken).then(|| spoken.to_owned())
}

/// A label and the element of its value, where an element has little more than the two.
pub fn pair(dom: &Dom, at: usize) -> Option<(String, usize)> {
    let element = &dom.elements[at];
    if element.own || element.end - at > 16 || element.is(&["tr", "dl", "ul", "ol", "tbody", "table"]) {
        return None;
    }
    let kids: Vec<usize> = dom.children(at).filter(|kid| dom.has_text(*kid)).take(4).collect();
    let ([label, value] | [label, value, _]) = kids.as_slice() else { return None };
    if dom.length(*label) > LONGEST || dom.elements[*label].is(&["button", "a", "h1", "h2", "h3", "h4"]) {
        return None;
    }
    let text = dom.text(*label);
    is_label(&text).then(|| (text.trim_end_matches([':', ' ']).to_owned(), *value))
}

/// What a habit of many sites says of cells: a number in brackets beside a rating is how many rated.
pub fn habit(dom: &Dom, cells: &[Vec<Cell>]) -> Option<&'static str> {
    let counted = |text: &str| {
        let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or_default();
        inner.starts_with(|c: char| c.is_ascii_digit())
            && inner.chars().all(|c| c.is_ascii_digit() || ".,k+\u{a0} ".contains(c))
    };
    let decimal = |text: &str| {
        text.len() <= 4 && text.contains(['.', ',']) && text.chars().all(|c| c.is_ascii_digit() || ".,".contains(c))
    };
    let nodes: Option<Vec<usize>> = cells.iter().filter_map(|cells| cells.first()).take(5).map(Cell::node).collect();
    let nodes = nodes.filter(|nodes| !nodes.is_empty() && nodes.iter().all(|node| dom.length(*node) < 20))?;
    if nodes.iter().all(|node| counted(&dom.text(*node))) {
        return Some("review count");
    }
    let beside = |node: &usize| {
        decimal(&dom.text(*node))
            && next_with_text(dom, *node).is_some_and(|next| dom.length(next) < 20 && counted(&dom.text(next)))
    };
    nodes.iter().all(beside).then_some("rating")
}

/// What a column of links says of itself: the same words in each row, the kind of file they lead to.
pub fn link_labels(dom: &Dom, cells: &[Vec<Cell>]) -> Vec<String> {
    let nodes: Vec<usize> = cells.iter().filter_map(|cells| cells.first()?.node()).take(5).collect();
    let Some(first) = nodes.first() else { return Vec::new() };
    let ending = |node: &usize| {
        let href = dom.elements[*node].attr("href").unwrap_or_default();
        let path = href.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase())
    };
    let mut found = Vec::new();
    if let Some(end) = ending(first).filter(|end| (2..=4).contains(&end.len()) && !end.starts_with("htm"))
        && nodes.iter().all(|node| ending(node).as_ref() == Some(&end))
    {
        found.push(format!("{end} file link"));
    }
    let text = dom.text(*first);
    if nodes.len() > 1 && is_label(&text) && nodes.iter().all(|node| dom.text(*node) == text) {
        found.push(format!("{text} link"));
    }
    found
}

/// The texts that head the columns of rows made of plain elements, where the first row or what stands before it is such a head.
pub fn headers(dom: &Dom, first: usize, rows: usize, second: Option<usize>) -> Option<(Vec<String>, bool)> {
    if dom.elements[first].tag == "tr" {
        return None;
    }
    let texts = |at: usize| {
        let kids: Vec<usize> = dom.children(at).take(20).collect();
        (kids.len() > 1 && !dom.elements[at].own && kids.iter().all(|kid| dom.length(*kid) < LONGEST))
            .then(|| kids.iter().map(|kid| dom.text(*kid)).collect::<Vec<_>>())
    };
    let is_head = |head: &[String], row: usize| {
        let Some(values) = texts(row).filter(|values| values.len() == head.len()) else { return false };
        let named = head.iter().filter(|text| is_label(text)).count();
        let worded = head.iter().all(|text| text.is_empty() || is_label(text));
        let digits = |text: &String| text.bytes().any(|byte| byte.is_ascii_digit());
        worded && named * 2 > head.len() && named > 1 && values.iter().any(digits) && !head.iter().any(digits)
    };
    if let (Some(head), Some(second)) = (texts(first), second.filter(|_| rows > 2))
        && (is_head(&head, second) || (says_head(dom, first) && head.iter().all(|text| is_label(text))))
    {
        return Some((head, true));
    }
    let parent = dom.elements[first].parent?;
    let before = dom.before(first).find(|at| dom.has_text(*at));
    let above = before.or_else(|| {
        let before = dom.before(parent).next()?;
        Some(dom.children(before).next().filter(|_| dom.children(before).count() == 1).unwrap_or(before))
    })?;
    let count = dom.children(first).count();
    let head = texts(above).filter(|head| head.len() == count)?;
    (is_head(&head, first) || (says_head(dom, above) && head.iter().all(|text| text.is_empty() || is_label(text))))
        .then_some((head, false))
}

fn says_head(dom: &Dom, at: usize) -> bool {
    let heads = ["head", "header", "thead", "heading", "headings", "headers", "labels"];
    dom.elements[at].classes().any(|class| super::words::split(class).iter().any(|word| heads.contains(&word.as_str())))
        || dom.children(at).all(|kid| dom.elements[kid].attr("role") == Some("columnheader"))
}

/// The place of an element among the children of a row.
pub fn place_in(dom: &Dom, row: usize, node: usize) -> Option<usize> {
    dom.children(row).position(|kid| kid <= node && node < dom.elements[kid].end)
}

/// The heading that each row stands under, where rows stand under several.
pub fn heads_above(dom: &Dom, rows: &[Vec<usize>]) -> Option<Vec<Vec<Cell>>> {
    let starts: Vec<usize> = rows.iter().flatten().copied().collect();
    let inside = |heading: usize| {
        let at = starts.partition_point(|row| *row <= heading).checked_sub(1);
        at.is_some_and(|at| heading < dom.elements[starts[at]].end)
    };
    let above = |row: &Vec<usize>| {
        let first = *row.first()?;
        let before = &dom.headings[..dom.headings.partition_point(|at| *at < first)];
        let heading = before.iter().rev().take(40).copied().find(|heading| !inside(*heading))?;
        let near = dom.elements[heading].parent.and_then(|parent| dom.elements[parent].parent.or(Some(parent)))?;
        (first < dom.elements[near].end).then_some(heading)
    };
    let found: Vec<Option<usize>> = rows.iter().map(above).collect();
    let distinct: std::collections::BTreeSet<usize> = found.iter().flatten().copied().collect();
    if distinct.len() < 2 {
        return None;
    }
    let cell = |heading: &Option<usize>| heading.map(|at| Cell::Part(dom.text(at), None)).into_iter().collect();
    Some(found.iter().map(cell).collect())
}

/// The next sibling that has text.
pub fn next_with_text(dom: &Dom, node: usize) -> Option<usize> {
    let parent = dom.elements[node].parent?;
    siblings_after(dom, node, parent).take(10).find(|at| dom.has_text(*at))
}

/// The number that a longer text begins with: `#1190 opened by Jane`.
pub fn numbered(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(' ')?;
    let digits = first.strip_prefix('#')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty())
        .then(|| first.to_owned())
}

/// What a field holds that people can see and change.
pub fn held(dom: &Dom, at: usize) -> Option<String> {
    let element = &dom.elements[at];
    let unseen = ["checkbox", "radio", "submit", "button", "reset", "image", "file", "search"];
    let shown = element.is(&["input", "select", "textarea"])
        && !element.attr("type").is_some_and(|kind| unseen.contains(&kind));
    element.attr("value").filter(|_| shown).map(super::words::plain)
}
