//! `rhaven identity`: what sessions tell sites, kept by name.

use super::Outcome;
use super::secret::confirmed;
use super::settings::Settings;
use super::tables::{show_time, table};
use super::terminal::Terminal;
use super::told::Told;
use crate::base::closest;
use crate::diagnose;
use crate::run::Failure;
use crate::session::{
    DEVICES, Geolocation, HttpCredentials, Identity, IdentityInfo, IdentityProxy, SessionError, Sessions, Viewport,
    identity_name,
};

/// Arguments of `identity`.
#[derive(Debug, clap::Args)]
pub(super) struct IdentityArgs {
    #[command(subcommand)]
    command: IdentityCommand,
}

#[derive(Debug, clap::Subcommand)]
enum IdentityCommand {
    /// Keep an identity for session(id, #{ identity: "NAME" }); one of that name is replaced
    #[command(after_help = "\
Examples:
  rhaven identity set phone --device \"iPhone 15\" --locale de-DE --timezone Europe/Berlin
  rhaven identity set wide --viewport 1920x1080 --color-scheme dark
  rhaven identity set prague --proxy socks5://me@proxy.example:1080 --proxy-password PROXY
  rhaven identity set staging --http-user me --http-password STAGING --http-origin https://staging.example

Passwords are given by the name of a secret, which `rhaven secret set NAME` reads without showing it.
What is not given is left to the browser. A session keeps what it was made with: an identity that is changed or deleted later
changes it only when it is opened with it again.")]
    Set {
        /// Its name
        #[arg(value_parser = identity_name)]
        name: String,
        #[command(flatten)]
        told: Box<Told>,
    },
    /// The tenant's identities
    #[command(visible_alias = "ls")]
    List,
    /// What one identity tells
    Show {
        /// Its name
        name: String,
    },
    /// Delete an identity; sessions that were made with it stay as they are
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// The well-known devices
    Devices,
}

/// Sets, lists, shows or deletes.
pub(super) async fn execute(args: IdentityArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match args.command {
        IdentityCommand::Set { name, told } => set(&name, *told, settings, terminal).await,
        IdentityCommand::List => list(settings, terminal).await,
        IdentityCommand::Show { name } => show(&name, settings, terminal).await,
        IdentityCommand::Delete { name, yes } => delete(&name, yes, settings, terminal).await,
        IdentityCommand::Devices => {
            devices(terminal);
            Ok(super::OK)
        }
    }
}

fn failure(error: &SessionError) -> Box<Failure> {
    Box::new(diagnose::session_failure(error))
}

async fn open(settings: &Settings) -> Result<Sessions, Box<Failure>> {
    Sessions::open(settings.store.clone(), settings.key.clone()).await.map_err(|error| failure(&error))
}

/// All that there are. A store that is not there yet is not made for the question.
async fn all(settings: &Settings) -> Result<Vec<IdentityInfo>, Box<Failure>> {
    if !settings.store.exists() {
        return Ok(Vec::new());
    }
    open(settings).await?.identities(&settings.tenant).await.map_err(|error| failure(&error))
}

async fn set(name: &str, told: Told, settings: &Settings, terminal: &Terminal) -> Outcome {
    let identity = told.identity().map_err(|error| failure(&error))?;
    let sessions = open(settings).await?;
    let named = identity.secrets_named();
    let known = sessions.known_secrets(&settings.tenant, named.clone()).await.map_err(|error| failure(&error))?;
    for name in named.difference(&known) {
        terminal.note(&format!("there is no secret {name} yet; `rhaven secret set {name}` keeps one"));
    }
    let set = sessions.set_identity(&settings.tenant, name, identity).await;
    let replaced = set.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "name": name, "replaced": replaced }));
    }
    terminal.note(&format!("identity {name}: {}", if replaced { "replaced" } else { "set" }));
    Ok(super::OK)
}

async fn list(settings: &Settings, terminal: &Terminal) -> Outcome {
    let all = all(settings).await?;
    if terminal.json {
        terminal.value(&all.iter().map(as_json).collect());
    } else if all.is_empty() {
        terminal.note("no identities yet; `rhaven identity set NAME --device \"iPhone 15\"` keeps one");
    } else {
        let rows = all.iter().map(|kept| {
            let told = lines(&kept.identity).into_iter().filter(|(name, _)| *name != "user agent");
            let told: Vec<String> = told.map(|(_, value)| value).collect();
            [kept.name.clone(), told.join(", "), show_time(&kept.set_at)]
        });
        terminal.data(&table(["NAME", "TELLS", "SET (UTC)"], rows, terminal.out_style, terminal.out_tty));
    }
    Ok(super::OK)
}

async fn show(name: &str, settings: &Settings, terminal: &Terminal) -> Outcome {
    let kept = find(name, all(settings).await?)?;
    if terminal.json {
        terminal.value(&as_json(&kept));
    } else {
        terminal.data(&describe(&kept.identity));
    }
    Ok(super::OK)
}

async fn delete(name: &str, yes: bool, settings: &Settings, terminal: &Terminal) -> Outcome {
    find(name, all(settings).await?)?;
    if !yes && !confirmed(&format!("delete identity {name}?"), &format!("deleting identity {name}"), terminal)? {
        terminal.note("nothing was deleted");
        return Ok(super::OK);
    }
    open(settings).await?.delete_identity(&settings.tenant, name).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "deleted": name }));
    }
    terminal.note(&format!("identity {name}: deleted"));
    Ok(super::OK)
}

fn devices(terminal: &Terminal) {
    if terminal.json {
        let devices = DEVICES.iter().map(|device| {
            let (width, height) = device.viewport;
            let viewport = Viewport { width, height };
            serde_json::json!({ "name": device.name, "viewport": viewport, "scale": device.scale, "mobile": device.mobile })
        });
        terminal.value(&devices.collect());
        return;
    }
    let rows = DEVICES.iter().map(|device| {
        let (width, height) = device.viewport;
        let kind = if device.mobile { "touch" } else { "desktop" };
        [device.name.to_owned(), format!("{width}x{height}"), device.scale.to_string(), kind.to_owned()]
    });
    terminal.data(&table(["NAME", "VIEWPORT", "SCALE", "KIND"], rows, terminal.out_style, terminal.out_tty));
}

/// The identity by that name; an error that names the nearest.
fn find(name: &str, all: Vec<IdentityInfo>) -> Result<IdentityInfo, Box<Failure>> {
    let near = closest(name, all.iter().map(|kept| kept.name.as_str())).map(str::to_owned);
    all.into_iter().find(|kept| kept.name == name).ok_or_else(|| {
        let mut failure = failure(&SessionError::NoIdentity { name: name.to_owned(), near: None });
        failure.hint = Some(match near {
            Some(near) => format!("did you mean {near}? `rhaven identity list` shows those that there are"),
            None => "`rhaven identity list` shows those that there are".to_owned(),
        });
        failure
    })
}

fn as_json(kept: &IdentityInfo) -> serde_json::Value {
    serde_json::json!({ "name": kept.name, "identity": kept.identity, "set_at": kept.set_at })
}

/// An identity for people, a line per trait.
pub(super) fn describe(identity: &Identity) -> String {
    let lines = lines(identity).into_iter().map(|(name, value)| format!("{name:<14} {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn sign_in(own: &HttpCredentials) -> String {
    let place = own.origin.as_ref().map_or_else(String::new, |origin| format!(" at {origin}"));
    format!("{}{place}, password: secret {}", own.username, own.password.secret)
}

fn proxy(proxy: &IdentityProxy) -> String {
    let user = proxy.username.as_ref().map_or_else(String::new, |user| format!(" as {user}"));
    let password = match &proxy.password {
        Some(password) => format!(", password: secret {}", password.secret),
        None if proxy.has_password => ", with a password".to_owned(),
        None => String::new(),
    };
    format!("{}{user}{password}", proxy.server)
}

fn lines(identity: &Identity) -> Vec<(&'static str, String)> {
    let size = |size: Viewport| match identity.scale {
        Some(scale) if (scale - 1.0).abs() > f64::EPSILON => format!("{}x{}, scale {scale}", size.width, size.height),
        _ => format!("{}x{}", size.width, size.height),
    };
    let place = |place: &Geolocation| format!("{}, {}", place.latitude, place.longitude);
    [
        ("device", identity.device.clone()),
        ("user agent", identity.user_agent.clone()),
        ("locale", identity.locale.clone()),
        ("languages", identity.all_languages().map(|languages| languages.join(", "))),
        ("time zone", identity.timezone.clone()),
        ("viewport", identity.viewport.map(size)),
        ("color scheme", identity.color_scheme.clone()),
        ("reduced motion", identity.reduced_motion.clone()),
        ("geolocation", identity.geolocation.as_ref().map(place)),
        ("headers", identity.extra_http_headers.as_ref().map(|headers| names(headers.keys()))),
        ("credentials", identity.http_credentials.as_ref().map(sign_in)),
        ("proxy", identity.proxy.as_ref().map(proxy)),
        ("secrets", identity.secrets.as_ref().map(|secrets| names(secrets.keys()))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
