//! What flags, environment and configuration files come to, in this order of precedence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum as _;
use etcetera::BaseStrategy as _;

use super::args::{ColorWhen, Global};
use super::config::{Config, Ttl};
use super::environment::Environment;
use super::error::CliError;
use super::serving::ServeTable;
use crate::base::{Secret, Tenant};
use crate::document::llm::LlmConfig;
use crate::repl::Explain;
use crate::run::Failure;
use crate::session::{KeySource, StoreConfig};
use crate::store::{BlobsAt, RecordsAt};

/// How long a session is kept unused where nothing else is said.
const DEFAULT_TTL: Duration = Duration::from_hours(30 * 24);
/// The same of a profile session.
const PROFILE_TTL: Duration = Duration::from_hours(90 * 24);
/// How a command line names the store that is configured.
const CONFIGURED: &str = "configured";
/// The code of a failure for want of a browser.
const BROWSER_NOT_INSTALLED: &str = "browser_not_installed";

/// Everything that is settled before a command begins.
#[derive(Debug)]
pub(super) struct Settings {
    pub tenant: Tenant,
    /// Whether a flag or a variable named the tenant.
    pub tenant_named: bool,
    pub store: StoreConfig,
    pub key: KeySource,
    /// Paths are seen from it.
    pub working_folder: PathBuf,
    /// What was typed is kept below it.
    pub home: PathBuf,
    /// Downloaded browsers lie below it.
    pub downloads: PathBuf,
    /// The browser to use and no other.
    pub chromium: Option<PathBuf>,
    /// What named it, for messages.
    pub chromium_from: &'static str,
    pub color: Option<ColorWhen>,
    pub secrets_file: Option<PathBuf>,
    pub timeout: Option<Duration>,
    pub slow_mo: Option<Duration>,
    pub headed: bool,
    /// None for ever.
    pub ttl: Option<Duration>,
    /// The same of profile sessions.
    pub profile_ttl: Option<Duration>,
    /// The language model that `extract` may ask.
    pub llm: Option<LlmConfig>,
    /// What the configuration file says of `rhaven serve`.
    pub serve: ServeTable,
}

impl Settings {
    /// Brings all sources together.
    pub fn resolve(flags: &Global, environment: &Environment) -> Result<Self, CliError> {
        // Looked up only where needed: with RHAVEN_HOME or --home a user without a home folder can work too.
        let platform = Platform::find();
        let config_folder = platform.as_ref().ok().map(|platform| platform.config.as_path());
        let config = Config::load(&environment.working_folder, config_folder)?;
        let home = flags.home.clone().or_else(|| environment.path("RHAVEN_HOME")).or(config.home);
        let folders = Folders::of(home.map(|home| environment.working_folder.join(home)), platform)?;
        let tenant = match flags.tenant.clone().map(Ok).or_else(|| environment.text("RHAVEN_TENANT").transpose()) {
            Some(name) => name?,
            None => config.tenant.unwrap_or_else(|| Tenant::default().to_string()),
        };
        let places = Places::of([
            [("--store", flags.store.clone()), ("--blobs", flags.blobs.clone())],
            [("RHAVEN_STORE", environment.text("RHAVEN_STORE")?), ("RHAVEN_BLOBS", environment.text("RHAVEN_BLOBS")?)],
            [("store", config.store), ("blobs", config.blobs)],
        ]);
        Ok(Self {
            tenant: Tenant::new(tenant).map_err(|error| bad("--tenant", &error))?,
            tenant_named: flags.tenant.is_some() || environment.is_set("RHAVEN_TENANT"),
            store: places.config(&folders.store, &environment.working_folder)?,
            key: key_source(environment, config.key_file, folders.key)?,
            working_folder: environment.working_folder.clone(),
            home: folders.home,
            downloads: folders.downloads,
            chromium: environment.path("RHAVEN_CHROMIUM").or(config.chromium),
            chromium_from: if environment.is_set("RHAVEN_CHROMIUM") {
                "RHAVEN_CHROMIUM"
            } else {
                "`chromium` in the configuration"
            },
            color: flags.color.map(Ok).or_else(|| config.color.as_deref().map(color)).transpose()?,
            secrets_file: config.secrets_file,
            timeout: config.timeout,
            slow_mo: config.slow_mo,
            headed: config.headed.unwrap_or(false),
            ttl: ttl(config.ttl, DEFAULT_TTL),
            profile_ttl: ttl(config.ttl, PROFILE_TTL),
            llm: llm(environment, config.llm_url, config.llm_model)?,
            serve: config.serve.unwrap_or_default(),
        })
    }

    /// Message and way out where the browser that the user has named is not there.
    pub fn missing_browser(&self) -> Option<(String, String)> {
        missing(self.chromium.as_deref(), self.chromium_from)
    }

    /// Tells a failure for want of the browser that the user has named as that; leaves every other as it is.
    pub fn explain_missing_browser(&self, failure: &mut Failure) {
        (self.explainer())(failure);
    }

    /// As [`Self::explain_missing_browser`], for what outlives the settings.
    pub fn explainer(&self) -> Explain {
        let (chromium, named) = (self.chromium.clone(), self.chromium_from);
        Arc::new(move |failure| {
            if failure.code != BROWSER_NOT_INSTALLED {
                return;
            }
            if let Some((message, hint)) = missing(chromium.as_deref(), named) {
                failure.message = message;
                failure.hint = Some(hint);
            } else if chromium.is_some() {
                // Another one is not looked for, even where it is there.
                let hint = format!(
                    "unset {named}, or let it name a full Chromium: `rhaven browser list` shows those that are here"
                );
                failure.hint = Some(hint);
            }
        })
    }

    /// Where what could not be saved waits for the next run.
    pub fn outbox(&self) -> PathBuf {
        self.home.join("outbox")
    }

    /// Where a store is that is named on the command line: a place of records, and one of blobs where they are not in the same
    /// folder. `configured` is the store that every other command uses.
    pub fn named_store(
        &self,
        flags: [&'static str; 2],
        store: &str,
        blobs: Option<&str>,
    ) -> Result<StoreConfig, CliError> {
        if store == CONFIGURED && blobs.is_none() {
            return Ok(self.store.clone());
        }
        let place = |what: &'static str, text: &str| Place { what, text: text.to_owned() };
        let places = Places { store: Some(place(flags[0], store)), blobs: blobs.map(|text| place(flags[1], text)) };
        places.config(Path::new(""), &self.working_folder)
    }
}

/// The language model: its address, name and key; none where no address is set.
fn llm(environment: &Environment, url: Option<String>, model: Option<String>) -> Result<Option<LlmConfig>, CliError> {
    let (given, key) = (environment.text("RHAVEN_LLM_URL")?, environment.text("RHAVEN_LLM_KEY")?);
    let model = environment.text("RHAVEN_LLM_MODEL")?.or(model);
    let what = if given.is_some() { "RHAVEN_LLM_URL" } else { "llm_url" };
    let Some(url) = given.or(url) else { return Ok(None) };
    let model = model
        .ok_or_else(|| bad("RHAVEN_LLM_MODEL", &"the name of a model is wanted where the address of one is set"))?;
    let key = key.map(|key| Secret::new("RHAVEN_LLM_KEY", key));
    LlmConfig::new(&url, &model, key).map(Some).map_err(|reason| bad(what, &reason))
}

fn ttl(configured: Option<Ttl>, usual: Duration) -> Option<Duration> {
    match configured {
        Some(Ttl::Never) => None,
        Some(Ttl::After(span)) => Some(span),
        None => Some(usual),
    }
}

fn missing(chromium: Option<&Path>, named: &str) -> Option<(String, String)> {
    let path = chromium.filter(|path| !path.exists())?;
    let message = format!("{named} names {}, which does not exist", path.display());
    Some((message, format!("unset {named}, or rhaven browser install")))
}

fn bad(what: &str, reason: &impl ToString) -> CliError {
    CliError::Value { what: what.to_owned(), reason: reason.to_string() }
}

fn color(text: &str) -> Result<ColorWhen, CliError> {
    ColorWhen::from_str(text, true).map_err(|_| bad("color", &format!("auto, always or never, found {text:?}")))
}

/// The platform's folders for programs' data, settings and caches.
struct Platform {
    data: PathBuf,
    config: PathBuf,
    cache: PathBuf,
}

impl Platform {
    fn find() -> Result<Self, CliError> {
        let base = etcetera::choose_base_strategy().map_err(|error| CliError::NoHome(error.to_string()))?;
        Ok(Self {
            data: base.data_dir().join("rhaven"),
            config: base.config_dir().join("rhaven"),
            cache: base.cache_dir().join("rhaven"),
        })
    }
}

/// Where things are kept.
struct Folders {
    home: PathBuf,
    store: PathBuf,
    key: PathBuf,
    downloads: PathBuf,
}

impl Folders {
    fn of(home: Option<PathBuf>, platform: Result<Platform, CliError>) -> Result<Self, CliError> {
        if let Some(home) = home {
            let (store, key, downloads) = (home.join("store"), home.join("key"), home.join("browsers"));
            return Ok(Self { home, store, key, downloads });
        }
        let Platform { data, config, cache } = platform?;
        let (store, key, downloads) = (data.join("store"), config.join("key"), cache.join("browsers"));
        Ok(Self { home: data, store, key, downloads })
    }
}

/// A place as it was given, and what gave it.
struct Place {
    what: &'static str,
    text: String,
}

impl Place {
    fn records(&self, folder: &Path) -> Result<RecordsAt, CliError> {
        RecordsAt::parse(&self.text, folder).map_err(|error| bad(self.what, &error))
    }

    fn blobs(&self, folder: &Path) -> Result<BlobsAt, CliError> {
        BlobsAt::parse(&self.text, folder).map_err(|error| bad(self.what, &error))
    }
}

/// Where records and blobs are, as far as anybody said.
struct Places {
    store: Option<Place>,
    blobs: Option<Place>,
}

impl Places {
    /// From what was said, the first counting most: where a store was named without blobs, those that were said elsewhere are
    /// another store's.
    fn of(said: impl IntoIterator<Item = [(&'static str, Option<String>); 2]>) -> Self {
        let mut places = Self { store: None, blobs: None };
        let place = |(what, text): (&'static str, Option<String>)| text.map(|text| Place { what, text });
        for [store, blobs] in said {
            if places.store.is_none() {
                places.store = place(store);
                places.blobs = places.blobs.or_else(|| place(blobs));
            }
        }
        places
    }

    /// What they come to: `own` is the folder where nothing is said, `folder` the one that paths are seen from.
    fn config(&self, own: &Path, folder: &Path) -> Result<StoreConfig, CliError> {
        let blobs = self.blobs.as_ref().map(|place| place.blobs(folder)).transpose()?;
        let records = match &self.store {
            Some(place) if place.text == "memory:" => {
                return match &self.blobs {
                    None => Ok(StoreConfig::Memory),
                    Some(blobs) => Err(bad(blobs.what, &"a store in memory keeps its blobs there, too: leave it out")),
                };
            }
            Some(place) => place.records(folder)?,
            None => RecordsAt::Sqlite(own.to_owned()),
        };
        match (records, blobs) {
            (RecordsAt::Sqlite(folder), None) => Ok(StoreConfig::Embedded(folder)),
            (records, Some(blobs)) => Ok(StoreConfig::Placed { records, blobs }),
            (records @ RecordsAt::Redis(_), None) => {
                let what = self.store.as_ref().map_or("--store", |place| place.what);
                Err(bad(
                    what,
                    &format!(
                        "{records} keeps no blobs: say where they are with --blobs, s3://BUCKET/PREFIX, or file:FOLDER where \
                         one machine uses it or all see the same folder"
                    ),
                ))
            }
        }
    }
}

fn key_source(environment: &Environment, configured: Option<PathBuf>, own: PathBuf) -> Result<KeySource, CliError> {
    if let Some(text) = environment.text("RHAVEN_KEY")? {
        return Ok(KeySource::Text(Secret::new("RHAVEN_KEY", text)));
    }
    if let Some(path) = environment.path("RHAVEN_KEY_FILE") {
        return Ok(KeySource::File(path));
    }
    if let Some(words) = environment.text("RHAVEN_PASSPHRASE")? {
        return Ok(KeySource::Passphrase(Secret::new("RHAVEN_PASSPHRASE", words)));
    }
    if let Some(path) = environment.path("RHAVEN_PASSPHRASE_FILE") {
        return Ok(KeySource::PassphraseFile(path));
    }
    Ok(match configured {
        Some(path) => KeySource::File(path),
        None => KeySource::MadeOnFirstUse(own),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: &Global, variables: &[(&str, &str)]) -> Result<Settings, CliError> {
        Settings::resolve(flags, &Environment::of(variables, Path::new("/nowhere/at/all")))
    }

    fn store_of(settings: &Settings) -> PathBuf {
        match &settings.store {
            StoreConfig::Embedded(folder) => folder.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_home_of_ones_own_holds_store_key_and_browsers() {
        let settings = resolve(&Global::default(), &[("RHAVEN_HOME", "/h")]).unwrap();
        assert_eq!(store_of(&settings), Path::new("/h/store"));
        assert!(matches!(&settings.key, KeySource::MadeOnFirstUse(path) if path == Path::new("/h/key")));
        assert_eq!(settings.downloads, Path::new("/h/browsers"));
    }

    #[test]
    fn flags_win_over_variables() {
        let flags = Global { tenant: Some("flag".into()), store: Some("here".into()), ..Global::default() };
        let variables = [("RHAVEN_TENANT", "env"), ("RHAVEN_STORE", "/env"), ("RHAVEN_HOME", "/h")];
        let settings = resolve(&flags, &variables).unwrap();
        assert_eq!(settings.tenant.as_str(), "flag");
        assert_eq!(store_of(&settings), Path::new("/nowhere/at/all/here"));
        let settings = resolve(&Global::default(), &variables).unwrap();
        assert_eq!((settings.tenant.as_str(), store_of(&settings)), ("env", PathBuf::from("/env")));
    }

    #[test]
    fn a_key_in_the_environment_wins_over_a_key_file() {
        let both =
            resolve(&Global::default(), &[("RHAVEN_KEY", "k"), ("RHAVEN_KEY_FILE", "/f"), ("RHAVEN_HOME", "/h")]);
        assert!(matches!(both.unwrap().key, KeySource::Text(_)));
        let file = resolve(&Global::default(), &[("RHAVEN_KEY_FILE", "/f"), ("RHAVEN_HOME", "/h")]);
        assert!(matches!(file.unwrap().key, KeySource::File(_)));
    }

    #[test]
    fn a_browser_that_was_named_and_is_not_there_is_told_as_that() {
        let settings = resolve(&Global::default(), &[("RHAVEN_CHROMIUM", "/no/such"), ("RHAVEN_HOME", "/h")]).unwrap();
        let told = |code: &str| {
            let mut failure = crate::diagnose::usage_failure(code, "as it was".to_owned(), None);
            settings.explain_missing_browser(&mut failure);
            failure.message
        };
        assert_eq!(told("browser_not_installed"), "RHAVEN_CHROMIUM names /no/such, which does not exist");
        assert_eq!(told("timeout"), "as it was");
    }

    #[test]
    fn a_language_model_has_an_address_and_a_name() {
        let llm =
            |variables: &[(&str, &str)]| resolve(&Global::default(), &[variables, &[("RHAVEN_HOME", "/h")]].concat());
        let (url, model, key) =
            (("RHAVEN_LLM_URL", "https://u:pw@llm.test/v1"), ("RHAVEN_LLM_MODEL", "m"), ("RHAVEN_LLM_KEY", "sk-1234"));
        assert!(llm(&[model, key]).unwrap().llm.is_none());
        assert_eq!(format!("{:?}", llm(&[url, model, key]).unwrap().llm.unwrap()), "LlmConfig(m at llm.test)");
        assert!(llm(&[url]).unwrap_err().to_string().contains("RHAVEN_LLM_MODEL"));
        assert!(llm(&[("RHAVEN_LLM_URL", "ftp://x"), model]).unwrap_err().to_string().contains("RHAVEN_LLM_URL"));
    }

    #[test]
    fn a_passphrase_comes_after_a_key_and_before_the_users_own() {
        let key = |variables: &[(&str, &str)]| {
            let home = [("RHAVEN_HOME", "/h")];
            resolve(&Global::default(), &[variables, &home].concat()).unwrap().key
        };
        let (words, file) = (("RHAVEN_PASSPHRASE", "w"), ("RHAVEN_PASSPHRASE_FILE", "/w"));
        assert!(matches!(key(&[words, file]), KeySource::Passphrase(_)));
        assert!(matches!(key(&[file]), KeySource::PassphraseFile(_)));
        assert!(matches!(key(&[words, file, ("RHAVEN_KEY_FILE", "/f")]), KeySource::File(_)));
        assert!(matches!(key(&[words, ("RHAVEN_KEY", "k")]), KeySource::Text(_)));
    }

    #[test]
    fn values_that_cannot_be_are_named() {
        let check = |flags: Global, message: &str| {
            let error = resolve(&flags, &[("RHAVEN_HOME", "/h")]).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        };
        check(Global { tenant: Some("a b".into()), ..Global::default() }, "--tenant: a tenant name has");
        let store = |text: &str| Global { store: Some(text.into()), ..Global::default() };
        check(store("redis://:hunter2@x"), "--store: redis://:***@x:6379 keeps no blobs");
        check(store("sqlite:"), "--store: a folder, sqlite:FOLDER");
        check(store("reddis://x"), "--store: there are no reddis: stores; did you mean redis:?");
        check(Global { blobs: Some("s3://".into()), ..Global::default() }, "--blobs: s3://BUCKET/PREFIX?endpoint");
        check(Global { blobs: Some("file:b".into()), ..store("memory:") }, "--blobs: a store in memory");
        let variables = [("RHAVEN_HOME", "/h"), ("RHAVEN_STORE", "redis:")];
        let error = resolve(&Global::default(), &variables).unwrap_err().to_string();
        assert!(error.starts_with("RHAVEN_STORE: redis://USER"), "{error}");
    }

    #[test]
    fn records_and_blobs_can_be_in_any_two_places() {
        let places = |store: Option<&str>, blobs: &str| {
            let flags = Global { store: store.map(Into::into), blobs: Some(blobs.into()), ..Global::default() };
            let (records, blobs) = resolve(&flags, &[("RHAVEN_HOME", "/h")]).unwrap().store.places().unwrap();
            format!("{records} {blobs}")
        };
        assert_eq!(places(Some("redis://h"), "s3://b/p"), "redis://h:6379 s3://b/p");
        assert_eq!(places(Some("redis://h"), "file:/b"), "redis://h:6379 file:/b");
        assert_eq!(places(None, "s3://b"), "sqlite:/h/store s3://b");
        assert_eq!(places(Some("s"), "b"), "sqlite:/nowhere/at/all/s file:/nowhere/at/all/b");
        let variables = [("RHAVEN_STORE", "rediss://h"), ("RHAVEN_BLOBS", "s3://b"), ("RHAVEN_HOME", "/h")];
        let settings = resolve(&Global::default(), &variables).unwrap();
        assert!(settings.store.is_shared());
        // The blobs of another store are not taken for those of this one.
        let flags = Global { store: Some("x".into()), ..Global::default() };
        assert!(matches!(resolve(&flags, &variables).unwrap().store, StoreConfig::Embedded(_)));
        let named = |store, blobs| settings.named_store(["FROM", "--from-blobs"], store, blobs).unwrap().place();
        assert_eq!(named("configured", None), "rediss://h:6379");
        assert_eq!(named("x", None), "/nowhere/at/all/x");
    }
}
