//! What an identity gives sites beyond what a browser tells by itself: request headers, and credentials of HTTP for one site; and the
//! vault's secrets by other names. Checked here, before a browser is needed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::page::Credentials;

use super::kept::Kept;
use super::{Identity, Session, SessionError, Workspace, secret_name};

/// How many headers or names there may be.
const MOST: usize = 64;
/// The longest value of a header, and the longest user name, in bytes.
const LONGEST: usize = 4_096;
/// Headers that belong to the connection, to the browser, or to what a session keeps. One that signs in would go to every site.
const NOT_GIVEN: [&str; 13] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A secret of the tenant's vault, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretRef {
    /// The name.
    pub secret: String,
}

/// User name and password, as HTTP asks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HttpCredentials {
    /// The site: scheme, host and port. None: each site that a tab comes to, also by links, redirects, scripts and as a popup,
    /// but nothing that pages have in them from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretRef,
}

fn bad<T>(message: String) -> Result<T, SessionError> {
    Err(SessionError::Identity(message))
}

/// Headers that go with every request, to every site.
pub fn headers(given: &BTreeMap<String, String>) -> Result<(), SessionError> {
    if given.len() > MOST {
        return bad(format!("extra_http_headers has at most {MOST} headers, found {}", given.len()));
    }
    for (name, value) in given {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(token) {
            return bad(format!("{name:?} is not the name of a header"));
        }
        let lower = name.to_ascii_lowercase();
        if NOT_GIVEN.contains(&&*lower) || lower.starts_with("sec-") {
            let way = match &*lower {
                "authorization" => "; it would go to every site: http_credentials are for one",
                "cookie" => "; cookies are the session's",
                _ => "",
            };
            return bad(format!("the header {name:?} cannot be given{way}"));
        }
        if value.len() > LONGEST || !value.chars().all(|c| matches!(c, ' '..='~')) {
            // Not what it is: it may be worth something.
            return bad(format!(
                "the value of the header {name:?} is to be at most {LONGEST} printable ASCII characters"
            ));
        }
    }
    Ok(())
}

/// Credentials, their origin as it is usually written.
pub fn credentials(given: &HttpCredentials) -> Result<HttpCredentials, SessionError> {
    let HttpCredentials { origin, username, password } = given;
    if username.len() > LONGEST || username.chars().any(|c| c.is_control() || c == ':') {
        return bad("http_credentials: a user name has no colon and no control characters".to_owned());
    }
    secret_name(&password.secret)?;
    let Some(origin) = origin else { return Ok(given.clone()) };
    let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let plain = url.filter(|url| {
        let nothing_more = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        nothing_more && url.username().is_empty() && url.password().is_none()
    });
    let Some(url) = plain else {
        return bad(format!(
            "http_credentials: an origin such as \"https://shop.example\" is wanted, found {origin:?}"
        ));
    };
    Ok(HttpCredentials { origin: Some(url.origin().ascii_serialization()), ..given.clone() })
}

/// Names that stand for secrets of the vault.
pub fn secrets(given: &BTreeMap<String, String>) -> Result<(), SessionError> {
    if given.len() > MOST {
        return bad(format!("secrets has at most {MOST} names, found {}", given.len()));
    }
    given.iter().flat_map(|(name, of)| [name, of]).try_for_each(|name| secret_name(name).map(drop))
}

impl Session {
    /// What its pages answer the site with that it has credentials for. [`SessionError::NoSecret`] where the vault has no such
    /// password.
    pub(super) async fn credentials(&self, kept: &Kept) -> Result<Option<Credentials>, SessionError> {
        let Some(wanted) = kept.identity().whole().http_credentials else { return Ok(None) };
        let HttpCredentials { origin, username, password: SecretRef { secret: name } } = wanted;
        let found = kept.sessions.secret(&kept.tenant, &name).await?;
        let password = found.ok_or(SessionError::NoSecret(name))?;
        Ok(Some(Credentials { origin, username, password }))
    }
}

impl Workspace {
    /// What an identity answers the site with that it has credentials for. The same error.
    pub(super) async fn credentials(&self, identity: &Identity) -> Result<Option<Credentials>, SessionError> {
        let Some(wanted) = identity.http_credentials.clone() else { return Ok(None) };
        let HttpCredentials { origin, username, password } = wanted;
        let password = self.password(&password.secret).await?;
        Ok(Some(Credentials { origin, username, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Result<(), SessionError> {
        headers(&[(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn headers_that_are_not_the_users_are_refused() {
        assert!(header("X-Client", "shop 7").is_ok() && header("accept", "text/html").is_ok());
        for name in ["", "a b", "a:b", "Cookie", "HOST", "Sec-Fetch-Mode", "content-length"] {
            assert!(header(name, "x").is_err(), "{name:?}");
        }
        let refused = header("Authorization", "Bearer x").unwrap_err().to_string();
        assert!(refused.contains("http_credentials") && !refused.contains("Bearer x"), "{refused}");
        assert!(header("X-Client", "a\r\nHost: b").is_err() && header("X-Client", "ž").is_err());
    }

    #[test]
    fn credentials_are_for_one_origin_where_one_is_given() {
        let given = |origin: &str| {
            let password = SecretRef { secret: "SHOP".to_owned() };
            credentials(&HttpCredentials { origin: Some(origin.to_owned()), username: "me".to_owned(), password })
        };
        assert_eq!(given("HTTPS://Shop.example:443/").unwrap().origin.unwrap(), "https://shop.example");
        assert_eq!(given("http://[::1]:80").unwrap().origin.unwrap(), "http://[::1]");
        for origin in ["shop.example", "https://shop.example/path", "ftp://a", "https://a@b", "https://a/?q", "*"] {
            assert!(given(origin).is_err(), "{origin}");
        }
    }
}
