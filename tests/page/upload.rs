//! Files for fields that take files.

use rhaven::page::InputFile;

use super::support::{Stage, short, soon, told};

const PAGE: &str = "<label for=one>Avatar</label><input id=one type=file hidden><label><b id=inside>Papers</b>
    <input id=many type=file multiple></label><input id=text><input id=folder type=file webkitdirectory>
    <iframe srcdoc='<input type=file onchange=\"document.title = this.files[0].name\">'></iframe>
    <script>let seen = []; for (const kind of ['input', 'change']) addEventListener(kind, e => seen.push(kind + ':' + e.target.id), true);
    const told = async field => (await Promise.all([...field.files].map(async f => `${f.name}|${f.type}|${await f.text()}`))).join(';');
    const sum = async field => { const bytes = new Uint8Array(await field.files[0].arrayBuffer()); let sum = 0;
        bytes.forEach((byte, at) => sum = (sum * 31 + byte + at) % 1000003); return [bytes.length, sum].join(); };</script>";

fn file(name: &str, kind: Option<&str>, content: &[u8]) -> InputFile {
    InputFile::new(name, kind, content.to_vec()).unwrap()
}

async fn give(stage: &Stage, selector: &str, files: &[InputFile]) {
    let given = stage.find(selector).set_input_files(files, soon()).await;
    given.unwrap_or_else(|error| panic!("{selector}: {error}\n{}", told(&error.log)));
}

#[tokio::test]
async fn files_come_to_fields_and_their_labels_with_their_events() {
    let stage = Stage::with(PAGE).await;
    give(&stage, "text=Avatar", &[file("me.png", None, b"picture")]).await;
    assert_eq!(stage.eval("told(one)").await, "me.png|image/png|picture");
    assert_eq!(stage.eval("seen.join()").await, "input:one,change:one");
    // In place of those that it has; a label around it, by what stands in the label.
    let two = [file("a.txt", None, "ž".as_bytes()), file("b", Some("x/y"), b"")];
    give(&stage, "#inside", &two[..1]).await;
    give(&stage, "#many", &two).await;
    assert_eq!(stage.eval("told(many)").await, "a.txt|text/plain|ž;b|x/y|");
    give(&stage, "#many", &[]).await;
    assert_eq!(stage.eval("many.files.length").await, 0);
    assert_eq!(stage.eval("seen.length").await, 8);
    give(&stage, "iframe >> input", &[file("framed.txt", None, b"x")]).await;
    assert_eq!(stage.eval("document.querySelector('iframe').contentDocument.title").await, "framed.txt");
    // In several pieces, the last of them short.
    let large: Vec<u8> = (0..2_000_001_u32).map(|at| (at * 7 % 251) as u8).collect();
    let sum = large.iter().enumerate().fold(0, |sum, (at, byte)| (sum * 31 + u64::from(*byte) + at as u64) % 1_000_003);
    give(&stage, "#one", &[file("large.bin", None, &large)]).await;
    assert_eq!(stage.eval("sum(one)").await, format!("{},{sum}", large.len()));
    stage.end().await;
}

#[tokio::test]
async fn what_takes_no_files_says_so_at_once_and_what_is_not_there_is_waited_for() {
    let stage = Stage::with(PAGE).await;
    let one = file("a.txt", None, b"a");
    let two = [one.clone(), file("b.txt", None, b"b")];
    for (selector, files, words) in [
        ("#text", &two[..1], "is not an <input type=file>"),
        ("#one", &two[..], "takes one file"),
        ("#folder", &two[..1], "takes a folder"),
    ] {
        let error = stage.find(selector).set_input_files(files, soon()).await.unwrap_err();
        assert_eq!(error.error.code(), "not_actionable", "{selector}: {error}");
        assert!(error.to_string().contains(words), "{selector}: {error}");
    }
    let error = stage.find("input").set_input_files(std::slice::from_ref(&one), soon()).await.unwrap_err();
    assert_eq!(error.error.code(), "strict_violation");
    let error = stage.find("#late").set_input_files(std::slice::from_ref(&one), short()).await.unwrap_err();
    assert_eq!(error.error.code(), "timeout");
    assert_eq!(stage.eval("seen.length").await, 0);
    let late = "setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<input id=late type=file>'), 50); 0";
    stage.eval(late).await;
    give(&stage, "#late", &[one]).await;
    assert_eq!(stage.eval("told(late)").await, "a.txt|text/plain|a");
    stage.end().await;
}
