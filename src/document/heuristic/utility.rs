//! Classes that say how something looks and not what it is, as utility frameworks have them.

/// What such classes begin with; a hyphen, or nothing, follows.
const LOOKS: &[&str] = &[
    "text", "bg", "font", "p", "px", "py", "pt", "pb", "pl", "pr", "ps", "pe", "m", "mx", "my", "mt", "mb", "ml", "mr", "ms",
    "me", "w", "h", "size", "flex", "grid", "gap", "items", "justify", "content", "self", "place", "rounded", "border", "ring",
    "shadow", "absolute", "relative", "sticky", "fixed", "static", "block", "inline", "overflow", "z", "top", "left", "right",
    "bottom", "inset", "space", "divide", "leading", "tracking", "object", "aspect", "max", "min", "opacity", "cursor", "select",
    "transition", "duration", "ease", "transform", "translate", "rotate", "scale", "animate", "whitespace", "break", "truncate",
    "uppercase", "lowercase", "capitalize", "italic", "underline", "antialiased", "tabular", "d", "float", "align", "fw", "fs",
    "lh", "order", "grow", "shrink", "basis", "group", "peer", "sr", "line", "decoration", "from", "to", "via", "row", "col",
    "stroke", "fill", "outline", "list", "table", "visible", "invisible", "hidden", "container", "pointer", "touch", "snap",
];
/// Those of them that are words of their own as well, and mean a look only with something behind them.
const WORDS: &[&str] = &[
    "text", "content", "group", "size", "place", "order", "duration", "list", "table", "line", "from", "to", "via", "row", "col",
    "top", "left", "right", "bottom", "select", "space", "container", "object", "scale", "max", "min", "font", "p", "m", "w", "h", "d",
    "z",
];
/// What may stand behind such a word.
const BEHIND: &[&str] = &[
    "xs", "sm", "md", "lg", "xl", "auto", "full", "none", "center", "start", "end", "between", "around", "evenly", "bold", "semibold",
    "medium", "light", "normal", "white", "black", "muted", "left", "right", "top", "bottom", "screen", "cover", "contain", "span",
    "col", "row", "wrap", "nowrap", "hidden", "through", "square", "tight", "wide", "relaxed", "fit", "min", "max", "px", "x", "y",
    "flex", "block", "nums", "first", "last", "inside", "disc", "fixed", "clamp", "only", "primary", "secondary", "danger",
    "success", "warning", "info", "dark",
];

/// Whether a class says how something looks.
pub fn is_look(class: &str) -> bool {
    let class = class.rsplit(':').next().unwrap_or(class).trim_start_matches(['-', '!']);
    let (first, rest) = class.split_once('-').map_or((class, None), |(first, rest)| (first, Some(rest)));
    if !LOOKS.contains(&first) {
        return false;
    }
    let Some(rest) = rest else { return !WORDS.contains(&first) };
    let last = rest.rsplit('-').next().unwrap_or(rest);
    last.starts_with(|c: char| c.is_ascii_digit() || c == '[') || BEHIND.contains(&last) || last.ends_with("xl") && last.len() <= 3
}

/// Whether the end of a class only makes it unique: `9d` of `Card_price__9d`.
pub fn is_mark(end: &str) -> bool {
    let digit = end.chars().any(|c| c.is_ascii_digit());
    let mixed = end.chars().any(char::is_uppercase) && end.chars().any(char::is_lowercase);
    let vowel = end.chars().any(|c| "aeiouAEIOU".contains(c));
    (1..=8).contains(&end.len()) && (digit || mixed || !vowel)
}

#[cfg(test)]
mod tests {
    use super::is_look;

    #[test]
    fn looks_are_told_from_names() {
        for look in ["text-sm", "mt-3", "bg-red-600", "lg:grid-cols-4", "-right-2", "flex", "font-semibold", "rounded", "w-[12px]", "d-flex"] {
            assert!(is_look(look), "{look}");
        }
        for name in ["price", "group-name", "text", "order-status", "order", "list-price", "flight", "top-story", "row", "content"] {
            assert!(!is_look(name), "{name}");
        }
    }
}
