//! `rhaven session open`: a window on a session, or a live page of it, in which somebody signs in by hand.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Deadline, SessionId};
use crate::browser::{Flavor, LaunchOptions};
use crate::cli::Outcome;
use crate::cli::args::session_id;
use crate::cli::environment::Environment;
use crate::cli::error::CliError;
use crate::cli::interrupt::{INTERRUPTED, Interrupts};
use crate::cli::job::{launch, workspace};
use crate::cli::live_page::{Shown, bind};
use crate::cli::repl::no_signals;
use crate::cli::settings::Settings;
use crate::cli::terminal::Terminal;
use crate::cli::{OK, failed};
use crate::diagnose::Tone;
use crate::live::Paused;
use crate::page::{GotoOptions, Page};
use crate::run::{FINISH, Failure, FailureKind, tell_of_transfers};
use crate::serve::LiveAddress;
use crate::session::{Session, SessionError, SessionOptions, SessionOutcome, Workspace};

pub(super) const EXAMPLES: &str = "\
Examples:
  rhaven session open acme https://example.com/login
  rhaven session open acme --profile                  with history, bookmarks and saved passwords kept too
  rhaven session open acme --live                     no display here: in a browser, at the address that is printed
  ssh -L 7380:127.0.0.1:7380 HOST rhaven session open acme --live --listen 127.0.0.1:7380

Sign in, with whatever the site asks for, then close the window (of a live page: press Done) or press Ctrl-C: all is saved, and scripts with session(\"acme\") \
are signed in.";

/// Arguments of `session open`.
#[derive(Debug, clap::Args)]
pub(super) struct OpenArgs {
    /// The session; it is made if it does not exist
    #[arg(value_parser = session_id)]
    id: SessionId,
    /// The page to open
    url: Option<String>,
    /// Keep the browser's whole profile: history, bookmarks, saved passwords, keys that cannot leave a page
    #[arg(long)]
    profile: bool,
    /// No window: serve a page that shows the browser and lets you steer it, and print its address
    #[arg(long)]
    live: bool,
    #[arg(long, requires = "live", value_name = "ADDRESS:PORT", help = LISTEN)]
    listen: Option<SocketAddr>,
}

const LISTEN: &str = "Where that page is served: whoever reaches it there and knows its address steers [default: 127.0.0.1:0, any free port]";

/// How long the page may take to load before that is told; the window stays.
const ARRIVAL: Duration = Duration::from_secs(30);

/// How the time with an open window ended.
enum Ended {
    /// The last window was closed.
    Left,
    /// Somebody said so on the live page.
    Done,
    Interrupted,
    /// Another run has taken the session over, or the browser is gone: what is left says why.
    Lost,
}

/// Opens the window, waits until it is closed, saves.
pub(super) async fn execute(
    args: OpenArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    let launch = browser(args.live, settings, environment)?;
    let address = if args.live { Some(bind(args.listen, terminal).await?) } else { None };
    let mut interrupts = Interrupts::catch_all().map_err(|error| no_signals(&error))?;
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let holder = format!("rhaven session open {}", args.id);
    let workspace = Workspace::new(workspace(launch, holder, settings));
    let (told, kept_telling) = (terminal.clone(), terminal.clone());
    let _telling = tell_of_transfers(&workspace, move |text| told.note(&text));
    let mut shown = None;
    let ended = Box::pin(show(&workspace, &args, (address, &mut shown), &mut interrupts, terminal)).await;
    match &ended {
        Ok(Ended::Interrupted) => kept_telling.note("interrupted: saving the session; once more ends at once"),
        Ok(Ended::Done) => kept_telling.note("done: saving the session"),
        Ok(Ended::Left | Ended::Lost) | Err(_) => {}
    }
    let finish = async {
        if let Some(shown) = shown {
            shown.close(if matches!(ended, Ok(Ended::Interrupted)) { "shutdown" } else { "ended" }).await;
        }
        workspace.finish(Deadline::after(FINISH)).await
    };
    let outcomes = tokio::select! {
        outcomes = finish => outcomes,
        () = interrupts.next() => return Ok(INTERRUPTED),
    };
    let _ = reaping.await;
    tell_notices(&workspace, terminal);
    ended.map_err(|error| failure(&error, settings, environment))?;
    Ok(conclude(&outcomes, terminal))
}

/// How to start the browser: with a window, or without one where its page is served.
fn browser(live: bool, settings: &Settings, environment: &Environment) -> Result<LaunchOptions, CliError> {
    if live {
        // The one that has what a window would show.
        return Ok(LaunchOptions { flavor: Flavor::Full, ..launch(false, settings, environment)? });
    }
    launch(true, settings, environment).map_err(|error| match error {
        CliError::NoDisplay => CliError::NoWindow("neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned()),
        error => error,
    })
}

/// Shows the session in a window, or at `address`; there `shown` is what is to be closed.
async fn show(
    workspace: &Workspace,
    args: &OpenArgs,
    (address, shown): (Option<LiveAddress>, &mut Option<Shown>),
    interrupts: &mut Interrupts,
    terminal: &Terminal,
) -> Result<Ended, SessionError> {
    let options = SessionOptions { profile: args.profile.then_some(true), ..SessionOptions::default() };
    let none = BTreeSet::new();
    let session = tokio::select! {
        session = workspace.session(&args.id, &options) => session?,
        () = interrupts.next() => return Ok(Ended::Interrupted),
    };
    let page = session.page().await?;
    tell_notices(workspace, terminal);
    let kind = if session.is_profile() { ", with its profile," } else { "" };
    let mut done = None;
    if let Some(address) = address {
        let page = shown.insert(Shown::open(session.clone(), address, false).await?);
        done = Some(page.live().pause("press Done when you are, and all is saved"));
        page.tell(terminal);
        terminal.note(&format!(
            "session {}{kind} is open at that address: press Done there, or Ctrl-C here, and all is saved",
            args.id
        ));
    } else {
        let way = "close it, or press Ctrl-C, and all is saved";
        terminal.note(&format!("session {}{kind} is open in a window: {way}", args.id));
    }
    let done = async {
        let is_done = match done {
            Some(pause) => pause.done().await == Paused::Done,
            None => false,
        };
        if !is_done {
            // Its end is told otherwise.
            std::future::pending::<()>().await;
        }
    };
    let used = async {
        if let Some(url) = &args.url {
            visit(&session, &page, url, terminal).await;
        }
        session.left().await;
    };
    Ok(tokio::select! {
        () = used => Ended::Left,
        () = done => Ended::Done,
        () = interrupts.next() => Ended::Interrupted,
        _ = workspace.lease_lost(&none) => Ended::Lost,
        () = workspace.browser_gone() => Ended::Lost,
    })
}

/// Goes to the page that was asked for. Where that fails the window is there all the same.
async fn visit(session: &Session, page: &Page, url: &str, terminal: &Terminal) {
    let url = completed(url);
    let deadline = Deadline::after(ARRIVAL);
    let options = GotoOptions::default();
    tokio::select! {
        gone = page.goto(&url, &options, deadline) => {
            if let Err(error) = gone
                && !page.is_closed()
            {
                terminal.note(&format!("{} {}", terminal.paint(Tone::Warning, "note:"), error.error));
            }
        }
        () = session.left() => {}
    }
}

/// An address as an address bar takes it: without a scheme it is one of the web, unencrypted on this machine only.
fn completed(url: &str) -> String {
    let host = url.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    // `localhost:8080` has a port and no scheme, `about:blank` has a scheme.
    if url.contains("://") || (host.contains(':') && (port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()))) {
        return url.to_owned();
    }
    let is_here = name == "localhost" || name.starts_with("127.") || name == "[::1]";
    format!("{}://{url}", if is_here { "http" } else { "https" })
}

fn tell_notices(workspace: &Workspace, terminal: &Terminal) {
    for text in workspace.take_notices() {
        terminal.note(&format!("{} {text}", terminal.paint(Tone::Warning, "note:")));
    }
}

fn conclude(outcomes: &[SessionOutcome], terminal: &Terminal) -> u8 {
    terminal.sessions(outcomes, None);
    if terminal.json {
        terminal.value(&serde_json::json!(outcomes.first()));
    }
    let unsaved = outcomes.iter().any(|outcome| outcome.save_error.is_some());
    if unsaved { failed(FailureKind::Store) } else { OK }
}

/// What Chromium says where there is no window system to be reached.
const NO_DISPLAY: [&str; 3] = ["Missing X server", "platform failed to initialize", "Failed to connect to Wayland"];

fn failure(error: &SessionError, settings: &Settings, environment: &Environment) -> Box<Failure> {
    let text = error.to_string();
    if NO_DISPLAY.iter().any(|said| text.contains(said)) {
        let display = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().find_map(|name| environment.text(name).ok().flatten());
        let display = display.unwrap_or_default();
        return CliError::NoWindow(format!("{display} cannot be reached")).into();
    }
    let mut failure = super::failure(error);
    settings.explain_missing_browser(&mut failure);
    failure
}

#[cfg(test)]
mod tests {
    use super::completed;

    #[test]
    fn an_address_needs_no_scheme() {
        for (given, wanted) in [
            ("example.com/login", "https://example.com/login"),
            ("example.com:8443/a:b", "https://example.com:8443/a:b"),
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1:7410/login?next=a:b", "http://127.0.0.1:7410/login?next=a:b"),
            ("http://example.com", "http://example.com"),
            ("about:blank", "about:blank"),
            ("chrome://history", "chrome://history"),
        ] {
            assert_eq!(completed(given), wanted);
        }
    }
}
