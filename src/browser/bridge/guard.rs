//! What a client of a browser may ask of it: all that is about pages; nothing that is about the machine that it runs on.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;

use crate::browser::Egress;
use crate::browser::confined::{BYPASS, is_of_the_web, server};

/// Domains that are about pages, and end with them.
const DOMAINS: [&str; 44] = [
    "Accessibility",
    "Animation",
    "Audits",
    "Autofill",
    "Browser",
    "CSS",
    "CacheStorage",
    "Console",
    "DOM",
    "DOMDebugger",
    "DOMSnapshot",
    "DOMStorage",
    "Debugger",
    "DeviceOrientation",
    "Emulation",
    "EventBreakpoints",
    "FedCm",
    "Fetch",
    "HeapProfiler",
    "IO",
    "IndexedDB",
    "Input",
    "Inspector",
    "LayerTree",
    "Log",
    "Media",
    "Memory",
    "Network",
    "Overlay",
    "Page",
    "Performance",
    "PerformanceTimeline",
    "Preload",
    "Profiler",
    "Runtime",
    "Schema",
    "Security",
    "ServiceWorker",
    "Storage",
    "Target",
    "Tracing",
    "WebAudio",
    "WebAuthn",
    "Database",
];

/// Commands of those domains that reach beyond: processes, files and sockets of this machine, and messages within messages, which would
/// pass unseen.
const REFUSED: [&str; 10] = [
    "Browser.addPrivacySandboxCoordinatorKeyConfig",
    "Browser.crash",
    "Browser.crashGpuProcess",
    "Browser.executeBrowserCommand",
    "Browser.getBrowserCommandLine",
    "DOM.setFileInputFiles",
    "Target.exposeDevToolsProtocol",
    "Target.openDevTools",
    "Target.sendMessageToTarget",
    "Target.setRemoteLocations",
];

/// Answered as if it were done: clients send it by themselves at their start, and where downloads go is settled by whoever runs the browser.
const IGNORED: [&str; 3] = ["Browser.setDownloadBehavior", "Page.setDownloadBehavior", "Browser.cancelDownload"];

/// Commands with an address that is gone to.
const GOING: [&str; 5] = [
    "Page.navigate",
    "Target.createTarget",
    "Fetch.continueRequest",
    "Network.continueInterceptedRequest",
    "Network.loadNetworkResource",
];

/// A client's command.
pub(super) struct Command {
    /// As the client names it.
    pub(super) id: i64,
    pub(super) method: String,
    pub(super) params: Box<RawValue>,
    /// None for the browser.
    pub(super) session: Option<String>,
}

/// What becomes of a client's message.
pub(super) enum Verdict {
    /// Chromium may have it.
    Pass(Command),
    /// It is answered here.
    Answer(String),
    /// It is answered here, and the browser is to end.
    Close(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: i64,
    method: String,
    #[serde(default)]
    params: Option<Box<RawValue>>,
    #[serde(default)]
    session_id: Option<String>,
}

/// Looks at a message of a client's.
pub(super) fn judge(message: &str, egress: Option<&Egress>) -> Verdict {
    let Ok(Message { id, method, params, session_id }) = serde_json::from_str(message) else {
        let error =
            json!({ "code": -32700, "message": "a message of the protocol is wanted: id, method, params, sessionId" });
        return Verdict::Answer(json!({ "error": error }).to_string());
    };
    let answer = |key: &str, value: Value| {
        let mut answer = json!({ "id": id, key: value });
        if let Some(session) = &session_id {
            answer["sessionId"] = session.as_str().into();
        }
        answer.to_string()
    };
    let refused = |reason: String| Verdict::Answer(answer("error", json!({ "code": -32000, "message": reason })));
    if method == "Browser.close" {
        return Verdict::Close(answer("result", json!({})));
    }
    if IGNORED.contains(&method.as_str()) {
        return Verdict::Answer(answer("result", json!({})));
    }
    let domain = method.split('.').next().unwrap_or_default();
    if !DOMAINS.contains(&domain) || REFUSED.contains(&method.as_str()) {
        return refused(format!("{method} is not to be had here: it is about the machine that the browser runs on"));
    }
    match looked_at(&method, params.as_deref(), egress) {
        Ok(params) => Verdict::Pass(Command { id, method, params, session: session_id.filter(|id| !id.is_empty()) }),
        Err(reason) => refused(reason),
    }
}

/// The parameters as Chromium gets them, or why it does not.
fn looked_at(method: &str, params: Option<&RawValue>, egress: Option<&Egress>) -> Result<Box<RawValue>, String> {
    let is_going = GOING.contains(&method);
    if !is_going && !method.starts_with("Target.") {
        return Ok(params.map_or_else(no_params, ToOwned::to_owned));
    }
    let text = params.map_or("{}", RawValue::get);
    let Ok(mut params) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Err(format!("the parameters of {method} cannot be read"));
    };
    if is_going {
        may_be_gone_to(&params)?;
    }
    match method {
        "Target.attachToTarget" | "Target.setAutoAttach" => {
            // Sessions of the old kind speak through messages within messages.
            let attaches = method == "Target.attachToTarget" || params.get("autoAttach") == Some(&Value::Bool(true));
            if attaches && params.get("flatten") != Some(&Value::Bool(true)) {
                return Err(format!("{method} takes flatten: true only"));
            }
        }
        "Target.createBrowserContext" => confine(&mut params, egress)?,
        _ => {}
    }
    serde_json::value::to_raw_value(&params).map_err(|error| error.to_string())
}

/// Only addresses of the web: the others are files of this machine, and pages of Chromium's own.
fn may_be_gone_to(params: &Map<String, Value>) -> Result<(), String> {
    let Some(address) = params.get("url").and_then(Value::as_str).filter(|url| !url.is_empty()) else { return Ok(()) };
    match Url::parse(address) {
        Ok(url) if is_of_the_web(&url) => Ok(()),
        Ok(url) => Err(format!("addresses of the scheme {:?} are not opened here", url.scheme())),
        Err(_) => Err("an absolute address is wanted".to_owned()),
    }
}

/// A context of the client's own goes with it, and has the way out of all.
fn confine(params: &mut Map<String, Value>, egress: Option<&Egress>) -> Result<(), String> {
    if params.contains_key("originsWithUniversalNetworkAccess") {
        return Err("originsWithUniversalNetworkAccess is not to be had here".to_owned());
    }
    params.insert("disposeOnDetach".to_owned(), true.into());
    if let Some(egress) = egress {
        if params.get("proxyServer").and_then(Value::as_str).is_some_and(|proxy| !proxy.is_empty()) {
            return Err("a context cannot have a proxy of its own here".to_owned());
        }
        params.insert("proxyServer".to_owned(), server(egress).into());
        params.insert("proxyBypassList".to_owned(), BYPASS.into());
    }
    Ok(())
}

fn no_params() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &str, params: Value) -> Result<Value, String> {
        let egress = Egress::new("127.0.0.1:3128".parse().unwrap());
        let mut message = json!({ "id": 7, "method": method, "sessionId": "S" });
        message["params"] = params;
        match judge(&message.to_string(), Some(&egress)) {
            Verdict::Pass(command) => {
                assert_eq!((command.id, command.session.as_deref()), (7, Some("S")));
                Ok(serde_json::from_str(command.params.get()).unwrap())
            }
            Verdict::Answer(answer) | Verdict::Close(answer) => {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                assert_eq!((&answer["id"], &answer["sessionId"]), (&json!(7), &json!("S")));
                Err(answer["error"]["message"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    #[test]
    fn what_is_about_pages_passes_as_it_came() {
        for (method, params) in [
            ("Page.navigate", json!({ "url": "https://example.com/" })),
            ("Target.createTarget", json!({ "url": "about:blank" })),
            ("Target.createTarget", json!({ "url": "" })),
            ("Target.setAutoAttach", json!({ "autoAttach": true, "flatten": true, "waitForDebuggerOnStart": true })),
            ("Target.setAutoAttach", json!({ "autoAttach": false, "waitForDebuggerOnStart": false })),
            ("Debugger.setBreakpointByUrl", json!({ "url": "file:///x.js", "lineNumber": 1 })),
            ("Fetch.continueRequest", json!({ "requestId": "1" })),
            ("Runtime.evaluate", json!({ "expression": "1" })),
        ] {
            assert_eq!(judged(method, params.clone()).unwrap(), params, "{method}");
        }
    }

    #[test]
    fn what_leads_out_of_the_browser_is_refused() {
        for (method, params) in [
            ("Page.navigate", json!({ "url": "file:///etc/passwd" })),
            ("Page.navigate", json!({ "url": " FI\nLE:///etc/passwd" })),
            ("Page.navigate", json!({ "url": "chrome://version" })),
            ("Target.createTarget", json!({ "url": "view-source:file:///etc/passwd" })),
            ("Fetch.continueRequest", json!({ "requestId": "1", "url": "file:///etc/passwd" })),
            ("Network.loadNetworkResource", json!({ "url": "file:///etc/passwd" })),
            ("DOM.setFileInputFiles", json!({ "files": ["/etc/passwd"] })),
            ("Target.attachToTarget", json!({ "targetId": "T" })),
            ("Target.setAutoAttach", json!({ "autoAttach": true, "flatten": false })),
            ("Target.sendMessageToTarget", json!({ "message": "{}" })),
            ("Target.createBrowserContext", json!({ "proxyServer": "http://10.0.0.1:80" })),
            ("Target.createBrowserContext", json!({ "originsWithUniversalNetworkAccess": ["http://a.example"] })),
            ("Tethering.bind", json!({ "port": 80 })),
            ("Extensions.loadUnpacked", json!({ "path": "/x" })),
            ("SystemInfo.getInfo", json!({})),
            ("Nothing", json!({})),
        ] {
            assert!(!judged(method, params).unwrap_err().is_empty(), "{method}");
        }
    }

    #[test]
    fn a_context_has_the_way_out_of_all() {
        let params = judged("Target.createBrowserContext", json!({ "disposeOnDetach": false })).unwrap();
        let wanted = json!({ "disposeOnDetach": true, "proxyServer": "http://127.0.0.1:3128", "proxyBypassList": "<-loopback>" });
        assert_eq!(params, wanted);
    }

    #[test]
    fn what_is_no_message_is_told() {
        for text in
            ["", "{}", "[]", r#"{"id":1}"#, r#"{"method":"Page.enable"}"#, r#"{"id":"1","method":"Page.enable"}"#]
        {
            assert!(matches!(judge(text, None), Verdict::Answer(_)), "{text}");
        }
        assert!(matches!(judge(r#"{"id":1,"method":"Browser.close"}"#, None), Verdict::Close(_)));
        // A half of a surrogate pair is no text to us, and one to Chromium.
        let half = r#"{"id":1,"method":"Input.insertText","params":{"text":"\ud83d"}}"#;
        assert!(matches!(judge(half, None), Verdict::Pass(_)));
    }
}
