//! What a page is to tell otherwise than the browser does by itself: as commands that its targets get before anything runs in
//! them, and as the difference to what they got before.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::PageError;
use super::credentials::{self, Credentials};
use super::inner::Inner;
use super::rpc::{Ack, rpc};
use crate::browser::BrowserError;

/// What pages tell otherwise than the browser by itself; nothing by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Emulation {
    /// The user agent and what goes with it.
    pub agent: Option<Agent>,
    /// The locale of `Intl` and of what Chromium formats itself.
    pub locale: Option<String>,
    /// The time zone, by its IANA name.
    pub timezone: Option<String>,
    /// The viewport.
    pub screen: Option<Screen>,
    /// Whether fingers can touch it.
    pub touch: bool,
    /// The CSS medium: `screen` or `print`.
    pub media: Option<String>,
    /// `prefers-color-scheme`.
    pub color_scheme: Option<String>,
    /// `prefers-reduced-motion`.
    pub reduced_motion: Option<String>,
    /// Where it is.
    pub geolocation: Option<Geolocation>,
    /// Headers that go with every request.
    pub headers: BTreeMap<String, String>,
    /// What one origin is answered with that asks who it is.
    pub credentials: Option<Credentials>,
}

/// The user agent and what goes with it, for `Emulation.setUserAgentOverride`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agent {
    /// `navigator.userAgent` and the header; empty for the browser's own.
    pub user_agent: String,
    /// Languages, comma-separated, the first one first; none for the browser's own.
    pub languages: Option<String>,
    /// `navigator.platform`.
    pub platform: Option<String>,
    /// The client hints as CDP's `UserAgentMetadata`; none for a browser that has none.
    pub hints: Option<Value>,
}

/// A viewport.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Pixels per CSS pixel; 0 for the browser's own.
    pub scale: f64,
    /// Whether it is laid out as on a phone: with the viewport's `meta` element.
    pub mobile: bool,
}

/// A place on earth.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Geolocation {
    /// In degrees, from -90 to 90.
    pub latitude: f64,
    /// In degrees, from -180 to 180.
    pub longitude: f64,
    /// In metres.
    #[serde(default)]
    pub accuracy: f64,
}

/// A command and its parameters.
pub(super) type Order = (&'static str, Value);

impl Emulation {
    /// What a page is sent that was told `before`, the default being nothing.
    pub(super) fn for_page(&self, before: &Self) -> Vec<Order> {
        let mut orders = self.for_frame(before);
        if self.screen != before.screen {
            orders.push(match &self.screen {
                Some(screen) => ("Emulation.setDeviceMetricsOverride", screen.metrics()),
                None => ("Emulation.clearDeviceMetricsOverride", json!({})),
            });
        }
        orders
    }

    /// What a frame in a process of its own is sent. Its size is its parent's affair.
    pub(super) fn for_frame(&self, before: &Self) -> Vec<Order> {
        let mut orders = self.for_worker(before);
        if self.touch != before.touch {
            let points = i32::from(self.touch) * 4 + 1;
            orders
                .push(("Emulation.setTouchEmulationEnabled", json!({"enabled": self.touch, "maxTouchPoints": points})));
        }
        let media = |emulation: &Self| {
            let feature =
                |name: &str, value: &Option<String>| json!({"name": name, "value": value.as_deref().unwrap_or("")});
            let features = [
                feature("prefers-color-scheme", &emulation.color_scheme),
                feature("prefers-reduced-motion", &emulation.reduced_motion),
            ];
            json!({"media": emulation.media.as_deref().unwrap_or(""), "features": features})
        };
        if media(self) != media(before) {
            orders.push(("Emulation.setEmulatedMedia", media(self)));
        }
        if self.credentials != before.credentials {
            orders.push(Credentials::order(self.credentials.as_ref()));
        }
        if self.geolocation != before.geolocation {
            orders.push(match &self.geolocation {
                Some(place) => ("Emulation.setGeolocationOverride", json!(place)),
                None => ("Emulation.clearGeolocationOverride", json!({})),
            });
        }
        orders
    }

    /// What a worker is sent.
    fn for_worker(&self, before: &Self) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.agent != before.agent {
            orders.push(("Emulation.setUserAgentOverride", self.agent.clone().unwrap_or_default().parameters()));
        }
        if self.locale != before.locale {
            orders.push(("Emulation.setLocaleOverride", json!({"locale": self.locale.as_deref().unwrap_or("")})));
        }
        if self.timezone != before.timezone {
            let zone = self.timezone.as_deref().unwrap_or("");
            orders.push(("Emulation.setTimezoneOverride", json!({"timezoneId": zone})));
        }
        if self.headers != before.headers {
            // They count only where the domain is on. Nothing of what it tells is wanted.
            orders.push(("Network.enable", json!({"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})));
            orders.push(("Network.setExtraHTTPHeaders", json!({"headers": self.headers})));
        }
        orders
    }

    /// Takes over what differs between `from` and `to`, and leaves the rest as it is.
    pub fn follow(&mut self, from: &Self, to: &Self) {
        fn field<T: Clone + PartialEq>(own: &mut T, from: &T, to: &T) {
            if from != to {
                own.clone_from(to);
            }
        }
        field(&mut self.agent, &from.agent, &to.agent);
        field(&mut self.locale, &from.locale, &to.locale);
        field(&mut self.timezone, &from.timezone, &to.timezone);
        field(&mut self.screen, &from.screen, &to.screen);
        field(&mut self.touch, &from.touch, &to.touch);
        field(&mut self.media, &from.media, &to.media);
        field(&mut self.color_scheme, &from.color_scheme, &to.color_scheme);
        field(&mut self.reduced_motion, &from.reduced_motion, &to.reduced_motion);
        field(&mut self.geolocation, &from.geolocation, &to.geolocation);
        field(&mut self.headers, &from.headers, &to.headers);
        field(&mut self.credentials, &from.credentials, &to.credentials);
    }

    /// What every worker is sent before it runs, for [`crate::browser::Context::before_workers`].
    pub fn worker_commands(&self) -> Vec<(&'static str, Value)> {
        self.for_worker(&Self::default())
    }
}

impl Agent {
    fn parameters(self) -> Value {
        let mut parameters = json!({"userAgent": self.user_agent});
        let given = [
            ("acceptLanguage", self.languages.map(Value::from)),
            ("platform", self.platform.map(Value::from)),
            ("userAgentMetadata", self.hints),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                parameters[name] = value;
            }
        }
        parameters
    }
}

impl Screen {
    fn metrics(&self) -> Value {
        json!({
            "width": self.width, "height": self.height, "screenWidth": self.width, "screenHeight": self.height,
            "deviceScaleFactor": self.scale, "mobile": self.mobile,
        })
    }
}

/// Takes the answer to one of the orders above. Locale and time zone belong to the process: where another page or worker in it
/// has set them, they are in force here, too.
pub(super) fn taken(answer: Result<Ack, BrowserError>) -> Result<(), BrowserError> {
    match answer {
        Err(BrowserError::Cdp { message, .. }) if message.contains("already in effect") => Ok(()),
        answer => answer.map(drop),
    }
}

impl Inner {
    /// Changes what the page and its frames tell from now on; nothing is sent where nothing differs.
    pub async fn emulate(self: &Arc<Self>, change: impl FnOnce(&mut Emulation)) -> Result<(), PageError> {
        let (before, now) = {
            let mut emulation = self.emulation();
            let before = emulation.clone();
            change(&mut emulation);
            (before, emulation.clone())
        };
        let (main, frames) = (self.target.cdp(), now.for_frame(&before));
        let mut children = Vec::new();
        for node in &self.tree().frames {
            let known = |cdp: &crate::browser::Cdp| cdp.session_id() == node.cdp.session_id();
            if !known(main) && !children.iter().any(known) {
                children.push(node.cdp.clone());
            }
        }
        if now.credentials.is_some() && now.credentials != before.credentials {
            std::iter::once(main).chain(&children).for_each(|cdp| credentials::follow(self, cdp));
        }
        let mut sent: Vec<_> = now.for_page(&before).into_iter().map(|(m, p)| main.send(rpc::<Ack>(m, p))).collect();
        sent.extend(children.iter().flat_map(|cdp| frames.iter().map(|(m, p)| cdp.send(rpc::<Ack>(m, p.clone())))));
        for answer in join_all(sent).await {
            match taken(answer) {
                // A frame that went has nothing to tell.
                Err(BrowserError::TargetGone) if !self.target.is_gone() => {}
                answer => answer?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(orders: &[Order]) -> Vec<&'static str> {
        orders.iter().map(|(method, _)| method.trim_start_matches("Emulation.")).collect()
    }

    #[test]
    fn only_what_differs_is_sent() {
        let nothing = Emulation::default();
        assert!(nothing.for_page(&nothing).is_empty() && nothing.worker_commands().is_empty());
        let berlin = Emulation { timezone: Some("Europe/Berlin".into()), touch: true, ..Emulation::default() };
        assert_eq!(names(&berlin.for_page(&nothing)), ["setTimezoneOverride", "setTouchEmulationEnabled"]);
        assert_eq!(names(&berlin.worker_commands()), ["setTimezoneOverride"]);
        let dark = Emulation { color_scheme: Some("dark".into()), ..berlin.clone() };
        assert_eq!(names(&dark.for_page(&berlin)), ["setEmulatedMedia"]);
        assert!(dark.for_page(&dark).is_empty());
    }

    #[test]
    fn what_is_taken_back_is_cleared() {
        let screen = Some(Screen { width: 400, height: 800, scale: 2.0, mobile: true });
        let geolocation = Some(Geolocation { latitude: 1.0, longitude: 2.0, accuracy: 0.0 });
        let before = Emulation { screen, geolocation, locale: Some("de".into()), ..Emulation::default() };
        let orders = Emulation::default().for_page(&before);
        assert_eq!(names(&orders), ["setLocaleOverride", "clearGeolocationOverride", "clearDeviceMetricsOverride"]);
        assert_eq!(names(&Emulation::default().for_frame(&before)), ["setLocaleOverride", "clearGeolocationOverride"]);
    }
}
