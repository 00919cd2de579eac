//! What a script says of itself in the comment that it begins with: what it does, and `//@ arg` lines for its arguments.

use serde::Serialize;
use utoipa::ToSchema;

/// What begins the declaration of an argument.
const ARG: &str = "@ arg ";

/// An argument that a script declares: `//@ arg NAME: what it is`, or `//@ arg NAME = DEFAULT: what it is` for one that may be left
/// out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::serve) struct Argument {
    #[schema(example = "days")]
    pub(in crate::serve) name: String,
    /// What it is.
    pub(in crate::serve) doc: String,
    /// Whether it has to be given.
    pub(in crate::serve) required: bool,
    /// What holds where it is not given, as the script says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) default: Option<String>,
}

/// The lines of the comment that a script begins with, without what marks them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let comments = text.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with("#!"));
    comments.map_while(|line| line.strip_prefix("//")).map(|line| line.trim_start_matches(['/', '!']))
}

/// What it does.
pub(super) fn doc(text: &str) -> String {
    let told = lines(text).filter(|line| !line.trim_start().starts_with(ARG.trim_end()));
    told.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The arguments that it declares.
pub(super) fn arguments(text: &str) -> Vec<Argument> {
    lines(text).filter_map(|line| argument(line.trim_start().strip_prefix(ARG)?)).collect()
}

fn argument(line: &str) -> Option<Argument> {
    // A default may have a colon in it, as URLs do: what it is follows the first one before a space.
    let (head, doc) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
    let (name, default) = match head.split_once('=') {
        Some((name, default)) => (name.trim(), Some(default.trim().to_owned())),
        None => (head.trim(), None),
    };
    let is_name = !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || char == '_');
    let required = default.is_none();
    is_name.then(|| Argument { name: name.to_owned(), doc: doc.trim().to_owned(), required, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_tells_what_it_does_and_takes() {
        let text = "// Lists the orders.\n//\n// Of one shop.\n//@ arg shop: which\n//@ arg base = http://x:1: the site\n\n// not this\n1";
        assert_eq!(doc(text), "Lists the orders.\n\nOf one shop.");
        let arguments = arguments(text);
        let told: Vec<_> = arguments.iter().map(|arg| (&*arg.name, &*arg.doc, arg.default.as_deref())).collect();
        assert_eq!(told, [("shop", "which", None), ("base", "the site", Some("http://x:1"))]);
        assert!(arguments[0].required && !arguments[1].required);
    }

    #[test]
    fn what_says_nothing_has_nothing() {
        for text in ["", "1", "goto(args.url); // go", "\n\n//@ arg : what"] {
            assert_eq!((doc(text), arguments(text)), (String::new(), Vec::new()), "{text:?}");
        }
    }
}
