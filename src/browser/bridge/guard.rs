//! What a client of a browser may ask of it: all that is about pages; nothing that is about the machine that it runs on.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;

use crate::browser::Egress;
use crate::browser::confined::{BYPASS, is_of_the_web, server};

use super::commands::is_to_be_had;

/// Why downloads are not a client's.
pub(super) const DOWNLOADS: &str =
    "downloads go where whoever runs the browser has them go, and cannot be had over this connection";

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
    if method == "Browser.cancelDownload" {
        return refused("no download is this client's: whoever runs the browser has them".to_owned());
    }
    if method == "Page.setDownloadBehavior" {
        // It speaks for a whole context, so nothing of it is Chromium's to do.
        let asked = download_behavior(params.as_deref());
        let nothing = asked.as_deref() == Some("default");
        return if nothing { Verdict::Answer(answer("result", json!({}))) } else { refused(DOWNLOADS.to_owned()) };
    }
    if !is_to_be_had(&method) {
        return refused(format!("{method} is not to be had here: it is about the machine that the browser runs on"));
    }
    match looked_at(&method, params.as_deref(), egress) {
        Ok(params) => Verdict::Pass(Command { id, method, params, session: session_id.filter(|id| !id.is_empty()) }),
        Err(reason) => refused(reason),
    }
}

/// The parameters as Chromium gets them, or why it does not.
fn looked_at(method: &str, params: Option<&RawValue>, egress: Option<&Egress>) -> Result<Box<RawValue>, String> {
    if !is_looked_at(method) {
        return Ok(params.map_or_else(no_params, ToOwned::to_owned));
    }
    let text = params.map_or("{}", RawValue::get);
    let Ok(mut params) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Err(format!("the parameters of {method} cannot be read"));
    };
    if GOING.contains(&method) {
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
        // Ours are known by being in no window.
        "Target.createTarget" if params.get("hidden").is_some_and(|hidden| *hidden != false) => {
            return Err("a tab in no window is not to be had here".to_owned());
        }
        "Target.createBrowserContext" => confine(&mut params, egress)?,
        "Input.dispatchDragEvent" => brings_no_files(&params)?,
        "Tracing.start" => trace_the_browser_only(&mut params)?,
        _ => {}
    }
    serde_json::value::to_raw_value(&params).map_err(|error| error.to_string())
}

/// Whether what a command may do depends on its parameters. The others go through as they came.
fn is_looked_at(method: &str) -> bool {
    GOING.contains(&method)
        || method.starts_with("Target.")
        || method.starts_with("Browser.")
        || matches!(method, "Input.dispatchDragEvent" | "Tracing.start")
}

/// What is dropped into a page is the page's to read, and a path in it is one of this machine.
fn brings_no_files(params: &Map<String, Value>) -> Result<(), String> {
    let Some(data) = params.get("data") else { return Ok(()) };
    let Some(data) = data.as_object() else { return Err("the data of a drag is an object".to_owned()) };
    let are_files = |files: &Value| !files.is_null() && files.as_array().is_none_or(|files| !files.is_empty());
    if data.get("files").is_some_and(are_files) {
        return Err(
            "a drag cannot bring files here: they would be those of the machine that the browser runs on".to_owned()
        );
    }
    if let Some(other) = data.keys().find(|key| !matches!(key.as_str(), "items" | "files" | "dragOperationsMask")) {
        return Err(format!("the data of a drag takes items and dragOperationsMask only, not {other:?}"));
    }
    let items = data.get("items").and_then(Value::as_array).into_iter().flatten();
    let is_local = |item: &Value| {
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_list = text("mimeType").trim().eq_ignore_ascii_case("text/uri-list");
        let mut addresses = text("data").lines().filter_map(|line| Url::parse(line).ok());
        is_list && addresses.any(|url| !is_of_the_web(&url))
    };
    if items.into_iter().any(is_local) { Err("a drag brings addresses of the web only".to_owned()) } else { Ok(()) }
}

/// What a trace takes. A configuration of Perfetto's own names a file to write to, and the backend of the system sees all its processes.
const TRACE: [&str; 9] = [
    "bufferUsageReportingInterval",
    "categories",
    "options",
    "screenshotMaxCount",
    "screenshotMaxSize",
    "streamCompression",
    "streamFormat",
    "traceConfig",
    "transferMode",
];

/// What of the configuration of a trace is about the browser.
const TRACE_CONFIG: [&str; 6] = [
    "enableArgumentFilter",
    "enableSampling",
    "excludedCategories",
    "includedCategories",
    "recordMode",
    "traceBufferSizeInKb",
];

/// The largest buffer of a trace, in KB: what Chromium has by itself.
const TRACE_BUFFER: f64 = 200.0 * 1024.0;

fn trace_the_browser_only(params: &mut Map<String, Value>) -> Result<(), String> {
    let backend = params.remove("tracingBackend");
    if backend.is_some_and(|backend| !matches!(backend.as_str(), Some("auto" | "chrome"))) {
        return Err("a trace is one of the browser here: tracingBackend is \"chrome\"".to_owned());
    }
    if let Some(other) = params.keys().find(|key| !TRACE.contains(&key.as_str())) {
        return Err(format!("Tracing.start takes no {other} here: it is about the machine that the browser runs on"));
    }
    let options = params.get("options").and_then(Value::as_str).unwrap_or_default();
    if options.split(',').any(|option| matches!(option.trim(), "enable-systrace" | "memory-dump" | "trace-to-console"))
    {
        return Err("a trace is one of the browser here".to_owned());
    }
    if let Some(config) = params.get("traceConfig") {
        let Some(config) = config.as_object() else { return Err("traceConfig is an object".to_owned()) };
        let systrace = config.get("enableSystrace").is_some_and(|wanted| *wanted != false);
        let unknown = |key: &&String| !TRACE_CONFIG.contains(&key.as_str()) && *key != "enableSystrace";
        if let Some(other) = config.keys().find(unknown) {
            return Err(format!("traceConfig takes no {other} here: it is about the machine that the browser runs on"));
        }
        if systrace || config.get("recordMode").is_some_and(|mode| mode == "echoToConsole") {
            return Err("a trace is one of the browser here".to_owned());
        }
        if config.get("traceBufferSizeInKb").is_some_and(|size| size.as_f64().is_none_or(|size| size > TRACE_BUFFER)) {
            return Err("traceBufferSizeInKb is at most 204800 here".to_owned());
        }
    }
    params.insert("tracingBackend".to_owned(), "chrome".into());
    Ok(())
}

/// What a client asks to be done with downloads.
pub(super) fn download_behavior(params: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Asked {
        behavior: Option<String>,
    }
    serde_json::from_str::<Asked>(params?.get()).ok()?.behavior
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
    const TAKEN: [&str; 3] = ["disposeOnDetach", "proxyServer", "proxyBypassList"];
    if let Some(other) = params.keys().find(|key| !TAKEN.contains(&key.as_str())) {
        return Err(format!("{other} is not to be had here"));
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
            (
                "Input.dispatchDragEvent",
                drop(&json!({ "items": [item("text/plain", "file:///x")], "dragOperationsMask": 1 })),
            ),
            (
                "Input.dispatchDragEvent",
                drop(&json!({ "items": [item("text/uri-list", "https://a.example/")], "files": [] })),
            ),
            ("Page.createIsolatedWorld", json!({ "frameId": "F", "grantUniveralAccess": true })),
            ("Storage.setCookies", json!({ "cookies": [] })),
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
            ("Page.", json!({})),
            ("Page.navigate reload", json!({})),
            ("Page.navigate", json!({ "url": "devtools://devtools/bundled/inspector.html" })),
            ("Page.navigate", json!({ "url": "filesystem:file:///temporary/x" })),
            ("Target.createTarget", json!({ "url": "file:///etc/passwd" })),
            ("Target.createTarget", json!({ "url": "about:blank", "hidden": true })),
            ("Target.createBrowserContext", json!({ "somethingNew": "x" })),
            ("Target.getDevToolsTarget", json!({ "targetId": "T" })),
            ("Input.dispatchDragEvent", drop(&json!({ "items": [], "files": ["/etc/passwd"] }))),
            ("Input.dispatchDragEvent", drop(&json!({ "items": [], "files": "/etc/passwd" }))),
            ("Input.dispatchDragEvent", drop(&json!({ "items": [], "somethingNew": [] }))),
            ("Input.dispatchDragEvent", drop(&json!({ "items": [item("text/uri-list", "#\nfile:///etc/passwd")] }))),
            ("Input.dispatchDragEvent", json!({ "type": "drop", "data": "x" })),
            ("Tracing.start", json!({ "perfettoConfig": "AAAA" })),
            ("Tracing.start", json!({ "tracingBackend": "system" })),
            ("Tracing.start", json!({ "options": "record-until-full,enable-systrace" })),
            ("Tracing.start", json!({ "traceConfig": { "enableSystrace": true } })),
            ("Tracing.start", json!({ "traceConfig": { "memoryDumpConfig": {} } })),
            ("Tracing.start", json!({ "traceConfig": { "traceBufferSizeInKb": 1_000_000 } })),
            ("Page.addCompilationCache", json!({ "url": "https://a.example", "data": "" })),
            ("Page.produceCompilationCache", json!({ "scripts": [] })),
            ("Page.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": "/tmp" })),
            ("Browser.cancelDownload", json!({ "guid": "1" })),
            ("LayerTree.loadSnapshot", json!({ "tiles": [] })),
            ("DOM.getFileInfo", json!({ "objectId": "1" })),
            ("Storage.overrideQuotaForOrigin", json!({ "origin": "https://a.example", "quotaSize": 1e15 })),
            ("Memory.getBrowserSamplingProfile", json!({})),
            ("PWA.install", json!({ "manifestId": "x" })),
            ("FileSystem.getDirectory", json!({})),
            ("DeviceAccess.enable", json!({})),
        ] {
            assert!(!judged(method, params).unwrap_err().is_empty(), "{method}");
        }
    }

    fn drop(data: &Value) -> Value {
        json!({ "type": "drop", "x": 1, "y": 1, "data": data })
    }

    fn item(kind: &str, data: &str) -> Value {
        json!({ "mimeType": kind, "data": data })
    }

    #[test]
    fn a_trace_is_one_of_the_browser() {
        let config =
            json!({ "includedCategories": ["v8"], "excludedCategories": [], "recordMode": "recordContinuously" });
        for asked in [
            json!({ "transferMode": "ReturnAsStream", "categories": "v8,-*" }),
            json!({ "transferMode": "ReturnAsStream", "traceConfig": config, "tracingBackend": "auto" }),
            json!({ "categories": "v8", "options": "sampling-frequency=10000", "tracingBackend": "chrome" }),
        ] {
            let mut wanted = asked.clone();
            wanted["tracingBackend"] = "chrome".into();
            assert_eq!(judged("Tracing.start", asked).unwrap(), wanted);
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
