//! English descriptions: "array of recent order IDs and statuses" is a list of records with `id` and `status`.

use super::grammar::{
    FILLERS, HARDLY, cut_type, head_of, is_count, is_listy, is_sign, nouns, segments, tokens, type_of, with_attributes,
    without_limit,
};
use super::phrase::{GENERIC, Phrase};
use super::shapes::{Kind, Output};
use super::wanted::{Attribute, List, Want};
use super::words::{self, Word, is_entity, is_plural, singular};

/// Reads a description.
pub(super) fn read(name: &str, description: &str) -> Want {
    let text = tokens(description);
    let (text, limit) = without_limit(text);
    let lists = ["array", "list", "set", "collection", "table", "sequence", "lists", "arrays"];
    let start = text
        .iter()
        .position(|word| {
            !["a", "an", "the", "json", "extract", "get", "return", "full", "complete"].contains(&word.as_str())
        })
        .unwrap_or(0);
    if text.get(start).is_some_and(|word| lists.contains(&word.as_str()))
        && text.get(start + 1).is_some_and(|word| word == "of" || word == "with")
    {
        return list(name, &text[start + 2..], limit, true);
    }
    let names = words::split(name);
    if ["whether", "is", "does", "true", "has", "boolean", "bool"].contains(&text.get(start).map_or("", String::as_str))
    {
        return Want::One(boolean(&names, &text[start..]));
    }
    let collective = [
        "history",
        "schedule",
        "timeline",
        "log",
        "agenda",
        "menu",
        "programme",
        "program",
        "itinerary",
        "inventory",
        "leaderboard",
        "ranking",
        "catalogue",
        "catalog",
    ];
    let counts = is_count(&text[start.min(text.len())..]);
    let plural_name = names.last().is_some_and(|last| is_listy(last));
    let body = cut_type(&text[start.min(text.len())..]).0;
    let all = ["all", "every", "each"].contains(&text.get(start).map_or("", String::as_str));
    let of_all = text.windows(2).any(|pair| pair[0] == "of" && ["all", "each", "every"].contains(&pair[1].as_str()))
        || text.windows(2).any(|pair| pair[0] == "for" && ["all", "each", "every"].contains(&pair[1].as_str()));
    let head_plural = head_of(&body).is_some_and(|head| is_listy(&head));
    let as_shown =
        text.windows(2).any(|pair| pair[0] == "as" && ["shown", "displayed", "written"].contains(&pair[1].as_str()));
    let sums =
        ["total", "sum", "overall", "average", "net", "gross"].contains(&text.get(start).map_or("", String::as_str));
    let sums = sums && cut_type(&text).1 == Output::Number;
    if !counts
        && !as_shown
        && !sums
        && (all && head_plural
            || of_all
            || (plural_name && head_plural)
            || text.iter().take(4).any(|w| w == "list") && plural_name
            || (limit.is_some() && head_plural))
    {
        return list(name, &text[start..], limit, false);
    }
    let parts = with_attributes(&text);
    if let Some((whole, attributes)) = parts
        && attributes.len() > 1
        && !counts
    {
        let several = |word: &String| is_listy(word) || collective.contains(&word.as_str());
        if head_of(&whole).as_ref().is_some_and(several) || names.last().is_some_and(several) {
            return list(name, &text[start..], limit, true);
        }
        return Want::Record(attributes.iter().map(|part| keyed(part, &[], false)).collect());
    }
    Want::One(scalar(&names, &text))
}

/// Reads the description of what a list is of.
pub(super) fn read_list(name: &str, description: &str) -> Want {
    let text = tokens(description);
    match read(name, description) {
        Want::List(list) => Want::List(list),
        _ => list(name, &text, None, true),
    }
}

fn list(name: &str, text: &[String], limit: Option<usize>, said: bool) -> Want {
    let names = words::split(name);
    let text: Vec<String> = text.to_vec();
    let (entity, parts, per_record) = match with_attributes(&text) {
        Some((whole, parts)) if !whole.is_empty() && (parts.len() > 1 || is_owned(&text)) => (whole, parts, true),
        _ => of_each(&text).map_or_else(|| (Vec::new(), segments(&text), false), |(of, parts)| (of, parts, false)),
    };
    let objects = ["objects", "object", "records", "record", "items", "entries", "rows"];
    let mut entity_words: Vec<String> = nouns(&entity).0;
    entity_words.retain(|word| !objects.contains(&word.as_str()));
    let of_what = |words: &[String]| words.iter().map(|word| Word::new(word)).collect::<Vec<_>>();
    let own_entity =
        if parts.len() > 1 && entity_words.is_empty() { first_entity(&parts, &names) } else { entity_words.clone() };
    let mut all_names: Vec<String> = names.clone();
    all_names.extend(own_entity.iter().cloned());
    let mut entity = of_what(&own_entity);
    entity.extend(of_what(&names));
    let mut attributes: Vec<(String, Attribute)> = Vec::new();
    // "order IDs and statuses" are one of each per record; "with name and points" are what a record has.
    let each_one =
        !per_record || parts.first().is_some_and(|part| nouns(part).0.last().is_some_and(|last| is_plural(last)));
    for part in parts.iter().take(30) {
        let (key, attribute) = keyed(part, if per_record { &[] } else { &all_names }, each_one);
        if !attributes.iter().any(|(known, _)| *known == key) {
            attributes.push((key, attribute));
        }
    }
    let flat = attributes.len() == 1
        && attributes[0].1.inner.is_none()
        && (entity_words.is_empty() || !said || !is_owned(&text));
    if flat && let Some((_, attribute)) = attributes.first_mut() {
        // The name of the field says it as well.
        attribute.phrases.extend(Phrase::new(&names));
        let (words, _, hints) = nouns(&parts[0]);
        entity.extend(of_what(&words));
        entity.extend(of_what(&hints));
        if !text.iter().any(|word| word == "of") || entity_words.is_empty() {
            attribute.context.extend(of_what(&words));
        }
    }
    entity.dedup();
    Want::List(List { entity, attributes, flat, limit })
}

/// "with their names": attributes, be it only one.
fn is_owned(text: &[String]) -> bool {
    text.windows(2).any(|pair| pair[0] == "with" && ["their", "its", "the"].contains(&pair[1].as_str()))
        || text.iter().any(|word| ["including", "containing", "(", "{", ":"].contains(&word.as_str()))
}

/// "name and price of each product", "for each order, its ID and status".
fn of_each(text: &[String]) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let each = |word: &String| ["each", "every", "all"].contains(&word.as_str());
    let at = text.windows(2).position(|pair| (pair[0] == "of" || pair[0] == "for") && each(&pair[1]))?;
    if at == 0 {
        let comma = text.iter().position(|word| word == "," || word == ":")?;
        return Some((text[2..comma].to_vec(), segments(&text[comma + 1..])));
    }
    Some((text[at + 2..].to_vec(), segments(&text[..at])))
}

/// What the first of several parts begins with and what the list is of: `order` in "order IDs and statuses".
fn first_entity(parts: &[Vec<String>], names: &[String]) -> Vec<String> {
    let (words, _, hints) = nouns(&parts[0]);
    let is_named = |word: &String| names.iter().any(|name| Word::new(name) == Word::new(word));
    let mut entity: Vec<String> = Vec::new();
    // "currency codes and rates": codes of currencies, and their rates.
    let shared = parts[1..].iter().all(|part| nouns(part).0.len() == 1)
        && words.last().is_some_and(|last| GENERIC.contains(&singular(last).as_str()));
    if words.len() > 1 {
        let of = words[..words.len() - 1].iter().filter(|word| shared || is_entity(word) || is_named(word));
        entity.extend(of.cloned());
    }
    // "questions and answers" are questions.
    if let [only] = words.as_slice()
        && !GENERIC.contains(&singular(only).as_str())
    {
        entity.push(only.clone());
    }
    entity.extend(hints);
    if let Some(last) = parts.last() {
        entity.extend(nouns(last).2.into_iter().filter(|word| is_entity(word)));
    }
    entity
}

/// The key that the words of a part make, and what they ask for.
fn keyed(part: &[String], of: &[String], each_one: bool) -> (String, Attribute) {
    if let Some(nested) = nested(part) {
        return nested;
    }
    let start = part.iter().position(|word| !["a", "an", "the", "its", "their"].contains(&word.as_str())).unwrap_or(0);
    let many = ["list", "array"].contains(&part.get(start).map_or("", String::as_str));
    let part = if many { &part[(start + 2).min(part.len() - 1)..] } else { part };
    // "labels (array of strings)"
    let bracket = part.windows(2).position(|pair| pair[0] == "(" && ["list", "array"].contains(&pair[1].as_str()));
    let (part, many) = bracket.filter(|at| *at > 0).map_or((part, many), |at| (&part[..at], true));
    let (words, output, hints) = nouns(part);
    let is_of = |word: &String| of.iter().any(|of| Word::new(of) == Word::new(word));
    let own = words
        .iter()
        .take(words.len().saturating_sub(1))
        .take_while(|word| is_of(word) || (!of.is_empty() && is_entity(word) && !is_kept(word)))
        .count();
    let telling = &words[own..];
    let telling = if telling.is_empty() { &words[..] } else { telling };
    let key: Vec<String> = telling
        .iter()
        .enumerate()
        .map(|(at, word)| if at + 1 == telling.len() && !many && each_one { singular(word) } else { word.clone() })
        .collect();
    let mut attribute = attribute(vec![Phrase::new(telling), Phrase::new(&words)], output, &[of, &hints].concat());
    if attribute.output == Output::Text && is_count(part) {
        attribute.output = Output::Integer;
    }
    attribute.many = many;
    attribute.plural =
        !each_one && telling.last().is_some_and(|last| is_plural(last)) && attribute.output == Output::Text;
    (if per_words(part) && each_one_of(&words, telling) { literal(part) } else { key.join("_") }, attribute)
}

/// Whether a part is "number of reviews", "area of law": called by its own words, in their order.
fn per_words(part: &[String]) -> bool {
    part.iter().position(|word| word == "of").is_some_and(|at| at > 0 && at + 1 < part.len())
}

/// Whether none of its words was left out as what the record is.
fn each_one_of(words: &[String], telling: &[String]) -> bool {
    words.len() == telling.len() && words.len() > 1
}

/// The words of a part up to the end of its noun, as they stand.
fn literal(part: &[String]) -> String {
    let (part, _) = super::grammar::cut_type(part);
    let skipped = |word: &&String| !["a", "an", "the", "its", "their"].contains(&word.as_str());
    let words =
        part.iter().filter(skipped).take_while(|word| *word == "of" || !super::grammar::is_end(word) && !is_sign(word));
    words.cloned().collect::<Vec<_>>().join("_")
}

/// "items (each with name and quantity)": a list within each record.
fn nested(part: &[String]) -> Option<(String, Attribute)> {
    let open = part.iter().position(|word| word == "(" || word == "with")?;
    if open == 0 || type_of(part.get(open + 1).map_or("", String::as_str), "").is_some() {
        return None;
    }
    let rest: Vec<String> = part[open..]
        .iter()
        .filter(|word| !["(", ")", "with", "each", "their", "its"].contains(&word.as_str()))
        .cloned()
        .collect();
    let (words, _, _) = nouns(&part[..open]);
    let words: Vec<String> = words.into_iter().filter(|word| !["list", "array"].contains(&word.as_str())).collect();
    if segments(&rest).len() < 2 || !words.last().is_some_and(|last| is_plural(last)) {
        return None;
    }
    let description = [
        words.clone(),
        vec!["with".to_owned()],
        part[open..].iter().filter(|word| !["(", ")", "with", "each"].contains(&word.as_str())).cloned().collect(),
    ]
    .concat();
    let key = words.join("_");
    let Want::List(inner) = list(&key, &description, None, true) else { return None };
    let mut attribute = attribute(vec![Phrase::new(&words)], Output::Text, &[]);
    attribute.many = true;
    attribute.inner = Some(Box::new(inner));
    Some((key, attribute))
}

/// Entities that are attributes of others as often.
fn is_kept(word: &str) -> bool {
    ["team", "user", "project", "person", "room", "track", "event", "message", "position", "show"]
        .contains(&singular(word).as_str())
}

fn attribute(phrases: Vec<Option<Phrase>>, output: Output, context: &[String]) -> Attribute {
    let phrases: Vec<Phrase> = phrases.into_iter().flatten().collect();
    // What the description says counts more than what the name does.
    let kinds: Vec<Kind> = phrases.iter().rev().map(Phrase::kind).filter(|kind| *kind != Kind::Any).collect();
    let weak = |kind: &&Kind| !matches!(kind, Kind::Id | Kind::Name | Kind::Count | Kind::Place);
    let kind = kinds.iter().find(weak).or(kinds.last()).copied().unwrap_or_default();
    let output = match (output, kind) {
        (Output::Text, Kind::Url | Kind::Image) => Output::Url,
        (output, _) => output,
    };
    let context = context.iter().map(|word| Word::new(word)).collect();
    Attribute { phrases, kind, output, first: false, context, many: false, plural: false, inner: None }
}

fn scalar(names: &[String], text: &[String]) -> Attribute {
    let mut phrases = Vec::new();
    let (mut output, mut hints) = (Output::Text, Vec::new());
    let counts = is_count(text);
    let (text, said) = aside(text);
    let text = text.as_slice();
    phrases.extend(said.map(|words| Phrase::new(&words)));
    for alternative in text.split(|word| word == "or") {
        let (words, said, more) = nouns(alternative);
        if said != Output::Text {
            output = said;
        }
        phrases.push(Phrase::new(&words));
        // "date the article was published" is the published date.
        if let [only] = words.as_slice()
            && GENERIC.contains(&only.as_str())
            && !more.is_empty()
        {
            let said: Vec<String> = more
                .iter()
                .filter(|word| !is_entity(word) && !HARDLY.contains(&word.as_str()))
                .take(2)
                .cloned()
                .collect();
            if !said.is_empty() {
                phrases.push(Phrase::new(&[said, words.clone()].concat()));
            }
        }
        hints.extend(more);
    }
    let names_telling: Vec<String> = names.to_vec();
    phrases.insert(0, Phrase::new(&names_telling));
    if let [rest @ .., last] = names
        && ["url", "link", "href"].contains(&last.as_str())
        && output == Output::Text
        && !rest.is_empty()
    {
        output = Output::Url;
    }
    if output == Output::Text {
        let of_one = text.windows(2).any(|pair| pair[0] == "number" && pair[1] == "of");
        output = if counts {
            Output::Integer
        } else if of_one {
            Output::Loose
        } else {
            output
        };
    }
    let mut attribute = attribute(phrases, output, &hints);
    if counts {
        attribute.kind = Kind::Count;
    }
    let first = ["first", "latest", "newest", "recent", "top"];
    attribute.first = text.iter().any(|word| first.contains(&word.as_str()));
    attribute
}

/// What is switched on is called by what it is, not by its being so.
fn without_state(words: Vec<String>) -> Vec<String> {
    let states = ["enabled", "disabled", "required", "switched", "turned", "activated", "active", "on"];
    let kept: Vec<String> = words.iter().filter(|word| !states.contains(&word.as_str())).cloned().collect();
    if kept.is_empty() { words } else { kept }
}

/// "mileage (Kilometerstand)": without what stands in brackets, and that, where it says the same once more.
fn aside(text: &[String]) -> (Vec<String>, Option<Vec<String>>) {
    let open = text.iter().position(|word| word == "(");
    let close = text.iter().position(|word| word == ")");
    let (Some(open), Some(close)) = (open, close) else { return (text.to_vec(), None) };
    let inner = &text[open + 1..close.max(open + 1)];
    let worded = (1..=3).contains(&inner.len())
        && inner.iter().all(|word| word.chars().all(char::is_alphabetic) && word.len() > 1);
    let plain = |word: &String| {
        !super::grammar::is_end(word) && !["array", "list", "if", "e", "optional", "text"].contains(&word.as_str())
    };
    if !worded || open == 0 || type_of(&inner[0], "").is_some() || !inner.iter().all(plain) {
        return (text.to_vec(), None);
    }
    ([&text[..open], &text[close + 1..]].concat(), Some(inner.to_vec()))
}

/// "whether the product is in stock".
fn boolean(names: &[String], text: &[String]) -> Attribute {
    let said: Vec<String> = text
        .iter()
        .filter(|word| !is_sign(word) && !FILLERS.contains(&word.as_str()))
        .filter(|word| {
            ![
                "whether",
                "is",
                "are",
                "true",
                "false",
                "if",
                "or",
                "not",
                "does",
                "has",
                "in",
                "be",
                "can",
                "boolean",
                "bool",
                "of",
                "for",
                "on",
                "it",
                "else",
                "otherwise",
            ]
            .contains(&word.as_str())
        })
        .filter(|word| !is_entity(word))
        .cloned()
        .collect();
    let names: Vec<String> =
        names.iter().filter(|name| !["is", "has", "in"].contains(&name.as_str())).cloned().collect();
    let (said, names) = (without_state(said), without_state(names));
    let mut attribute = attribute(vec![Phrase::new(&names), Phrase::new(&said)], Output::Bool, &[]);
    attribute.kind = Kind::Any;
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str, description: &str) -> String {
        match read(name, description) {
            Want::One(one) => format!("one {:?} {:?}", one.kind, one.output),
            Want::Record(fields) => {
                format!("record {}", fields.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(" "))
            }
            Want::List(List { attributes, flat, .. }) => {
                let keys: Vec<String> = attributes
                    .iter()
                    .map(
                        |(key, a)| if a.output == Output::Text { key.clone() } else { format!("{key}:{:?}", a.output) },
                    )
                    .collect();
                format!("{} {}", if flat { "values" } else { "records" }, keys.join(" "))
            }
        }
    }

    #[test]
    fn descriptions_say_shapes() {
        let check = |name: &str, description: &str, wanted: &str| {
            assert_eq!(shape(name, description), wanted, "{name}: {description}");
        };
        check("orders", "array of recent order IDs and statuses", "records id status");
        check("products", "list of product names and prices as numbers", "records name price:Number");
        check(
            "products",
            "array of products with name, price (as number) and URL",
            "records name price:Number url:Url",
        );
        check("products", "all products: name, price, rating", "records name price rating");
        check("movies", "array of movie titles and release dates", "records title release_date");
        check("jobs", "list of job titles, companies and locations", "records title company location");
        check("tags", "the tags of the article", "values tag");
        check("ingredients", "list of ingredients", "values ingredient");
        check("titles", "titles of all articles", "values title");
        check("items", "name and price of each product", "records name price");
        check("items", "for each item, its name and quantity", "records name quantity");
        check("quotes", "array of quotes with text, author and list of tags", "records text author tags");
        check("price", "the current price of the product as a number", "one Money Number");
        check("author", "name of the author", "one Person Text");
        check("published", "date when the article was published", "one Date Text");
        check("email", "contact e-mail address", "one Email Text");
        check("review_count", "number of reviews", "one Count Integer");
        check("in_stock", "whether the product is in stock", "one Any Bool");
        check("link", "link to the documentation", "one Url Url");
        check("hours", "opening hours", "one Hours Text");
        check("seller", "seller with name and rating", "record name rating");
    }
}
