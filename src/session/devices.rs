//! Well-known devices: what a browser on one tells sites. Names are those that users of Playwright know.

use crate::base::closest;

use super::SessionError;
use super::identity::{Identity, Viewport};

/// What stands in a user agent for the major version of the browser that runs.
const CHROME: &str = "{chrome}";

const IPHONE_17: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                         Version/17.5 Mobile/15E148 Safari/604.1";
const IPHONE_16: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                         Version/16.6 Mobile/15E148 Safari/604.1";
const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
                    Mobile/15E148 Safari/604.1";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/{chrome}.0.0.0 Safari/537.36";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                    Chrome/{chrome}.0.0.0 Safari/537.36 Edg/{chrome}.0.0.0";
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
                      Safari/605.1.15";

/// One device.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    /// Its name.
    pub name: &'static str,
    /// The viewport of its browser in CSS pixels, held upright, the bars of the browser left out.
    pub viewport: (u32, u32),
    /// Pixels per CSS pixel.
    pub scale: f64,
    /// Whether pages are laid out as on a phone, and touched.
    pub mobile: bool,
    agent: Agent,
}

#[derive(Debug, Clone, Copy)]
enum Agent {
    /// Written out, but for the version of Chromium.
    Whole(&'static str),
    /// Chrome on Android: version of Android and model; whether it is a phone.
    Android(&'static str, &'static str, bool),
}

/// All of them.
pub const DEVICES: &[Device] = &[
    device("Desktop Chrome", (1280, 720), 1.0, false, Agent::Whole(WINDOWS)),
    device("Desktop Chrome HiDPI", (1280, 720), 2.0, false, Agent::Whole(WINDOWS)),
    device("Desktop Edge", (1280, 720), 1.0, false, Agent::Whole(EDGE)),
    device("Desktop Safari", (1280, 720), 2.0, false, Agent::Whole(SAFARI)),
    device("iPhone SE (3rd gen)", (375, 667), 2.0, true, Agent::Whole(IPHONE_16)),
    device("iPhone 13", (390, 664), 3.0, true, Agent::Whole(IPHONE_16)),
    device("iPhone 14", (390, 664), 3.0, true, Agent::Whole(IPHONE_16)),
    device("iPhone 14 Pro Max", (430, 740), 3.0, true, Agent::Whole(IPHONE_16)),
    device("iPhone 15", (393, 659), 3.0, true, Agent::Whole(IPHONE_17)),
    device("iPhone 15 Pro", (393, 659), 3.0, true, Agent::Whole(IPHONE_17)),
    device("iPhone 15 Pro Max", (430, 739), 3.0, true, Agent::Whole(IPHONE_17)),
    device("iPad Mini", (768, 1024), 2.0, true, Agent::Whole(IPAD)),
    device("iPad Pro 11", (834, 1194), 2.0, true, Agent::Whole(IPAD)),
    device("Pixel 5", (393, 727), 2.75, true, Agent::Android("11", "Pixel 5", true)),
    device("Pixel 7", (412, 839), 2.625, true, Agent::Android("14", "Pixel 7", true)),
    device("Galaxy A55", (480, 1040), 2.25, true, Agent::Android("14", "SM-A556B", true)),
    device("Galaxy S24", (360, 780), 3.0, true, Agent::Android("14", "SM-S921U", true)),
    device("Galaxy Tab S9", (640, 1024), 2.5, true, Agent::Android("14", "SM-X710", false)),
];

const fn device(name: &'static str, viewport: (u32, u32), scale: f64, mobile: bool, agent: Agent) -> Device {
    Device { name, viewport, scale, mobile, agent }
}

/// The device by that name; an error that names the nearest where there is none.
pub fn find(name: &str) -> Result<&'static Device, SessionError> {
    let known = DEVICES.iter().find(|device| device.name.eq_ignore_ascii_case(name.trim()));
    known.ok_or_else(|| {
        let meant = match closest(name, DEVICES.iter().map(|device| device.name)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "`rhaven identity devices` lists those that there are".to_owned(),
        };
        SessionError::Identity(format!("there is no device {name:?}; {meant}"))
    })
}

impl Device {
    /// Its user agent, with Chromium in this major version where it is one.
    fn user_agent(&self, chrome: &str) -> String {
        match self.agent {
            Agent::Whole(text) => text.replace(CHROME, chrome),
            Agent::Android(version, model, phone) => format!(
                "Mozilla/5.0 (Linux; Android {version}; {model}) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/{chrome}.0.0.0{} Safari/537.36",
                if phone { " Mobile" } else { "" }
            ),
        }
    }

    /// What it tells, with a Chromium of this major version.
    pub(super) fn identity(&self, chrome: &str) -> Identity {
        let (width, height) = self.viewport;
        Identity {
            device: Some(self.name.to_owned()),
            user_agent: Some(self.user_agent(chrome)),
            viewport: Some(Viewport { width, height }),
            scale: Some(self.scale),
            mobile: Some(self.mobile),
            touch: Some(self.mobile),
            ..Identity::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_a_whole_user_agent() {
        for device in DEVICES {
            let agent = device.user_agent("156");
            assert!(
                agent.starts_with("Mozilla/5.0 (") && !agent.contains(['{', '}']) && !agent.contains("  "),
                "{agent}"
            );
            assert!(find(device.name).is_ok() && find(&device.name.to_lowercase()).is_ok());
        }
        assert!(find("Pixel 7").unwrap().user_agent("156").contains("Android 14; Pixel 7) "));
    }

    #[test]
    fn an_unknown_device_names_the_nearest() {
        let error = find("iPhon 15").unwrap_err();
        assert_eq!(error.to_string(), r#"there is no device "iPhon 15"; did you mean "iPhone 15"?"#);
    }
}
