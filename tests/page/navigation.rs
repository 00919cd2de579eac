//! Going places and waiting for it.

use std::time::Duration;

use rhaven::base::Deadline;
use rhaven::page::{ClickOptions, GotoOptions, LoadState, PageError, UrlPattern};

use super::support::{Stage, next_page, short, soon};

fn until(wait_until: LoadState) -> GotoOptions {
    GotoOptions { wait_until, ..GotoOptions::default() }
}

#[tokio::test]
async fn goto_answers_the_status_of_the_last_hop() {
    let stage = Stage::empty().await;
    stage.serve("/a", "<title>A</title>");
    let goto = async |path: &str| stage.page.goto(&stage.url(path), &GotoOptions::default(), soon()).await.unwrap();
    assert_eq!(goto("/a").await, Some(200));
    assert_eq!(goto("/missing").await, Some(404));
    assert_eq!(goto("/redirect?/a").await, Some(200));
    assert_eq!(stage.page.url(soon()).await.unwrap(), stage.url("/a"));
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "A");
    assert_eq!(goto("/a#x").await, None);
    assert_eq!(stage.page.url(soon()).await.unwrap(), stage.url("/a#x"));
    assert_eq!(stage.page.goto("data:text/html,<p>1", &GotoOptions::default(), soon()).await.unwrap(), None);
    stage.end().await;
}

#[tokio::test]
async fn what_does_not_load_says_why() {
    let stage = Stage::empty().await;
    let goto = async |url: &str| stage.page.goto(url, &GotoOptions::default(), short()).await.unwrap_err();
    let error = goto("http://127.0.0.1:1/").await;
    assert_eq!(error.error.code(), "navigation_failed");
    assert!(error.to_string().contains("net::ERR_"), "{error}");
    assert_eq!(
        goto("example.com").await.to_string(),
        "\"example.com\" is not an absolute URL; did you mean \"https://example.com\"?"
    );
    assert!(goto("localhost:80/a").await.to_string().ends_with("did you mean \"http://localhost:80/a\"?"));
    assert!(goto("/a").await.to_string().ends_with("is an argument missing (--arg base=..)?"));
    let error = goto(&stage.url("/download")).await;
    assert!(error.to_string().contains("download"), "{error}");
    let error = goto(&stage.url("/204")).await;
    assert_eq!(error.error.code(), "navigation_failed", "{error}");
    let error = goto(&stage.url("/never")).await;
    assert_eq!(error.to_string(), format!("timeout of 400 ms while waiting for {} to answer", stage.url("/never")));
    stage.serve("/", "<p>fine</p>");
    stage.goto("/").await;
    assert_eq!(stage.text("p").await, "fine");
    stage.end().await;
}

#[tokio::test]
async fn load_states_are_told_apart() {
    let stage = Stage::empty().await;
    stage.serve("/", "<p>here</p><img src=/never>");
    let url = stage.url("/");
    stage.page.goto(&url, &until(LoadState::Commit), soon()).await.unwrap();
    stage.page.goto(&url, &until(LoadState::DomContentLoaded), soon()).await.unwrap();
    let error = stage.page.goto(&url, &until(LoadState::Load), short()).await.unwrap_err();
    assert!(error.to_string().contains("to load"), "{error}");
    let error = stage.page.wait_for_load_state(LoadState::NetworkIdle, short()).await.unwrap_err();
    assert!(error.to_string().contains("networkidle"), "{error}");
    stage.serve("/idle", "<p>idle</p>");
    stage.page.goto(&stage.url("/idle"), &until(LoadState::NetworkIdle), soon()).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn the_next_verb_waits_for_what_a_click_started() {
    let stage = Stage::with("<a href='/b?late=300'>on</a><p>first</p>").await;
    stage.serve(
        "/b",
        "<p>second</p><form action=/c><input type=hidden name=late value=300><button>send</button></form>",
    );
    stage.serve("/c", "<p>third</p><button onclick=\"location.href='/d?late=300'\">go</button>");
    stage.serve("/d", "<p>fourth</p>");
    stage.click("a").await;
    assert_eq!(stage.text("p").await, "second");
    stage.click("button").await;
    assert_eq!(stage.text("p").await, "third");
    stage.click("button").await;
    assert_eq!(stage.page.url(soon()).await.unwrap(), stage.url("/d?late=300"));
    assert_eq!(stage.text("p").await, "fourth");
    stage.end().await;
}

#[tokio::test]
async fn a_navigation_that_comes_to_nothing_does_not_hang_the_next_verb() {
    let stage = Stage::with(
        "<p>here</p><a id=a href=/204>204</a><a id=b href=/download>download</a><a id=c href=/never>never</a>
        <a id=d href='#x'>hash</a><button onclick='window.stop()'>stop</button>",
    )
    .await;
    for link in ["#a", "#b", "#d"] {
        stage.click(link).await;
        let text = stage.find("p").text_content(Deadline::after(Duration::from_secs(5))).await;
        assert_eq!(text.unwrap(), "here", "{link}");
    }
    stage.click("#c").await;
    let error = stage.find("p").text_content(short()).await.unwrap_err();
    assert!(error.to_string().contains("/never to commit"), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn back_and_reload() {
    let stage = Stage::empty().await;
    assert!(!stage.page.go_back(&GotoOptions::default(), soon()).await.unwrap());
    stage.serve("/a", "<p>a</p>");
    stage.serve("/b", "<p>b</p>");
    stage.goto("/a").await;
    stage.goto("/b").await;
    assert!(stage.page.go_back(&GotoOptions::default(), soon()).await.unwrap());
    assert_eq!(stage.text("p").await, "a");
    stage.serve("/a", "<p>anew</p>");
    assert_eq!(stage.page.reload(&GotoOptions::default(), soon()).await.unwrap(), Some(200));
    assert_eq!(stage.text("p").await, "anew");
    stage.end().await;
}

#[tokio::test]
async fn a_url_is_waited_for() {
    let stage = Stage::with("<script>setTimeout(() => history.pushState(0, '', '/orders?page=2'), 200)</script>").await;
    let glob = UrlPattern::Glob("**/orders?page=*".into());
    stage.page.wait_for_url(&glob, &GotoOptions::default(), soon()).await.unwrap();
    let regex = UrlPattern::Regex(regex::Regex::new("page=3$").unwrap());
    let error = stage.page.wait_for_url(&regex, &GotoOptions::default(), short()).await.unwrap_err();
    assert!(error.to_string().contains("/page=3$/"), "{error}");
    stage.end().await;
}

#[tokio::test]
async fn dialogs_are_dismissed_and_told() {
    let stage = Stage::with("<button onclick=\"this.textContent = confirm('Sure?')\">x</button>").await;
    stage.click("button").await;
    assert_eq!(stage.text("button").await, "false");
    assert_eq!(stage.page.take_notices(), ["a dialog was dismissed: confirm \"Sure?\""]);
    stage.eval("void (onbeforeunload = e => { e.preventDefault(); return 'x' })").await;
    stage.click("button").await;
    stage.goto("/").await;
    assert!(stage.page.take_notices().iter().any(|notice| notice.contains("beforeunload")));
    stage.end().await;
}

#[tokio::test]
async fn a_popup_does_not_hang_its_opener() {
    let mut stage = Stage::with("<a target=_blank href=/popup>open</a><p>opener</p>").await;
    stage.serve("/popup", "<p>popup</p>");
    stage.click("a").await;
    assert_eq!(stage.text("p").await, "opener");
    let popup = next_page(&mut stage.targets).await;
    let text = popup.locator(&rhaven::page::Selector::parse("p").unwrap()).text_content(soon()).await.unwrap();
    assert_eq!(text, "popup");
    assert!(popup.url(soon()).await.unwrap().ends_with("/popup"));
    popup.close().await.unwrap();
    assert!(popup.is_closed());
    stage.end().await;
}

#[tokio::test]
async fn commits_are_replayed() {
    let stage = Stage::with("<iframe src=OTHER/inner></iframe>").await;
    stage.serve("/inner", "<p>inner</p>");
    stage.goto("/").await;
    let mut commits = stage.page.commits();
    let mut urls = Vec::new();
    while let Ok((_, url)) = commits.try_recv() {
        urls.push(url);
    }
    assert!(urls.contains(&stage.url("/")), "{urls:?}");
    assert!(urls.iter().any(|url| url.ends_with("/inner") && url.contains("localhost")), "{urls:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_click_is_lost_with_its_document_and_found_in_the_next() {
    let stage = Stage::with("<p>first</p><script>setTimeout(() => location = '/b', 150)</script>").await;
    stage.serve("/b", "<button onclick=\"document.title = 'clicked'\">go</button>");
    stage.find("button").click(&ClickOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.page.main_frame().title(soon()).await.unwrap(), "clicked");
    stage.end().await;
}

#[tokio::test]
async fn a_server_that_has_gone_is_told_by_every_way_to_it() {
    let stage = Stage::with("<p>here</p>").await;
    let (url, server) = a_server_that_may_end().await;
    stage.page.goto(&url, &GotoOptions::default(), soon()).await.unwrap();
    assert_eq!(stage.text("p").await, "there");
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    let wanted = |error: &PageError| matches!(error, PageError::Navigation { url: of, .. } if *of == url);
    let error = stage.page.reload(&GotoOptions::default(), soon()).await.unwrap_err();
    assert!(wanted(&error.error), "{error}");
    stage.goto("/").await;
    let error = stage.page.go_back(&GotoOptions::default(), soon()).await.unwrap_err();
    assert!(wanted(&error.error), "{error}");
    // What came after is not held against those that stand before it.
    assert!(stage.page.go_back(&GotoOptions::default(), soon()).await.unwrap());
    assert_eq!(stage.text("p").await, "here");
    stage.end().await;
}

/// One that answers what nobody may keep, and is gone with its task, connections and all.
async fn a_server_that_may_end() -> (String, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
                let _ = socket.write_all(format!("{head}<p>there</p>").as_bytes()).await;
            });
        }
    });
    (url, server)
}
