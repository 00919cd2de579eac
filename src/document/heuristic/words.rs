//! Words: how names, labels and class names are taken apart, brought to one form, and told to mean the same.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::vocabulary::{ALIASES, EMPTY, ENTITIES, SYNONYMS, TECHNICAL};

static GROUPS: LazyLock<HashMap<String, Vec<u16>>> = LazyLock::new(|| {
    let mut groups: HashMap<String, Vec<u16>> = HashMap::new();
    for (index, line) in SYNONYMS.iter().enumerate() {
        for word in line.split(' ') {
            groups.entry(stem(word)).or_default().push(u16::try_from(index).unwrap_or(u16::MAX));
        }
    }
    groups
});

/// A word in the form in which words are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub stem: String,
    groups: &'static [u16],
}

impl Word {
    pub fn new(word: &str) -> Self {
        let stem = stem(word);
        let groups = GROUPS.get(&stem).map_or(&[][..], Vec::as_slice);
        Self { stem, groups }
    }

    /// How much two words mean the same: 0 to 1.
    pub fn likeness(&self, other: &Self) -> f32 {
        if self.stem == other.stem {
            1.0
        } else if self.groups.iter().any(|group| other.groups.contains(group)) {
            0.8
        } else {
            0.0
        }
    }
}

/// The words of a label without those that say nothing; all of them where nothing else is there.
pub fn label(text: &str) -> Vec<Word> {
    let all = split(text);
    // What people wrote is what they meant; names of classes have words besides.
    let human = text.contains(' ');
    let telling: Vec<Word> = all
        .iter()
        .filter(|word| !EMPTY.contains(&word.as_str()) && (human || !TECHNICAL.contains(&word.as_str())))
        .map(|word| Word::new(word))
        .collect();
    if telling.is_empty() { all.iter().map(|word| Word::new(word)).collect() } else { telling }
}

/// Whether lists and pages are about such things.
pub fn is_entity(word: &str) -> bool {
    let word = singular(word);
    ENTITIES.contains(&word.as_str())
}

/// Lower-case words of a text: also those of `camelCase`, `kebab-case` and `snake_case`.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next_lower = chars.peek().is_some_and(|next| next.is_lowercase());
        let hump = c.is_uppercase()
            && (before.is_lowercase() || (before.is_uppercase() && next_lower && !is_plural_s(&mut chars)));
        if (hump || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if matches!(c, '\'' | '’') && before.is_alphanumeric() && chars.peek() == Some(&'s') {
            before = c;
            continue;
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if matches!(c, '#' | '№')
            && !before.is_alphanumeric()
            && !chars.peek().is_some_and(|c| c.is_alphanumeric())
        {
            words.push("number".into());
        }
        before = c;
        if words.len() >= 60 {
            break;
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    if let Some(at) = words.windows(2).position(|pair| pair[0] == "e" && (pair[1] == "mail" || pair[1] == "mails")) {
        words[at] = "email".into();
        words.remove(at + 1);
    }
    words
}

/// `IDs` and `URLs` are one word.
fn is_plural_s(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut rest = chars.clone();
    rest.next() == Some('s') && !rest.next().is_some_and(char::is_alphanumeric)
}

/// The singular of an English noun, as far as rules go.
pub fn singular(word: &str) -> String {
    let exact = [
        ("people", "person"),
        ("children", "child"),
        ("men", "man"),
        ("women", "woman"),
        ("movies", "movie"),
        ("cookies", "cookie"),
        ("calories", "calorie"),
        ("series", "series"),
        ("news", "news"),
        ("species", "species"),
        ("indices", "index"),
        ("criteria", "criterion"),
        ("shoes", "shoe"),
        ("lens", "lens"),
        ("gas", "gas"),
    ];
    if let Some((_, one)) = exact.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    let ends = |end: &str| word.len() > end.len() + 1 && word.ends_with(end);
    let without = |count: usize| word[..word.len() - count].to_owned();
    if ends("ies") && word.len() > 4 {
        return without(3) + "y";
    }
    if ends("uses") && !["auses", "ouses"].iter().any(|end| word.ends_with(end)) {
        return without(2);
    }
    if ["sses", "xes", "ches", "shes"].iter().any(|end| ends(end)) {
        return without(2);
    }
    if !ends("s") || ["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        return word.to_owned();
    }
    without(1)
}

/// Whether a word is a plural.
pub fn is_plural(word: &str) -> bool {
    singular(word) != word
}

fn stem(word: &str) -> String {
    let one = singular(word);
    let mut word = ALIASES.iter().find(|(alias, _)| *alias == one).map_or(one, |(_, usual)| (*usual).to_owned());
    if !word.is_ascii() {
        return word;
    }
    let strip = |word: &mut String, end: &str, least: usize| {
        if word.len() >= least + end.len() && word.ends_with(end) {
            word.truncate(word.len() - end.len());
            let bytes = word.as_bytes();
            let doubled = bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
            if doubled && !matches!(bytes[bytes.len() - 1], b's' | b'l') {
                word.pop();
            }
            return true;
        }
        false
    };
    if !strip(&mut word, "ing", 4) {
        strip(&mut word, "ed", 4);
    }
    if word.len() > 4 && word.ends_with('e') {
        word.pop();
    }
    word
}

/// White space made one, none at the ends.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(256));
    for part in text.split(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}')) {
        if part.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}

/// The beginning of a text, for messages.
pub fn short(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_of_every_way_to_join_them() {
        let check = |text: &str, wanted: &[&str]| assert_eq!(split(text), wanted, "{text}");
        check("orderIDs and statuses", &["order", "ids", "and", "statuses"]);
        check("product-card__price--old", &["product", "card", "price", "old"]);
        check("datePublished", &["date", "published"]);
        check("URLPath", &["url", "path"]);
        check("#", &["number"]);
        check("Order #", &["order", "number"]);
        check("Über uns", &["über", "uns"]);
    }

    #[test]
    fn plurals_become_singular() {
        for (many, one) in [
            ("statuses", "status"),
            ("ids", "id"),
            ("prices", "price"),
            ("categories", "category"),
            ("boxes", "box"),
            ("addresses", "address"),
            ("houses", "house"),
            ("sizes", "size"),
            ("movies", "movie"),
            ("status", "status"),
        ] {
            assert_eq!(singular(many), one);
        }
    }

    #[test]
    fn words_are_alike() {
        let like = |a: &str, b: &str| Word::new(a).likeness(&Word::new(b));
        assert!(like("published", "publish") > 0.9);
        assert!(like("cost", "price") > 0.5);
        assert!(like("price", "name") < 0.1);
    }
}
