//! Chromium's command line and environment.

use std::ffi::OsString;
use std::path::Path;

use super::userdir::{UserDir, shared_memory_is_small};
use super::{Flavor, LaunchOptions, confined};

/// Given to every browser.
const ALWAYS: [&str; 22] = [
    "--remote-debugging-pipe",
    // Nothing but what a script opens: the first tab belongs to a context that nobody asked for.
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    // Without these Chromium calls its maker at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--metrics-recording-only",
    // A tab in the background must not run slower than the one in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-ipc-flooding-protection",
    // No dialog and no keyring of the system may hold up a run.
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    // Going back loads the page again, in every flavour: a page out of the cache runs no script of ours.
    "--disable-back-forward-cache",
    // The headless shell blocks none; what a script sees must not depend on the flavour.
    "--disable-popup-blocking",
    "--password-store=basic",
    "--use-mock-keychain",
];

/// Without a window.
const HEADLESS: [&str; 5] = [
    // The same colours in every screenshot; no scroll bars in them; no sound.
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--disable-gpu",
    // Playwright's viewport: at Chromium's own 800 pixels many sites show their layout for tablets.
    "--window-size=1280,720",
];

/// Features that call out, show what no script can reach, or open `https` where a script said `http`.
const DISABLED_FEATURES: [&str; 5] =
    ["GlobalMediaControls", "HttpsUpgrades", "MediaRouter", "OptimizationHints", "Translate"];

/// Variables that Chromium may see, all others being none of its business: they may hold keys and tokens.
const PASSED_ON: [&str; 24] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
    "DBUS_SESSION_BUS_ADDRESS",
    "PULSE_SERVER",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "LD_LIBRARY_PATH",
    "LIBGL_ALWAYS_SOFTWARE",
    // Where the network is reached through a proxy, Chromium learns it only from here.
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
];

/// What the user is told where the sandbox is off because of root.
const ROOT_NOTICE: &str = "running as root: Chromium's sandbox is off; as another user it would be on";

/// The command line, and what the user should know about it.
pub(super) fn arguments(options: &LaunchOptions, flavor: Flavor, dir: &UserDir) -> (Vec<OsString>, Vec<String>) {
    let mut args: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    let mut notices = Vec::new();
    if !options.headed {
        args.extend(HEADLESS.map(str::to_owned));
        if flavor == Flavor::Full {
            args.push("--headless=new".to_owned());
        }
    }
    let root = rustix::process::geteuid().is_root();
    if root || options.no_sandbox {
        args.push("--no-sandbox".to_owned());
    }
    if root && !options.no_sandbox {
        notices.push(ROOT_NOTICE.to_owned());
    }
    if shared_memory_is_small() {
        args.push("--disable-dev-shm-usage".to_owned());
    }
    args.push(format!("--disable-features={}", DISABLED_FEATURES.join(",")));
    let (others, passed_over): (Vec<&String>, Vec<&String>) =
        options.args.iter().partition(|arg| options.egress.is_none() || !confined::leads_past(arg));
    notices
        .extend(passed_over.into_iter().map(|arg| format!("{arg} is not given to Chromium: it has one way out only")));
    args.extend(others.into_iter().cloned());
    match (&options.egress, &options.proxy) {
        (Some(egress), _) => args.extend(confined::arguments(egress)),
        (None, Some(proxy)) => args.extend(confined::through(proxy)),
        (None, None) => {}
    }
    let mut args: Vec<OsString> = merged(args).into_iter().map(OsString::from).collect();
    args.push(with_path("--user-data-dir=", &dir.user_data_dir()));
    (args, notices)
}

/// Chromium takes only the last `--disable-features` and `--enable-features`: all of them become one.
fn merged(args: Vec<String>) -> Vec<String> {
    const UNITED: [&str; 3] = ["--disable-features=", "--enable-features=", "--enable-blink-features="];
    let mut others = Vec::new();
    let mut values: [Vec<String>; UNITED.len()] = Default::default();
    for arg in args {
        match UNITED.iter().position(|flag| arg.starts_with(flag)) {
            Some(which) => {
                for value in arg[UNITED[which].len()..].split(',').filter(|value| !value.is_empty()) {
                    if !values[which].iter().any(|known| known == value) {
                        values[which].push(value.to_owned());
                    }
                }
            }
            None if others.contains(&arg) => {}
            None => others.push(arg),
        }
    }
    let united = UNITED.iter().zip(values).filter(|(_, values)| !values.is_empty());
    others.extend(united.map(|(flag, values)| format!("{flag}{}", values.join(","))));
    others
}

/// What it may see of the environment here.
pub(super) fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
}

/// The environment: a short list of what is here, and a home of the browser's own, so that nothing is read from or left
/// in that of the user.
pub(super) fn environment(dir: &UserDir) -> Vec<(OsString, OsString)> {
    let passed = passed_on();
    let home = dir.path().as_os_str().to_owned();
    passed.chain([("HOME".into(), home.clone()), ("TMPDIR".into(), home)]).collect()
}

fn with_path(flag: &str, path: &Path) -> OsString {
    let mut arg = OsString::from(flag);
    arg.push(path);
    arg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: &[&str]) {
        assert_eq!(merged(args.iter().map(|arg| (*arg).to_owned()).collect()), expected);
    }

    #[test]
    fn feature_lists_are_united_and_repeated_flags_given_once() {
        check(
            &["--a", "--disable-features=X,Y", "--a", "--b=1", "--disable-features=Y,Z", "--enable-features=Q"],
            &["--a", "--b=1", "--disable-features=X,Y,Z", "--enable-features=Q"],
        );
        check(&["--disable-features="], &[]);
    }
}
