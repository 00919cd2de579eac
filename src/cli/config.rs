//! `rhaven.toml`: the nearest one in the working folder or above, then the user's own. Read strictly: a key that is not
//! known is a mistake that somebody wants to hear of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::CliError;
use super::serving::ServeTable;
use crate::base::{closest, parse_duration};

/// The file's name, in projects and in the user's configuration folder (there `config.toml` would say less).
pub(super) const FILE_NAME: &str = "rhaven.toml";

/// What `rhaven.toml` can set; everything may be left out.
#[derive(Debug, Default, Clone, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(deny_unknown_fields, title = "rhaven.toml")]
pub(super) struct Config {
    /// Whose sessions: "default" where nothing is said.
    pub tenant: Option<String>,
    /// The folder that sessions are kept in, seen from this file's folder; "memory:" for nowhere. In the user's own file also
    /// a server, `redis://HOST` or `rediss://HOST`.
    pub store: Option<String>,
    /// The folder of large values, seen from this file's folder. In the user's own file also `s3://BUCKET/PREFIX`.
    pub blobs: Option<String>,
    /// One folder for store, key and downloaded browsers. Not in a project's file.
    pub home: Option<PathBuf>,
    /// When to colour: on a terminal ("auto"), "always" or "never".
    #[schemars(extend("enum" = ["auto", "always", "never"]))]
    pub color: Option<String>,
    /// The browser to use and no other. Not in a project's file.
    pub chromium: Option<PathBuf>,
    /// The key, as `rhaven key new` prints one. Not in a project's file.
    pub key_file: Option<PathBuf>,
    /// `NAME=VALUE` lines for `secret("NAME")`, readable by you only.
    pub secrets_file: Option<PathBuf>,
    /// How long a whole run may take: milliseconds, or text such as "5m".
    #[schemars(with = "Option<Time>")]
    pub timeout: Option<Duration>,
    /// A pause after every verb: milliseconds, or text such as "250ms".
    #[schemars(with = "Option<Time>")]
    pub slow_mo: Option<Duration>,
    /// Show the browser's window.
    pub headed: Option<bool>,
    /// How long a session is kept unused: a time such as "30d", or "never".
    #[schemars(with = "Option<Time>")]
    pub ttl: Option<Ttl>,
    /// The address of a language model for `extract`, as `https://HOST/v1`. Not in a project's file. Its key is `RHAVEN_LLM_KEY`.
    pub llm_url: Option<String>,
    /// The language model's name.
    pub llm_model: Option<String>,
    /// Flags of `rhaven serve` by name, with `_` for `-`. Not in a project's file.
    #[schemars(with = "Option<std::collections::BTreeMap<String, serde_json::Value>>")]
    pub serve: Option<ServeTable>,
}

/// A time as the file has it.
#[derive(schemars::JsonSchema)]
#[schemars(untagged, inline)]
enum Time {
    /// Milliseconds.
    #[expect(dead_code, reason = "it is there for its schema")]
    Millis(u64),
    /// A number and its unit.
    #[expect(dead_code, reason = "it is there for its schema")]
    Text(String),
}

/// The JSON schema of the file, for editors.
pub(super) fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    // TOML has no null: what may be left out is not required, and that is all.
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.values_mut().for_each(without_null);
    }
    schema
}

fn without_null(property: &mut serde_json::Value) {
    if let Some(types) = property.get_mut("type")
        && let Some([only, _]) = types.as_array().map(Vec::as_slice)
    {
        *types = only.clone();
    }
    if let Some(choices) = property.get_mut("anyOf").and_then(serde_json::Value::as_array_mut) {
        choices.retain(|choice| choice["type"] != "null");
        // What was wrapped for the sake of null.
        if let [only] = choices.as_slice()
            && let Some(inner) = only.get("anyOf").and_then(serde_json::Value::as_array)
        {
            *choices = inner.clone();
        }
    }
}

const KEYS: [&str; 15] = [
    "tenant",
    "store",
    "blobs",
    "home",
    "color",
    "chromium",
    "key_file",
    "secrets_file",
    "timeout",
    "slow_mo",
    "headed",
    "ttl",
    "llm_url",
    "llm_model",
    "serve",
];

/// Settings that name a program, say where the key lives or where pages are sent to: a folder that came with somebody else's
/// project must not set them.
const USER_ONLY: [&str; 5] = ["chromium", "key_file", "home", "llm_url", "serve"];

/// What begins a place on a server, which a project must not choose either: credentials would be sent there.
const SERVERS: [&str; 3] = ["redis:", "rediss:", "s3:"];

/// How long a session is kept unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ttl {
    After(Duration),
    Never,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user's own, in the configuration folder.
    User,
    /// One that lies in or above the working folder.
    Project,
}

impl Config {
    /// The nearest project's settings over the user's own; those that are missing stay empty.
    pub fn load(working_folder: &Path, config_folder: Option<&Path>) -> Result<Self, CliError> {
        let user = config_folder.map(|folder| folder.join(FILE_NAME));
        let project = working_folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file());
        let base = match &user {
            Some(path) => Self::read(path, Owner::User)?.unwrap_or_default(),
            None => Self::default(),
        };
        match project.filter(|path| Some(path) != user.as_ref()) {
            Some(path) => Ok(Self::read(&path, Owner::Project)?.unwrap_or_default().or(base)),
            None => Ok(base),
        }
    }

    fn read(path: &Path, owner: Owner) -> Result<Option<Self>, CliError> {
        let bad = |reason: String, hint: Option<String>| CliError::Config { path: path.to_owned(), reason, hint };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string(), None)),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, owner, folder).map(Some).map_err(|(reason, hint)| bad(reason, hint))
    }

    /// Reads `text`; paths in it are relative to `folder`. The error is the reason and perhaps the way out.
    fn parse(text: &str, owner: Owner, folder: &Path) -> Result<Self, (String, Option<String>)> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| (error.to_string().trim_end().to_owned(), None))?;
        let mut config = Self::default();
        for (key, value) in &table {
            if !KEYS.contains(&key.as_str()) {
                let hint = closest(key, KEYS).map_or_else(
                    || format!("the settings are {}", KEYS.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                return Err((format!("there is no setting {key:?}"), Some(hint)));
            }
            let is_server = || value.as_str().is_some_and(|text| SERVERS.iter().any(|server| text.starts_with(server)));
            let is_place = matches!(key.as_str(), "store" | "blobs");
            if owner == Owner::Project && (USER_ONLY.contains(&key.as_str()) || is_place && is_server()) {
                let what = if is_place { "a server" } else { key };
                let reason =
                    format!("{what} cannot be set for a project: it would let a folder from elsewhere choose it");
                return Err((
                    reason,
                    Some("set it in the user's configuration folder, by flag or by variable".to_owned()),
                ));
            }
            if let Some(table) = value.as_table().filter(|_| key == "serve") {
                config.serve = Some(ServeTable::parse(table, folder)?);
                continue;
            }
            config
                .set(key, value, folder)
                .map_err(|wanted| (format!("{key} has to be {wanted}, found {}", show(value)), None))?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &toml::Value, folder: &Path) -> Result<(), &'static str> {
        let text = || value.as_str().map(str::to_owned).ok_or("a text");
        let path = || value.as_str().map(|path| folder.join(path)).ok_or("a path");
        let span = || {
            let text = value.as_str().map(str::to_owned).or_else(|| value.as_integer().map(|n| n.to_string()));
            text.and_then(|text| parse_duration(&text).ok()).ok_or("a time such as \"5s\" or \"2m\"")
        };
        match key {
            "tenant" => self.tenant = Some(text()?),
            "store" => self.store = Some(place(&text()?, folder)),
            "blobs" => self.blobs = Some(place(&text()?, folder)),
            "home" => self.home = Some(path()?),
            "color" => self.color = Some(text()?),
            "chromium" => self.chromium = Some(path()?),
            "key_file" => self.key_file = Some(path()?),
            "secrets_file" => self.secrets_file = Some(path()?),
            "timeout" => self.timeout = Some(span()?),
            "slow_mo" => self.slow_mo = Some(span()?),
            "llm_url" => self.llm_url = Some(text()?),
            "llm_model" => self.llm_model = Some(text()?),
            "headed" => self.headed = Some(value.as_bool().ok_or("true or false")?),
            "ttl" if value.as_str() == Some("never") => self.ttl = Some(Ttl::Never),
            "ttl" => self.ttl = Some(Ttl::After(span().map_err(|_| "a time such as \"30d\", or \"never\"")?)),
            "serve" => return Err("a table: [serve]"),
            _ => {}
        }
        Ok(())
    }

    fn or(self, base: Self) -> Self {
        Self {
            tenant: self.tenant.or(base.tenant),
            // The blobs of one file do not belong to the records of another.
            blobs: if self.store.is_some() { self.blobs } else { self.blobs.or(base.blobs) },
            store: self.store.or(base.store),
            home: self.home.or(base.home),
            color: self.color.or(base.color),
            chromium: self.chromium.or(base.chromium),
            key_file: self.key_file.or(base.key_file),
            secrets_file: self.secrets_file.or(base.secrets_file),
            timeout: self.timeout.or(base.timeout),
            slow_mo: self.slow_mo.or(base.slow_mo),
            headed: self.headed.or(base.headed),
            ttl: self.ttl.or(base.ttl),
            llm_url: self.llm_url.or(base.llm_url),
            llm_model: self.llm_model.or(base.llm_model),
            serve: self.serve.or(base.serve),
        }
    }
}

fn show(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        other => other.type_str().to_owned(),
    }
}

/// A store's place, where it is a relative path seen from the file's folder.
fn place(text: &str, folder: &Path) -> String {
    let path = text.strip_prefix("sqlite:").or_else(|| text.strip_prefix("file:")).unwrap_or(text);
    if path.contains(':') || path.is_empty() {
        text.to_owned()
    } else {
        folder.join(path).to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, owner: Owner) -> Result<Config, (String, Option<String>)> {
        Config::parse(text, owner, Path::new("/p"))
    }

    #[test]
    fn every_setting_is_read() {
        let config = parse(
            "tenant='t'\nstore='/s'\nblobs='file:b'\nhome='h'\ncolor='never'\nchromium='/c'\nkey_file='k'\nsecrets_file='s'\n\
             timeout='5m'\nslow_mo=250\nheaded=true\nttl='never'\nllm_url='u'\nllm_model='m'",
            Owner::User,
        );
        let expected = Config {
            tenant: Some("t".into()),
            store: Some("/s".into()),
            blobs: Some("/p/b".into()),
            home: Some("/p/h".into()),
            color: Some("never".into()),
            chromium: Some("/c".into()),
            key_file: Some("/p/k".into()),
            secrets_file: Some("/p/s".into()),
            timeout: Some(Duration::from_mins(5)),
            slow_mo: Some(Duration::from_millis(250)),
            headed: Some(true),
            ttl: Some(Ttl::Never),
            llm_url: Some("u".into()),
            llm_model: Some("m".into()),
            serve: None,
        };
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn a_mistake_names_the_key_and_what_was_meant() {
        let check = |text: &str, owner, reason: &str, hint: Option<&str>| {
            assert_eq!(parse(text, owner), Err((reason.to_owned(), hint.map(str::to_owned))));
        };
        check("tennant='t'", Owner::User, "there is no setting \"tennant\"", Some("did you mean tenant?"));
        check("timeout='soon'", Owner::User, "timeout has to be a time such as \"5s\" or \"2m\", found \"soon\"", None);
        check("headed=1", Owner::User, "headed has to be true or false, found 1", None);
        assert!(parse("a = ", Owner::User).is_err());
        let (reason, _) = parse("chromium='/tmp/evil'", Owner::Project).unwrap_err();
        assert!(reason.starts_with("chromium cannot be set for a project"), "{reason}");
        for text in ["store='redis://u:hunter2@h'", "blobs='s3://b'"] {
            let (reason, _) = parse(text, Owner::Project).unwrap_err();
            assert!(reason.starts_with("a server cannot be set for a project"), "{reason}");
            assert!(parse(text, Owner::User).is_ok());
        }
    }

    #[test]
    fn the_project_wins_over_the_user_and_is_found_from_below() {
        let root = tempfile::tempdir().unwrap();
        let (user, below) = (root.path().join("config"), root.path().join("project/a/b"));
        std::fs::create_dir_all(&user).unwrap();
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(user.join(FILE_NAME), "tenant='user'\ncolor='never'").unwrap();
        std::fs::write(root.path().join("project").join(FILE_NAME), "tenant='project'").unwrap();
        let config = Config::load(&below, Some(&user)).unwrap();
        assert_eq!((config.tenant.as_deref(), config.color.as_deref()), (Some("project"), Some("never")));
    }

    #[test]
    fn the_schema_knows_every_setting_and_no_other() {
        let schema = schema();
        let properties = schema["properties"].as_object().unwrap();
        let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut known = KEYS.to_vec();
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known);
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema.get("required").is_none(), "{schema}");
        assert!(!schema.to_string().contains("null"), "{schema}");
        for (name, property) in properties {
            assert!(property["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        }
    }
}
