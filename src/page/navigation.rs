//! Navigations: starting them, waiting for them, and waiting for those that an action started.

use std::time::Instant;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::inner::Inner;
use super::rpc::{Ack, rpc};
use super::tree::{Node, Tree, WORLD};
use super::verb::Verb;
use super::world::{CallError, Shared};
use super::{GotoOptions, LoadState, PageError, UrlPattern};
use crate::browser::{BrowserError, Cause, Cdp, Missed};

/// The HTTP status of a document; 0 where it did not come over HTTP.
const STATUS: &str = "() => performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Navigated {
    loader_id: Option<String>,
    error_text: Option<String>,
    #[serde(default)]
    is_download: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    current_index: usize,
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: i64,
    url: String,
}

impl LoadState {
    /// Chromium's name of the lifecycle event.
    fn event(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::DomContentLoaded => "DOMContentLoaded",
            Self::Load => "load",
            Self::NetworkIdle => "networkIdle",
        }
    }

    /// For people: what is waited for.
    fn wish(self) -> &'static str {
        match self {
            Self::Commit => "to answer",
            Self::DomContentLoaded => "to be parsed (domcontentloaded)",
            Self::Load => "to load",
            Self::NetworkIdle => "to become idle (networkidle)",
        }
    }

    fn reached(self, node: &Node) -> bool {
        self == Self::Commit || node.lifecycle.contains(self.event())
    }
}

impl Inner {
    /// Waits for a navigation that is under way in the frame (or one above it) to commit or to come to nothing.
    pub async fn settle(&self, frame: &str, verb: &mut Verb) {
        for (session, above) in self.line_of(frame) {
            self.barrier(&session).await;
            let pending = self.tree().get(&above).and_then(|node| node.pending.clone());
            if let Some(pending) = pending {
                verb.miss(&format!("the navigation to {} to commit", pending.url));
                self.until(|tree| tree.get(&above).is_none_or(|node| node.pending.is_none()).then_some(())).await;
            }
        }
    }

    /// Waits until a frame of this session is being navigated. Chromium holds back what is sent to it meanwhile.
    pub async fn leaving(&self, session: &str) {
        let leaves = |node: &Node| node.pending.is_some() && node.cdp.session_id() == session;
        self.until(|tree| tree.frames.iter().any(leaves).then_some(())).await;
    }

    /// Waits until the renderer has done what it was sent and told what came of it, a started navigation for one.
    pub async fn caught_up(&self, frame: &str) -> Result<(), PageError> {
        let Ok(world) = self.bundled(frame).await else { return Ok(()) };
        tokio::select! {
            biased;
            answer = self.call_in(frame, &world, "ping", &[]) => match answer {
                Err(CallError::Page(error)) => Err(error),
                _ => Ok(()),
            },
            () = self.leaving(world.cdp.session_id()) => Ok(()),
        }
    }

    /// The frame and those above it, the main one first, each with its session.
    pub fn line_of(&self, frame: &str) -> Vec<(String, String)> {
        let tree = self.tree();
        let mut line = Vec::new();
        let mut next = Some(frame.to_owned());
        while let Some(node) = next.as_deref().and_then(|id| tree.get(id)) {
            line.push((node.cdp.session_id().to_owned(), node.id.clone()));
            next.clone_from(&node.parent);
        }
        line.reverse();
        line
    }

    fn main(&self) -> String {
        self.tree().main.clone()
    }

    /// Waits until the main frame has reached `state`, whatever document it then has.
    pub async fn reach(&self, state: LoadState, verb: &mut Verb) {
        let main = self.main();
        verb.missing = format!("{} {}", self.tree().get(&main).map_or("the page", |node| &node.url), state.wish());
        self.until(|tree| {
            let node = tree.get(&main)?;
            (node.pending.is_none() && state.reached(node)).then_some(())
        })
        .await;
    }
}

/// `Page::goto`.
pub(super) async fn goto(
    page: &Shared,
    verb: &mut Verb,
    url: &str,
    options: &GotoOptions,
) -> Result<Option<u16>, PageError> {
    let address = check_url(url)?;
    verb.log.line(format!("navigating to {address:?}"));
    verb.missing = format!("{address} to answer");
    let main = page.main();
    let mut params = json!({"url": address, "frameId": main});
    if let Some(referer) = &options.referer {
        params["referrer"] = Value::from(referer.as_str());
    }
    let cdp = page.target.cdp();
    let before = documents(page, &main).await;
    let moves = page.tree().get(&main).map_or(0, |node| node.moves);
    let since = Instant::now();
    let answer: Navigated = match cdp.call(rpc("Page.navigate", params)).await {
        Err(BrowserError::Cdp { message, .. }) => {
            return Err(PageError::Navigation { url: address, reason: message });
        }
        answer => answer?,
    };
    if let Some(reason) = answer.error_text {
        return Err(match missed(cdp, &address, &reason, since) {
            Some(error) => error,
            None => failed(page, address, reason, answer.is_download).await,
        });
    }
    let Some(loader) = answer.loader_id else {
        // Within the document: the renderer is about to say so.
        page.until(|tree| tree.get(&main).filter(|node| node.moves > moves || node.url == address).map(|_| ())).await;
        return Ok(None);
    };
    // A page that navigates on by itself is followed; its last document is the one to wait for.
    let committed = page.until(|tree| tree.get(&main).filter(|n| n.loader == loader).map(|_| ()));
    let replaced = page.until(|tree| {
        let node = tree.get(&main)?;
        (node.loader != loader && node.documents > before && node.lifecycle.contains("load")).then_some(())
    });
    tokio::select! { () = committed => {}, () = replaced => {} }
    verb.log.line("committed");
    if options.skip_status {
        page.reach(options.wait_until, verb).await;
        return Ok(None);
    }
    // It is known from the moment that the document is there, so it is asked for while that loads.
    let early = async {
        // Asked before there is our world it would be made once more.
        let is_ready = |node: &&Node| node.worlds.contains_key(WORLD) || options.wait_until.reached(node);
        let of = page.until(|tree| tree.get(&main).filter(is_ready).map(|node| node.loader.clone())).await;
        (of, status(page, &main).await)
    };
    let ((), (of, told)) = tokio::join!(page.reach(options.wait_until, verb), early);
    let is_there = page.tree().get(&main).is_some_and(|node| node.loader == of);
    if is_there { told } else { status(page, &main).await }
}

/// Why a navigation failed, where the browser's way out knows it better: to Chromium a proxy that refuses is one that is broken.
fn missed(cdp: &Cdp, url: &str, reason: &str, since: Instant) -> Option<PageError> {
    if !matches!(reason, "net::ERR_TUNNEL_CONNECTION_FAILED" | "net::ERR_EMPTY_RESPONSE") {
        return None;
    }
    let Missed { cause, reason } = cdp.missed(url, reason, since)?;
    Some(match cause {
        Cause::Blocked => BrowserError::Blocked(reason).into(),
        Cause::Proxy => BrowserError::NoProxy(reason).into(),
        Cause::Unreached => PageError::Navigation { url: url.to_owned(), reason },
    })
}

/// Why a navigation failed, in words that say what took its place.
async fn failed(page: &Shared, url: String, reason: String, download: bool) -> PageError {
    if download {
        let reason = "it is a download, not a page; click a link to it instead".to_owned();
        return PageError::Navigation { url, reason };
    }
    if reason != "net::ERR_ABORTED" {
        return PageError::Navigation { url, reason };
    }
    page.barrier(page.target.cdp().session_id()).await;
    let tree = page.tree();
    let pending = tree.get(&tree.main).and_then(|node| node.pending.as_ref());
    let reason = match pending.filter(|pending| pending.url != url) {
        Some(other) => format!("another navigation, to {}, took its place", other.url),
        None => format!("{reason} (aborted: a download, an answer without a page such as 204, or another navigation)"),
    };
    PageError::Navigation { url, reason }
}

/// An error where Chromium shows a page of its own. Why, it tells only those who navigate by address.
fn answered(page: &Shared, frame: &str) -> Result<(), PageError> {
    let tree = page.tree();
    match tree.get(frame).filter(|node| node.unreachable) {
        Some(node) => Err(PageError::Navigation { url: node.url.clone(), reason: "its server did not answer".into() }),
        None => Ok(()),
    }
}

/// The HTTP status of the frame's document, which it knows itself; following the network domain would cost an event per
/// request.
pub(super) async fn status(page: &Shared, frame: &str) -> Result<Option<u16>, PageError> {
    let http = page.tree().get(frame).is_some_and(|node| node.url.starts_with("http"));
    if !http {
        return Ok(None);
    }
    // Not by the bundle: most of what a document is asked after this needs none.
    match page.evaluate_isolated(frame, WORLD, STATUS, &Value::Null).await {
        Ok(answer) => Ok(answer.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code > 0)),
        // It has navigated on; there is nothing to be said of the one before.
        Err(CallError::Lost) => Ok(None),
        Err(CallError::Page(error)) => Err(error),
    }
}

/// Only absolute addresses; people forget the scheme. The address without white space around it.
pub fn check_url(url: &str) -> Result<String, PageError> {
    let trimmed = url.trim();
    match url::Url::parse(trimmed) {
        Ok(parsed) if !(parsed.cannot_be_a_base() && looks_like_host(trimmed)) => Ok(trimmed.to_owned()),
        _ => Err(PageError::Argument(format!("{url:?} is not an absolute URL; {}", absolute(trimmed)))),
    }
}

/// What was probably meant by an address that is not absolute.
fn absolute(url: &str) -> String {
    let host = url.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with('.') {
        return "is an argument missing (--arg base=..)?".to_owned();
    }
    let local = host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok();
    format!("did you mean \"{}://{url}\"?", if local { "http" } else { "https" })
}

/// `localhost:8080/x` parses as the scheme `localhost`.
fn looks_like_host(text: &str) -> bool {
    text.split_once(':').is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
        && !text.starts_with("data:")
        && !text.starts_with("about:")
        && !text.starts_with("javascript:")
}

/// `Page::reload`.
pub(super) async fn reload(page: &Shared, verb: &mut Verb, options: &GotoOptions) -> Result<Option<u16>, PageError> {
    let main = page.main();
    let before = documents(page, &main).await;
    verb.miss("the page to answer the reload");
    page.target.cdp().call(rpc::<Ack>("Page.reload", json!({}))).await?;
    page.until(|tree| tree.get(&main).filter(|node| node.documents > before).map(|_| ())).await;
    page.reach(options.wait_until, verb).await;
    answered(page, &main)?;
    status(page, &main).await
}

/// `Page::go_back`.
pub(super) async fn go_back(page: &Shared, verb: &mut Verb, options: &GotoOptions) -> Result<bool, PageError> {
    let cdp = page.target.cdp();
    let history: History = cdp.call(rpc("Page.getNavigationHistory", json!({}))).await?;
    let Some(entry) = history.current_index.checked_sub(1).and_then(|index| history.entries.get(index)) else {
        verb.log.line("there is no page to go back to");
        return Ok(false);
    };
    let main = page.main();
    let before = documents(page, &main).await;
    let moves = page.tree().get(&main).map_or(0, |node| node.moves);
    verb.miss(&format!("{} to answer", entry.url));
    cdp.call(rpc::<Ack>("Page.navigateToHistoryEntry", json!({"entryId": entry.id}))).await?;
    let arrived = |tree: &Tree| tree.get(&main).filter(|n| n.documents > before || n.moves > moves).map(|_| ());
    page.until(arrived).await;
    page.reach(options.wait_until, verb).await;
    answered(page, &main)?;
    Ok(true)
}

async fn documents(page: &Shared, main: &str) -> u64 {
    page.barrier(page.target.cdp().session_id()).await;
    page.tree().get(main).map_or(0, |node| node.documents)
}

/// `Page::wait_for_url`.
pub(super) async fn wait_for_url(
    page: &Shared,
    verb: &mut Verb,
    pattern: &UrlPattern,
    options: &GotoOptions,
) -> Result<(), PageError> {
    let (test, shown) = url_test(pattern)?;
    let main = page.main();
    page.barrier(page.target.cdp().session_id()).await;
    let url = page.tree().get(&main).map(|node| node.url.clone()).unwrap_or_default();
    verb.log.line(format!("the URL is {url}"));
    verb.missing = format!("a URL that matches {shown}");
    page.until(|tree| tree.get(&main).filter(|node| test.is_match(&node.url)).map(|_| ())).await;
    page.reach(options.wait_until, verb).await;
    Ok(())
}

/// Reads a glob for URLs without using it.
pub fn check_glob(glob: &str) -> Result<(), PageError> {
    url_test(&UrlPattern::Glob(glob.to_owned())).map(|_| ())
}

fn url_test(pattern: &UrlPattern) -> Result<(Regex, String), PageError> {
    match pattern {
        UrlPattern::Regex(regex) => Ok((regex.clone(), format!("/{regex}/"))),
        UrlPattern::Glob(glob) => {
            let regex = Regex::new(&expression(glob))
                .map_err(|error| PageError::Argument(format!("{glob:?} is not a URL pattern: {error}")))?;
            Ok((regex, format!("{glob:?}")))
        }
    }
}

/// A glob as a regular expression. In a URL a `?` is a question mark; as a wildcard nobody misses it.
fn expression(glob: &str) -> String {
    let mut out = "^".to_owned();
    let mut depth = 0;
    let mut chars = glob.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => out.push_str(".*"),
            '*' => out.push_str("[^/]*"),
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '\\' => out.extend(chars.next().map(|c| regex::escape(&c.to_string()))),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_urls() {
        let check = |glob: &str, url: &str, wanted: bool| {
            let (test, _) = url_test(&UrlPattern::Glob(glob.to_owned())).unwrap();
            assert_eq!(test.is_match(url), wanted, "{glob} against {url}");
        };
        check("**/orders", "https://a.example/x/orders", true);
        check("**/orders", "https://a.example/x/orders?page=2", false);
        check("**/orders?page=*", "https://a.example/orders?page=2", true);
        check("https://a.example/*", "https://a.example/x/y", false);
        check("https://a.example/{x,y}", "https://a.example/y", true);
        check("**", "about:blank", true);
        check("**/ž*", "https://a.example/žluť", true);
    }

    #[test]
    fn an_address_without_a_scheme_is_told() {
        let check = |bad: &str, hint: &str| {
            let error = check_url(bad).unwrap_err().to_string();
            assert!(error.ends_with(hint), "{error}");
        };
        check("example.com", "did you mean \"https://example.com\"?");
        check("localhost:8080/x", "did you mean \"http://localhost:8080/x\"?");
        check("127.0.0.1:8080/x", "did you mean \"http://127.0.0.1:8080/x\"?");
        check("/orders", "is an argument missing (--arg base=..)?");
        check("", "is an argument missing (--arg base=..)?");
        for good in ["https://a.example", "data:text/html,<p>1:2", "about:blank", "file:///etc/hosts", "chrome://crash"]
        {
            assert!(check_url(good).is_ok(), "{good}");
        }
    }
}
