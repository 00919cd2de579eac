//! English descriptions: "array of recent order IDs and statuses" is a list of records with `id` and `status`.

use super::shapes::{Kind, Output};
use super::wanted::{Attribute, List, Want};
use super::words::{self, Word, is_entity, is_plural, singular};

/// Words in the order of importance turned round: the last one is what it is, those before say which.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    words: Vec<(Word, f32)>,
}

/// Heads that say little without the word before them.
const GENERIC: &[&str] = &["name", "title", "number", "value", "text", "date", "time", "url", "link", "address", "id", "count", "amount", "code", "type", "level", "day", "fee", "cost", "price", "info", "email", "phone", "image", "status"];

/// Words that say hardly more than nothing.
const LIGHT: &[&str] = &["full", "complete", "page", "long", "short", "overall", "average", "total", "unit"];

/// What may stand before a noun without saying anything that a page would repeat.
const FILLERS: &[&str] = &[
    "the", "a", "an", "all", "any", "each", "every", "its", "their", "his", "her", "this", "these", "those", "that",
    "recent", "available", "displayed", "visible", "listed", "shown", "main", "current", "actual", "respective",
    "corresponding", "associated", "exact", "relevant", "individual", "different", "various",
    "given", "own", "numeric", "whole", "first", "latest", "newest", "top", "most", "please", "extract", "get", "find",
    "return", "string", "containing", "unique", "website", "html", "absolute", "raw", "display", "s",
];

/// Verbs and the like that labels do not repeat.
const HARDLY: &[&str] = &["it", "they", "was", "were", "are", "made", "takes", "take", "place", "they", "one", "be", "been", "can", "rates", "long", "has", "have"];

/// Where the noun ends that a description begins with.
const ENDS: &[&str] = &[
    "in", "on", "from", "for", "at", "to", "by", "as", "with", "that", "which", "who", "when", "where", "if", "shown", "listed",
    "displayed", "including", "per", "using", "like", "e", "g", "such", "is", "are", "was", "were", "under", "below", "above",
    "within", "without", "into", "found", "given", "mentioned", "has", "have", "being", "used", "needed", "required", "visible", "written", "you",
];

impl Phrase {
    fn new(parts: &[String]) -> Option<Self> {
        let mut parts: Vec<String> = parts.iter().map(|part| singular(part)).collect();
        // "phone number", "email address": the last word adds nothing.
        let says = ["phone", "telephone", "mobile", "fax", "email", "mail", "web", "contact"];
        if let [.., before, last] = parts.as_slice()
            && says.contains(&before.as_str())
            && ["number", "address", "no"].contains(&last.as_str())
        {
            parts.pop();
        }
        // "amount paid" is the paid amount.
        if let [.., before, last] = parts.as_slice()
            && (last.ends_with("ed") || ["paid", "due", "sold", "spent", "left"].contains(&last.as_str()))
            && GENERIC.contains(&before.as_str())
        {
            let at = parts.len() - 1;
            parts.swap(at - 1, at);
        }
        let stop = ["at", "on", "in", "for", "of", "by", "from", "to", "is", "has", "the"];
        if parts.len() > 1 {
            parts.retain(|part| !stop.contains(&part.as_str()));
        }
        let (last, rest) = parts.split_last()?;
        let generic = GENERIC.contains(&last.as_str());
        let modifier = |word: &String| match (is_entity(word) || LIGHT.contains(&word.as_str()), generic) {
            (true, _) => 0.25,
            (false, true) => 1.6,
            (false, false) => 0.7,
        };
        let mut words: Vec<(Word, f32)> = rest.iter().map(|word| (Word::new(word), modifier(word))).collect();
        words.push((Word::new(last), 1.0));
        Some(Self { words })
    }

    /// How well a label says this: how much of it the label says, and how much else.
    pub fn fit(&self, label: &[Word], context: &[Word]) -> f32 {
        let Some((head, _)) = self.words.last() else { return 0.0 };
        let by_head = best(head, label);
        if by_head == 0.0 { 0.0 } else { self.measure(label, context, by_head) }
    }

    /// As [`Self::fit`] where the value looks like the head.
    pub fn fit_without_head(&self, label: &[Word], context: &[Word]) -> f32 {
        let telling = self.words.len() > 1 && self.words[..self.words.len() - 1].iter().any(|(word, _)| best(word, label) > 0.7);
        if telling { self.measure(label, context, 0.7) } else { 0.0 }
    }

    #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
    fn measure(&self, label: &[Word], context: &[Word], by_head: f32) -> f32 {
        if label.is_empty() || label.len() > 8 {
            return 0.0;
        }
        let last = self.words.len() - 1;
        let score = |at: usize, word: &Word| if at == last { by_head } else { best(word, label) };
        let said: f32 = self.words.iter().enumerate().map(|(at, (word, weight))| weight * score(at, word)).sum();
        let all: f32 = self.words.iter().map(|(_, weight)| weight).sum();
        // What the label is of, or is said elsewhere, is nothing else.
        let of = |word: &Word| context.iter().any(|known| known.stem == word.stem);
        let of_this: Vec<f32> = label
            .iter()
            .filter_map(|word| {
                let known = self.words.iter().map(|(known, _)| known.likeness(word)).fold(0.0, f32::max);
                if known == 0.0 && of(word) { None } else { Some(known) }
            })
            .collect();
        let precise = if of_this.is_empty() { 1.0 } else { of_this.iter().sum::<f32>() / of_this.len() as f32 };
        (said / all) * (0.45 + 0.55 * precise)
    }

    /// Whether `word` is one of its words.
    pub fn speaks_of(&self, word: &str) -> bool {
        let word = Word::new(word);
        self.words.iter().any(|(known, _)| known.stem == word.stem)
    }

    /// Whether something is so of all its words.
    pub fn all(&self, is_so: impl Fn(&Word) -> bool) -> bool {
        self.words.iter().all(|(word, _)| is_so(word))
    }

    /// Whether it says nothing about which of several.
    pub fn is_plain(&self) -> bool {
        self.words[..self.words.len().saturating_sub(1)].iter().all(|(_, weight)| *weight < 0.5)
    }

    fn kind(&self) -> Kind {
        let Some(((head, _), rest)) = self.words.split_last() else { return Kind::Any };
        let kind = kind_of(&head.stem, !rest.is_empty());
        match kind {
            Kind::Any | Kind::Id | Kind::Count | Kind::Name => {
                let before = rest.iter().map(|(word, _)| kind_of(&word.stem, false));
                let strong = |kind: &Kind| matches!(kind, Kind::Email | Kind::Phone | Kind::Date);
                before.filter(strong).next_back().unwrap_or(kind)
            }
            kind => kind,
        }
    }
}

fn best(word: &Word, label: &[Word]) -> f32 {
    label.iter().map(|other| word.likeness(other)).fold(0.0, f32::max)
}

/// The kind of thing that a word names.
fn kind_of(stem: &str, qualified: bool) -> Kind {
    let is = |words: &[&str]| words.iter().any(|word| Word::new(word).stem == stem);
    if is(&["price", "cost", "subtotal", "fee", "fare", "rrp", "msrp"]) || is(&["total", "amount", "salary", "rent", "deposit"]) {
        Kind::Money
    } else if is(&["date", "deadline", "birthday", "published", "updated", "created", "modified", "posted", "due", "expiry", "released"]) || (is(&["day"]) && qualified) {
        Kind::Date
    } else if is(&["time"]) {
        Kind::Time
    } else if is(&["location", "place", "city"]) {
        Kind::Place
    } else if is(&["email", "mail"]) {
        Kind::Email
    } else if is(&["phone", "telephone", "tel", "mobile", "fax"]) {
        Kind::Phone
    } else if is(&["url", "link", "href", "permalink", "website", "homepage", "uri"]) {
        Kind::Url
    } else if is(&["image", "photo", "picture", "thumbnail", "avatar", "logo", "img", "src"]) {
        Kind::Image
    } else if is(&["rating", "star"]) {
        Kind::Rating
    } else if is(&["count", "quantity", "qty"]) || (qualified && is(&["score"])) {
        Kind::Count
    } else if is(&["id", "identifier", "sku", "isbn", "ean", "gtin", "ref"]) || (is(&["number", "no", "reference"]) && qualified) {
        Kind::Id
    } else if is(&["name", "title", "headline"]) {
        Kind::Name
    } else {
        Kind::Any
    }
}

/// Reads a description.
pub(super) fn read(name: &str, description: &str) -> Want {
    let text = tokens(description);
    let (text, limit) = without_limit(text);
    let lists = ["array", "list", "set", "collection", "table", "sequence", "lists", "arrays"];
    let start = text.iter().position(|word| !["a", "an", "the", "json", "extract", "get", "return", "full", "complete"].contains(&word.as_str())).unwrap_or(0);
    if text.get(start).is_some_and(|word| lists.contains(&word.as_str())) && text.get(start + 1).is_some_and(|word| word == "of" || word == "with") {
        return list(name, &text[start + 2..], limit, true);
    }
    let names = words::split(name);
    if ["whether", "is", "does", "true", "has", "boolean", "bool"].contains(&text.get(start).map_or("", String::as_str)) {
        return Want::One(boolean(&names, &text[start..]));
    }
    let collective = ["history", "schedule", "timeline", "log", "agenda", "menu", "programme", "program", "itinerary", "inventory", "leaderboard", "ranking", "catalogue", "catalog"];
    let counts = is_count(&text[start.min(text.len())..]);
    let plural_name = names.last().is_some_and(|last| is_listy(last));
    let body = cut_type(&text[start.min(text.len())..]).0;
    let all = ["all", "every", "each"].contains(&text.get(start).map_or("", String::as_str));
    let of_all = text.windows(2).any(|pair| pair[0] == "of" && ["all", "each", "every"].contains(&pair[1].as_str()))
        || text.windows(2).any(|pair| pair[0] == "for" && ["all", "each", "every"].contains(&pair[1].as_str()));
    let head_plural = head_of(&body).is_some_and(|head| is_listy(&head));
    if !counts && (all && head_plural || of_all || (plural_name && head_plural) || text.iter().take(4).any(|w| w == "list") && plural_name || (limit.is_some() && head_plural)) {
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

/// Words and the signs between them, in lower case.
fn tokens(text: &str) -> Vec<String> {
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
fn without_limit(mut text: Vec<String>) -> (Vec<String>, Option<usize>) {
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
fn is_listy(word: &str) -> bool {
    let one = ["hours", "details", "contents", "costs", "views", "likes", "followers", "points", "terms", "directions", "stars", "savings", "earnings", "calories", "notes", "people"];
    is_plural(word) && !one.contains(&word)
}

fn is_count(text: &[String]) -> bool {
    let start = text.iter().position(|word| !["the", "a", "an", "total", "integer", "numeric"].contains(&word.as_str())).unwrap_or(0);
    let first = text.get(start).map_or("", String::as_str);
    let of: Vec<&String> = text.iter().skip(start + 2).take_while(|word| !is_end(word) && !is_sign(word)).collect();
    let several = of.iter().any(|word| is_plural(word) || *word == "people") || !text.iter().skip(start + 2).take(1).any(|word| word == "the");
    (["number", "count"].contains(&first) && text.get(start + 1).is_some_and(|word| word == "of") && several)
        || (first == "how" && text.get(start + 1).is_some_and(|word| word == "many"))
}

/// The last word before the clause ends.
fn head_of(text: &[String]) -> Option<String> {
    let words: Vec<&String> = text.iter().take_while(|word| !is_end(word) && *word != "of" && !is_sign(word)).collect();
    words.last().map(|word| (*word).clone())
}

fn is_end(word: &str) -> bool {
    ENDS.contains(&word)
}

fn is_sign(word: &str) -> bool {
    !word.chars().any(char::is_alphanumeric)
}

/// The words without "as number" and the like, and the type that they say.
fn cut_type(text: &[String]) -> (Vec<String>, Output) {
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
                while at < text.len() && !["," , ")", "and", ";", "of", "."].contains(&text[at].as_str()) {
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

fn type_of(word: &str, next: &str) -> Option<Output> {
    match word {
        "number" | "numbers" | "float" | "floats" | "decimal" | "decimals" | "numeric" | "double" => Some(Output::Number),
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
fn with_attributes(text: &[String]) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let marks = ["with", "including", "containing", "having", "showing", "(", "{", ":"];
    let at = text.iter().position(|word| marks.contains(&word.as_str()))?;
    if type_of(text.get(at + 1).map_or("", String::as_str), "").is_some() && text[at] == "(" {
        return None;
    }
    let rest: Vec<String> = text[at + 1..].iter().filter(|word| !["{", "}"].contains(&word.as_str())).cloned().collect();
    let parts = segments(&rest);
    let whole = text[..at].iter().filter(|word| !is_sign(word)).cloned().collect();
    (!parts.is_empty()).then_some((whole, parts))
}

/// The parts of "id, name and price".
fn segments(text: &[String]) -> Vec<Vec<String>> {
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
fn nouns(part: &[String]) -> (Vec<String>, Output, Vec<String>) {
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
        main = part.iter().filter(|word| !is_sign(word) && !is_end(word) && *word != "of").next_back().cloned().into_iter().collect();
    }
    if !of.is_empty() {
        let counts = matches!(main.last().map(|head| singular(head)).as_deref(), Some("number" | "count")) ;
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
    let own_entity = if parts.len() > 1 && entity_words.is_empty() { first_entity(&parts, &names) } else { entity_words.clone() };
    let mut all_names: Vec<String> = names.clone();
    all_names.extend(own_entity.iter().cloned());
    let mut entity = of_what(&own_entity);
    entity.extend(of_what(&names));
    let mut attributes: Vec<(String, Attribute)> = Vec::new();
    // "order IDs and statuses" are one of each per record; "with name and points" are what a record has.
    let each_one = !per_record || parts.first().is_some_and(|part| nouns(part).0.last().is_some_and(|last| is_plural(last)));
    for part in parts.iter().take(30) {
        let (key, attribute) = keyed(part, if per_record { &[] } else { &all_names }, each_one);
        if !attributes.iter().any(|(known, _)| *known == key) {
            attributes.push((key, attribute));
        }
    }
    let flat = attributes.len() == 1 && attributes[0].1.inner.is_none() && (entity_words.is_empty() || !said || !is_owned(&text));
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
    let named = |word: &String| names.iter().any(|name| Word::new(name) == Word::new(word));
    let mut entity: Vec<String> = Vec::new();
    // "currency codes and rates": codes of currencies, and their rates.
    let shared = parts[1..].iter().all(|part| nouns(part).0.len() == 1)
        && words.last().is_some_and(|last| GENERIC.contains(&singular(last).as_str()));
    if words.len() > 1 {
        let of = words[..words.len() - 1].iter().filter(|word| shared || is_entity(word) || named(word));
        entity.extend(of.cloned());
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
    let (words, output, hints) = nouns(part);
    let many = part.first().is_some_and(|word| word == "list" || word == "array") || part.windows(2).any(|pair| pair[0] == "list" && pair[1] == "of");
    let words: Vec<String> = words.into_iter().filter(|word| !(many && ["list", "array"].contains(&word.as_str()))).collect();
    let is_of = |word: &String| of.iter().any(|of| Word::new(of) == Word::new(word));
    let own = words.iter().take(words.len().saturating_sub(1)).take_while(|word| is_of(word) || (!of.is_empty() && is_entity(word) && !is_kept(word))).count();
    let telling = &words[own..];
    let telling = if telling.is_empty() { &words[..] } else { telling };
    let key: Vec<String> = telling.iter().enumerate().map(|(at, word)| if at + 1 == telling.len() && !many && each_one { singular(word) } else { word.clone() }).collect();
    let mut attribute = attribute(vec![Phrase::new(telling), Phrase::new(&words)], output, &[of, &hints].concat());
    attribute.many = many;
    (key.join("_"), attribute)
}

/// "items (each with name and quantity)": a list within each record.
fn nested(part: &[String]) -> Option<(String, Attribute)> {
    let open = part.iter().position(|word| word == "(" || word == "with")?;
    if open == 0 || type_of(part.get(open + 1).map_or("", String::as_str), "").is_some() {
        return None;
    }
    let rest: Vec<String> = part[open..].iter().filter(|word| !["(", ")", "with", "each", "their", "its"].contains(&word.as_str())).cloned().collect();
    let (words, _, _) = nouns(&part[..open]);
    let words: Vec<String> = words.into_iter().filter(|word| !["list", "array"].contains(&word.as_str())).collect();
    if segments(&rest).len() < 2 || !words.last().is_some_and(|last| is_plural(last)) {
        return None;
    }
    let description = [words.clone(), vec!["with".to_owned()], part[open..].iter().filter(|word| !["(", ")", "with", "each"].contains(&word.as_str())).cloned().collect()].concat();
    let key = words.join("_");
    let Want::List(inner) = list(&key, &description, None, true) else { return None };
    let mut attribute = attribute(vec![Phrase::new(&words)], Output::Text, &[]);
    attribute.many = true;
    attribute.inner = Some(Box::new(inner));
    Some((key, attribute))
}

/// Entities that are attributes of others as often.
fn is_kept(word: &str) -> bool {
    ["team", "user", "project", "person", "room", "track", "event", "message", "position", "show"].contains(&singular(word).as_str())
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
    Attribute { phrases, kind, output, first: false, context, many: false, inner: None }
}

fn scalar(names: &[String], text: &[String]) -> Attribute {
    let mut phrases = Vec::new();
    let (mut output, mut hints) = (Output::Text, Vec::new());
    let counts = is_count(text);
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
            let said: Vec<String> = more.iter().filter(|word| !is_entity(word) && !HARDLY.contains(&word.as_str())).take(2).cloned().collect();
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
        output = if counts { Output::Integer } else if of_one { Output::Loose } else { output };
    }
    let mut attribute = attribute(phrases, output, &hints);
    if counts {
        attribute.kind = Kind::Count;
    }
    let first = ["first", "latest", "newest", "recent", "top"];
    attribute.first = text.iter().any(|word| first.contains(&word.as_str()));
    attribute
}

/// "whether the product is in stock".
fn boolean(names: &[String], text: &[String]) -> Attribute {
    let said: Vec<String> = text
        .iter()
        .filter(|word| !is_sign(word) && !FILLERS.contains(&word.as_str()))
        .filter(|word| !["whether", "is", "are", "true", "false", "if", "or", "not", "does", "has", "in", "be", "can", "boolean", "bool", "of", "for", "on", "it", "else", "otherwise"].contains(&word.as_str()))
        .filter(|word| !is_entity(word))
        .cloned()
        .collect();
    let names: Vec<String> = names.iter().filter(|name| !["is", "has", "in"].contains(&name.as_str())).cloned().collect();
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
                    .map(|(key, a)| if a.output == Output::Text { key.clone() } else { format!("{key}:{:?}", a.output) })
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
        check("products", "array of products with name, price (as number) and URL", "records name price:Number url:Url");
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
        check("author", "name of the author", "one Name Text");
        check("published", "date when the article was published", "one Date Text");
        check("email", "contact e-mail address", "one Email Text");
        check("review_count", "number of reviews", "one Count Integer");
        check("in_stock", "whether the product is in stock", "one Any Bool");
        check("link", "link to the documentation", "one Url Url");
        check("hours", "opening hours", "one Any Text");
        check("seller", "seller with name and rating", "record name rating");
    }
}
