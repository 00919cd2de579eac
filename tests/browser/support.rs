//! What the tests share: a browser, a tab, an evaluated expression, and a look at the processes.

use std::path::Path;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::{EnableParams, NavigateParams};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use rhaven::base::Deadline;
use rhaven::browser::{
    Browser, BrowserError, Cdp, Context, ContextOptions, Flavor, LaunchOptions, Target, TargetEvent, TargetEvents,
};

/// Nothing here takes longer unless it hangs.
pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// `work`, or a failure that says what did not happen.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    soon().race(work).await.unwrap_or_else(|| panic!("{what} did not happen in time"))
}

pub fn options(flavor: Flavor) -> LaunchOptions {
    LaunchOptions { flavor, ..LaunchOptions::default() }
}

pub async fn start() -> Browser {
    start_with(&options(Flavor::HeadlessShell)).await
}

pub async fn start_with(options: &LaunchOptions) -> Browser {
    Browser::launch(options).await.unwrap_or_else(|error| {
        panic!("{error}\nThe browser tests need Chromium: apt-get install -y chromium chromium-headless-shell")
    })
}

/// Ends the browser and looks whether anything of it is left.
pub async fn end(browser: Browser) {
    let (pid, dir) = (browser.pid().unwrap(), browser.user_data_dir().unwrap());
    browser.close(soon()).await;
    assert_eq!(living_in_group(pid), Vec::<u32>::new(), "processes of the browser live");
    assert!(!dir.exists(), "{} is left", dir.display());
}

/// Living processes of a process group.
pub fn living_in_group(group: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        fields[0] != "Z" && fields[0] != "X" && fields[2] == group.to_string()
    })
    .collect()
}

pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// A context with one tab that runs.
pub async fn tab(browser: &Browser) -> (Context, Target) {
    let context = browser.new_context(&ContextOptions::default()).await.unwrap();
    let target = tab_in(&context).await;
    (context, target)
}

pub async fn tab_in(context: &Context) -> Target {
    let mut targets = context.targets();
    let id = context.new_target().await.unwrap();
    loop {
        let target = attached(&mut targets).await;
        if *target.id() == id {
            target.resume();
            return target;
        }
    }
}

/// The next target that comes.
pub async fn attached(targets: &mut TargetEvents) -> Target {
    loop {
        match in_time("an attachment", targets.next()).await {
            Some(TargetEvent::Attached(target)) => return target,
            Some(_) => {}
            None => panic!("the parent has gone"),
        }
    }
}

pub fn expression(expression: &str) -> EvaluateParams {
    EvaluateParams { return_by_value: Some(true), await_promise: Some(true), ..EvaluateParams::new(expression) }
}

/// The value of an expression in the page.
pub async fn evaluate(cdp: &Cdp, text: &str) -> serde_json::Value {
    let answer = in_time(text, cdp.call(expression(text))).await.unwrap();
    assert!(answer.exception_details.is_none(), "{text}: {:?}", answer.exception_details);
    answer.result.value.unwrap_or_default()
}

/// Opens `url` and waits for its load event.
pub async fn goto(target: &Target, url: &str) {
    use chromiumoxide::cdp::browser_protocol::page::EventLoadEventFired;
    target.cdp().call(EnableParams::default()).await.unwrap();
    let mut loads = target.cdp().events::<EventLoadEventFired>();
    let answer = target.cdp().call(NavigateParams::new(url)).await.unwrap();
    assert_eq!(answer.error_text, None, "{url}");
    in_time("the load", loads.next()).await.unwrap();
}

pub fn check_code(error: &BrowserError, code: &str) {
    assert_eq!(error.code(), code, "{error}");
}

/// A file that may be executed.
pub fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
