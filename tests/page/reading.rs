//! Reading, extracting, evaluating, pictures.

use rhaven::page::{GotoOptions, Schema, ScreenshotOptions, Selector, UrlPattern};
use serde_json::{Value, json};

use super::support::{Stage, short, soon};

const ORDERS: &str = "<h1>Orders</h1><table><tr class=o><td class=id>#1</td><td class=p>1 234,50 Kč</td><td><a href='/o/1'>open</a></td></tr>
    <tr class=o><td class=id>#2</td><td class=p>$1,000.25</td><td><a href='/o/2'>open</a></td><td class=note>late</td></tr></table>";

async fn extract(stage: &Stage, schema: Value) -> Result<Value, String> {
    let schema = Schema::parse(&schema).map_err(|error| error.to_string())?;
    stage.page.main_frame().extract(&schema, short()).await.map_err(|error| format!("{}: {error}", error.error.code()))
}

#[tokio::test]
async fn extract_takes_every_form() {
    let stage = Stage::with(ORDERS).await;
    let check =
        async |schema: Value, wanted: Value| assert_eq!(extract(&stage, schema.clone()).await, Ok(wanted), "{schema}");
    check(json!("h1"), json!("Orders")).await;
    check(json!([".id"]), json!(["#1", "#2"])).await;
    check(json!([{"selector": ".id", "limit": 1}]), json!(["#1"])).await;
    check(json!(["a@href"]), json!(["/o/1", "/o/2"])).await;
    check(
        json!({"title": "h1", "orders": [{"selector": ".o", "fields": {
            "id": {"selector": ".id", "regex": "#(\\d+)", "type": "integer"}, "price": {"selector": ".p", "type": "number"},
            "link": "a@href", "note": {"selector": ".note", "optional": true}, "self": {"selector": ".", "attr": "class"}}}]}),
        json!({"title": "Orders", "orders": [
            {"id": 1, "price": 1234.5, "link": "/o/1", "note": null, "self": "o"},
            {"id": 2, "price": 1000.25, "link": "/o/2", "note": "late", "self": "o"}]}),
    )
    .await;
    check(json!({"selector": "a >> nth=0", "attr": "href", "type": "url"}), json!(stage.url("/o/1"))).await;
    check(json!({"x": {"selector": ".none", "default": 7}}), json!({"x": 7})).await;
    check(json!(".id >> nth=0 @html"), json!("#1")).await;
    check(json!({"links": ["role=link[name=\"open\"]@href"]}), json!({"links": ["/o/1", "/o/2"]})).await;
    stage.end().await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let stage = Stage::with(ORDERS).await;
    let check = async |schema: Value, wanted: &str| {
        let error = extract(&stage, schema).await.unwrap_err();
        assert!(error.contains(wanted), "{error}");
    };
    check(json!({"a": ".none"}), "extract_failed: field a: no element matches \".none\" within 400 ms").await;
    check(json!({"o": [{"selector": ".o", "fields": {"n": ".note"}}]}), "field o[0].n: no element matches \".note\"")
        .await;
    check(
        json!({"o": [{"selector": ".o", "fields": {"n": "td@title"}}]}),
        "field o[0].n: <td class=\"id\">#1</td> has no title",
    )
    .await;
    check(json!({"n": {"selector": "h1", "type": "number"}}), "field n: \"Orders\" is not of type number (\"h1\")")
        .await;
    check(json!("td"), "strict_violation: td matches 7 elements, one was wanted").await;
    check(json!("td:not([title='a@b'])"), "strict_violation: td:not([title='a@b']) matches 7 elements").await;
    check(json!({"a": "td@class"}), "strict_violation: td@class matches 7 elements").await;
    stage.end().await;
}

#[tokio::test]
async fn extract_waits_for_what_is_on_its_way() {
    let stage =
        Stage::with("<p id=p></p><script>setTimeout(() => p.outerHTML = '<p class=late>here</p>', 150)</script>").await;
    assert_eq!(extract(&stage, json!(".late")).await, Ok(json!("here")));
    stage.end().await;
}

#[tokio::test]
async fn elements_are_read() {
    let stage = Stage::with(
        "<p id=p title=t>a  <b>b</b><i hidden>c</i></p><select id=s><option value=1>x</select><title>T</title>",
    )
    .await;
    assert_eq!(stage.text("#p").await, "a  bc");
    assert_eq!(stage.find("#p").inner_text(soon()).await.unwrap(), "a b");
    assert_eq!(stage.find("#p").get_attribute("title", soon()).await.unwrap().as_deref(), Some("t"));
    assert_eq!(stage.find("#p").get_attribute("nope", soon()).await.unwrap(), None);
    assert_eq!(stage.value("#s").await, "1");
    assert_eq!(stage.find("#p").input_value(soon()).await.unwrap_err().error.code(), "not_actionable");
    assert!(stage.page.main_frame().content(soon()).await.unwrap().contains("<p id=\"p\""));
    stage.end().await;
}

#[tokio::test]
async fn javascript_runs_and_fails_readably() {
    let stage =
        Stage::with("<p>x</p><script>Array.prototype.toJSON = () => 'spoilt'; window.JSON = null</script>").await;
    let frame = stage.page.main_frame();
    assert_eq!(stage.eval("1 + 1").await, json!(2));
    assert_eq!(
        stage.eval("({ a: [1, undefined, () => 1], b: undefined, c: new Date(0), d: NaN })").await,
        json!({"a": [1, null, null], "c": "1970-01-01T00:00:00.000Z", "d": null})
    );
    assert_eq!(stage.eval("const a = { x: 1 }; a.self = a; a").await, json!({"x": 1, "self": null}));
    assert_eq!(stage.eval("new Promise(r => setTimeout(() => r('later'), 20));").await, json!("later"));
    assert_eq!(frame.evaluate("async ({ n }) => n * 2", Some(&json!({"n": 21})), soon()).await.unwrap(), json!(42));
    assert_eq!(stage.eval("document.body").await, Value::Null);
    let error = frame.evaluate("1 +\nnope", None, soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "javascript_error");
    assert_eq!(error.to_string(), "JavaScript failed: ReferenceError: nope is not defined (line 2)");
    let error = frame.evaluate("1 +* 2", None, soon()).await.unwrap_err();
    assert!(error.to_string().contains("SyntaxError"), "{error}");
    let isolated = frame
        .evaluate_isolated(
            "mine",
            "async x => { globalThis.kept = x; return typeof JSON.stringify }",
            &json!(5),
            soon(),
        )
        .await;
    assert_eq!(isolated.unwrap(), json!("function"));
    assert_eq!(frame.evaluate_isolated("mine", "() => kept", &Value::Null, soon()).await.unwrap(), json!(5));
    assert_eq!(stage.eval("typeof kept + typeof __rhaven").await, "undefinedundefined");
    let error = frame.evaluate("new Promise(() => {})", None, short()).await.unwrap_err();
    assert_eq!(error.to_string(), "timeout of 400 ms while waiting for the JavaScript to end");
    stage.end().await;
}

/// A page that puts itself in the way of what leaves it.
const HOSTILE: &str = "<script>const answered = 'x'.repeat(5000), put = (name, change) => Object.defineProperty(...name, { ...change, configurable: true });
    put([Object.prototype, 'then'], { value(answer) { answer('instead') } });
    put([Promise.prototype, 'then'], { value(answer) { answer(answered) } });
    put([Object.prototype, 'a'], { set() { put([this, 'b'], { value: answered, enumerable: true }) } });
    put([Array.prototype, '0'], { set() { put([this, '0'], { value: answered, enumerable: true }) } });
    Date.prototype.toISOString = String.prototype.slice = () => answered; String.prototype.split = () => [answered];</script>";

#[tokio::test]
async fn what_leaves_a_page_has_a_bound() {
    let stage = Stage::with(HOSTILE).await;
    let frame = stage.page.main_frame();
    let within = async |source: &str| {
        let answer = frame.evaluate_within(source, Some(&json!(10_000)), 1_000, soon()).await;
        answer.map_err(|error| (error.error.code(), error.to_string()))
    };
    // What is the script's own may be a promise by the page's `then`; what it is answered in is not.
    assert_eq!(within("({ a: 1 })").await, Ok(json!("instead")));
    let inside = within("({ __proto__: null, a: 1, list: [1, undefined, 2n] })").await;
    assert_eq!(inside, Ok(json!({"a": 1, "list": [1, null, 2]})));
    assert_eq!(within("let one = 1; one + 1").await, Ok(json!(2)));
    assert_eq!(within("async n => n // as given").await, Ok(json!(10_000)));
    for large in [
        "({ __proto__: null, list: new Array(1e9) })",
        "({ __proto__: null, list: Array.from({ length: 200 }, () => 1n) })",
        "({ __proto__: null, list: Array.from({ length: 200 }, () => () => 1) })",
        "'x'.repeat(2e8)",
    ] {
        assert_eq!(within(large).await.unwrap_err().0, "result_too_large", "{large}");
    }
    for throws in [
        "throw 'x'.repeat(2e8)",
        "(() => { throw 'x'.repeat(2e8) })()",
        "() => Promise.reject('x'.repeat(2e8))",
        "async () => { throw new Error('x'.repeat(2e8)) }",
        "throw { toString: () => 'x'.repeat(2e8) }",
    ] {
        let (code, message) = within(throws).await.unwrap_err();
        assert_eq!(code, "javascript_error", "{throws}");
        assert!(message.contains(&"x".repeat(1_000)) && message.len() < 4_200, "{throws}: {} bytes", message.len());
    }
    // What closes the brackets that it is run in does not stand beside the bound.
    for beside in ["0)); (x => x)((('x'.repeat(5000))", "0), 1e9); (x => x)((('x'.repeat(5000))"] {
        let (code, message) = within(beside).await.unwrap_err();
        assert_eq!(code, "javascript_error", "{beside}");
        assert!(message.contains("SyntaxError"), "{beside}: {message}");
    }
    stage.end().await;
    // The same words and lines as without a bound.
    let stage = Stage::with("<p>x</p>").await;
    let frame = stage.page.main_frame();
    for (source, wanted) in [
        ("1 +\nnope", "ReferenceError: nope is not defined (line 2)"),
        ("() => {\n  nope }", "ReferenceError: nope is not defined (line 2)"),
        ("let x = 1; throw new TypeError('no')", "TypeError: no"),
        ("throw 'words'", "words"),
    ] {
        let error = frame.evaluate_within(source, None, 1_000, soon()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("JavaScript failed: {wanted}"), "{source}");
    }
    stage.end().await;
}

#[tokio::test]
async fn javascript_runs_in_a_document_that_came_to_the_process_of_a_frame() {
    let stage = Stage::isolated().await;
    stage.serve("/", "<iframe src='OTHER/frame'></iframe>");
    stage.serve("/frame", "<p>x</p>");
    stage.serve("/next", "<title>next</title><p>without a script</p>");
    stage.goto("/").await;
    let next = format!("http://localhost:{}/next", stage.port);
    stage.page.main_frame().evaluate(&format!("location = {next:?}"), None, soon()).await.unwrap();
    stage.page.wait_for_url(&UrlPattern::Glob(next), &GotoOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.page.main_frame().evaluate("document.title", None, soon()).await.unwrap(), json!("next"));
    stage.end().await;
}

#[tokio::test]
async fn javascript_that_fails_has_run_once() {
    let stage = Stage::with("<p>x</p>").await;
    let frame = stage.page.main_frame();
    for (source, runs) in [
        ("window.runs = (window.runs || 0) + 1, JSON.parse('<p>')", 1),
        ("async () => { window.runs += 1; return JSON.parse('<p>') }", 2),
        ("let one = 1; window.runs += one; JSON.parse('<p>')", 3),
    ] {
        let error = frame.evaluate(source, None, soon()).await.unwrap_err().to_string();
        assert!(error.contains("SyntaxError") && error.contains("JSON"), "{source}: {error}");
        assert_eq!(stage.eval("runs").await, json!(runs), "{source}");
    }
    stage.end().await;
}

#[tokio::test]
async fn pictures_have_the_size_asked_for() {
    let stage = Stage::with("<body style='margin:0'><div style='height:3000px'></div><div id=e style='width:120px;height:80px;background:red'>s</div>").await;
    let shot = async |options: ScreenshotOptions| stage.page.screenshot(&options, soon()).await.unwrap();
    let size = |png: &[u8]| {
        assert_eq!(&png[1..4], b"PNG");
        let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (word(16), word(20))
    };
    let e = Some(Selector::parse("#e").unwrap());
    let plain = shot(ScreenshotOptions { selector: e.clone(), ..ScreenshotOptions::default() }).await;
    assert_eq!(size(&plain), (120, 80));
    let masked =
        shot(ScreenshotOptions { mask: e.clone().into_iter().collect(), selector: e, ..ScreenshotOptions::default() })
            .await;
    assert_eq!(size(&masked), (120, 80));
    assert_ne!(plain, masked);
    assert_eq!(size(&shot(ScreenshotOptions { full_page: true, ..ScreenshotOptions::default() }).await).1, 3080);
    assert_eq!(&shot(ScreenshotOptions { jpeg: true, ..ScreenshotOptions::default() }).await[..2], [0xff, 0xd8]);
    stage.end().await;
}

#[tokio::test]
async fn pictures_of_and_masks_in_frames_are_where_the_elements_are() {
    let inner = "<body style='margin:0'><div style='height:500px'></div><div id=s style='width:120px;height:80px;background:red'></div><div style='height:500px'></div>";
    for source in ["/in", "OTHER/in"] {
        let stage = Stage::empty().await;
        stage.serve("/in", inner);
        stage.serve("/", &format!("<body style='margin:0'><div style='height:400px'></div><iframe src='{source}' style='margin-left:50px;border:7px solid;padding:5px;width:300px;height:200px'></iframe><div style='height:3000px'></div>"));
        stage.goto("/").await;
        let frame = stage.page.frames().pop().unwrap();
        stage.eval("scrollTo(0, 150)").await;
        frame.evaluate("scrollTo(0, 450)", None, soon()).await.unwrap();
        let picture = async |options: ScreenshotOptions| {
            let png = stage.page.screenshot(&options, soon()).await.unwrap();
            colors(&stage, &png).await
        };
        let s = Some(Selector::parse("iframe >> #s").unwrap());
        let mask: Vec<_> = s.clone().into_iter().collect();
        let whole = 120 * 80;
        let none = ScreenshotOptions::default();
        assert_eq!(picture(none.clone()).await, json!({"red": whole, "masked": 0, "all": 1280 * 720}), "{source}");
        let hidden = picture(ScreenshotOptions { mask: mask.clone(), ..none.clone() }).await;
        assert_eq!(hidden, json!({"red": 0, "masked": whole, "all": 1280 * 720}), "{source}");
        let hidden = picture(ScreenshotOptions { mask: mask.clone(), full_page: true, ..none.clone() }).await;
        assert_eq!((&hidden["red"], &hidden["masked"]), (&json!(0), &json!(whole)), "{source}");
        let only = picture(ScreenshotOptions { selector: s, ..none.clone() }).await;
        assert_eq!(only, json!({"red": whole, "masked": 0, "all": whole}), "{source}");
        // What the frame shows no part of has no cover over the page; half of it, half a one.
        for (scrolled, red) in [(0, 0), (540, whole / 2)] {
            frame.evaluate("y => scrollTo(0, y)", Some(&json!(scrolled)), soon()).await.unwrap();
            let hidden = picture(ScreenshotOptions { mask: mask.clone(), ..none.clone() }).await;
            assert_eq!(hidden, json!({"red": 0, "masked": red, "all": 1280 * 720}), "{source}");
        }
        stage.end().await;
    }
}

/// How many pixels of a picture are red, of a mask's colour, and there at all; the browser itself reads them.
async fn colors(stage: &Stage, png: &[u8]) -> Value {
    let count = "async data => {
        const image = new Image();
        image.src = 'data:image/png;base64,' + data;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
        canvas.drawImage(image, 0, 0);
        const bytes = canvas.getImageData(0, 0, image.width, image.height).data;
        let red = 0, masked = 0;
        for (let i = 0; i < bytes.length; i += 4) {
            if (bytes[i] !== 255 || bytes[i + 1] !== 0) continue;
            if (bytes[i + 2] === 0) red++;
            if (bytes[i + 2] === 255) masked++;
        }
        return { red, masked, all: image.width * image.height };
    }";
    let data = data_encoding::BASE64.encode(png);
    stage.page.main_frame().evaluate(count, Some(&json!(data)), soon()).await.unwrap()
}
