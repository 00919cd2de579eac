//! A few words that say what a value is, and how well a label says the same.

use super::shapes::Kind;
use super::words::{Word, is_entity, singular};

/// Words in the order of importance turned round: the last one is what it is, those before say which.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    words: Vec<(Word, f32)>,
    /// "poster URL" is where a picture is.
    picture: bool,
}

/// Heads that say little without the word before them.
pub(super) const GENERIC: &[&str] = &[
    "name", "title", "number", "value", "text", "date", "time", "url", "link", "address", "id", "count", "amount",
    "code", "type", "level", "day", "fee", "cost", "price", "info", "email", "phone", "image", "status",
];

/// Words that say hardly more than nothing.
const LIGHT: &[&str] = &[
    "full", "complete", "page", "long", "short", "overall", "average", "total", "unit", "contact", "main", "support",
    "general",
];

/// Whose telephone or address a page that has one means.
const PARTIES: &[&str] =
    &["dealer", "seller", "agent", "shop", "store", "office", "company", "venue", "organizer", "hotel", "restaurant"];

impl Phrase {
    /// Of words as they are written, the last of which is the head.
    pub fn new(parts: &[String]) -> Option<Self> {
        let mut parts: Vec<String> = parts.iter().map(|part| singular(part)).collect();
        let mut picture = false;
        // "phone number", "email address": the last word adds nothing.
        let says = ["phone", "telephone", "mobile", "fax", "email", "mail", "web", "contact"];
        if let [.., before, last] = parts.as_slice()
            && says.contains(&before.as_str())
            && ["number", "address", "no"].contains(&last.as_str())
        {
            parts.pop();
        }
        let pictures = ["image", "photo", "picture", "thumbnail", "avatar", "logo", "cover", "poster"];
        if let [.., before, last] = parts.as_slice()
            && pictures.contains(&before.as_str())
            && ["url", "link", "src", "address", "source"].contains(&last.as_str())
        {
            parts.pop();
            picture = true;
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
        let reached = ["phone", "telephone", "email", "address"].contains(&last.as_str());
        let light = |word: &String| {
            is_entity(word) || LIGHT.contains(&word.as_str()) || (reached && PARTIES.contains(&word.as_str()))
        };
        let modifier = |word: &String| match (light(word), generic) {
            (true, _) => 0.25,
            (false, true) => 1.6,
            (false, false) => 0.7,
        };
        let mut words: Vec<(Word, f32)> = rest.iter().map(|word| (Word::new(word), modifier(word))).collect();
        words.push((Word::new(last), 1.0));
        Some(Self { words, picture })
    }

    /// How well a label says this: how much of it the label says, and how much else.
    pub fn fit(&self, label: &[Word], context: &[Word]) -> f32 {
        let Some((head, _)) = self.words.last() else { return 0.0 };
        let by_head = best(head, label);
        if by_head == 0.0 { 0.0 } else { self.measure(label, context, by_head) }
    }

    /// As [`Self::fit`] where the value looks like the head.
    pub fn fit_without_head(&self, label: &[Word], context: &[Word]) -> f32 {
        let telling =
            self.words.len() > 1 && self.words[..self.words.len() - 1].iter().any(|(word, _)| best(word, label) > 0.7);
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
                let says_nothing = ["current", "your", "own"].contains(&word.stem.as_str());
                if known == 0.0 && (of(word) || says_nothing) { None } else { Some(known) }
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

    /// The kind of thing that it names.
    pub fn kind(&self) -> Kind {
        let Some(((head, _), rest)) = self.words.split_last() else { return Kind::Any };
        if self.picture {
            return Kind::Image;
        }
        let classed = ["age", "content", "parental", "credit", "energy", "film"];
        if head.stem == Word::new("rating").stem
            && rest.iter().any(|(word, _)| classed.iter().any(|of| Word::new(of).stem == word.stem))
        {
            return Kind::Any;
        }
        let kind = kind_of(&head.stem, !rest.is_empty());
        match kind {
            Kind::Any | Kind::Id | Kind::Count | Kind::Name | Kind::Address => {
                let mut before = rest.iter().map(|(word, _)| kind_of(&word.stem, false));
                let strong = |kind: &Kind| matches!(kind, Kind::Email | Kind::Phone | Kind::Date);
                before.rfind(strong).unwrap_or(kind)
            }
            Kind::Url if rest.iter().any(|(word, _)| kind_of(&word.stem, false) == Kind::Image) => Kind::Image,
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
    if is(&["price", "cost", "subtotal", "fee", "fare", "rrp", "msrp"])
        || is(&["total", "amount", "salary", "rent", "deposit"])
    {
        Kind::Money
    } else if is(&[
        "date",
        "deadline",
        "birthday",
        "published",
        "updated",
        "created",
        "modified",
        "posted",
        "due",
        "expiry",
        "released",
    ]) || (is(&["day"]) && qualified)
    {
        Kind::Date
    } else if is(&["hour", "hours"]) {
        Kind::Hours
    } else if is(&["area", "surface"]) && !qualified {
        Kind::Area
    } else if is(&["version"]) {
        Kind::Version
    } else if is(&["duration", "runtime"]) {
        Kind::Duration
    } else if is(&["address"]) {
        Kind::Address
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
    } else if is(&["id", "identifier", "sku", "isbn", "ean", "gtin", "ref"])
        || (is(&["number", "no", "reference"]) && qualified)
    {
        Kind::Id
    } else if is(&[
        "author", "user", "username", "owner", "seller", "speaker", "artist", "assignee", "reporter", "reviewer",
    ]) {
        Kind::Person
    } else if is(&["name", "title", "headline"]) {
        Kind::Name
    } else {
        Kind::Any
    }
}
