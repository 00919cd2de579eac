//! Repeated structures: siblings of one shape, runs of siblings that come again and again, the same in several places.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::columns;
use super::dom::Dom;
use super::model::{Aspect, Cell, Column, Facet, Label, Labels, Set, Source};
use super::offers;
use super::utility::is_look;

/// What is made of a page at most.
const MAX_SETS: usize = 1_500;
/// Elements of rows that are looked at, over all sets; nested repetition would otherwise make it the square of the page.
const MAX_WORK: usize = 250_000;
const MAX_ROWS: usize = 2_000;

/// A set before its columns are made.
struct Group {
    parent: usize,
    rows: Vec<Vec<usize>>,
    shape: String,
    merged: bool,
}

/// Gathers the sets of a document. `telling` says which class names are asked for.
pub fn gather(dom: &Dom, labels: &mut Labels, telling: &dyn Fn(&str) -> bool) -> Vec<Set> {
    let mut groups = Vec::new();
    for parent in 0..dom.elements.len() {
        if groups.len() >= MAX_SETS || dom.given_up.is_so() {
            break;
        }
        if dom.elements[parent].is(&["head", "select", "p", "tr", "dl", "h1", "h2", "h3", "pre", "code"])
            && dom.elements[parent].tag != "dl"
            && dom.elements[parent].tag != "p"
        {
            continue;
        }
        let kids: Vec<usize> = dom.children(parent).filter(|at| is_row(dom, *at)).take(MAX_ROWS).collect();
        siblings(dom, parent, &kids, &mut groups);
    }
    across(dom, &mut groups);
    merge(dom, &mut groups);
    let mut work = 0;
    let mut sets = Vec::new();
    for group in groups {
        let size = |at: &usize| (dom.elements[*at].end - at).min(columns::MAX_IN_ROW) + 8;
        work += group.rows.iter().flatten().map(size).sum::<usize>();
        if work > MAX_WORK || dom.given_up.is_so() {
            break;
        }
        sets.push(set(dom, labels, group, telling));
    }
    sets
}

fn is_row(dom: &Dom, at: usize) -> bool {
    !dom.elements[at]
        .is(&["br", "hr", "wbr", "meta", "link", "col", "colgroup", "option", "source", "template", "path"])
        && (dom.has_text(at) || dom.elements[at].end > at + 1 || dom.elements[at].is(&["img", "a"]))
}

fn siblings(dom: &Dom, parent: usize, kids: &[usize], groups: &mut Vec<Group>) {
    let listed = dom.elements[parent].is(&["ul", "ol"]);
    if kids.len() < 2 && !(listed && kids.len() == 1) {
        return;
    }
    let shapes = shapes(dom, kids);
    let mut by_shape: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (kid, shape) in kids.iter().zip(&shapes) {
        by_shape.entry(shape).or_default().push(*kid);
    }
    for (shape, rows) in &by_shape {
        if rows.len() > 1 || (listed && by_shape.len() == 1) {
            let rows = rows.iter().map(|row| vec![*row]).collect();
            groups.push(Group { parent, rows, shape: (*shape).to_owned(), merged: false });
        }
    }
    if by_shape.len() > 1
        && let Some((shape, rows)) = runs(dom, kids, &shapes, &by_shape)
    {
        groups.push(Group { parent, rows, shape, merged: false });
    }
}

/// Tag, microdata type and the classes that most siblings of the tag share.
fn shapes(dom: &Dom, kids: &[usize]) -> Vec<String> {
    let mut tags: HashMap<&str, usize> = HashMap::new();
    let mut classes: HashMap<(&str, &str), usize> = HashMap::new();
    for kid in kids {
        let element = &dom.elements[*kid];
        *tags.entry(&element.tag).or_default() += 1;
        for class in element.classes().take(12).collect::<HashSet<_>>() {
            *classes.entry((&element.tag, class)).or_default() += 1;
        }
    }
    let telling = structural(dom, kids, &tags, &classes);
    let shape = |kid: &usize| {
        let element = &dom.elements[*kid];
        let all = tags.get(element.tag.as_str()).copied().unwrap_or(1);
        let key = |class: &str| (element.tag.clone(), class.to_owned());
        let shared = |class: &&str| {
            let most = classes.get(&(element.tag.as_str(), *class)).is_some_and(|count| count * 5 > all * 3);
            most || (!telling.is_empty() && telling.contains(&key(class)))
        };
        let mut kept: Vec<&str> = element.classes().take(12).filter(shared).collect();
        kept.sort_unstable();
        format!("{}.{} {}", element.tag, kept.join("."), element.attr("itemtype").unwrap_or_default())
    };
    kids.iter().map(shape).collect()
}

/// Classes that only some siblings of a tag have, and those have other things in them than the rest.
fn structural(
    dom: &Dom,
    kids: &[usize],
    tags: &HashMap<&str, usize>,
    classes: &HashMap<(&str, &str), usize>,
) -> HashSet<(String, String)> {
    let some = |((tag, _), count): &(&(&str, &str), &usize)| {
        **count > 1 && **count * 5 <= tags.get(tag).copied().unwrap_or(1) * 3
    };
    let mut open: Vec<(&str, &str)> = classes.iter().filter(some).map(|(key, _)| *key).collect();
    open.sort_unstable();
    open.truncate(8);
    let inside = |kid: usize| {
        let children = dom.children(kid).take(8);
        children
            .map(|at| format!("{}.{}", dom.elements[at].tag, dom.elements[at].classes().next().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let differs = |(tag, class): &(&str, &str)| {
        let (mut with, mut without) = (HashSet::new(), HashSet::new());
        for kid in kids.iter().filter(|kid| dom.elements[**kid].tag == **tag).take(200) {
            let side = if dom.elements[*kid].classes().any(|known| known == *class) { &mut with } else { &mut without };
            side.extend(inside(*kid));
        }
        let both = with.intersection(&without).count();
        both * 10 < (with.len() + without.len() - both) * 3
    };
    open.into_iter().filter(differs).map(|(tag, class)| (tag.to_owned(), class.to_owned())).collect()
}

/// Rows that are runs of siblings: a heading and its paragraphs, a term and what it means.
fn runs(
    dom: &Dom,
    kids: &[usize],
    shapes: &[String],
    by_shape: &BTreeMap<&str, Vec<usize>>,
) -> Option<(String, Vec<Vec<usize>>)> {
    let repeated = |shape: &str| by_shape.get(shape).is_some_and(|rows| rows.len() > 1);
    let leads = |shape: &str| {
        let at: Vec<usize> = shapes.iter().enumerate().filter(|(_, s)| *s == shape).map(|(at, _)| at).collect();
        let apart = at.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        apart * 5 >= (at.len() - 1) * 3
    };
    let heads = |shape: &str| {
        ["h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary"].iter().any(|tag| shape.starts_with(&format!("{tag}.")))
    };
    let mut tried: Vec<&String> = Vec::new();
    for shape in shapes {
        if tried.len() < 8 && repeated(shape) && !tried.contains(&shape) {
            tried.push(shape);
        }
    }
    tried.sort_by_key(|shape| !heads(shape));
    let leader = tried.into_iter().find(|shape| leads(shape))?;
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for (kid, shape) in kids.iter().zip(shapes) {
        if shape == leader {
            rows.push(vec![*kid]);
        } else if let Some(row) = rows.last_mut()
            && row.len() < 40
        {
            // Rows end where a section of another rank begins.
            let other_heading = heads(shape) && !heads(leader);
            if !other_heading {
                row.push(*kid);
            }
        }
    }
    let _ = dom;
    let full = rows.iter().filter(|row| row.len() > 1).count();
    (rows.len() > 1 && full * 5 >= rows.len() * 3).then(|| (format!("{leader} run"), rows))
}

/// What comes at the same place of each row, in some rows once and in others several times: the events of days, the dishes of courses.
fn across(dom: &Dom, groups: &mut Vec<Group>) {
    let mut found = Vec::new();
    let mut work = 0;
    for group in groups.iter().filter(|group| group.rows.len() > 1 && group.rows.iter().all(|row| row.len() == 1)) {
        let rows: Vec<usize> = group.rows.iter().map(|row| row[0]).collect();
        let mut places: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            let kids: Vec<usize> = dom.children(*row).take(100).collect();
            work += kids.len();
            for kid in kids.into_iter().filter(|kid| is_row(dom, *kid) && dom.elements[*kid].end > kid + 2) {
                let class = dom.elements[kid].classes().find(|class| !is_look(class)).unwrap_or_default();
                places.entry(format!("{}.{class}", dom.elements[kid].tag)).or_default().push((index, kid));
            }
        }
        for (place, kids) in places {
            let mut of_row: HashMap<usize, usize> = HashMap::new();
            for (row, _) in &kids {
                *of_row.entry(*row).or_default() += 1;
            }
            // Where each has several they are merged as they are; where each has one they are cells.
            let alone = of_row.values().any(|count| *count == 1);
            if alone && kids.len() > of_row.len() && of_row.len() * 5 >= rows.len() * 3 {
                let (parent, nodes) =
                    (rows[kids[0].0], kids.iter().take(MAX_ROWS).map(|(_, kid)| vec![*kid]).collect());
                found.push(Group { parent, rows: nodes, shape: place, merged: true });
            }
        }
        if work > MAX_WORK || found.len() > 100 {
            break;
        }
    }
    groups.extend(found);
}

/// Groups of the same shape below parents of the same shape become one more group.
fn merge(dom: &Dom, groups: &mut Vec<Group>) {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, group) in groups.iter().enumerate().filter(|(_, group)| !group.merged) {
        let place = |at: usize| {
            format!("{}.{}", dom.elements[at].tag, dom.elements[at].classes().take(6).collect::<Vec<_>>().join("."))
        };
        let above = dom.elements[group.parent].parent.map(place).unwrap_or_default();
        places.entry(format!("{above}>{}>{}", place(group.parent), group.shape)).or_default().push(index);
    }
    for indices in places.into_values().filter(|indices| indices.len() > 1) {
        let rows: Vec<Vec<usize>> = indices.iter().flat_map(|at| groups[*at].rows.clone()).take(MAX_ROWS).collect();
        let first = &groups[indices[0]];
        let merged = Group { parent: first.parent, rows, shape: first.shape.clone(), merged: true };
        groups.push(merged);
    }
}

fn set(dom: &Dom, labels: &mut Labels, group: Group, telling: &dyn Fn(&str) -> bool) -> Set {
    let Group { parent, mut rows, merged, shape } = group;
    let head = match (rows.first().map(Vec::as_slice), rows.get(1)) {
        (Some([first]), second) if !merged => {
            offers::headers(dom, *first, rows.len(), second.and_then(|row| row.first()).copied())
        }
        _ => None,
    };
    if head.as_ref().is_some_and(|(_, own)| *own) {
        rows.remove(0);
    }
    let headed =
        ["h1.", "h2.", "h3.", "h4.", "h5.", "h6.", "dt.", "tr.", "summary."].iter().any(|head| shape.starts_with(head));
    let sure = if shape.ends_with(" run") && !headed { 0.93 } else { 1.0 };
    let heads = offers::heads_above(dom, &rows);
    let mut entity: Vec<Label> = Vec::new();
    if let Some(first) = rows.first().and_then(|row| row.first()) {
        entity.extend(labels.of_element(dom, *first, 1.0));
        if let Some(kind) = dom.elements[*first].attr("itemtype") {
            entity.extend(labels.of(kind.rsplit('/').next().unwrap_or(kind), 1.0));
        }
    }
    if merged {
        entity.extend(labels.of_element(dom, parent, 0.9));
    } else if heads.is_some() {
        entity.extend(around(dom, labels, parent, None));
    } else {
        entity.extend(around(dom, labels, parent, rows.first().and_then(|row| row.first()).copied()));
    }
    let mut columns = columns::of_rows(dom, labels, &rows, telling);
    if let Some((head, _)) = head {
        label_by_head(dom, labels, &mut columns, &rows, &head);
    }
    columns.extend(heads.map(|cells| above(labels, cells)));
    let row_nodes = rows.iter().filter_map(|row| row.first().copied()).collect::<Vec<_>>();
    let source = Source::Node(row_nodes.first().copied().unwrap_or(parent));
    Set { labels: entity, columns, rows: rows.len(), sure, source, row_nodes, leaves: OnceCell::new() }
}

/// What heads the columns labels what stands below it.
fn label_by_head(dom: &Dom, labels: &mut Labels, columns: &mut [Column], rows: &[Vec<usize>], head: &[String]) {
    for column in columns.iter_mut().filter(|column| !column.whole && !column.aspect.is_part()) {
        let first =
            column.cells.iter().zip(rows).find_map(|(cells, row)| Some((cells.first()?.node()?, *row.first()?)));
        let place = first.and_then(|(node, row)| offers::place_in(dom, row, node));
        column.labels.extend(place.and_then(|place| head.get(place)).and_then(|text| labels.of(text, 0.96)));
    }
}

/// The column of the headings above the rows.
fn above(labels: &mut Labels, cells: Vec<Vec<Cell>>) -> Column {
    let said = ["section", "category", "group"].iter().filter_map(|name| labels.of(name, 0.72)).collect();
    Column {
        labels: said,
        facet: Facet::Text,
        cells,
        whole: false,
        aspect: Aspect::Heading,
        nth: false,
        path: Aspect::Heading.path(),
    }
}

/// The heading that rows stand under, be it in a box of its own, and that of the page.
fn headed(dom: &Dom, labels: &mut Labels, first: usize) -> Vec<Label> {
    if dom.elements[first].aside {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(at) = dom.headings.partition_point(|at| *at < first).checked_sub(1) {
        let heading = dom.headings[at];
        let near = dom.elements[heading].parent.and_then(|parent| dom.elements[parent].parent);
        if near.is_some_and(|box_of| first < dom.elements[box_of].end) {
            found.extend(labels.of(&dom.text(heading), 0.8));
        }
    }
    let main = dom.headings.iter().find(|at| dom.elements[**at].tag == "h1" && **at < first);
    found.extend(main.and_then(|at| labels.of(&dom.text(*at), 0.7)));
    found
}

/// What the surroundings of rows say of them: their parent, a heading or label before it, a caption.
pub fn around(dom: &Dom, labels: &mut Labels, parent: usize, first: Option<usize>) -> Vec<Label> {
    let mut found = labels.of_element(dom, parent, 0.95);
    found.extend(headed(dom, labels, first.unwrap_or(parent)));
    let mut weight = 0.95;
    let mut inner = first;
    for (level, at) in dom.upwards(parent).take(4).enumerate() {
        let element = &dom.elements[at];
        if element.is(&["body", "html"]) && level > 0 && first.is_none() {
            break;
        }
        if level > 0 {
            found.extend(labels.of_element(dom, at, weight - 0.15));
        }
        if let Some(spoken) = element.attr("aria-labelledby") {
            let named = (at.saturating_sub(40)..dom.elements.len().min(at + 40))
                .find(|at| dom.elements[*at].attr("id") == Some(spoken));
            found.extend(named.and_then(|named| labels.of(&dom.text(named), weight)));
        }
        // The nearest heading or caption before the rows, among what stands beside them.
        let is_title = |at: &usize| {
            dom.elements[*at].is(&[
                "h1",
                "h2",
                "h3",
                "h4",
                "h5",
                "h6",
                "caption",
                "legend",
                "summary",
                "header",
                "dt",
                "strong",
                "b",
                "label",
                "figcaption",
            ])
        };
        let titles = inner.into_iter().flat_map(|inner| dom.before(inner).take(8));
        let title = titles.into_iter().find(|kid| is_title(kid) || is_small_label(dom, *kid));
        if let Some(title) = title {
            let text = dom.text(title);
            found.extend(labels.of(text.trim_end_matches([':', ' ']), weight));
            if dom.elements[title].is(&["h1", "h2", "h3", "h4", "h5", "h6", "caption"]) {
                break;
            }
        }
        if element.own
            && let Some(first) = inner
        {
            let text = dom.text_before(first, at);
            found.extend(text.strip_suffix(':').and_then(|text| labels.of(text, weight)));
        }
        weight -= 0.08;
        inner = Some(at);
    }
    found
}

fn is_small_label(dom: &Dom, at: usize) -> bool {
    dom.length(at) < 50
        && (dom.text(at).ends_with(':')
            || dom.elements[at]
                .classes()
                .any(|class| class.contains("label") || class.contains("title") || class.contains("heading")))
}
