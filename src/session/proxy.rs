//! The proxy of an identity: read, checked, and kept with its password where nothing is shown.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::egress::Upstream;

#[cfg(doc)]
use super::Sessions;
use super::{Identity, SecretRef, SessionError, secret_name};

/// What is written for no proxy at all.
const DIRECT: &str = "direct";
/// What a password is called that has no name of its own.
const GIVEN: &str = "proxy";

/// The proxy that sessions of an identity go out through.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IdentityProxy {
    /// `http://HOST:PORT`, `https://` or `socks5://`; `direct` for none at all.
    pub server: String,
    /// The user name that it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, by the name of a secret of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// Whether a password is kept with it that was given in its address. It is not shown again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_password: bool,
    /// That password. Not for whoever writes this down: [`whole`] is.
    #[serde(skip)]
    given: Option<Secret>,
}

impl PartialEq for IdentityProxy {
    fn eq(&self, other: &Self) -> bool {
        let given = |proxy: &Self| proxy.given.as_ref().map(|given| given.expose().to_owned());
        let shown = |proxy: &Self| (proxy.server.clone(), proxy.username.clone(), proxy.password.clone());
        shown(self) == shown(other) && given(self) == given(other)
    }
}

fn wrong(reason: &str) -> SessionError {
    SessionError::Identity(format!("proxy: {reason}"))
}

impl IdentityProxy {
    /// Reads `SCHEME://[user[:password]@]host[:port]`, or `direct`. [`SessionError::Identity`] says what is wrong, and nothing of
    /// what is in it.
    pub fn parse(address: &str) -> Result<Self, SessionError> {
        let none = Self { server: DIRECT.to_owned(), username: None, password: None, has_password: false, given: None };
        if address == DIRECT {
            return Ok(none);
        }
        let upstream = read(&Secret::new(GIVEN, address.to_owned()))?;
        let given = upstream.password().filter(|password| !password.expose().is_empty()).cloned();
        let username = upstream.user().map(str::to_owned);
        Ok(Self { server: upstream.server(), username, has_password: given.is_some(), given, ..none })
    }

    /// Its address, which has no password in it, with who we are beside it; the password by the name of a secret. The same error.
    pub fn named(server: &str, username: Option<String>, password: Option<SecretRef>) -> Result<Self, SessionError> {
        let mut proxy = Self::parse(server)?;
        if proxy.has_password {
            return Err(wrong("a password does not stand in its address here: it is given by the name of a secret"));
        }
        let is_told = username.is_some() || password.is_some();
        if proxy.is_direct() && is_told {
            return Err(wrong("\"direct\" is told no user name and no password"));
        }
        if proxy.username.is_some() && username.is_some() {
            return Err(wrong("its user name stands in its address, too: one of them"));
        }
        (proxy.username, proxy.password) = (proxy.username.or(username), password);
        proxy.checked()
    }

    /// With the password that is kept with it already: [`Sessions::set_identity`] looks for it. The same error.
    pub fn with_kept_password(self) -> Result<Self, SessionError> {
        if self.password.is_some() {
            return Err(wrong(
                "has_password is for one that was given in an address, and here is the name of a secret: one of them",
            ));
        }
        if self.username.is_none() {
            return Err(wrong("it has a password and no user name"));
        }
        Ok(Self { has_password: true, ..self })
    }

    /// Whether its password is to be found where it was kept before.
    pub(super) fn wants_kept_password(&self) -> bool {
        self.has_password && self.given.is_none()
    }

    /// With the password of `kept`, where that is the same proxy and the same user. The same error.
    pub(super) fn keeping(self, kept: Option<&Self>) -> Result<Self, SessionError> {
        let is_same = |kept: &&Self| kept.server == self.server && kept.username == self.username;
        match kept.filter(is_same).and_then(|kept| kept.given.clone()) {
            Some(given) => Ok(Self { given: Some(given), ..self }),
            None => Err(wrong(
                "has_password: no password is kept for this server and user name; give it anew, in the address of the proxy or as a secret",
            )),
        }
    }

    /// Whether there is to be none.
    pub fn is_direct(&self) -> bool {
        self.server == DIRECT
    }

    /// Checks all of it. The same error.
    pub(super) fn checked(self) -> Result<Self, SessionError> {
        if self.is_direct() {
            return Ok(self);
        }
        if let Some(password) = &self.password {
            secret_name(&password.secret)?;
        }
        if self.wants_kept_password() {
            return Err(wrong("has_password: its password is kept with an identity, and known there alone"));
        }
        let has_any = self.password.is_some() || self.given.is_some();
        match (&self.username, has_any) {
            (None, true) => Err(wrong("it has a password and no user name")),
            (Some(user), _) => {
                self.told(user, self.given.clone().unwrap_or_else(|| Secret::new(GIVEN, String::new())))?;
                Ok(self)
            }
            (None, false) => read(&Secret::new(GIVEN, self.server.clone())).map(|_| self),
        }
    }

    fn told(&self, user: &str, password: Secret) -> Result<Upstream, SessionError> {
        let upstream = read(&Secret::new(GIVEN, self.server.clone()))?;
        upstream.known_as(user, password).map_err(|error| wrong(&error.to_string()))
    }

    /// The secret of the vault that its password is.
    pub(super) fn secret(&self) -> Option<&str> {
        self.password.as_ref().map(|password| password.secret.as_str())
    }

    /// What it is to the way out, with the password that the vault has for it; none where there is to be no proxy. The same error.
    pub(super) fn upstream(&self, password: Option<Secret>) -> Result<Option<Upstream>, SessionError> {
        if self.is_direct() {
            return Ok(None);
        }
        match &self.username {
            Some(user) => {
                let password = password.or_else(|| self.given.clone());
                self.told(user, password.unwrap_or_else(|| Secret::new(GIVEN, String::new()))).map(Some)
            }
            None => read(&Secret::new(GIVEN, self.server.clone())).map(Some),
        }
    }
}

fn read(address: &Secret) -> Result<Upstream, SessionError> {
    Upstream::parse(address).map_err(|error| wrong(&error.to_string()))
}

/// An identity as it is sealed: with the password of its proxy, which it has nowhere else.
pub(super) mod whole {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, GIVEN, Identity, Secret, Serialize, Zeroizing};

    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(flatten)]
        identity: &'a Identity,
        #[serde(skip_serializing_if = "Option::is_none")]
        proxy_password: Option<&'a str>,
    }

    #[derive(Deserialize)]
    struct Read {
        #[serde(flatten)]
        identity: Identity,
        #[serde(default)]
        proxy_password: Option<Zeroizing<String>>,
    }

    pub fn serialize<S: Serializer>(identity: &Identity, out: S) -> Result<S::Ok, S::Error> {
        let given = identity.proxy.as_ref().and_then(|proxy| proxy.given.as_ref());
        Written { identity, proxy_password: given.map(Secret::expose) }.serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Identity, D::Error> {
        let Read { mut identity, proxy_password } = Read::deserialize(input)?;
        if let (Some(proxy), Some(password)) = (&mut identity.proxy, proxy_password) {
            proxy.given = Some(Secret::new(GIVEN, password.to_string()));
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Stored(#[serde(with = "whole")] Identity);

    #[test]
    fn its_password_is_kept_and_not_shown() {
        let proxy = IdentityProxy::parse("http://me:hunter2@Proxy.example:3128").unwrap();
        let identity = Identity { proxy: Some(proxy), locale: Some("de".into()), ..Identity::default() };
        let shown = serde_json::to_value(&identity).unwrap();
        let wanted = serde_json::json!({"server": "http://proxy.example:3128", "username": "me", "has_password": true});
        assert_eq!(shown["proxy"], wanted);
        assert!(!format!("{shown} {identity:?}").contains("hunter2"));
        let stored = serde_json::to_string(&Stored(identity.clone())).unwrap();
        let Stored(read) = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, identity);
        let upstream = read.proxy.unwrap().upstream(None).unwrap().unwrap();
        assert_eq!(upstream.password().unwrap().expose(), "hunter2");
        // What was stored before there were proxies.
        let Stored(before) = serde_json::from_str("{\"locale\": \"de\"}").unwrap();
        assert_eq!(before, Identity { locale: Some("de".into()), ..Identity::default() });
    }

    #[test]
    fn what_cannot_be_is_told_without_what_is_in_it() {
        let secret = || Some(SecretRef { secret: "P".to_owned() });
        let named = |server: &str, user: Option<&str>, password| {
            IdentityProxy::named(server, user.map(str::to_owned), password)
        };
        assert!(named("socks5://p.example", Some("me"), secret()).is_ok());
        assert!(named("http://me@p.example", None, secret()).is_ok());
        for error in [
            named("http://me:hunter2@p.example", None, None),
            named("http://p.example", None, secret()),
            named("http://me@p.example", Some("you"), secret()),
            named("socks5://p.example", Some(""), secret()),
            named("direct", Some("me"), secret()),
            named("p.example:3128", None, None),
        ] {
            let error = error.unwrap_err();
            assert!(error.code() == "invalid_argument" && !error.to_string().contains("hunter2"), "{error}");
        }
        assert!(IdentityProxy::parse("direct").unwrap().upstream(None).unwrap().is_none());
    }
}
