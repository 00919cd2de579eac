//! Client hints that agree with a user agent: what Chromium of that version would say on that system.

use serde_json::{Value, json};

/// The characters that Chromium varies the name of its meaningless brand with.
const VARIED: [&str; 11] = [" ", "(", ":", "-", ".", "/", ")", ";", "=", "?", "_"];
/// The versions that it gives to that brand.
const MEANINGLESS_VERSIONS: [&str; 3] = ["8", "99", "24"];
/// The orders that it lists three brands in.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// `navigator.platform` on the system of a user agent.
pub(super) fn platform(user_agent: &str) -> Option<&'static str> {
    let platforms = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Linux armv81"),
        ("Windows", "Win32"),
        ("Macintosh", "MacIntel"),
        ("Linux", "Linux x86_64"),
        ("CrOS", "Linux x86_64"),
    ];
    platforms.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, platform)| *platform)
}

/// The version after `product/` in a user agent.
pub(super) fn version_of<'a>(user_agent: &'a str, product: &str) -> Option<&'a str> {
    let rest = user_agent.split_once(product)?.1.strip_prefix('/')?;
    Some(rest.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().unwrap_or_default())
}

/// The hints as CDP's `UserAgentMetadata`; none for a user agent that is not Chromium's, as such a browser has none. `own` is
/// whether it is what a Chromium said by itself: those without a maker's brand name none. `full` is its whole version, where that is
/// known, since user agents often have zeros in its place.
pub(super) fn of(user_agent: &str, own: bool, full: Option<&str>) -> Option<Value> {
    let headless = version_of(user_agent, "HeadlessChrome");
    let version = headless.or_else(|| version_of(user_agent, "Chrome")).filter(|version| !version.is_empty())?;
    let major = version.split('.').next().unwrap_or_default();
    let seed: usize = major.parse().ok()?;
    let full = full.filter(|full| full.split('.').next() == Some(major)).unwrap_or(version);
    let edge = version_of(user_agent, "Edg");
    let brand = match (headless, edge) {
        // The shell names itself in its brands, and has its whole version in its user agent; full Chromium does neither.
        (Some(version), _) => (!version.ends_with(".0.0.0")).then_some("HeadlessChrome"),
        (None, Some(_)) => Some("Microsoft Edge"),
        (None, None) => (!own).then_some("Google Chrome"),
    };
    let android = user_agent.contains("Android");
    let system = System::of(user_agent);
    Some(json!({
        "brands": brands(seed, brand, str::to_owned, major, edge.map_or(major, major_of)),
        "fullVersionList": brands(seed, brand, |version| format!("{version}.0.0.0"), full, edge.unwrap_or(full)),
        "platform": system.name,
        "platformVersion": system.version,
        "architecture": system.architecture,
        "bitness": if system.architecture.is_empty() { "" } else { "64" },
        "model": if android { model(user_agent) } else { "" },
        "mobile": user_agent.contains("Mobile"),
        "wow64": false,
    }))
}

fn major_of(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

/// The brands in Chromium's order for this major version.
fn brands(
    seed: usize,
    brand: Option<&str>,
    meaningless: impl Fn(&str) -> String,
    chromium: &str,
    maker: &str,
) -> Vec<Value> {
    let name = format!("Not{}A{}Brand", VARIED[seed % VARIED.len()], VARIED[(seed + 1) % VARIED.len()]);
    let entry = |brand: &str, version: &str| json!({"brand": brand, "version": version});
    let first = entry(&name, &meaningless(MEANINGLESS_VERSIONS[seed % MEANINGLESS_VERSIONS.len()]));
    let chromium = entry("Chromium", chromium);
    let Some(brand) = brand else {
        return if seed.is_multiple_of(2) { vec![first, chromium] } else { vec![chromium, first] };
    };
    let mut list = vec![Value::Null; 3];
    for (place, item) in ORDERS[seed % ORDERS.len()].into_iter().zip([first, chromium, entry(brand, maker)]) {
        list[place] = item;
    }
    list
}

/// A system, in the words of client hints.
struct System {
    name: &'static str,
    version: String,
    architecture: &'static str,
}

impl System {
    fn of(user_agent: &str) -> Self {
        let system = |name, version: String, architecture| Self { name, version, architecture };
        if let Some((_, rest)) = user_agent.split_once("Android ") {
            system("Android", three_parts(rest, '.'), "")
        } else if user_agent.contains("Windows") {
            system("Windows", "10.0.0".to_owned(), "x86")
        } else if let Some((_, rest)) = user_agent.split_once("Mac OS X ") {
            system("macOS", three_parts(rest, '_'), "arm")
        } else if user_agent.contains("CrOS") {
            system("Chrome OS", String::new(), "x86")
        } else {
            system("Linux", String::new(), "x86")
        }
    }
}

/// `14` as `14.0.0`, `10_15_7` as `10.15.7`.
fn three_parts(text: &str, separator: char) -> String {
    let version = text.split(|c: char| !c.is_ascii_digit() && c != separator).next().unwrap_or_default();
    let mut parts: Vec<&str> = version.split(separator).filter(|part| !part.is_empty()).collect();
    parts.resize(3, "0");
    parts.join(".")
}

/// `Pixel 7` of `(Linux; Android 14; Pixel 7)`; nothing where it is left out (`K`).
fn model(user_agent: &str) -> &str {
    let inside = user_agent.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
    let last = inside.split("; ").nth(2).unwrap_or_default();
    if last == "K" { "" } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hints_are_those_of_chromium_by_itself() {
        let shell = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.8078.79 Safari/537.36";
        let hints = of(shell, true, Some("156.0.8078.79")).unwrap();
        let brand = |brand: &str, version: &str| json!({"brand": brand, "version": version});
        assert_eq!(
            hints["brands"],
            json!([brand("Not:A-Brand", "8"), brand("Chromium", "156"), brand("HeadlessChrome", "156")])
        );
        let full = hints["fullVersionList"].clone();
        let expected = [
            brand("Not:A-Brand", "8.0.0.0"),
            brand("Chromium", "156.0.8078.79"),
            brand("HeadlessChrome", "156.0.8078.79"),
        ];
        assert_eq!(full, json!(expected));
        assert_eq!(
            (&hints["platform"], &hints["bitness"], &hints["mobile"]),
            (&json!("Linux"), &json!("64"), &json!(false))
        );
        let full = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36";
        let hints = of(full, true, Some("156.0.8078.79")).unwrap();
        assert_eq!(hints["brands"], json!([brand("Not:A-Brand", "8"), brand("Chromium", "156")]));
        assert_eq!(hints["fullVersionList"][1], brand("Chromium", "156.0.8078.79"));
    }

    #[test]
    fn a_phone_has_a_model_and_safari_has_no_hints() {
        let pixel = "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
        let hints = of(pixel, false, None).unwrap();
        assert_eq!((&hints["model"], &hints["platformVersion"]), (&json!("Pixel 7"), &json!("14.0.0")));
        assert_eq!((&hints["mobile"], &hints["brands"][2]["brand"]), (&json!(true), &json!("Google Chrome")));
        assert_eq!(platform(pixel), Some("Linux armv81"));
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
        assert_eq!((of(phone, false, None), platform(phone)), (None, Some("iPhone")));
        assert_eq!(three_parts("10_15_7)", '_'), "10.15.7");
    }
}
