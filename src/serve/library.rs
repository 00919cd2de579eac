//! The scripts that requests may name: the files below a folder, read when they change. One that does not pass its check keeps its
//! last good form, and says so. A name is looked up among what was found: it cannot lead out of the folder.

mod header;
mod scan;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::closest;
use crate::files::Tree;
use crate::session::Scope;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::request_id::RequestId;

pub(super) use header::Argument;
use scan::Found;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_scripts))
}

/// A script as it is run.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// How messages call it.
    pub(super) name: String,
    pub(super) text: String,
    /// The folder that its imports resolve below; none: it has none.
    pub(super) import_root: Option<PathBuf>,
}

/// A script as it is listed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ScriptListed)]
pub(super) struct Listed {
    /// As `name` of `/v1/run` wants it.
    #[schema(example = "shop/orders")]
    name: String,
    /// The comment that it begins with.
    doc: String,
    /// The arguments that it declares: `//@ arg NAME: what it is`.
    args: Vec<Argument>,
    /// What is wrong with the file as it is now: its last good form is what runs. Null where nothing is.
    #[schema(required = true)]
    problem: Option<ScriptProblem>,
}

/// What is wrong with a script's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ScriptProblem {
    /// The stable code.
    #[schema(example = "parse_error")]
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// What the library has of a file.
#[derive(Debug, Clone)]
struct Entry {
    /// As the file is now.
    now: String,
    /// As it was when it last passed its check.
    good: Option<String>,
    problem: Option<ScriptProblem>,
}

impl Entry {
    /// What runs.
    fn text(&self) -> &str {
        self.good.as_ref().unwrap_or(&self.now)
    }
}

/// The scripts of a folder.
pub(super) struct Library {
    scripts: Option<Arc<Shelf>>,
    /// Follows the folder; ends with the library.
    following: std::sync::Mutex<JoinSet<()>>,
}

struct Shelf {
    folder: PathBuf,
    /// The largest script, in bytes.
    largest: usize,
    entries: RwLock<BTreeMap<String, Entry>>,
}

impl Library {
    /// Of that folder; without one there are no scripts. Reads nothing.
    pub(super) fn of(folder: Option<PathBuf>, largest: usize) -> Self {
        let scripts = folder.map(|folder| Arc::new(Shelf { folder, largest, entries: RwLock::default() }));
        Self { scripts, following: std::sync::Mutex::default() }
    }

    /// Reads the folder and follows it from now on. The error is the folder and why it cannot be read.
    pub(super) async fn begin(&self) -> Result<(), (String, String)> {
        let Some(kept) = &self.scripts else { return Ok(()) };
        let failed = |reason: String| (kept.folder.display().to_string(), reason);
        // Watched first: a change in between would be lost otherwise.
        let mut tree = Tree::watch(&kept.folder).map_err(|error| failed(error.to_string()))?;
        kept.clone().read().await.map_err(|error| failed(error.to_string()))?;
        let kept = kept.clone();
        let follow = async move {
            loop {
                if let Err(error) = tree.changed().await {
                    tracing::warn!(%error, "the scripts are not followed any more");
                    return;
                }
                if let Err(error) = kept.clone().read().await {
                    tracing::warn!(%error, "the scripts could not be read again");
                }
            }
        };
        self.following.lock().unwrap_or_else(PoisonError::into_inner).spawn(follow);
        Ok(())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.scripts.as_ref().map_or(0, |kept| kept.entries().len())
    }

    /// The script by that name, with or without its extension.
    pub(super) fn script(&self, name: &str) -> Result<Script, ApiError> {
        let Some(kept) = &self.scripts else {
            let message = "name: this server has no scripts of its own: send one as script";
            return Err(ApiError::new("not_found", message).with("path", "name"));
        };
        let entries = kept.entries();
        let plain = name.strip_suffix(scan::EXTENSION).unwrap_or(name);
        let Some(entry) = entries.get(plain) else {
            let error = ApiError::new("not_found", format!("name: there is no script {name:?}")).with("path", "name");
            return Err(match closest(plain, entries.keys().map(String::as_str)) {
                Some(near) => error.with("hint", format!("did you mean {near:?}?")),
                None => error,
            });
        };
        Ok(Script {
            name: format!("{plain}{}", scan::EXTENSION),
            text: entry.text().to_owned(),
            import_root: Some(kept.folder.clone()),
        })
    }

    /// Whether `args` are what the script declares; one that declares none takes any.
    pub(super) fn check_args(&self, name: &str, args: &Map<String, Value>) -> Result<(), ApiError> {
        let declared = header::arguments(&self.script(name)?.text);
        if declared.is_empty() {
            return Ok(());
        }
        if let Some(missing) = declared.iter().find(|arg| arg.required && !args.contains_key(&arg.name)) {
            let path = format!("args.{}", missing.name);
            return Err(ApiError::invalid(&path, format!("{path}: {name} needs it: {}", missing.doc)));
        }
        let is_known = |given: &&String| declared.iter().any(|arg| arg.name == **given);
        match args.keys().find(|given| !is_known(given)) {
            None => Ok(()),
            Some(unknown) => {
                let error = ApiError::invalid(
                    &format!("args.{unknown}"),
                    format!("args.{unknown}: {name} has no such argument"),
                );
                match closest(unknown, declared.iter().map(|arg| arg.name.as_str())) {
                    Some(near) => Err(error.with("hint", format!("did you mean {near}?"))),
                    None => Err(error),
                }
            }
        }
    }

    fn list(&self) -> Vec<Listed> {
        let Some(kept) = &self.scripts else { return Vec::new() };
        let listed = |(name, entry): (&String, &Entry)| Listed {
            name: name.clone(),
            doc: header::doc(entry.text()),
            args: header::arguments(entry.text()),
            problem: entry.problem.clone(),
        };
        kept.entries().iter().map(listed).collect()
    }
}

impl Shelf {
    fn entries(&self) -> RwLockReadGuard<'_, BTreeMap<String, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the folder has now.
    async fn read(self: Arc<Self>) -> std::io::Result<()> {
        let folder = self.folder.clone();
        let largest = self.largest;
        let read = tokio::task::spawn_blocking(move || scan::scan(&folder, largest)).await;
        let found = read.unwrap_or_else(|_| Err(std::io::Error::other("the reading ended early")))?;
        let before = self.entries().clone();
        let mut entries = BTreeMap::new();
        for Found { name, text } in found {
            // Checked again even where it is the same: what it imports may not be.
            let problem = scan::problem(text.clone(), self.folder.clone()).await;
            let good = match &problem {
                None => Some(text.clone()),
                Some(problem) => {
                    let was = before.get(&name);
                    if was.is_none_or(|was| was.problem.as_ref() != Some(problem)) {
                        tracing::warn!(
                            script = name,
                            code = problem.code,
                            line = problem.line,
                            "a script does not pass its check"
                        );
                    }
                    was.and_then(|was| was.good.clone())
                }
            };
            entries.insert(name, Entry { now: text, good, problem });
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        Ok(())
    }
}

/// The scripts that the server has.
#[derive(Serialize, ToSchema)]
struct Scripts {
    #[schema(example = "req_5f0c2b1e9d3a4c7f8e6b5a4d3c2b1a09")]
    request_id: String,
    scripts: Vec<Listed>,
}

/// The scripts that the server has, with what each says of itself.
#[utoipa::path(
    get,
    path = "/v1/scripts",
    tag = "scripts",
    security(("token" = ["run"])),
    responses((status = 200, description = "All of them, by name", body = Scripts))
)]
async fn get_scripts(State(app): State<App>, caller: Caller, id: RequestId) -> Result<Json<Scripts>, ApiError> {
    caller.needs(Scope::Run)?;
    Ok(Json(Scripts { request_id: id.0, scripts: app.library.list() }))
}
