//! `redis://USER:PASSWORD@HOST:PORT/DATABASE`, and `rediss://` for TLS.

use std::fmt;

use url::Url;

use crate::base::Secret;

use super::{LocationError, decoded};

/// The port where none is said.
const PORT: u16 = 6379;
/// How one is written, for messages.
const FORM: &str = "redis://USER:PASSWORD@HOST:PORT/NUMBER is wanted (rediss:// for TLS; all but HOST may be left out)";

/// Where a Redis server is, and as whom to speak to it.
#[derive(Clone)]
pub struct RedisUrl {
    /// Whether the connection is TLS.
    pub tls: bool,
    /// A name or an address; one of IPv6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// As whom, where somebody was named; else Redis' `default`.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u16,
}

impl RedisUrl {
    /// Reads one that begins with `redis:` or `rediss:`.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let wrong = |reason: &str| LocationError::new(format!("{FORM}; {reason}"));
        // The error of the parser repeats nothing of what it read.
        let url = Url::parse(text).map_err(|error| wrong(&format!("what was given cannot be read: {error}")))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("there is no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing may follow the database (a ?, # or @ in a password is written %3F, %23, %40)"));
        }
        let part = |text: &str| decoded(text).ok_or_else(|| wrong("user and password have to be text (UTF-8)"));
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| wrong("the database is a number from 0"))?,
        };
        Ok(Self {
            tls: url.scheme() == "rediss",
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(PORT),
            user: Some(part(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(|text| Ok(Secret::new("the password of Redis", part(text)?))).transpose()?,
            database,
        })
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        let password = |url: &Self| url.password.as_ref().map(|secret| secret.expose().to_owned());
        (self.tls, &self.host, self.port, &self.user, self.database)
            == (other.tls, &other.host, other.port, &other.user, other.database)
            && password(self) == password(other)
    }
}

impl Eq for RedisUrl {}

/// Without the password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss://" } else { "redis://" })?;
        match (&self.user, &self.password) {
            (None, None) => {}
            (user, password) => {
                let mark = if password.is_some() { ":***" } else { "" };
                write!(f, "{}{mark}@", user.as_deref().unwrap_or_default())?;
            }
        }
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)?;
        if self.database > 0 { write!(f, "/{}", self.database) } else { Ok(()) }
    }
}

/// Without the password, as it is displayed.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_the_password_is_not_shown() {
        let url = RedisUrl::parse("rediss://ann:hunter2%40%2F@example.com:6380/3").unwrap();
        assert!(url.tls);
        assert_eq!((url.host.as_str(), url.port, url.database), ("example.com", 6380, 3));
        assert_eq!(url.user.as_deref(), Some("ann"));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("hunter2@/"));
        assert_eq!(url.to_string(), "rediss://ann:***@example.com:6380/3");
        assert_eq!(format!("{url:?}"), "RedisUrl(rediss://ann:***@example.com:6380/3)");
        let url = RedisUrl::parse("redis://:hunter2@[::1]").unwrap();
        assert_eq!((url.user.as_deref(), url.host.as_str()), (None, "::1"));
        assert_eq!(url.to_string(), "redis://:***@[::1]:6379");
        assert_eq!(RedisUrl::parse("redis://h").unwrap().to_string(), "redis://h:6379");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let refused = |text: &str, part: &str| {
            let error = RedisUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error:?} has no {part:?}");
        };
        refused("redis:", "there is no host");
        refused("redis:///3", "there is no host");
        refused("redis://u:hunter2@h:port", "cannot be read");
        refused("redis://u:hunter2@h/main", "the database is a number");
        refused("redis://u:hunter2@h/0?x=1", "nothing may follow");
        refused("redis://u:hunter2#x@h/0", "is wanted");
    }
}
