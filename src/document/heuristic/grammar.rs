//! The grammar of descriptions: their words, the parts of "id, name and price", the types that are said, where a noun ends.

use super::shapes::Output;
use super::words::{self, is_entity, is_plural, singular};

/// What may stand before a noun without saying anything that a page would repeat.
pub(super) const FILLERS: &[&str] = &[
    "the",
    "a",
    "an",
    "all",
    "any",
    "each",
    "every",
    "its",
    "their",
    "his",
    "her",
    "this",
    "these",
    "those",
    "that",
    "recent",
    "available",
    "displayed",
    "visible",
    "listed",
    "shown",
    "main",
    "current",
    "actual",
    "respective",
    "corresponding",
    "associated",
    "exact",
    "relevant",
    "individual",
    "different",
    "various",
    "given",
    "own",
    "numeric",
    "whole",
    "first",
    "latest",
    "newest",
    "top",
    "most",
    "please",
    "extract",
    "get",
    "find",
    "return",
    "string",
    "containing",
    "unique",
    "website",
    "html",
    "absolute",
    "raw",
    "display",
    "s",
];

/// Verbs and the like that labels do not repeat.
pub(super) const HARDLY: &[&str] = &[
    "it", "they", "was", "were", "are", "made", "takes", "take", "place", "they", "one", "be", "been", "can", "rates",
    "long", "has", "have",
];

/// Where the noun ends that a description begins with.
pub(super) const ENDS: &[&str] = &[
    "in",
    "on",
    "from",
    "for",
    "at",
    "to",
    "by",
    "as",
    "with",
    "that",
    "which",
    "who",
    "when",
    "where",
    "if",
    "shown",
    "listed",
    "displayed",
    "including",
    "per",
    "using",
    "like",
    "e",
    "g",
    "such",
    "is",
    "are",
    "was",
    "were",
    "under",
    "below",
    "above",
    "within",
    "without",
    "into",
    "found",
    "given",
    "mentioned",
    "has",
    "have",
    "being",
    "used",
    "needed",
    "required",
    "visible",
    "written",
    "you",
];

/// Words and the signs between them, in lower case.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let spaced = text.replace("e-mail", "email").replace("E-mail", "email");
    for c in spaced.chars() {
        if c.is_alphanumeric() || (matches!(c, '_' | '\'' | '’' | '-') && !word.is_empty()) {
            word.push(c);
            continue;
        }
        push(&mut out, &mut word);
        if matches!(c, ',' | ';' | ':' | '(' | ')' | '{' | '}' | '&' | '/' | '.' | '+' | '#') {
            out.push(c.to_string());
        }
    }
    push(&mut out, &mut word);
    out
}

fn push(out: &mut Vec<String>, word: &mut String) {
    let taken = std::mem::take(word);
    let plain = taken.trim_matches(['\'', '’', '-', '_']);
    let owner = plain.strip_suffix("'s").or(plain.strip_suffix("’s")).unwrap_or(plain);
    if owner.chars().all(|c| c.is_uppercase() || c == 's' || c.is_numeric()) {
        out.extend((!owner.is_empty()).then(|| owner.to_lowercase()));
    } else {
        out.extend(words::split(owner));
    }
}

/// "the first 5 products": without it, and the number.
pub(super) fn without_limit(mut text: Vec<String>) -> (Vec<String>, Option<usize>) {
    let Some(at) = text.iter().take(6).position(|word| word.parse::<usize>().is_ok()) else { return (text, None) };
    let before = at.checked_sub(1).and_then(|before| text.get(before)).map_or("", String::as_str);
    if !["first", "top", "latest", "last", "newest", "recent"].contains(&before) {
        return (text, None);
    }
    let limit = text[at].parse().ok();
    text.remove(at);
    (text, limit)
}

/// A plural that stands for several values.
pub(super) fn is_listy(word: &str) -> bool {
    let one = [
        "hours",
        "details",
        "contents",
        "costs",
        "views",
        "likes",
        "followers",
        "points",
        "terms",
        "directions",
        "stars",
        "savings",
        "earnings",
        "calories",
        "notes",
        "people",
    ];
    is_plural(word) && !one.contains(&word)
}

pub(super) fn is_count(text: &[String]) -> bool {
    let start = text
        .iter()
        .position(|word| !["the", "a", "an", "total", "integer", "numeric"].contains(&word.as_str()))
        .unwrap_or(0);
    let first = text.get(start).map_or("", String::as_str);
    let of: Vec<&String> = text.iter().skip(start + 2).take_while(|word| !is_end(word) && !is_sign(word)).collect();
    let several = of.iter().any(|word| is_plural(word) || *word == "people")
        || !text.iter().skip(start + 2).take(1).any(|word| word == "the");
    (["number", "count"].contains(&first) && text.get(start + 1).is_some_and(|word| word == "of") && several)
        || (first == "how" && text.get(start + 1).is_some_and(|word| word == "many"))
}

/// The last word before the clause ends.
pub(super) fn head_of(text: &[String]) -> Option<String> {
    let words: Vec<&String> = text.iter().take_while(|word| !is_end(word) && *word != "of" && !is_sign(word)).collect();
    words.last().map(|word| (*word).clone())
}

pub(super) fn is_end(word: &str) -> bool {
    ENDS.contains(&word)
}

pub(super) fn is_sign(word: &str) -> bool {
    !word.chars().any(char::is_alphanumeric)
}

/// The words without "as number" and the like, and the type that they say.
pub(super) fn cut_type(text: &[String]) -> (Vec<String>, Output) {
    let mut output = Output::Text;
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let after = |steps: usize| text.get(at + steps).map_or("", String::as_str);
        let (article, noun) = if ["a", "an", "plain"].contains(&after(1)) { (1, after(2)) } else { (0, after(1)) };
        if matches!(text[at].as_str(), "as" | "(" | "in" | ":") || (text[at] == "," && after(1) == "as") {
            let (article, noun) = if text[at] == "," { (1, after(2)) } else { (article, noun) };
            if let Some(kind) = type_of(noun, after(2 + article)) {
                output = kind;
                // Up to the closing bracket or the next part.
                at += 2 + article;
                while at < text.len() && ![",", ")", "and", ";", "of", "."].contains(&text[at].as_str()) {
                    at += 1;
                }
                if text.get(at).is_some_and(|sign| sign == ")") {
                    at += 1;
                }
                continue;
            }
        }
        out.push(text[at].clone());
        at += 1;
    }
    if output == Output::Text && out.iter().any(|word| word == "numeric" || word == "integer" || word == "numerical") {
        output = if out.iter().any(|word| word == "integer") { Output::Integer } else { Output::Number };
        out.retain(|word| !["numeric", "integer", "numerical"].contains(&word.as_str()));
    }
    (out, output)
}

pub(super) fn type_of(word: &str, next: &str) -> Option<Output> {
    match word {
        "number" | "numbers" | "float" | "floats" | "decimal" | "decimals" | "numeric" | "double" => {
            Some(Output::Number)
        }
        "integer" | "integers" | "int" | "whole" => Some(Output::Integer),
        "boolean" | "bool" | "booleans" => Some(Output::Bool),
        "iso" => Some(Output::DateTime),
        "yyyy" => Some(Output::Date),
        "date" | "dates" if next != "of" => Some(Output::Date),
        "url" | "urls" | "link" | "links" | "absolute" => Some(Output::Url),
        "text" | "string" | "strings" | "shown" | "written" | "displayed" => Some(Output::Text),
        _ => None,
    }
}

/// "orders with id and status", "products (name, price)": what, and its attributes.
pub(super) fn with_attributes(text: &[String]) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let marks = ["with", "including", "containing", "having", "showing", "(", "{", ":"];
    let at = text.iter().position(|word| marks.contains(&word.as_str()))?;
    if type_of(text.get(at + 1).map_or("", String::as_str), "").is_some() && text[at] == "(" {
        return None;
    }
    let rest: Vec<String> =
        text[at + 1..].iter().filter(|word| !["{", "}"].contains(&word.as_str())).cloned().collect();
    let parts = segments(&rest);
    let whole = text[..at].iter().filter(|word| !is_sign(word)).cloned().collect();
    (!parts.is_empty()).then_some((whole, parts))
}

/// The parts of "id, name and price".
pub(super) fn segments(text: &[String]) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0;
    for word in text {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        let splits = depth == 0 && matches!(word.as_str(), "," | ";" | "and" | "&" | "plus" | "+" | "/");
        match parts.last_mut() {
            _ if splits => parts.push(Vec::new()),
            Some(part) if word != "." => part.push(word.clone()),
            _ => {}
        }
    }
    parts.retain(|part| part.iter().any(|word| !is_sign(word) && !FILLERS.contains(&word.as_str())));
    parts
}

/// The nouns of one part: "the order's ID (as number)" is `[order, id]` as number; "number of comments" is `[comment, count]`.
pub(super) fn nouns(part: &[String]) -> (Vec<String>, Output, Vec<String>) {
    let (part, output) = cut_type(part);
    let mut of: Vec<String> = Vec::new();
    let mut main: Vec<String> = Vec::new();
    let mut hints = Vec::new();
    let mut place = 0;
    for word in &part {
        match word.as_str() {
            "of" if place == 0 && !main.is_empty() => place = 1,
            "of" => place = 2,
            word if is_end(word) || is_sign(word) => {
                if !main.is_empty() {
                    place = 2;
                }
            }
            "the" | "a" | "an" | "it" | "they" if place == 0 && !main.is_empty() => place = 2,
            word if FILLERS.contains(&word) => {}
            word => match place {
                0 => main.push(word.to_owned()),
                1 => of.push(word.to_owned()),
                _ => hints.push(word.to_owned()),
            },
        }
    }
    if main.is_empty() {
        main =
            part.iter().rfind(|word| !is_sign(word) && !is_end(word) && *word != "of").cloned().into_iter().collect();
    }
    if !of.is_empty() {
        let counts = matches!(main.last().map(|head| singular(head)).as_deref(), Some("number" | "count"));
        if counts {
            main = vec!["count".to_owned()];
        }
        let heads = main.len() == 1 && ["heading", "headline", "title", "caption"].contains(&main[0].as_str());
        if (heads || of.iter().all(|word| is_entity(word))) && !counts {
            hints.extend(of);
        } else {
            main = of.into_iter().chain(main).collect();
        }
    }
    (main, output, hints)
}
