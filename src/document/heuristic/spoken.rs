//! What texts say: a label and a value in one line, who something is by, how many of what; and what is known by its look.

use super::facts::{Gatherer, siblings_after};
use super::model::{Cell, Facet, is_label};
use super::shapes::{self, Kind};

/// What pages say before the name of who is signed in.
const GREETINGS: &[&str] = &[
    "hello",
    "hi",
    "welcome back",
    "welcome,",
    "good morning",
    "good evening",
    "good afternoon",
    "signed in as",
    "logged in as",
    "hallo",
    "guten tag",
    "willkommen,",
    "angemeldet als",
    "eingeloggt als",
    "bonjour",
    "bienvenue,",
    "connecté en tant que",
    "hola",
    "ciao",
    "bienvenido,",
    "conectado como",
];

impl Gatherer<'_> {
    /// Texts that have their label in them.
    pub fn leaf(&mut self, node: usize) {
        let dom = self.dom;
        for line in dom.lines(node) {
            self.text_facts(&line, node);
        }
        let element = &dom.elements[node];
        // `<b>Weight:</b> 3 kg` within a longer text.
        let inline = element.is(&["a", "b", "strong", "span", "label", "em", "i", "small", "th", "time", "u"]);
        let Some(parent) = element.parent.filter(|_| inline) else { return };
        let text = dom.text(node);
        // "Signed in as <b>Jane</b>"
        let before = dom.text_before(node, parent);
        let words = before.split(' ').count();
        if is_label(&before) && (2..=4).contains(&words) && !before.ends_with(['.', ',', ';']) && !text.is_empty() {
            self.say(before.trim_end_matches([':', ' ']), 0.85, Cell::Node(node, Facet::Text), node);
        }
        let follows_colon = text.ends_with(':');
        if !is_label(&text) || !(follows_colon || (element.is(&["b", "strong"]) && dom.elements[parent].own)) {
            return;
        }
        let next = siblings_after(dom, node, parent)
            .take(10)
            .find(|at| dom.elements[*at].tag == element.tag && dom.text(*at).ends_with(':'));
        let value = dom.text_after(node, next, parent);
        let value = value.trim_start_matches([':', ' ']).trim_end_matches(['|', '·', '•', ',', ';', ' ']);
        if !value.is_empty() {
            let at = siblings_after(dom, node, parent).next().filter(|at| dom.text(*at) == value);
            let weight = if follows_colon { 0.96 } else { 0.84 };
            self.say(
                text.trim_end_matches([':', ' ']),
                weight,
                Cell::Part(value.to_owned(), at.or(Some(parent))),
                parent,
            );
        }
    }

    /// "Label: value", "by somebody", "128 reviews", "Total $3", and what is known by its look.
    pub fn text_facts(&mut self, text: &str, node: usize) {
        for part in text.split(['|', '·', '•', '\u{2014}']).take(12) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            if let Some((label, value)) = part.split_once(':')
                && is_label(label)
                && !value.trim().is_empty()
                && !value.starts_with("//")
            {
                self.say(label.trim(), 0.95, Cell::Part(value.trim().to_owned(), Some(node)), node);
            }
            self.by(part, node);
            self.greeted(part, node);
            self.by_look(part, node);
        }
    }

    fn by(&mut self, text: &str, node: usize) {
        let lower = text.to_lowercase();
        let starts = ["by ", "written by ", "posted by ", "published by ", "author: "];
        let Some(start) = starts.iter().find(|start| lower.starts_with(**start)) else {
            return self.done_by(text, node);
        };
        let Some(rest) = text.get(start.len()..) else { return };
        let end =
            [" on ", ",", " in ", " (", " at "].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        let name = rest[..end].trim();
        if !name.is_empty() && name.chars().count() <= 60 && name.split(' ').count() <= 6 {
            self.say("author", 0.85, Cell::Part(name.to_owned(), Some(node)), node);
        }
    }

    /// "Hosted by Jane Doe": who did what.
    fn done_by(&mut self, text: &str, node: usize) {
        let Some((done, name)) = text.split_once(" by ") else { return };
        let named = name.starts_with(char::is_uppercase) && name.chars().count() <= 60 && !name.contains(['.', ':']);
        if done.ends_with("ed") && !done.contains(' ') && named {
            self.say(done, 0.85, Cell::Part(name.trim().to_owned(), Some(node)), node);
            self.say(&format!("{done} by"), 0.85, Cell::Part(name.trim().to_owned(), Some(node)), node);
        }
    }

    /// "Hello, Priya": who is signed in.
    fn greeted(&mut self, text: &str, node: usize) {
        let Some((greeting, name)) = GREETINGS.iter().find_map(|greeting| {
            let start = text.get(..greeting.len()).filter(|start| start.eq_ignore_ascii_case(greeting))?;
            Some((start, text.get(greeting.len()..)?))
        }) else {
            return;
        };
        let exact = greeting.to_lowercase().ends_with(['s', 'n']) && greeting.contains(' ');
        let name = name.trim_start_matches([',', ':', ' ']).trim_end_matches(['!', '.', ',', ' ']);
        let words = name.split(' ').count();
        let named =
            name.chars().next().is_some_and(char::is_uppercase) && words <= 4 && !name.contains([',', '?', ':']);
        if named && name.chars().all(|c| c.is_alphabetic() || " -'’.".contains(c)) {
            let weight = if exact { 0.9 } else { 0.84 };
            for label in ["user name", "customer name", "account owner name", "account holder"] {
                self.say(label, weight, Cell::Part(name.to_owned(), Some(node)), node);
            }
        }
    }

    fn by_look(&mut self, text: &str, node: usize) {
        if text.len() > 200 {
            return;
        }
        let looks = [
            (Kind::Money, shapes::money(text), "price", 0.6),
            (Kind::Date, shapes::date(text), "date", 0.6),
            (Kind::Time, shapes::time(text).filter(|_| shapes::date(text).is_none()), "time", 0.56),
            (Kind::Email, shapes::email(text), "email", 0.75),
            (Kind::Phone, shapes::phone(text), "phone", 0.68),
            (Kind::Duration, shapes::duration(text), "duration", 0.5),
        ];
        if shapes::looks(Kind::Address, text) > 0.9 {
            self.say("address", 0.7, Cell::Part(text.to_owned(), Some(node)), node);
        }
        for (kind, found, label, weight) in looks {
            let Some((from, to)) = found else { continue };
            if kind == Kind::Phone && is_numbered_otherwise(&text[..from]) {
                continue;
            }
            let value = text[from..to].to_owned();
            let before = text[..from].trim_end_matches([':', ' ', '-', '–', ',']).trim();
            let before = before.strip_suffix(" at").or(before.strip_suffix(" on")).unwrap_or(before);
            // "Friday 3 April"
            let weekday = kind == Kind::Date && text.len() < 40 && shapes::looks(Kind::Date, text) >= 0.9;
            let before = if weekday { "" } else { before };
            let alone = before.is_empty() && text[to..].chars().filter(|c| c.is_alphanumeric()).count() < 12;
            if alone || matches!(kind, Kind::Email | Kind::Phone) {
                self.say(label, weight, Cell::Part(value.clone(), Some(node)), node);
            }
            if is_bound(before) {
                continue;
            }
            if !before.is_empty() && before.split(' ').count() <= 4 && is_label(before) {
                self.say(before, 0.88, Cell::Part(value, Some(node)), node);
            } else if kind == Kind::Date && before.split(' ').count() <= 8 {
                // "By Jane Doe on March 5": published, it seems.
                self.say("published date", 0.62, Cell::Part(value, Some(node)), node);
            }
        }
        let value = shapes::looks(Kind::Rating, text);
        if value > 0.6 {
            self.say("rating", 0.72, Cell::Part(text.to_owned(), Some(node)), node);
        }
        if let Some((0, to)) = shapes::number(text) {
            let after = text[to..].trim();
            if is_label(after) && after.split(' ').count() <= 3 && shapes::money(text).is_none() {
                self.say(&format!("{after} count"), 0.86, Cell::Part(text[..to].to_owned(), Some(node)), node);
            }
        }
        // "All restaurants (64)"
        if let Some((before, number)) = text.strip_suffix(')').and_then(|text| text.rsplit_once(" ("))
            && is_label(before)
            && number.len() < 9
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        {
            let before = before.strip_prefix("All ").unwrap_or(before);
            self.say(&format!("{before} count"), 0.8, Cell::Part(number.to_owned(), Some(node)), node);
        }
        // "Serves 4"
        if let Some((before, number)) = text.rsplit_once(' ')
            && number.len() < 10
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
            && is_label(before)
            && before.split(' ').count() <= 2
            && shapes::date(text).is_none()
        {
            self.say(before, 0.72, Cell::Part(number.to_owned(), Some(node)), node);
            self.say(&format!("{before} count"), 0.72, Cell::Part(number.to_owned(), Some(node)), node);
        }
        // "(128 reviews)"
        if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            self.by_look(inner, node);
        }
    }
}

/// Whether the word before a number is an abbreviation that says what it is, of no telephone: `VAT`, `IBAN`.
fn is_numbered_otherwise(before: &str) -> bool {
    let word = before.trim_end_matches([':', ' ', '.']).rsplit(' ').next().unwrap_or_default();
    let capitals = word.chars().count() > 1 && word.chars().all(|c| c.is_uppercase() || c.is_numeric());
    capitals && !["TEL", "FAX", "PHONE", "CALL", "TELEFON"].contains(&word)
}

/// Whether the last word before a value says that it is a bound and not the value: "free shipping over", "up to".
fn is_bound(before: &str) -> bool {
    let last = before.rsplit(' ').next().unwrap_or_default().to_lowercase();
    ["over", "above", "under", "below", "than", "to", "from", "until", "save", "least", "ab", "über", "unter", "dès"]
        .contains(&last.as_str())
}
