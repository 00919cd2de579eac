//! HTML made harmless before it is parsed: the standard's algorithm takes time and memory with the square of the depth, of
//! unclosed formatting elements and of attributes. One pass over the text finds where there is too much of them and takes
//! those tags out; a page as people write it comes back as it was.

mod open;
mod tags;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use open::{Open, is_formatting};
use tags::{Tag, comment_end, raw_end, read_tag};

use super::DocumentError;

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// The most tags that are read.
const MAX_TAGS: usize = 500_000;
/// The deepest nesting that is kept; beyond it tags are left out, their text stays. Chromium's own limit is 512, pages as they
/// are stay below 100.
const MAX_DEPTH: usize = 256;
/// The most formatting elements that wait for their end at once.
const MAX_FORMATTING: usize = 64;
/// How many elements may come of unclosed formatting elements being opened again, for each tag and beyond the first million.
const MAX_REOPENED: usize = 1 << 20;
/// How many unclosed tags may stand in scripts and the like, should the parser take those for elements after all.
const MAX_HIDDEN: usize = 4096;

const VOID: &[&str] = &[
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen",
    "link", "meta", "param", "source", "track", "wbr",
];
const RAW: &[&str] = &["iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"];

/// `html`, without what would make parsing it slow or its tree deep.
pub(super) fn tame(html: &str) -> Result<Cow<'_, str>, DocumentError> {
    if html.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge(format!("{} MiB, at most {} are read", html.len() >> 20, MAX_BYTES >> 20)));
    }
    let mut scan = Scan::new(html, MAX_FORMATTING);
    scan.run()?;
    if scan.reopened > MAX_REOPENED {
        scan = Scan::new(html, 0);
        scan.run()?;
    }
    Ok(without(html, &scan.cuts))
}

fn without<'a>(html: &'a str, cuts: &[Range<usize>]) -> Cow<'a, str> {
    if cuts.is_empty() {
        return Cow::Borrowed(html);
    }
    let mut kept = String::with_capacity(html.len());
    let mut at = 0;
    for cut in cuts {
        kept.push_str(html.get(at..cut.start).unwrap_or_default());
        at = at.max(cut.end);
    }
    kept.push_str(html.get(at..).unwrap_or_default());
    Cow::Owned(kept)
}

struct Scan<'a> {
    html: &'a str,
    at: usize,
    open: Open,
    /// Names of start tags that were left out, whose end tags are to be left out, too.
    skipped: Vec<String>,
    cuts: Vec<Range<usize>>,
    max_formatting: usize,
    tags: usize,
    hidden: usize,
    reopened: usize,
}

impl<'a> Scan<'a> {
    fn new(html: &'a str, max_formatting: usize) -> Self {
        Self {
            html,
            at: 0,
            open: Open::default(),
            skipped: Vec::new(),
            cuts: Vec::new(),
            max_formatting,
            tags: 0,
            hidden: 0,
            reopened: 0,
        }
    }

    fn run(&mut self) -> Result<(), DocumentError> {
        let bytes = self.html.as_bytes();
        while let Some(found) = bytes.get(self.at..).and_then(|rest| rest.iter().position(|byte| *byte == b'<')) {
            let start = self.at + found;
            let next = |offset: usize| bytes.get(start + offset).copied().unwrap_or_default();
            match next(1) {
                b'!' if next(2) == b'-' && next(3) == b'-' => self.at = comment_end(bytes, start + 4),
                b'/' if next(2).is_ascii_alphabetic() => self.end_tag(start),
                b'!' | b'?' | b'/' => self.at = tags::after(bytes, start, b'>'),
                byte if byte.is_ascii_alphabetic() => self.start_tag(start)?,
                _ => self.at = start + 1,
            }
        }
        Ok(())
    }

    fn start_tag(&mut self, start: usize) -> Result<(), DocumentError> {
        self.tags += 1;
        if self.tags > MAX_TAGS {
            return Err(DocumentError::TooLarge(format!("more than {MAX_TAGS} tags")));
        }
        let tag = read_tag(self.html, start + 1);
        self.at = tag.end;
        let name = tag.name.as_ref();
        let is_raw = !self.open.in_foreign() && (RAW.contains(&name) || name == "plaintext");
        if is_raw {
            self.trim(&tag);
            self.raw(name);
        } else if !self.keeps(&tag, start) {
            self.cuts.push(start..tag.end);
        } else {
            self.trim(&tag);
        }
        Ok(())
    }

    /// Takes the tag into account; false where it is to be left out.
    fn keeps(&mut self, tag: &Tag<'_>, start: usize) -> bool {
        let name = tag.name.as_ref();
        let applies = self.open.before(name);
        self.reopened = self.reopened.saturating_add(self.open.stuck());
        let foreign = self.open.in_foreign();
        let ends_here = (!foreign && VOID.contains(&name)) || (foreign && tag.closes_itself);
        let no_element = !foreign && matches!(name, "html" | "body" | "head");
        if !applies || ends_here || no_element {
            return true;
        }
        let waits = is_formatting(name) && !matches!(name, "a" | "nobr");
        if self.open.depth() >= MAX_DEPTH || (waits && self.open.formatting() >= self.max_formatting) {
            self.skipped.push(name.to_owned());
            return false;
        }
        let key = waits.then(|| {
            let mut hasher = DefaultHasher::new();
            self.html.get(start..tag.end).hash(&mut hasher);
            hasher.finish()
        });
        self.open.push(name, key);
        true
    }

    fn end_tag(&mut self, start: usize) {
        let tag = read_tag(self.html, start + 2);
        self.at = tag.end;
        let name = tag.name.as_ref();
        if self.skipped.last().is_some_and(|last| last == name) {
            self.skipped.pop();
            self.cuts.push(start..tag.end);
            return;
        }
        self.trim(&tag);
        if !self.skipped.is_empty() {
            if !self.open.has(name) {
                return;
            }
            self.skipped.clear();
        }
        self.open.close(name);
    }

    /// Past the text of an element whose tags are none.
    fn raw(&mut self, name: &str) {
        let bytes = self.html.as_bytes();
        let (text_end, end) =
            if name == "plaintext" { (bytes.len(), bytes.len()) } else { raw_end(bytes, self.at, name) };
        let text = self.html.get(self.at..text_end).unwrap_or_default();
        let closed = text.matches("</").count();
        self.hidden += text.matches('<').count().saturating_sub(2 * closed);
        if self.hidden > MAX_HIDDEN {
            self.cuts.push(self.at..text_end);
        }
        self.at = end;
    }

    /// Cuts the attributes beyond the number that is read.
    fn trim(&mut self, tag: &Tag<'_>) {
        if let Some(cut) = &tag.cut {
            self.cuts.push(cut.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth_of(html: &str) -> usize {
        let document = dom_query::Document::from(tame(html).unwrap().as_ref());
        let mut deepest = 0;
        let mut open = vec![(document.root(), 0)];
        while let Some((node, depth)) = open.pop() {
            deepest = deepest.max(depth);
            open.extend(node.children_it(false).map(|child| (child, depth + 1)));
        }
        deepest
    }

    #[test]
    fn a_page_as_people_write_it_comes_back_as_it_was() {
        let html = "<!doctype html><title>a<b</title><p>one<p>two<ul><li>x<li>y</ul><table><tr><td>1<td>2</table>\
                    <script>if (a < b) document.write('<div>')</script><!-- <div> --><br><img src='a>b'>";
        assert!(matches!(tame(html).unwrap(), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_nests_without_end() {
        for one in [
            "<div>",
            "<b>",
            "<div></b>",
            "<li><dd>",
            "<div><object></div>",
            "<form><div></form>",
            "<svg><g>",
            "<rt>",
            "<table><tr><td>",
            "<svg><style><g>",
            "<select><style><div>",
            "<p><button>",
            "<a href=x><div>",
            "<optgroup>",
            "<math><mi><li>",
            "<template>",
            "<div><span></div>",
            "<dd><li>",
            "<table><caption>",
            "<ul><li><div></ul>",
            "<option>",
            "<font color=x></p><p>",
            "<iframe><div>",
            "<select><option><div>",
            "<h1><span></h2><div>",
        ] {
            let depth = depth_of(&one.repeat(3000));
            assert!(depth < 400, "{one}: {depth}");
        }
    }

    #[test]
    fn what_is_left_out_leaves_its_text() {
        let html = format!("{}deep down{}<p>after", "<div>".repeat(5000), "</div>".repeat(5000));
        let document = dom_query::Document::from(tame(&html).unwrap().as_ref());
        assert!(document.text().contains("deep down"));
        assert_eq!(document.select("body > p").text().as_ref(), "after");
    }

    #[test]
    fn formatting_that_would_multiply_is_left_out() {
        let mut html = (0..2000).map(|n| format!("<div><b id={n}></div>")).collect::<Vec<_>>().concat();
        html.push_str(&"<p>x".repeat(20_000));
        let document = dom_query::Document::from(tame(&html).unwrap().as_ref());
        assert!(document.select("b").length() < 3_000_000);
    }

    #[test]
    fn attributes_beyond_reason_are_cut() {
        let html = format!("<p {}>text</p>", (0..20_000).map(|n| format!("a{n}=1 ")).collect::<Vec<_>>().concat());
        let document = dom_query::Document::from(tame(&html).unwrap().as_ref());
        assert_eq!(document.select("p").text().as_ref(), "text");
        assert!(document.select("p").attrs().len() <= 256);
    }

    #[test]
    fn too_much_is_refused() {
        assert!(tame(&"<br>".repeat(MAX_TAGS + 1)).is_err());
        assert!(tame(&"x".repeat(MAX_BYTES + 1)).is_err());
    }
}
