//! What people write who come from JavaScript or Python, and what it is here.

use rhai::{ParseErrorType, Position};

/// Functions of Playwright, and of this project's plan, that this version does not have.
const LATER: &[&str] = &[
    "locator",
    "frame_locator",
    "tap",
    "drag_to",
    "focus",
    "blur",
    "dispatch_event",
    "fill_form",
    "wait_for_function",
    "wait_for_response",
    "inner_html",
    "is_enabled",
    "is_checked",
    "is_editable",
    "bounding_box",
    "aria_snapshot",
    "new_page",
    "pages",
    "bring_to_front",
    "on_dialog",
    "add_locator_handler",
    "console_messages",
    "page_errors",
    "route",
    "unroute",
    "set_extra_http_headers",
    "set_offline",
    "request",
    "block_resources",
    "start_har",
    "stop_har",
    "set_viewport_size",
    "set_geolocation",
    "emulate_media",
    "pdf",
    "start_trace",
    "stop_trace",
    "totp",
    "now",
    "read_file",
    "write_file",
    "json_parse",
    "json_stringify",
    "csv_parse",
    "csv_stringify",
    "regex_find",
    "regex_replace",
    "sha256",
    "url_join",
];

/// What to say of a function that others have and this version does not.
pub fn later(name: &str) -> Option<String> {
    let instead = match name {
        "wait_for_selector" | "waitForSelector" => return Some("write wait_for(\"h1\")".to_owned()),
        "waitForTimeout" | "wait_for_timeout" | "setTimeout" => return Some("write sleep(\"1s\")".to_owned()),
        "expect" | "assert" => "write wait_for(\"h1\"), or if text_content(\"h1\") != \"..\" { throw \"..\" }",
        "locator" | "frame_locator" => "verbs take the selector: click(\"#b1\"), wait_for(\"h1\")",
        "get_by_role" | "getByRole" => "write click(\"role=button[name=\\\"Save\\\"]\")",
        "get_by_text" | "getByText" => "write click(\"text=Save\")",
        "get_by_label" | "getByLabel" => "write fill(\"label=Mail\", ..)",
        "get_by_placeholder" | "getByPlaceholder" => "write fill(\"placeholder=Mail\", ..)",
        "get_by_alt_text" | "getByAltText" => "write click(\"alt=Logo\")",
        "get_by_title" | "getByTitle" => "write click(\"title=Close\")",
        "get_by_test_id" | "getByTestId" => "write click(\"testid=go\")",
        "set_checked" => "write check(\"#a\") or uncheck(\"#a\")",
        "inner_html" => "write extract(\"#a@html\")",
        _ if LATER.contains(&name) => "rhaven docs lists those that there are",
        _ if ["to_be_", "to_have_", "to_contain_", "expect_", "mouse_", "keyboard_", "base64_", "date_"]
            .iter()
            .any(|start| name.starts_with(start)) =>
        {
            "rhaven docs lists those that there are"
        }
        _ => return None,
    };
    Some(format!("{name} is not in this version; {instead}"))
}

/// The way out of a syntax error, where the text at its place shows a habit.
pub fn hint(text: &str, error: &ParseErrorType, position: Position) -> Option<String> {
    let line = text.lines().nth(position.line()?.checked_sub(1)?)?;
    let at = position.position().unwrap_or(1).saturating_sub(1);
    let (before, rest) = match line.char_indices().nth(at) {
        Some((at, _)) => line.split_at(at),
        None => (line, ""),
    };
    let previous = before.trim_end();
    let word = previous.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let here: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let hint = if matches!(here.as_str(), "null" | "nil" | "void") {
        "nothing is written () in Rhai"
    } else if here == "await" || word == "await" {
        "verbs wait by themselves: leave await out"
    } else if here == "async"
        || word == "async"
        || here == "function"
        || word == "function"
        || here == "def"
        || word == "def"
    {
        "a function is written fn name(a) { .. }, a closure |a| .."
    } else if matches!(here.as_str(), "var" | "new") || word == "var" {
        "a variable is written let x = ..; there is no new"
    } else if rest.starts_with('\'') || is_char_fault(error) {
        "text goes in double quotes or backticks; single quotes hold one character"
    } else if braces_open(previous) || (rest.starts_with('{') && previous.ends_with(['(', ',', '=', '[', ':'])) {
        "a map is written #{ name: value }"
    } else if rest.starts_with("=>") || previous.ends_with("=>") {
        "a closure is written |a| .., or || .. without parameters"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// `(`, `,`, `=`, `[` or `:` and then a `{ name:` that is no `#{`.
fn braces_open(before: &str) -> bool {
    let Some((head, inside)) = before.rsplit_once('{') else { return false };
    let name = inside.trim().trim_matches('"');
    head.trim_end().ends_with(['(', ',', '=', '[', ':']) && !name.contains(['{', '}', ';', '('])
}

fn is_char_fault(error: &ParseErrorType) -> bool {
    matches!(error, ParseErrorType::BadInput(rhai::LexError::MalformedChar(_)))
}
