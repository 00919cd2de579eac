//! `rhaven session export|import` as its users meet them: files, modes, questions, exit codes. Only a profile opens a browser.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rhaven::browser::{Flavor, find};
use rustix::process::Signal;
use serde_json::json;

use crate::home::{Home, Running, Said, said};

const STATE: &str = r#"{"cookies": [{"name": "sid", "value": "needle-sid", "domain": "a.example", "path": "/",
    "expires": -1, "httpOnly": true, "secure": true, "sameSite": "Lax"}],
  "origins": [{"origin": "https://a.example", "localStorage": [{"name": "token", "value": "needle-token"}]}],
  "credentials": []}"#;
/// Written by curl, on a host that sets cookies of each kind.
const CURL: &str = include_str!("../recorded/curl-cookies.txt");
const PHRASE: &str = "correct horse";

fn sealing(home: &Home, args: &[&str], passphrase: &str) -> Said {
    said(home.command(args).env("RHAVEN_BUNDLE_PASSPHRASE", passphrase))
}

/// A home with session `acme`.
fn with_session() -> Home {
    let home = Home::new();
    home.write("state.json", STATE);
    home.rhaven(&["session", "import", "acme", "state.json"]).ends(0);
    home
}

#[test]
fn an_import_tells_what_it_made_and_what_it_could_not_take() {
    let home = Home::new();
    home.write("state.json", STATE);
    let told = home.rhaven(&["session", "import", "acme", "state.json"]).ends(0);
    assert_eq!(told.out, "");
    let told = told.tells("session acme v1: 1 cookie, storage of 1 origin imported (playwright)");
    told.tells("not taken: credentials: it is not part of a session here");
    let again = home.rhaven(&["session", "import", "acme", "state.json"]).ends(1);
    again.tells("error[session_exists]").tells("--replace");
    let json = home.rhaven(&["session", "import", "acme", "state.json", "--replace", "--json"]).ends(0).json();
    assert_eq!((&json["version"], &json["replaced"], &json["format"]), (&2.into(), &1.into(), &"playwright".into()));
    assert_eq!(json["lost"][0]["store"], "credentials");
    let shown = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!(shown["cookies"][0]["name"], "sid");
    assert_eq!(shown["origins"][0]["local_storage"][0], "token");
}

#[test]
fn an_export_is_its_owners_and_never_written_over_unasked() {
    let home = with_session();
    let args = ["session", "export", "acme", "--format", "playwright", "-o", "out.json"];
    let told = home.rhaven(&args).ends(0);
    assert_eq!(told.out, "");
    told.tells("session acme v1: 1 cookie, storage of 1 origin written to out.json").tells("this is in clear");
    let path = home.path().join("out.json");
    assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    home.rhaven(&args).ends(1).tells("error[file_exists]").tells("--force");
    std::fs::write(&path, "old").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let json = home.rhaven(&[&args[..], &["--force", "--json"]].concat()).ends(0).json();
    assert_eq!((&json["file"], &json["clear"], &json["cookies"]), (&"out.json".into(), &true.into(), &1.into()));
    assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&path).expect("a file").contains("needle-token"));
    // Nothing else is left of the writing.
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(".out");
    let left =
        std::fs::read_dir(home.path()).expect("a folder").filter(|e| hidden(&e.as_ref().expect("one").file_name()));
    assert_eq!(left.count(), 0);
    home.rhaven(&["session", "export", "amce", "-o", "x", "--format", "cookies"]).ends(1).tells("did you mean acme?");
    let nowhere = home.rhaven(&["session", "export", "acme", "--format", "cookies", "-o", "none/x"]).ends(1);
    nowhere.tells("error[file_error]");
}

#[test]
fn without_a_file_it_goes_to_standard_output_and_comes_from_standard_input() {
    let home = with_session();
    let cookies = home.rhaven(&["session", "export", "acme", "--format", "cookies"]).ends(0);
    assert_eq!(cookies.out, "# Netscape HTTP Cookie File\n\n#HttpOnly_a.example\tFALSE\t/\tTRUE\t0\tsid\tneedle-sid\n");
    let out = cookies.out.clone();
    let told = cookies.tells("not in it: cookie sid of a.example/: the format holds no SameSite");
    let told = told.tells("not in it: storage of https://a.example/: the format holds cookies only");
    assert!(!told.err.contains("needle"), "{}", told.err);
    home.rhaven(&["session", "export", "acme", "--format", "cookies", "--json"]).ends(1).tells("");
    let mut command: Command = home.command(&["session", "import", "copy", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a start");
    child.stdin.take().expect("a pipe").write_all(out.as_bytes()).expect("a reader");
    assert!(child.wait_with_output().expect("an end").status.success());
    assert_eq!(home.rhaven(&["session", "export", "copy", "--format", "cookies"]).ends(0).out, out);
}

#[test]
fn a_jar_of_curls_is_taken_as_curl_meant_it() {
    let home = Home::new();
    home.write("jar.txt", &CURL.replace("1797921822", "4000000000").replace("1828329938", "4000000000"));
    let told = home.rhaven(&["session", "import", "acme", "jar.txt"]).ends(0);
    told.tells("5 cookies").tells("not taken: cookie wide of .a.example/: it runs out later than Chromium allows");
    let jar = home.rhaven(&["session", "export", "acme", "--format", "cookies"]).ends(0).out;
    for line in [
        "www.a.example\tFALSE\t/\tFALSE\t0\tempty\t\n",
        "#HttpOnly_www.a.example\tFALSE\t/shop\tFALSE\t0\tdeep\tx=y\n",
        "www.a.example\tFALSE\t/\tFALSE\t0\thost\t1\n",
        "\n.a.example\tTRUE\t/\tFALSE\t",
    ] {
        assert!(jar.contains(line), "{line:?} in\n{jar}");
    }
}

#[test]
fn a_bundle_is_sealed_under_its_passphrase() {
    let home = with_session();
    let export = ["session", "export", "acme", "-o", "acme.bundle"];
    home.rhaven(&export).ends(1).tells("error[passphrase_required]").tells("RHAVEN_BUNDLE_PASSPHRASE");
    sealing(&home, &export, "short").ends(1).tells("error[invalid_key]").tells("at least 8 characters");
    assert!(!home.path().join("acme.bundle").exists());
    let told = sealing(&home, &export, PHRASE).ends(0);
    assert!(!told.err.contains("clear") && !told.err.contains("not in it"), "{}", told.err);
    let bytes = std::fs::read(home.path().join("acme.bundle")).expect("a file");
    for needle in [&b"needle"[..], b"a.example", b"acme", PHRASE.as_bytes()] {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }
    let import = ["session", "import", "copy", "acme.bundle"];
    home.rhaven(&import).ends(1).tells("error[passphrase_required]");
    let wrong = sealing(&home, &import, "wrong horse").ends(5);
    wrong.tells("error[decrypt_failed]").tells("the passphrase is another one").tells("nothing was imported");
    let mut altered = bytes.clone();
    *altered.last_mut().expect("a byte") ^= 1;
    std::fs::write(home.path().join("altered.bundle"), altered).expect("a file");
    let altered = sealing(&home, &["session", "import", "copy", "altered.bundle"], PHRASE).ends(5);
    altered.tells("error[decrypt_failed]").tells("it was altered or cut off");
    home.rhaven(&["session", "show", "copy"]).ends(1);
    sealing(&home, &import, PHRASE).ends(0).tells("imported (bundle)");
    let export = |id: &str| home.rhaven(&["session", "export", id, "--format", "playwright"]).ends(0).out;
    assert_eq!(export("copy"), export("acme"));
}

#[test]
fn a_file_that_is_no_session_is_told_what_it_is_not() {
    let home = Home::new();
    home.write("notes.txt", "hello\n");
    home.write("bad.json", r#"{"cookies": [{"name": "sid", "value": 7}]}"#);
    let import = |file: &str| home.rhaven(&["session", "import", "acme", file]).ends(1);
    import("notes.txt").tells("error[invalid_import]").tells("neither JSON, nor lines of cookies, nor a bundle");
    import("bad.json").tells("cookies[0].value: a text was wanted, found a number");
    home.write("cut.json", "{\n  \"cookies\": [\n    {\"name\": \"sid\", \"value\"\n");
    import("cut.json").tells("error[invalid_import]").tells("line 4, column 0: it is not JSON");
    home.write("jar.txt", "# Netscape HTTP Cookie File\n\na.example\tFALSE\t/\tFALSE\tsoon\tsid\tneedle\n");
    let told = import("jar.txt").tells("line 3, expires: seconds since 1970 were wanted, found something else");
    assert!(!told.err.contains("needle"));
    import("missing").tells("error[file_error]");
    let forced = home.rhaven(&["session", "import", "acme", "notes.txt", "--format", "cookies"]).ends(1);
    forced.tells("line 1: 7 fields between tabs were wanted, found 1");
}

/// What a person sees who types `keys` to a command on a terminal, and how it ended. A `\0` waits for the next question.
fn typed(home: &Home, args: &[&str], keys: &str) -> (String, u32) {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_rhaven"));
    command.args(args);
    typed_to(home, command, keys)
}

fn typed_to(home: &Home, mut command: CommandBuilder, keys: &str) -> (String, u32) {
    let pty = native_pty_system().openpty(PtySize::default()).expect("a terminal");
    command.cwd(home.path());
    command.env("HOME", home.path());
    command.env("RHAVEN_HOME", home.path().join("rhaven"));
    let mut child = pty.slave.spawn_command(command).expect("a start");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let mut writer = pty.master.take_writer().expect("a writer");
    let (mut seen, mut asked) = (Vec::new(), 0);
    let mut answers = keys.split('\0');
    let mut buffer = [0; 4096];
    // A terminal that everybody has left answers with an error.
    while let Ok(length @ 1..) = reader.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..length]);
        let questions = String::from_utf8_lossy(&seen).matches(":\r\n").count();
        // Only the questions end so before the last answer.
        while asked < questions {
            asked += 1;
            if let Some(answer) = answers.next() {
                writer.write_all(answer.as_bytes()).expect("somebody reads");
            }
        }
    }
    let status = child.wait().expect("an end");
    (String::from_utf8_lossy(&seen).into_owned(), status.exit_code())
}

#[test]
fn on_a_terminal_the_passphrase_is_asked_for_and_not_shown() {
    let home = with_session();
    let export = ["session", "export", "acme", "-o", "acme.bundle"];
    let (seen, code) = typed(&home, &export, "correct horsee\u{7f}\r\0correct horse\r");
    assert!(
        code == 0 && seen.contains("passphrase of the bundle, which is not shown") && seen.contains("the same again:"),
        "{seen}"
    );
    assert!(!seen.contains("correct") && !seen.contains("horse"), "{seen}");
    sealing(&home, &["session", "import", "copy", "acme.bundle"], PHRASE).ends(0);
    let (seen, code) = typed(&home, &["session", "import", "other", "acme.bundle"], "correct horse\r");
    assert_eq!(code, 0, "{seen}");
    let other = ["session", "export", "acme", "-o", "other.bundle"];
    let (seen, code) = typed(&home, &other, "correct horse\r\0wrong horse\r");
    assert!(code == 1 && seen.contains("the two are not the same"), "{seen}");
    // Ctrl-C gives up.
    let (seen, code) = typed(&home, &other, "corr\u{3}");
    assert!(code == 130 && !seen.contains("error"), "{seen}");
    // The file is standard input, so the terminal itself is asked.
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", concat!(env!("CARGO_BIN_EXE_rhaven"), " session import piped - < acme.bundle")]);
    let (seen, code) = typed_to(&home, shell, "correct horse\r");
    assert!(code == 0 && seen.contains("session piped v1") && !seen.contains("horse"), "{seen}");
}

#[test]
fn nothing_of_a_session_is_shown_on_a_terminal() {
    let home = with_session();
    for (format, told) in [("bundle", "give -o FILE"), ("cookies", "is signed in"), ("playwright", "is signed in")] {
        let (seen, code) = typed(&home, &["session", "export", "acme", "--format", format], "");
        assert!(code == 1 && seen.contains(told) && !seen.contains("needle"), "{format}: {seen}");
    }
}

#[test]
fn an_import_that_is_interrupted_takes_back_what_it_wrote() {
    let home = Home::new();
    let origin = |host: &str, value: String| json!({"origin": format!("https://{host}.example"), "localStorage": [{"name": "token", "value": value}]});
    // Text that does not compress, so that the part behind the blob comes in more than one piece.
    let noise = (0..200_000).scan(1_u32, |state, _| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x21 + (*state >> 24) % 0x5e)
    });
    let origins = [origin("b", "needle".repeat(100_000)), origin("c", noise.collect())];
    home.write("state.json", &json!({"cookies": [], "origins": origins}).to_string());
    home.rhaven(&["session", "import", "acme", "state.json"]).ends(0);
    sealing(&home, &["session", "export", "acme", "-o", "acme.bundle"], PHRASE).ends(0);
    home.rhaven(&["session", "delete", "acme", "--yes"]).ends(0);
    assert_eq!(blobs(&home), 0);

    let bytes = std::fs::read(home.path().join("acme.bundle")).expect("a file");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut command = home.command(&["session", "import", "acme", "-"]);
    let run = Running::start(command.env("RHAVEN_BUNDLE_PASSPHRASE", PHRASE).stdin(Stdio::from(reader)));
    drop(command);
    writer.write_all(&bytes[..bytes.len() - 80_000]).expect("a reader");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while blobs(&home) == 0 {
        assert!(std::time::Instant::now() < deadline, "no blob was written");
        std::thread::yield_now();
    }
    run.signal(Signal::INT);
    run.end().ends(130);
    drop(writer);
    assert_eq!(blobs(&home), 0);
    home.rhaven(&["session", "show", "acme"]).ends(1).tells("session_not_found");
    // Nor does a lease stand in the way of the next.
    sealing(&home, &["session", "import", "acme", "acme.bundle"], PHRASE).ends(0);
    assert_eq!(blobs(&home), 1);
}

/// Complete blobs in the store.
fn blobs(home: &Home) -> usize {
    let Ok(folders) = std::fs::read_dir(home.path().join("rhaven/store/blobs")) else { return 0 };
    let folders = folders.map(|folder| folder.expect("one").path()).filter(|path| path.is_dir());
    folders.map(|folder| std::fs::read_dir(folder).map_or(0, Iterator::count)).sum()
}

/// A bundle of format 1, sealed under this passphrase. What was written once has to be read by all that comes later.
const BUNDLE: &[u8] = include_bytes!("../recorded/bundle-1.rhaven");

#[test]
fn a_bundle_that_an_earlier_rhaven_wrote_is_read() {
    let home = Home::new();
    std::fs::write(home.path().join("old.bundle"), BUNDLE).expect("a file");
    sealing(&home, &["session", "import", "acme", "old.bundle"], PHRASE)
        .ends(0)
        .tells("1 cookie, storage of 2 origins");
    let shown = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!(
        (&shown["cookies"][0]["name"], &shown["origins"][0]["local_storage"][0]),
        (&"sid".into(), &"token".into())
    );
    assert_eq!(shown["expires_at"], serde_json::Value::Null);
    let state = home.rhaven(&["session", "export", "acme", "--format", "playwright"]).ends(0).json();
    assert_eq!(state["origins"][0]["localStorage"][0]["value"], "needle-token");
    assert_eq!(state["origins"][1]["localStorage"][0]["value"].as_str().map(str::len), Some(600_000));
    home.rhaven(&["session", "check", "acme"]).ends(0);
}

/// Remembers whoever enters in a cookie and in localStorage.
async fn enter() -> impl IntoResponse {
    ([("set-cookie", "sid=known; max-age=9999")], Html("<script>localStorage.setItem('local', 'kept')</script>"))
}

/// Says whether it knows who is there.
async fn look(headers: HeaderMap) -> impl IntoResponse {
    let cookie = headers.get("cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Html(format!(
        "<title>look</title><p id=who>{}</p>",
        if cookie.contains("sid=known") { "known" } else { "stranger" }
    ))
}

/// A directory that Chromium has made by itself, in which somebody is signed in at `url`.
fn user_data(home: &Home, url: &str) -> std::path::PathBuf {
    let chromium = find(Flavor::Full, None).expect("a full Chromium: .ci/install chromium").path;
    let dir = home.path().join("chrome");
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--password-store=basic", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", dir.display())).arg(format!("{url}/enter"));
    let output = command.env("HOME", home.path()).stdin(Stdio::null()).output().expect("a start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir
}

#[test]
fn a_browsers_own_profile_becomes_a_session_that_is_signed_in() {
    let home = Home::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let routes = Router::new().route("/enter", get(enter)).route("/look", get(look));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move { axum::serve(listener, routes).await });
    let dir = user_data(&home, &url);

    let inside = home.rhaven(&["session", "import", "acme", "chrome/Default"]).ends(1);
    inside.tells("error[profile_dirty]").tells("give the folder above it");
    let lock = dir.join("SingletonLock");
    std::os::unix::fs::symlink("host-1", &lock).expect("a link");
    let import = ["session", "import", "acme", "chrome"];
    home.rhaven(&import).ends(1).tells("error[profile_dirty]").tells("close the browser");
    std::fs::remove_file(&lock).expect("a link");
    home.rhaven(&["session", "show", "acme"]).ends(1);

    let told = home.rhaven(&import).ends(0);
    assert_eq!(told.out, "");
    told.tells("session acme v1: ").tells(" files, ").tells(", of Chromium ").tells(" imported (profile)");
    let unread = home.rhaven(&["session", "list"]).ends(0).out;
    assert!(unread.matches("unread").count() == 2 && unread.contains("(profile)"), "{unread}");
    let shown = home.rhaven(&["session", "show", "acme"]).ends(0).out;
    assert!(shown.contains("storage   not known yet: the profile was imported"), "{shown}");
    let again = home.rhaven(&import).ends(1).tells("error[session_exists]").tells("only imported as a new session");
    assert!(!again.err.contains("--replace"), "{}", again.err);
    let json = home.rhaven(&["session", "import", "copy", "chrome", "--format", "profile", "--json"]).ends(0).json();
    assert_eq!((&json["session"], &json["version"], &json["format"]), (&"copy".into(), &1.into(), &"profile".into()));
    assert!(json["files"].as_u64() > Some(10) && json["bytes"].as_u64() > Some(10_000), "{json}");

    home.write("look.rhai", &format!(
        "session(\"acme\"); goto(\"{url}/look\"); [text_content(\"#who\"), evaluate(\"localStorage.getItem('local')\")]"
    ));
    let seen = home.rhaven(&["run", "look.rhai"]).ends(0);
    assert_eq!(seen.json(), json!(["known", "kept"]));
    seen.tells("session acme: restored v1 -> saved v2 (").tells("), with its profile");
    let shown = home.rhaven(&["session", "show", "acme", "--json"]).ends(0).json();
    assert_eq!((&shown["profile"]["saved"], &shown["cookies"][0]["name"]), (&"full".into(), &"sid".into()));
    assert_eq!(shown["profile"]["unread"], false);
}

#[test]
fn a_bundle_takes_the_history_along() {
    let home = with_session();
    home.rhaven(&["session", "import", "acme", "state.json", "--replace"]).ends(0);
    home.rhaven(&["session", "pin", "acme", "1"]).ends(0);
    let clear = home.rhaven(&["session", "export", "acme", "--all-versions", "--format", "cookies", "-o", "x"]).ends(1);
    clear.tells("--all-versions: only a bundle holds more than the newest version");
    let export = ["session", "export", "acme", "--all-versions", "-o", "acme.bundle"];
    sealing(&home, &export, PHRASE)
        .ends(0)
        .tells("session acme v2: 1 cookie, storage of 1 origin, 2 versions written to");
    let import = ["session", "import", "copy", "acme.bundle", "--json"];
    assert_eq!(sealing(&home, &import, PHRASE).ends(0).json()["versions"], 2);
    let kept = |id: &str| home.rhaven(&["session", "history", id, "--json"]).ends(0).json();
    assert_eq!(kept("copy"), kept("acme"));
}

#[test]
fn what_cannot_be_a_profile_is_refused_before_anything_is_read() {
    let home = with_session();
    std::fs::create_dir(home.path().join("folder")).expect("a folder");
    let import = |args: &[&str]| home.rhaven(&[&["session", "import", "other"], args].concat()).ends(1);
    import(&["folder"]).tells("error[profile_dirty]").tells("is no user-data directory").tells("chrome://version");
    let refused = import(&["folder", "--replace"]).tells("error[invalid_argument]");
    refused.tells("--replace: a profile is only imported as a new session");
    import(&["folder", "--format", "bundle"]).tells("folder is a directory; a directory is a profile");
    import(&["state.json", "--format", "profile"]).tells("a user-data directory was wanted, and state.json is none");
    import(&["-", "--format", "profile"]).tells("a user-data directory was wanted, and - is none");
    home.rhaven(&["session", "export", "acme", "--format", "profile", "-o", "x"]).ends(1);
    // Nobody is asked for a passphrase first.
    let forced = home.rhaven(&["session", "import", "other", "state.json", "--format", "bundle"]).ends(1);
    forced.tells("error[invalid_import]").tells("it does not begin as one").tells("without --format");
    home.rhaven(&["session", "show", "other"]).ends(1);
}
