//! What a browser tells sites of itself and where it is: asked for by the user, or what the browser had by itself. Checked here,
//! before a browser is needed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::devices::{self, Device};
use super::sent::{self, HttpCredentials};
use super::{Geolocation, IdentityProxy, SessionError};
use crate::base::closest;

/// What `color_scheme` may be.
pub const COLOR_SCHEMES: [&str; 3] = ["light", "dark", "no-preference"];
/// What `reduced_motion` may be.
pub const REDUCED_MOTIONS: [&str; 2] = ["reduce", "no-preference"];
/// The least and the most that a viewport is wide or high, in CSS pixels.
const SIDES: std::ops::RangeInclusive<u32> = 50..=10_000;
/// The longest user agent, in bytes.
const LONGEST_AGENT: usize = 1_000;

/// What a browser tells sites. What is none is left to the browser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Identity {
    /// The well-known device that user agent, viewport, scale and touch were taken from, where they do not stand here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `navigator.userAgent` and the header; the client hints follow from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// A BCP 47 tag such as `de-DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// `navigator.languages`, which `Accept-Language` follows from; none for those that go with the locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    /// The IANA name of a time zone such as `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The viewport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewport: Option<Viewport>,
    /// Pixels per CSS pixel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Whether pages are laid out as on a phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile: Option<bool>,
    /// Whether it is touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touch: Option<bool>,
    /// `prefers-color-scheme`, one of [`COLOR_SCHEMES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_scheme: Option<String>,
    /// `prefers-reduced-motion`, one of [`REDUCED_MOTIONS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduced_motion: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geolocation: Option<Geolocation>,
    /// Headers that go with every request, to every site: no secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_http_headers: Option<BTreeMap<String, String>>,
    /// What a site is answered with that asks for user name and password by HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_credentials: Option<HttpCredentials>,
    /// The proxy that its sessions go out through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<IdentityProxy>,
    /// Names that `secret(..)` of a script knows besides, each with the name of the vault's secret that it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeMap<String, String>>,
    /// Chromium's whole version, for the client hints, where a browser told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The size of a viewport in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Viewport {
    /// How wide.
    pub width: u32,
    /// How high.
    pub height: u32,
}

impl Identity {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and what they leave open as in `base`.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        // Languages that went with another locale go with it.
        let languages = if self.locale.is_some() { None } else { base.languages.clone() };
        // Another device is another one in all that makes it up.
        let plain = base.without_device();
        let base = if self.device.is_some() && self.device != base.device { &plain } else { base };
        Self {
            device: self.device.or_else(|| base.device.clone()),
            user_agent: self.user_agent.or_else(|| base.user_agent.clone()),
            locale: self.locale.or_else(|| base.locale.clone()),
            languages: self.languages.or(languages),
            timezone: self.timezone.or_else(|| base.timezone.clone()),
            viewport: self.viewport.or(base.viewport),
            scale: self.scale.or(base.scale),
            mobile: self.mobile.or(base.mobile),
            touch: self.touch.or(base.touch),
            color_scheme: self.color_scheme.or_else(|| base.color_scheme.clone()),
            reduced_motion: self.reduced_motion.or_else(|| base.reduced_motion.clone()),
            geolocation: self.geolocation.or(base.geolocation),
            extra_http_headers: self.extra_http_headers.or_else(|| base.extra_http_headers.clone()),
            http_credentials: self.http_credentials.or_else(|| base.http_credentials.clone()),
            proxy: self.proxy.or_else(|| base.proxy.clone()),
            secrets: self.secrets.or_else(|| base.secrets.clone()),
            version: self.version.or_else(|| base.version.clone()),
        }
    }

    /// The secrets of the vault that it names.
    pub fn secrets_named(&self) -> BTreeSet<String> {
        let password = self.http_credentials.as_ref().map(|own| &own.password);
        let proxy = self.proxy.as_ref().and_then(|proxy| proxy.password.as_ref());
        let passwords = password.into_iter().chain(proxy).map(|password| password.secret.clone());
        passwords.chain(self.secrets.iter().flat_map(|secrets| secrets.values().cloned())).collect()
    }

    /// Without what a device gives.
    fn without_device(&self) -> Self {
        let none = Self::default();
        Self {
            device: None,
            user_agent: none.user_agent,
            viewport: none.viewport,
            scale: none.scale,
            mobile: none.mobile,
            touch: none.touch,
            ..self.clone()
        }
    }

    /// With what its device gives written out, for a Chromium of this major version.
    #[must_use]
    pub(super) fn written_out(self, chrome: &str) -> Self {
        match self.device.as_deref().and_then(|name| devices::find(name).ok()) {
            Some(device) => {
                let known = device.identity(chrome);
                Self { device: known.device.clone(), ..self }.over(&known)
            }
            None => self,
        }
    }

    /// Its languages: those that are written out, or those that go with its locale.
    pub fn all_languages(&self) -> Option<Vec<String>> {
        self.languages.clone().or_else(|| self.locale.as_deref().map(languages))
    }

    /// Checks all of it, and writes names as they are usually written. [`SessionError::Identity`] says what is wrong.
    pub fn checked(self) -> Result<Self, SessionError> {
        let device = self.device.as_deref().map(device).transpose()?;
        if let Some(agent) = &self.user_agent {
            user_agent(agent)?;
        }
        if let Some(size) = self.viewport {
            viewport(size.width.into(), size.height.into())?;
        }
        if let Some(place) = &self.geolocation {
            geolocation(place)?;
        }
        self.extra_http_headers.iter().try_for_each(sent::headers)?;
        self.secrets.iter().try_for_each(sent::secrets)?;
        let http_credentials = self.http_credentials.as_ref().map(sent::credentials).transpose()?;
        let proxy = self.proxy.clone().map(IdentityProxy::checked).transpose()?;
        word("color_scheme", self.color_scheme.as_deref(), &COLOR_SCHEMES)?;
        word("reduced_motion", self.reduced_motion.as_deref(), &REDUCED_MOTIONS)?;
        Ok(Self {
            device: device.map(|device| device.name.to_owned()),
            locale: self.locale.as_deref().map(locale).transpose()?,
            timezone: self.timezone.as_deref().map(timezone).transpose()?,
            http_credentials,
            proxy,
            ..self
        })
    }
}

fn bad<T>(message: String) -> Result<T, SessionError> {
    Err(SessionError::Identity(message))
}

/// The device by that name.
pub fn device(name: &str) -> Result<&'static Device, SessionError> {
    devices::find(name)
}

/// Whether this can be a user agent.
pub fn user_agent(text: &str) -> Result<(), SessionError> {
    if text.trim().is_empty() || text.len() > LONGEST_AGENT || !text.chars().all(|c| matches!(c, ' '..='~')) {
        return bad(format!("a user agent is 1 to {LONGEST_AGENT} printable ASCII characters, found {text:?}"));
    }
    Ok(())
}

/// A size in CSS pixels.
pub fn viewport(width: i64, height: i64) -> Result<Viewport, SessionError> {
    let side = |side: i64| u32::try_from(side).ok().filter(|side| SIDES.contains(side));
    let Some((width, height)) = side(width).zip(side(height)) else {
        let (least, most) = (SIDES.start(), SIDES.end());
        return bad(format!("a viewport is {least} to {most} pixels wide and high, found {width} x {height}"));
    };
    Ok(Viewport { width, height })
}

pub use sent::{credentials, headers, secrets};

/// Whether this place is on earth.
pub fn geolocation(place: &Geolocation) -> Result<(), SessionError> {
    let Geolocation { latitude, longitude, accuracy } = *place;
    if !(-90.0..=90.0).contains(&latitude) {
        return bad(format!("a latitude is -90 to 90 degrees, found {latitude}"));
    }
    if !(-180.0..=180.0).contains(&longitude) {
        return bad(format!("a longitude is -180 to 180 degrees, found {longitude}"));
    }
    if !(accuracy.is_finite() && accuracy >= 0.0) {
        return bad(format!("an accuracy is 0 or more metres, found {accuracy}"));
    }
    Ok(())
}

fn word(name: &str, found: Option<&str>, words: &[&str]) -> Result<(), SessionError> {
    match found {
        Some(found) if !words.contains(&found) => {
            bad(format!("{name} is one of {}, found {found:?}", words.join(", ")))
        }
        _ => Ok(()),
    }
}

/// A time zone by its IANA name, as that is usually written. Where the system has no list of them every name of the right form
/// goes, and Chromium says whether it knows it.
pub fn timezone(name: &str) -> Result<String, SessionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let zones = jiff::tz::db();
    if !name.is_empty() && name.chars().all(plain) {
        if zones.is_definitively_empty() {
            return Ok(name.to_owned());
        }
        if let Ok(zone) = zones.get(name) {
            return Ok(zone.iana_name().unwrap_or(name).to_owned());
        }
    }
    let known: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
    let meant = match closest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => "; an IANA name such as \"Europe/Berlin\" is wanted".to_owned(),
    };
    bad(format!("there is no time zone {name:?}{meant}"))
}

/// A BCP 47 tag, as that is usually written: `de-DE`, `zh-Hant-TW`.
pub fn locale(tag: &str) -> Result<String, SessionError> {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let letters =
        |part: &str, lengths: &[usize]| lengths.contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphabetic());
    let mut good = letters(language, &[2, 3]);
    let mut written = vec![language.to_ascii_lowercase()];
    let (mut script, mut region) = (false, false);
    for part in parts {
        let digits = part.len() == 3 && part.chars().all(|c| c.is_ascii_digit());
        if !script && !region && letters(part, &[4]) {
            script = true;
            let (first, rest) = part.split_at(1);
            written.push(format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase()));
        } else if !region && (letters(part, &[2]) || digits) {
            region = true;
            written.push(part.to_ascii_uppercase());
        } else {
            // Variants and extensions, as they stand.
            good &= (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
            written.push(part.to_owned());
        }
    }
    if good {
        return Ok(written.join("-"));
    }
    let hint = match tag.split(['_', '.']).collect::<Vec<_>>().as_slice() {
        [language, region, ..] if letters(language, &[2, 3]) && letters(region, &[2]) => {
            format!("; did you mean \"{language}-{region}\"?")
        }
        _ => "; a language tag such as \"en\", \"de-DE\" or \"zh-Hant-TW\" is wanted".to_owned(),
    };
    bad(format!("{tag:?} is not a locale{hint}"))
}

/// The languages that go with a locale: itself, and what it is a variety of.
fn languages(locale: &str) -> Vec<String> {
    match locale.split_once('-') {
        Some((language, _)) => vec![locale.to_owned(), language.to_owned()],
        None => vec![locale.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_checked_and_written_as_usual() {
        for (given, expected) in [("de", "de"), ("DE-de", "de-DE"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")]
        {
            assert_eq!(locale(given).unwrap(), expected);
        }
        assert_eq!(locale("de_DE").unwrap_err().to_string(), r#""de_DE" is not a locale; did you mean "de-DE"?"#);
        for wrong in ["", "german", "d", "de-", "de--DE", "de DE"] {
            assert!(locale(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn time_zones_are_known_or_the_nearest_is_named() {
        assert_eq!(timezone("europe/berlin").unwrap(), "Europe/Berlin");
        let error = timezone("Europe/Berln").unwrap_err().to_string();
        assert_eq!(error, r#"there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?"#);
    }

    #[test]
    fn sizes_and_places_have_bounds() {
        assert!(viewport(1280, 720).is_ok() && viewport(0, 720).is_err() && viewport(1280, 20_000).is_err());
        let place = |latitude, longitude, accuracy| geolocation(&Geolocation { latitude, longitude, accuracy });
        assert!(place(52.5, 13.4, 0.0).is_ok());
        assert!(place(91.0, 0.0, 0.0).is_err() && place(0.0, 181.0, 0.0).is_err() && place(0.0, 0.0, -1.0).is_err());
        assert!(user_agent("Mine/1.0").is_ok() && user_agent("two\nlines").is_err() && user_agent(" ").is_err());
    }

    #[test]
    fn another_device_takes_the_place_of_the_first_in_all_that_makes_it_up() {
        let named = |name: &str| Identity { device: Some(name.into()), ..Identity::default() };
        let zone = Identity { timezone: Some("Asia/Tokyo".into()), ..named("Pixel 7") }.written_out("150");
        let phone = named("iPhone 15").written_out("156").over(&zone);
        assert_eq!(phone.device.as_deref(), Some("iPhone 15"));
        assert!(phone.user_agent.as_ref().unwrap().contains("iPhone") && phone.timezone == zone.timezone);
        let wide = Identity { viewport: Some(Viewport { width: 900, height: 700 }), ..named("Pixel 7") };
        let wide = wide.written_out("150");
        assert_eq!((wide.viewport.unwrap().width, wide.scale, wide.mobile), (900, Some(2.625), Some(true)));
        assert_eq!(Identity::default().over(&wide), wide);
    }

    #[test]
    fn languages_follow_the_locale() {
        let german = Identity { locale: Some("de-AT".into()), ..Identity::default() };
        let own =
            Identity { locale: Some("en-US".into()), languages: Some(vec!["en-US".into()]), ..Identity::default() };
        assert_eq!(german.over(&own).all_languages().unwrap(), ["de-AT", "de"]);
        assert_eq!(Identity::default().over(&own).all_languages().unwrap(), ["en-US"]);
    }
}
