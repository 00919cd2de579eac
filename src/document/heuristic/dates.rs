//! Dates, as pages write them.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use regex::Regex;

use super::shapes::{first, regex};

const MONTHS: &str = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?";
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(&format!(
        r"(?i)\b\d{{1,2}}(?:er|\.)?\s+(?:de\s+)?(?:{})\b\.?(?:\s+(?:de\s+)?\d{{4}})?|\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[T ]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?)?|\d{{4}}/\d{{1,2}}/\d{{1,2}}|\b\d{{1,2}}[./]\s?\d{{1,2}}[./]\s?\d{{2,4}}|\b{MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:\s*[–-]\s*\d{{1,2}})?(?:,?\s+\d{{4}})?\b|\b\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?{MONTHS}(?:,?\s+\d{{4}})?|\b{MONTHS}\s+\d{{4}}\b|\b\d{{1,2}}-{MONTHS}-\d{{2,4}}|\b(?:\d+|an?|one|two|three)\s+(?:second|minute|hour|day|week|month|year)s?\s+ago|\byesterday\b|\btoday\b|\btomorrow\b|\d{{4}}年\d{{1,2}}月\d{{1,2}}日|\d{{1,2}}\.\s\p{{L}}+\s\d{{4}}",
        FOREIGN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|")
    ))
});

/// Months as pages of other languages write them, and which each is.
const FOREIGN: &[(&str, &str)] = &[
    ("januar|jänner|janvier|enero|gennaio|januari|janeiro|ledna|stycznia", "January"),
    ("februar|février|fevrier|febrero|febbraio|februari|fevereiro|února|lutego", "February"),
    ("märz|mars|marzo|maart|março|března|marca", "March"),
    ("avril|abril|aprile|dubna|kwietnia", "April"),
    ("mai|mayo|maggio|mei|maio|května|maja", "May"),
    ("juni|juin|junio|giugno|junho|června|czerwca", "June"),
    ("juli|juillet|julio|luglio|julho|července|lipca", "July"),
    ("août|aout|agosto|augusti|augustus|srpna|sierpnia", "August"),
    ("septembre|septiembre|settembre|setembro|září|września", "September"),
    ("oktober|octobre|octubre|ottobre|outubro|října|października", "October"),
    ("novembre|noviembre|novembro|listopadu|listopada", "November"),
    ("dezember|décembre|decembre|diciembre|dicembre|dezembro|prosince|grudnia", "December"),
];

/// A date with the month in English.
fn in_english(text: &str) -> String {
    let is_month = |word: &str| {
        let word = word.trim_end_matches('.').to_lowercase();
        FOREIGN.iter().find(|(names, _)| names.split('|').any(|name| name == word)).map(|(_, month)| *month)
    };
    let words = text.split_whitespace().filter(|word| *word != "de");
    let words = words
        .map(|word| is_month(word).unwrap_or(word.strip_suffix("er").filter(|day| day.len() == 1).unwrap_or(word)));
    words.collect::<Vec<_>>().join(" ")
}

/// The part of a text that is a date.
pub fn date(text: &str) -> Option<(usize, usize)> {
    first(&DATE, text)
}

const DATES: [&str; 12] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d. %m. %Y",
    "%m/%d/%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%d-%b-%Y",
];

/// ISO 8601 of the ways to write a date; a time stays with it.
pub fn iso_date(text: &str) -> Option<String> {
    let (from, to) = date(text)?;
    let found = text[from..to].trim();
    if found.len() > 10 && found.as_bytes().get(4) == Some(&b'-') {
        let with_zone = found.parse::<jiff::Timestamp>().is_ok();
        let plain = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
        return if with_zone {
            Some(found.to_owned())
        } else {
            plain.iter().find_map(|format| DateTime::strptime(format, found).ok()).map(|time| time.to_string())
        };
    }
    let tidy: String =
        ["st", "nd", "rd", "th"].iter().fold(found.replace(" of ", " "), |text, end| drop_ordinal(&text, end));
    let tidy = in_english(&tidy);
    let tidy = tidy.replace("Sept ", "Sep ").replace("Sept. ", "Sep ");
    let without_dots = if tidy.contains(char::is_alphabetic) { tidy.replace('.', "") } else { tidy };
    DATES.iter().find_map(|format| Date::strptime(format, &without_dots).ok()).map(|date| date.to_string())
}

fn drop_ordinal(text: &str, end: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(end) {
        let after_digit = rest[..at].ends_with(|c: char| c.is_ascii_digit());
        out.push_str(&rest[..at]);
        if !after_digit {
            out.push_str(end);
        }
        rest = &rest[at + end.len()..];
    }
    out + rest
}
