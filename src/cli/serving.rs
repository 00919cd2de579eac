//! What flags, variables and the configuration file say of `rhaven serve`, in this order of precedence.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum as _;
use ipnet::IpNet;

use super::environment::Environment;
use super::error::CliError;
use super::logs::LogFormat;
use super::serve::{ServeArgs, default_listen};
use crate::base::{Secret, closest, parse_duration};
use crate::egress::{EgressError, Policy, PolicyOptions, ProxyOptions, Upstream};

/// What begins the variables.
const PREFIX: &str = "RHAVEN_SERVE_";
/// How long what goes on may take at the end where nothing is said.
const DRAIN: Duration = Duration::from_secs(30);

/// The settings below `[serve]`, which are also the names of the variables.
pub(super) const NAMES: [&str; 21] = [
    "listen",
    "scripts",
    "max_concurrent",
    "max_queued",
    "max_live",
    "max_live_per_tenant",
    "inline_limit",
    "timeout",
    "max_timeout",
    "drain",
    "max_body",
    "public_url",
    "advertise",
    "trusted_proxy",
    "allow_host",
    "allow_private",
    "deny_host",
    "proxy",
    "proxy_all",
    "no_sandbox",
    "log_format",
];

/// `[serve]` of the configuration file: texts, numbers and flags by name; a list is its texts with commas between them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ServeTable(std::collections::BTreeMap<String, String>);

impl ServeTable {
    /// Reads the table; paths are seen from `folder`. The error is what is wrong, and perhaps the way out.
    pub fn parse(table: &toml::Table, folder: &Path) -> Result<Self, (String, Option<String>)> {
        let mut settings = Self::default();
        for (name, value) in table {
            if !NAMES.contains(&name.as_str()) {
                let hint = closest(name, NAMES)
                    .map_or_else(|| format!("they are {}", NAMES.join(", ")), |near| format!("did you mean {near}?"));
                return Err((format!("there is no setting {name:?} below [serve]"), Some(hint)));
            }
            let text = match value {
                toml::Value::String(text) if name == "scripts" => folder.join(text).display().to_string(),
                toml::Value::Array(values) => {
                    let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                    let texts: Option<Vec<String>> = texts.collect();
                    texts.ok_or_else(|| (format!("serve.{name} has to be a list of texts"), None))?.join(",")
                }
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                _ => return Err((format!("serve.{name} has to be a text, a number, a flag or a list of texts"), None)),
            };
            settings.0.insert(name.clone(), text);
        }
        Ok(settings)
    }
}

/// What was said.
#[derive(Debug)]
pub(super) struct Given {
    pub listen: SocketAddr,
    pub scripts: Option<PathBuf>,
    pub max_concurrent: Option<u32>,
    pub max_queued: Option<u32>,
    pub max_live: Option<u32>,
    pub max_live_per_tenant: Option<u32>,
    pub inline_limit: Option<Duration>,
    pub timeout: Option<Duration>,
    pub max_timeout: Option<Duration>,
    pub drain: Duration,
    pub max_body: Option<u32>,
    pub public_url: Option<String>,
    pub advertise: Option<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub egress: ProxyOptions,
    pub proxy_all: bool,
    pub no_sandbox: bool,
    pub log_format: LogFormat,
}

/// Variables and the file, for what no flag says.
struct Otherwise<'a> {
    environment: &'a Environment,
    table: &'a ServeTable,
}

impl Otherwise<'_> {
    /// The text of a setting, and what it comes from.
    fn text(&self, name: &str) -> Result<Option<(String, String)>, CliError> {
        let variable = format!("{PREFIX}{}", name.to_uppercase());
        if let Some(text) = self.environment.text(&variable)? {
            return Ok(Some((text, variable)));
        }
        Ok(self.table.0.get(name).map(|text| (text.clone(), format!("serve.{name}"))))
    }

    /// What the flag says; else what is said elsewhere, as `read` understands it.
    fn or<T, E: ToString>(
        &self,
        flag: Option<T>,
        name: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, CliError> {
        if flag.is_some() {
            return Ok(flag);
        }
        let Some((text, what)) = self.text(name)? else { return Ok(None) };
        read(&text).map(Some).map_err(|error| CliError::Value { what, reason: error.to_string() })
    }

    fn list(&self, flags: Vec<String>, name: &str) -> Result<Vec<String>, CliError> {
        if !flags.is_empty() {
            return Ok(flags);
        }
        let text = self.text(name)?.map(|(text, _)| text).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }
}

impl Given {
    /// Brings all sources together.
    pub fn of(args: ServeArgs, table: &ServeTable, environment: &Environment) -> Result<Self, CliError> {
        let other = Otherwise { environment, table };
        let flag = args.no_sandbox.then_some(true);
        let private = args.allow_private.then_some(true);
        let reached = PolicyOptions {
            allow_hosts: other.list(args.allow_hosts, "allow_host")?,
            allow_private: other.or(private, "allow_private", bool::from_str)?.unwrap_or(false),
            deny_hosts: other.list(args.deny_hosts, "deny_host")?,
        };
        let all = args.proxy_all.then_some(true);
        let proxy_all = other.or(all, "proxy_all", bool::from_str)?.unwrap_or(false);
        let proxy = other.or(args.proxy, "proxy", |text| Ok::<_, String>(text.to_owned()))?;
        let nets = other.list(args.trusted_proxies, "trusted_proxy")?;
        let public_url = other.or(args.public_url, "public_url", |text| Ok::<_, String>(text.to_owned()))?;
        let advertise = other.or(args.advertise, "advertise", |text| Ok::<_, String>(text.to_owned()))?;
        let scripts = other.or(args.scripts, "scripts", |text| Ok::<_, String>(PathBuf::from(text)))?;
        Ok(Self {
            listen: other.or(args.listen, "listen", SocketAddr::from_str)?.unwrap_or_else(default_listen),
            scripts: scripts.map(|folder| environment.working_folder.join(folder)),
            max_concurrent: other.or(args.max_concurrent, "max_concurrent", u32::from_str)?,
            max_queued: other.or(args.max_queued, "max_queued", u32::from_str)?,
            max_live: other.or(args.max_live, "max_live", u32::from_str)?,
            max_live_per_tenant: other.or(args.max_live_per_tenant, "max_live_per_tenant", u32::from_str)?,
            inline_limit: other.or(args.inline_limit, "inline_limit", parse_duration)?,
            timeout: other.or(args.timeout, "timeout", parse_duration)?,
            max_timeout: other.or(args.max_timeout, "max_timeout", parse_duration)?,
            drain: other.or(args.drain, "drain", parse_duration)?.unwrap_or(DRAIN),
            max_body: other.or(args.max_body, "max_body", u32::from_str)?,
            public_url: public_url.map(|text| base_url(&text)).transpose()?,
            advertise: advertise.map(|text| origin(&text)).transpose()?,
            trusted_proxies: nets.iter().map(|text| net(text)).collect::<Result<_, _>>()?,
            egress: egress(&reached, proxy, proxy_all)?,
            proxy_all,
            no_sandbox: other.or(flag, "no_sandbox", bool::from_str)?.unwrap_or(false),
            log_format: other
                .or(args.log_format, "log_format", |text| LogFormat::from_str(text, true))?
                .unwrap_or_default(),
        })
    }
}

/// What may be reached, and through which proxy.
fn egress(reached: &PolicyOptions, proxy: Option<String>, all: bool) -> Result<ProxyOptions, CliError> {
    let bad = |what: &str, error: EgressError| CliError::Value { what: what.to_owned(), reason: error.to_string() };
    let policy = Policy::new(reached).map_err(|error| bad("--allow-host, --deny-host", error))?;
    let upstream = proxy.map(|address| Upstream::parse(&Secret::new("proxy", address)));
    let upstream = upstream.transpose().map_err(|error| bad("--proxy", error))?;
    if all && upstream.is_none() {
        let reason = "all is to go through a proxy, and --proxy names none".to_owned();
        return Err(CliError::Value { what: "--proxy-all".to_owned(), reason });
    }
    Ok(ProxyOptions { upstream, ..ProxyOptions::new(policy) })
}

/// An address, or a network of them.
fn net(text: &str) -> Result<IpNet, CliError> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| CliError::Value {
        what: "--trusted-proxy".to_owned(),
        reason: format!("an address such as 10.0.0.1 or a network such as 10.0.0.0/8, found {text:?}"),
    })
}

/// Without a slash at the end.
fn base_url(text: &str) -> Result<String, CliError> {
    let bad = |reason: &str| CliError::Value { what: "--public-url".to_owned(), reason: reason.to_owned() };
    let url = url::Url::parse(text).map_err(|_| bad("a URL such as https://rhaven.example.com is wanted"))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("http:// or https://, a host, and perhaps a path are wanted"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Scheme, host and port: other servers add the path.
fn origin(text: &str) -> Result<String, CliError> {
    let url = url::Url::parse(text).ok().filter(|url| {
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && plain && url.password().is_none()
    });
    let reason = "http:// or https://, a host and perhaps a port are wanted, such as http://10.0.0.7:7300";
    let bad = || CliError::Value { what: "--advertise".to_owned(), reason: reason.to_owned() };
    Ok(url.ok_or_else(bad)?.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: ServeArgs, file: &str, variables: &[(&str, &str)]) -> Result<Given, String> {
        let table: toml::Table = file.parse().unwrap();
        let table = ServeTable::parse(&table, Path::new("/conf")).map_err(|(reason, _)| reason)?;
        Given::of(args, &table, &Environment::of(variables, Path::new("/here"))).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let file = "listen = '0.0.0.0:1'\nmax_queued = 3\nmax_live = 2\nmax_live_per_tenant = 1\nscripts = 's'\ntrusted_proxy = ['10.0.0.0/8', '::1']";
        let variables = [("RHAVEN_SERVE_LISTEN", "0.0.0.0:2"), ("RHAVEN_SERVE_DRAIN", "5s")];
        let args = ServeArgs { listen: Some("127.0.0.1:3".parse().unwrap()), ..ServeArgs::default() };
        let all = given(args, file, &variables).unwrap();
        assert_eq!((all.listen.port(), all.max_queued, all.drain), (3, Some(3), Duration::from_secs(5)));
        assert_eq!((all.max_live, all.max_live_per_tenant), (Some(2), Some(1)));
        assert_eq!((all.scripts, all.trusted_proxies.len()), (Some(PathBuf::from("/conf/s")), 2));
        assert_eq!(given(ServeArgs::default(), file, &variables).unwrap().listen.port(), 2);
        assert_eq!(given(ServeArgs::default(), file, &[]).unwrap().listen.port(), 1);
        assert_eq!(given(ServeArgs::default(), "", &[]).unwrap().listen, default_listen());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let check = |file: &str, variables: &[(&str, &str)], wanted: &str| {
            let error = given(ServeArgs::default(), file, variables).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        };
        check("lisen = 'x'", &[], "there is no setting \"lisen\" below [serve]");
        check("listen = 'here'", &[], "serve.listen: ");
        check("", &[("RHAVEN_SERVE_MAX_BODY", "many")], "RHAVEN_SERVE_MAX_BODY: ");
        check("public_url = 'ftp://x'", &[], "--public-url: http");
        check("advertise = 'http://10.0.0.7:7300/path'", &[], "--advertise: http");
        check("advertise = '10.0.0.7:7300'", &[], "--advertise: http");
        check("allow_host = ['10.0.*']", &[], "`10.0.*` is no HOST or HOST:PORT");
        check(
            "proxy = 'socks4://u:hunter2@p.example'",
            &[],
            "--proxy: the address of the upstream proxy has another scheme",
        );
        check("trusted_proxy = 'x'", &[], "--trusted-proxy: an address");
    }
}
