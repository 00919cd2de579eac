//! Pages from their parts: one layout with the style sheet in it, escaping, JSON. No template engine: a placeholder
//! is `{{name}}` and stands for text that was escaped here.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

const LAYOUT: &str = include_str!("pages/layout.html");
const STYLE: &str = include_str!("pages/style.css");

/// A whole page. `head` goes in front of everything else in the head, so that a script in it is the page's first.
pub(super) fn page(title: &str, head: &str, body: &str) -> Html<String> {
    let layout = LAYOUT.replace("{{title}}", &escape(title)).replace("{{style}}", STYLE);
    Html(layout.replace("{{head}}", head).replace("{{body}}", body))
}

/// A page with one sentence.
pub(super) fn message(title: &str, text: &str) -> Html<String> {
    page(title, "", &format!("<h1>{}</h1>\n<p class=\"message\">{}</p>", escape(title), escape(text)))
}

/// Puts `value`, escaped, where `{{name}}` stands.
pub(super) fn fill(template: &str, name: &str, value: &str) -> String {
    template.replace(&format!("{{{{{name}}}}}"), &escape(value))
}

/// For text and for attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A JSON answer.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `target` if it is a path on this site. Anything else would make the site a way to send visitors elsewhere.
pub(super) fn local_path(target: &str) -> Option<&str> {
    let local = target.starts_with('/')
        && !target.starts_with("//")
        && !target.contains('\\')
        && !target.contains(|character: char| character.is_control());
    local.then_some(target)
}
