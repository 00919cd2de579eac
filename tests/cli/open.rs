//! `rhaven session open`: somebody signs in by hand, in a window on a display without a screen, with mouse and keyboard.

use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use rustix::process::Signal;

use crate::display::Display;
use crate::home::{Home, Running};
use crate::processes::{browsers_of, outlived};

/// A page that asks for a code, wherever it is clicked on.
const ASKS: &str = "<!doctype html><title>Who is there</title><style>input { position: fixed; inset: 0; width: 100%; height: 100% }</style>
  <form action=/enter><input name=code autofocus></form>";
/// Greets whoever gave the right one, and remembers it in every way.
const GREETS: &str = "<!doctype html><title>Welcome in</title><script>
  localStorage.setItem('local', 'kept'); sessionStorage.setItem('tab', 'kept'); document.cookie = 'long=kept; max-age=999';</script>";
pub const KNOWS: &str = "[document.cookie.split('; ').sort().join(), localStorage.getItem('local'), sessionStorage.getItem('tab')].join('|')";

/// Remembers those who gave the right code until their browser ends.
async fn enter(Query(given): Query<Vec<(String, String)>>) -> impl IntoResponse {
    let right = given.iter().any(|(name, value)| name == "code" && value == "246810");
    let cookie = if right { "sid=short" } else { "wrong=1" };
    ([("set-cookie", cookie)], Html(GREETS))
}

/// A site of its own, and its address.
pub fn site() -> (tokio::runtime::Runtime, String) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let routes = Router::new()
        .route("/", get(|| async { Html(ASKS) }))
        .route("/enter", get(enter))
        .route("/look", get(|| async { Html("<!doctype html><title>look</title>") }));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move { axum::serve(listener, routes).await });
    (runtime, url)
}

fn sign_in_by_hand(more: &[&str], end: impl Fn(&Display, &str, &Running)) -> (Home, String, String) {
    let (home, display, (_runtime, url)) = (Home::new(), Display::start(), site());
    let mut args = vec!["session", "open", "acme", &url];
    args.extend(more);
    let open = Running::start(home.command(&args).env("DISPLAY", &display.name));
    let window = display.window("Who is there");
    display.hand(&["windowfocus", &window, "mousemove", "--window", &window, "400", "500", "click", "1"]);
    display.hand(&["type", "246810\n"]);
    display.window("Welcome in");
    let browsers = browsers_of(open.pid());
    assert!(!browsers.is_empty(), "no browser was seen");
    end(&display, &window, &open);
    let said = open.end().ends(0).tells("is open in a window");
    assert_eq!(outlived(&browsers, Duration::from_secs(1)), []);
    let script = format!("session(\"acme\"); goto(args.at + \"/look\"); evaluate({KNOWS:?})");
    home.write("look.rhai", &script);
    let seen = home.rhaven(&["run", "look.rhai", "--arg", &format!("at={url}")]).ends(0);
    assert_eq!(seen.out.trim(), "\"long=kept,sid=short|kept|kept\"", "{}", seen.err);
    (home, said.err, seen.err)
}

fn close(display: &Display, window: &str, _: &Running) {
    display.hand(&["windowfocus", window, "key", "--clearmodifiers", "ctrl+shift+w"]);
}

#[test]
fn a_login_by_hand_is_kept_when_the_window_is_closed() {
    let (_, said, _) = sign_in_by_hand(&[], close);
    assert!(said.contains("session acme: new, saved v1 (cookie long added on"), "{said}");
}

#[test]
fn a_login_by_hand_is_kept_in_a_profile() {
    let (home, said, seen) = sign_in_by_hand(&["--profile"], close);
    assert!(said.contains("with its profile, is open in a window"), "{said}");
    assert!(said.contains("session acme: new, saved v1 (") && said.contains("), with its profile"), "{said}");
    assert!(seen.contains("session acme: restored v1 -> saved v2 (no value changed), with its profile"), "{seen}");
    let shown = home.rhaven(&["session", "show", "acme"]).ends(0).out;
    let line = shown.lines().find(|line| line.starts_with("profile")).expect("a line on the profile");
    assert!(line.contains(" files, of Chromium ") && !line.contains("older"), "{line}");
    let json = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!(json["profile"]["saved"], "full");
}

#[test]
fn ctrl_c_keeps_a_login_by_hand_too() {
    let (_, said, _) = sign_in_by_hand(&[], |_, _, open| open.signal(Signal::INT));
    assert!(said.contains("interrupted: saving the session"), "{said}");
}

#[test]
fn without_a_display_the_ways_out_are_named() {
    let home = Home::new();
    let said = home.rhaven(&["session", "open", "acme"]).ends(1).tells("error[no_display]");
    let said = said.tells("neither DISPLAY nor WAYLAND_DISPLAY is set").tells("ssh -X").tells("xvfb-run");
    said.tells("rhaven session import");
    let said = crate::home::said(home.command(&["session", "open", "acme"]).env("DISPLAY", ":4711")).ends(1);
    said.tells("error[no_display]").tells(":4711 cannot be reached");
    // Nothing was made, and nobody holds it.
    home.rhaven(&["session", "show", "acme"]).ends(1);
}
