//! What a browser tells sites, as scripts write it: the options of `session(..)` that make an identity, and the maps in them. The
//! same rules serve a running call and the check before the run.

use std::collections::BTreeMap;

use rhai::{Dynamic, INT, Map};

use crate::session::{
    Geolocation, HttpCredentials, Identity, IdentityProxy, SecretRef, Viewport, identity, identity_name,
};

use super::ScriptError;
use super::kind::{self, Kind, found};
use super::options::{Options, misfit, unknown};
use super::table::OptionDoc;

/// The kinds of values that an identity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// A user agent.
    UserAgent,
    /// A language tag.
    Locale,
    /// The name of a time zone.
    Timezone,
    /// `#{ width, height }`.
    Viewport,
    /// The name of a well-known device.
    Device,
    /// `#{ latitude, longitude, accuracy }`.
    Geolocation,
    /// Header names with their values.
    Headers,
    /// `#{ origin, username, password: #{ secret } }`.
    Credentials,
    /// The address of a proxy, or `#{ server, username, password: #{ secret } }`.
    Proxy,
    /// The name of an identity, or a map of the others.
    Identity,
}

/// The name that stands for what the browser has by itself.
pub const BROWSER: &str = "browser";

const WIDTH: OptionDoc = OptionDoc { name: "width", kind: Kind::Any, default: "", doc: "" };
const SIZE: [OptionDoc; 2] = [WIDTH, OptionDoc { name: "height", ..WIDTH }];
const PLACE: [OptionDoc; 3] = [
    OptionDoc { name: "latitude", ..WIDTH },
    OptionDoc { name: "longitude", ..WIDTH },
    OptionDoc { name: "accuracy", ..WIDTH },
];

const SIGN_IN: [OptionDoc; 3] = [
    OptionDoc { name: "origin", ..WIDTH },
    OptionDoc { name: "username", ..WIDTH },
    OptionDoc { name: "password", ..WIDTH },
];
const THROUGH: [OptionDoc; 3] = [
    OptionDoc { name: "server", ..WIDTH },
    OptionDoc { name: "username", ..WIDTH },
    OptionDoc { name: "password", ..WIDTH },
];
const SECRET: [OptionDoc; 1] = [OptionDoc { name: "secret", ..WIDTH }];

/// The option `color_scheme`.
pub const COLOR_SCHEME: OptionDoc = OptionDoc {
    name: "color_scheme",
    kind: Kind::OneOf(&identity::COLOR_SCHEMES),
    default: "\"light\"",
    doc: "What prefers-color-scheme answers.",
};

/// The option `reduced_motion`.
pub const REDUCED_MOTION: OptionDoc = OptionDoc {
    name: "reduced_motion",
    kind: Kind::OneOf(&identity::REDUCED_MOTIONS),
    default: "\"no-preference\"",
    doc: "What prefers-reduced-motion answers.",
};

/// The options that make an identity.
pub const OPTIONS: [OptionDoc; 11] = [
    OptionDoc {
        name: "device",
        kind: Kind::Trait(Trait::Device),
        default: "none",
        doc: "A well-known device such as \"iPhone 15\" or \"Pixel 7\": its user agent, viewport, scale and touch. `rhaven identity \
              devices` lists them.",
    },
    OptionDoc {
        name: "user_agent",
        kind: Kind::Trait(Trait::UserAgent),
        default: "the browser's own",
        doc: "The user agent; client hints and navigator.platform follow from it.",
    },
    OptionDoc {
        name: "locale",
        kind: Kind::Trait(Trait::Locale),
        default: "the browser's own",
        doc: "Such as \"de-DE\": Accept-Language, navigator.languages and Intl.",
    },
    OptionDoc {
        name: "timezone",
        kind: Kind::Trait(Trait::Timezone),
        default: "that of the machine",
        doc: "Such as \"Europe/Berlin\".",
    },
    OptionDoc {
        name: "viewport",
        kind: Kind::Trait(Trait::Viewport),
        default: "#{ width: 1280, height: 720 }, or the window's",
        doc: "The size of the page in CSS pixels.",
    },
    COLOR_SCHEME,
    REDUCED_MOTION,
    OptionDoc {
        name: "geolocation",
        kind: Kind::Trait(Trait::Geolocation),
        default: "none",
        doc: "Where the browser says that it is, `#{ latitude: 52.5, longitude: 13.4 }`; sites that ask for it are let.",
    },
    OptionDoc {
        name: "extra_http_headers",
        kind: Kind::Trait(Trait::Headers),
        default: "none",
        doc: "Headers that go with every request of its pages, `#{ \"X-Client\": \"shop\" }`; to every site, so no secrets.",
    },
    OptionDoc {
        name: "http_credentials",
        kind: Kind::Trait(Trait::Credentials),
        default: "none",
        doc: "What one site is answered with that asks for a user name and a password by HTTP: `#{ origin: \"https://shop.example\", \
              username: \"me\", password: #{ secret: \"SHOP\" } }`; the secret is one of the vault. No other site gets them. Without an \
              origin the site that the tab is taken to by address.",
    },
    OptionDoc {
        name: "proxy",
        kind: Kind::Trait(Trait::Proxy),
        default: "none",
        doc: "The proxy that its pages go out through: `\"http://proxy.example:3128\"`, also `https` and `socks5`, or `#{ server: \"..\", \
              username: \"me\", password: #{ secret: \"PROXY\" } }`; `\"direct\"` for none.",
    },
];

impl Trait {
    /// In words, for messages.
    pub fn wanted(self) -> &'static str {
        match self {
            Self::UserAgent => "a user agent (text)",
            Self::Locale => "a locale such as \"de-DE\"",
            Self::Timezone => "a time zone such as \"Europe/Berlin\"",
            Self::Viewport => "a size such as #{ width: 1280, height: 720 }",
            Self::Device => "the name of a device such as \"iPhone 15\"",
            Self::Geolocation => "a place such as #{ latitude: 52.5, longitude: 13.4 }",
            Self::Headers => "headers such as #{ \"X-Client\": \"shop\" }",
            Self::Credentials => {
                "credentials such as #{ origin: \"https://shop.example\", username: \"me\", password: #{ secret: \"SHOP\" } }"
            }
            Self::Proxy => {
                "a proxy such as \"http://proxy.example:3128\" or #{ server: \"socks5://proxy.example:1080\", username: \"me\", password: \
                 #{ secret: \"PROXY\" } }"
            }
            Self::Identity => "the name of an identity, \"browser\", or a map such as #{ device: \"iPhone 15\" }",
        }
    }

    /// Whether the type fits.
    pub fn takes(self, value: &Dynamic) -> bool {
        match self {
            Self::Viewport | Self::Geolocation | Self::Headers | Self::Credentials => value.is_map(),
            Self::Identity | Self::Proxy => value.is_map() || value.is_string(),
            Self::UserAgent | Self::Locale | Self::Timezone | Self::Device => value.is_string(),
        }
    }

    /// Why a value of the right type does not fit, if it does not.
    pub fn fault(self, value: &Dynamic) -> Option<ScriptError> {
        let text = kind::text(value);
        let checked = match self {
            Self::UserAgent => identity::user_agent(&text),
            Self::Locale => identity::locale(&text).map(drop),
            Self::Timezone => identity::timezone(&text).map(drop),
            Self::Device => identity::device(&text).map(drop),
            Self::Viewport => return size(value).err(),
            Self::Geolocation => return place(value).err(),
            Self::Headers => return headers(value).err(),
            Self::Credentials => return credentials(value).err(),
            Self::Proxy => return proxy(value).err(),
            Self::Identity if value.is_map() => return whole(value).err(),
            Self::Identity if text == BROWSER => Ok(()),
            Self::Identity => identity_name(&text).map(drop),
        };
        checked.err().map(ScriptError::from)
    }
}

/// `#{ width, height }`, checked.
pub fn size(value: &Dynamic) -> Result<Viewport, ScriptError> {
    let map = known_map(value, Trait::Viewport, &SIZE)?;
    let side = |name: &str| match map.get(name).map(Dynamic::as_int) {
        Some(Ok(side)) => Ok(side),
        _ => Err(misfit_in(Trait::Viewport, name, map.get(name))),
    };
    Ok(identity::viewport(side("width")?, side("height")?)?)
}

/// `#{ latitude, longitude, accuracy }`, checked.
pub fn place(value: &Dynamic) -> Result<Geolocation, ScriptError> {
    let map = known_map(value, Trait::Geolocation, &PLACE)?;
    let degrees =
        |name: &str| map.get(name).and_then(number).ok_or_else(|| misfit_in(Trait::Geolocation, name, map.get(name)));
    let accuracy = if map.contains_key("accuracy") { degrees("accuracy")? } else { 0.0 };
    let place = Geolocation { latitude: degrees("latitude")?, longitude: degrees("longitude")?, accuracy };
    identity::geolocation(&place)?;
    Ok(place)
}

/// Headers, checked.
fn headers(value: &Dynamic) -> Result<BTreeMap<String, String>, ScriptError> {
    let headers = texts(value, Trait::Headers)?;
    identity::headers(&headers)?;
    Ok(headers)
}

/// A map of texts. What is none is not told: it may be worth something.
fn texts(value: &Dynamic, wanted: Trait) -> Result<BTreeMap<String, String>, ScriptError> {
    let map = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
    let text = |(name, value): (String, Dynamic)| match value.into_immutable_string() {
        Ok(text) => Ok((name, text.to_string())),
        Err(kind) => Err(invalid(format!("wanted {}, found {kind} in it", wanted.wanted()))),
    };
    map.into_iter().map(|(name, value)| (name.to_string(), value)).map(text).collect()
}

/// A text in a map, where it is there.
fn text(map: &Map, name: &str, wanted: Trait) -> Result<Option<String>, ScriptError> {
    match map.get(name).map(|value| value.clone().into_immutable_string()) {
        Some(Ok(text)) => Ok(Some(text.to_string())),
        Some(Err(kind)) => Err(invalid(format!("wanted {}, found {kind} as {name}", wanted.wanted()))),
        None => Ok(None),
    }
}

/// `#{ secret: NAME }`. What else there is is not told: it may be the password.
fn named_secret(value: &Dynamic, wanted: Trait) -> Result<SecretRef, ScriptError> {
    let name = if value.is_map() { text(&known_map(value, wanted, &SECRET)?, "secret", wanted)? } else { None };
    let wanted = wanted.wanted();
    let secret =
        name.ok_or_else(|| invalid(format!("wanted {wanted}: the password is the name of a secret of the vault")))?;
    Ok(SecretRef { secret })
}

/// `#{ origin, username, password: #{ secret } }`, checked.
fn credentials(value: &Dynamic) -> Result<HttpCredentials, ScriptError> {
    let wanted = Trait::Credentials;
    let map = known_map(value, wanted, &SIGN_IN)?;
    let password = named_secret(map.get("password").unwrap_or(&Dynamic::UNIT), wanted)?;
    let without = || invalid(format!("wanted {}, found one without username", wanted.wanted()));
    let username = text(&map, "username", wanted)?.ok_or_else(without)?;
    Ok(identity::credentials(&HttpCredentials { origin: text(&map, "origin", wanted)?, username, password })?)
}

/// The address of a proxy, or `#{ server, username, password: #{ secret } }`, checked. No password in clear: it would stand in the
/// script.
fn proxy(value: &Dynamic) -> Result<IdentityProxy, ScriptError> {
    let wanted = Trait::Proxy;
    if !value.is_map() {
        return Ok(IdentityProxy::named(&kind::text(value), None, None)?);
    }
    let map = known_map(value, wanted, &THROUGH)?;
    let without = || invalid(format!("wanted {}, found one without server", wanted.wanted()));
    let server = text(&map, "server", wanted)?.ok_or_else(without)?;
    let password = map.get("password").map(|password| named_secret(password, wanted)).transpose()?;
    Ok(IdentityProxy::named(&server, text(&map, "username", wanted)?, password)?)
}

/// A map of the options above, checked.
pub fn whole(value: &Dynamic) -> Result<Identity, ScriptError> {
    let map = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
    of(&Options::new(map, "identity", &OPTIONS)?)
}

/// What checked options ask for.
pub fn of(options: &Options) -> Result<Identity, ScriptError> {
    let identity = Identity {
        device: options.text("device"),
        user_agent: options.text("user_agent"),
        locale: options.text("locale"),
        timezone: options.text("timezone"),
        viewport: options.value("viewport").map(size).transpose()?,
        color_scheme: options.text("color_scheme"),
        reduced_motion: options.text("reduced_motion"),
        geolocation: options.value("geolocation").map(place).transpose()?,
        extra_http_headers: options.value("extra_http_headers").map(headers).transpose()?,
        http_credentials: options.value("http_credentials").map(credentials).transpose()?,
        proxy: options.value("proxy").map(proxy).transpose()?,
        ..Identity::default()
    };
    Ok(identity.checked()?)
}

/// What the option `identity` is.
pub enum Given {
    /// Nothing, or what is written out.
    Map(Box<Identity>),
    /// One that is kept by this name.
    Named(String),
    /// What the browser has by itself.
    Browser,
}

/// The option `identity` of checked options.
pub fn given(options: &Options) -> Result<Given, ScriptError> {
    match options.value("identity") {
        Some(value) if value.is_map() => whole(value).map(|identity| Given::Map(Box::new(identity))),
        Some(value) if kind::text(value) == BROWSER => Ok(Given::Browser),
        Some(value) => Ok(Given::Named(kind::text(value))),
        None => Ok(Given::Map(Box::default())),
    }
}

fn known_map(value: &Dynamic, wanted: Trait, known: &[OptionDoc]) -> Result<Map, ScriptError> {
    let map = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
    match map.keys().find(|name| known.iter().all(|option| option.name != name.as_str())) {
        Some(name) => {
            let parts = unknown(name, "it", known).into_parts();
            Err(invalid(format!("wanted {}, found {name:?} in it", wanted.wanted()))
                .with_hint(parts.hint.unwrap_or_default()))
        }
        None => Ok(map),
    }
}

fn misfit_in(wanted: Trait, name: &str, value: Option<&Dynamic>) -> ScriptError {
    let wanted = wanted.wanted();
    match value {
        Some(value) => misfit(name, &format!("wanted {wanted}"), &invalid(format!("found {}", found(value)))),
        None => invalid(format!("wanted {wanted}, found one without {name}")),
    }
}

fn invalid(message: String) -> ScriptError {
    ScriptError::new("invalid_argument", message)
}

fn number(value: &Dynamic) -> Option<f64> {
    // Degrees and metres are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    value.as_float().or_else(|_| value.as_int().map(|whole: INT| whole as f64)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: Trait, script: &str) -> String {
        let value: Dynamic = rhai::Engine::new().eval(script).unwrap();
        assert!(kind.takes(&value), "{script}");
        kind.fault(&value).map(|error| error.parts().message.clone()).unwrap_or_default()
    }

    #[test]
    fn what_fits_has_no_fault() {
        for (kind, script) in [
            (Trait::Viewport, "#{ width: 800, height: 600 }"),
            (Trait::Geolocation, "#{ latitude: 52, longitude: 13.4, accuracy: 10 }"),
            (Trait::Identity, "#{ device: \"pixel 7\", locale: \"de\", viewport: #{ width: 400, height: 900 } }"),
            (Trait::Identity, "\"work-phone\""),
            (Trait::Identity, "\"browser\""),
            (Trait::Headers, "#{ \"X-Client\": \"shop\" }"),
            (Trait::Proxy, "\"socks5://proxy.example\""),
            (Trait::Proxy, "\"direct\""),
            (Trait::Proxy, "#{ server: \"https://p.example\", username: \"me\", password: #{ secret: \"P\" } }"),
            (Trait::Credentials, "#{ username: \"me\", password: #{ secret: \"SHOP\" } }"),
            (
                Trait::Credentials,
                "#{ origin: \"https://shop.example\", username: \"me\", password: #{ secret: \"SHOP\" } }",
            ),
        ] {
            assert_eq!(fault(kind, script), "", "{script}");
        }
    }

    #[test]
    fn a_fault_says_what_was_wanted() {
        let size = "wanted a size such as #{ width: 1280, height: 720 }, found";
        assert_eq!(fault(Trait::Viewport, "#{ width: 800 }"), format!("{size} one without height"));
        assert_eq!(fault(Trait::Viewport, "#{ width: 1, height: 1, depth: 2 }"), format!("{size} \"depth\" in it"));
        assert!(fault(Trait::Viewport, "#{ width: 8, height: 600 }").contains("found 8 x 600"));
        assert!(fault(Trait::Geolocation, "#{ latitude: 95, longitude: 0 }").contains("-90 to 90"));
        assert!(fault(Trait::Device, "\"Pixel 77\"").contains("did you mean \"Pixel 7\"?"));
        assert!(fault(Trait::Identity, "#{ locale: \"de_DE\" }").contains("did you mean \"de-DE\"?"));
        assert!(fault(Trait::Headers, "#{ \"X-Client\": 7 }").contains("found i64 in it"));
        let inline = "#{ origin: \"https://shop.example\", username: \"me\", password: \"swordfish\" }";
        let told = fault(Trait::Credentials, inline);
        assert!(told.contains("the name of a secret of the vault") && !told.contains("swordfish"), "{told}");
        assert!(fault(Trait::Credentials, "#{ username: \"me\" }").contains("the name of a secret of the vault"));
        for inline in [
            "\"http://me:swordfish@proxy.example\"",
            "#{ server: \"http://proxy.example\", username: \"me\", password: \"swordfish\" }",
        ] {
            let told = fault(Trait::Proxy, inline);
            assert!(told.contains("secret") && !told.contains("swordfish"), "{told}");
        }
        assert!(fault(Trait::Proxy, "\"proxy.example:3128\"").contains("http://user:password@proxy.example:3128"));
        assert!(fault(Trait::Proxy, "#{ username: \"me\" }").contains("without server"));
        assert!(fault(Trait::Identity, "#{ devise: \"Pixel 7\" }").contains("identity has no option \"devise\""));
    }
}
