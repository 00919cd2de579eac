//! Words: how names, labels and class names are taken apart, brought to one form, and told to mean the same.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Words that mean much the same where something is labelled with them; a word may be in several lines.
const SYNONYMS: &[&str] = &[
    "price cost amount fee fare",
    "total sum amount",
    "id number no nr num ref reference code identifier sku key",
    "status state stage",
    "name title headline heading label",
    "date time day datetime when on",
    "published posted publication publish post issued released release created date_published uploaded",
    "created placed ordered added creation made opened started joined registered since",
    "updated modified changed edited update modification revised",
    "url link href website homepage site web permalink",
    "image img photo picture thumbnail thumb avatar logo cover poster",
    "description desc summary about detail abstract excerpt teaser overview synopsis blurb subtitle snippet lead lede standfirst dek intro",
    "author writer creator by byline written contributor",
    "rating star score rate grade stars",
    "review comment feedback testimonial rating",
    "comment reply response",
    "phone telephone tel mobile call cell",
    "email mail e-mail",
    "fax telefax",
    "quantity qty count amount unit piece number",
    "count number total qty",
    "location place where venue address based",
    "address street location",
    "city town locality municipality",
    "zip postcode postal",
    "country nation",
    "company employer organization organisation firm business",
    "brand manufacturer maker make vendor",
    "seller vendor merchant shop store sold",
    "category type genre section topic department kind group",
    "tag keyword topic label",
    "availability stock available inventory instock",
    "salary pay compensation wage remuneration",
    "question q faq",
    "answer a response reply",
    "duration length runtime time",
    "size dimension measurement",
    "ingredient component",
    "step instruction direction method",
    "job position vacancy opening role",
    "product item article goods good",
    "order purchase",
    "post article story entry news blog",
    "person member user people employee staff contact",
    "deadline due closing close expiry expire end",
    "start begin from starting departure",
    "end finish to until ending through",
    "customer client buyer purchaser account",
    "event activity what action description",
    "role position title job",
    "department team division",
    "language lang locale",
    "version release",
    "license licence",
    "model part mpn",
    "serving yield portion serve",
    "calorie kcal energy",
    "feature highlight benefit",
    "specification spec property attribute characteristic feature",
    "property attribute name specification key field",
    "value content setting",
    "population inhabitant resident",
    "abbreviation symbol ticker acronym code",
    "percent percentage share",
    "capacity seat",
    "speaker presenter host",
    "event meeting session",
    "quote quotation citation text",
    "text content body message",
    "old previous original was list rrp msrp before regular",
    "sale discounted special offer now current",
    "shipping delivery shipment postage",
    "tax vat gst",
    "invoice bill",
    "download attachment file",
    "view hit visit",
    "like upvote favorite favourite vote point",
    "birth born birthday",
    "death died",
    "occupation profession job",
    "nationality citizenship",
    "director directed",
    "cast actor starring star",
    "year date",
    "rank position place standing",
    "change difference delta",
    "opening hour open",
    "valid validity effective",
    // The same in languages that pages often have.
    "price preis prix precio prezzo cena prijs pris kosten",
    "amount betrag montant importe importo částka kwota bedrag belopp",
    "total gesamt summe celkem suma razem totaal totale summa",
    "date datum fecha data",
    "time uhrzeit zeit heure hora ora čas godzina tijd tid",
    "number nummer numéro número numero číslo numer nr",
    "name bezeichnung nom nombre nome jméno název nazwa naam namn titel titre título titolo",
    "code kód kod código codice",
    "rate kurs kurz cours tasa tasso koers",
    "status stav statut estado stato",
    "quantity menge anzahl quantité cantidad quantità množství ilość aantal antal",
    "description beschreibung descripción descrizione popis opis beschrijving beskrivning",
    "invoice rechnung facture factura fattura faktura factuur",
    "order bestellung auftrag commande pedido ordine objednávka zamówienie",
    "product produkt artikel produit producto prodotto výrobek",
    "customer kunde client cliente zákazník klient klant kund",
    "address adresse dirección indirizzo adresa adres adress",
    "city stadt ort ville ciudad città město miasto stad",
    "country land pays país paese země kraj",
    "currency währung devise moneda valuta měna waluta",
    "phone telefon téléphone teléfono telefono telefoon",
    "author autor auteur autore författare",
    "size größe taille tamaño taglia velikost rozmiar",
    "weight gewicht poids peso hmotnost waga vikt",
    "colour color farbe couleur colore barva kolor",
    "valid gültig valable válido platí platnost ważny geldig",
];

/// Words that say nothing where something is labelled.
const EMPTY: &[&str] = &[
    "the", "a", "an", "of", "and", "or", "our", "your", "its", "their", "this", "that", "is", "are", "was", "for",
    "with", "in", "at", "js", "css", "ui", "el", "item", "row", "col", "column", "cell", "list", "box", "text", "value",
    "wrapper", "wrap", "container", "label", "field", "block", "main", "content", "card", "inner", "outer", "element",
    "component", "widget", "info", "meta", "data", "small", "large", "big", "bold", "left", "right", "top", "bottom",
    "sm", "md", "lg", "xs", "xl", "primary", "secondary", "module", "area", "line", "span", "div", "cls", "tile", "view",
    "display", "formatted", "itemprop", "as", "you", "me", "my", "we", "us", "badge", "pill", "entry", "single", "page", "full",
];

/// What pages and lists are about: such a word before another says whose it is ("product name").
const ENTITIES: &[&str] = &[
    "product", "item", "article", "book", "movie", "film", "job", "recipe", "event", "order", "page", "post", "course",
    "hotel", "property", "listing", "song", "album", "game", "app", "package", "repository", "repo", "project",
    "restaurant", "story", "news", "blog", "podcast", "episode", "video", "invoice", "ticket", "issue", "flight", "car",
    "vehicle", "entry", "result", "row", "record", "member", "employee", "user", "person", "track", "show", "series",
    "vacancy", "position", "thread", "topic", "message", "task", "transaction", "subscription", "plan", "room",
    "document", "paper", "model", "publication", "dataset", "library", "module", "plugin", "extension", "team", "player",
];

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

    /// Whether it is in the same line of synonyms as `word`.
    pub fn means(&self, word: &str) -> bool {
        self.likeness(&Self::new(word)) > 0.0
    }
}

/// The words of a label without those that say nothing; all of them where nothing else is there.
pub fn label(text: &str) -> Vec<Word> {
    let all = split(text);
    let telling: Vec<Word> = all.iter().filter(|word| !EMPTY.contains(&word.as_str())).map(|word| Word::new(word)).collect();
    if telling.is_empty() { all.iter().map(|word| Word::new(word)).collect() } else { telling }
}

/// Whether lists and pages are about such things.
pub fn is_entity(word: &str) -> bool {
    let word = singular(word);
    ENTITIES.contains(&word.as_str())
}

/// Whether it is a word that things are labelled with.
pub fn is_known(word: &str) -> bool {
    GROUPS.contains_key(&stem(word))
}

/// Lower-case words of a text: also those of `camelCase`, `kebab-case` and `snake_case`.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next_lower = chars.peek().is_some_and(|next| next.is_lowercase());
        let hump = c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && next_lower && !is_plural_s(&mut chars)));
        if (hump || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if matches!(c, '#' | '№') && !before.is_alphanumeric() && !chars.peek().is_some_and(|c| c.is_alphanumeric()) {
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
        ("people", "person"), ("children", "child"), ("men", "man"), ("women", "woman"), ("movies", "movie"),
        ("cookies", "cookie"), ("calories", "calorie"), ("series", "series"), ("news", "news"), ("species", "species"),
        ("indices", "index"), ("criteria", "criterion"), ("shoes", "shoe"), ("lens", "lens"), ("gas", "gas"),
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
    let mut word = singular(word);
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
            ("statuses", "status"), ("ids", "id"), ("prices", "price"), ("categories", "category"), ("boxes", "box"),
            ("addresses", "address"), ("houses", "house"), ("sizes", "size"), ("movies", "movie"), ("status", "status"),
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
