//! The example of saved profiles, as a person uses it: opens one, signs in, closes it, and finds it as it was.

use serde_json::json;

use super::live_profiles::{Rhaven, router};
use super::onlooker::{Onlooker, Pages, Window, soon, until};
use super::rig::Rig;

/// Its title is who has signed in, which is kept in the profile.
const SITE: &str = "<!doctype html><script>document.title = localStorage.who || 'nobody'</script>
    <input id=name><button onclick=enter()>Sign in</button>
    <script>const enter = () => { localStorage.who = document.getElementById('name').value; location.reload(); };</script>";

/// Waits until something is so in the page of the example.
async fn shows(window: &Window, expression: &str) {
    until(&window.page.main_frame(), expression).await;
}

/// Waits until the remote page's title, which the live page tells, is that.
async fn titled(window: &Window, title: &str) {
    window.sees(&format!("document.title.startsWith('{title} ')")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_opened_left_and_found_again() {
    let (rig, pages, person) = tokio::join!(Rig::start(), Pages::start(), Onlooker::start());
    let site = pages.serve("/site", SITE);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let example = format!("http://{}/", listener.local_addr().unwrap());
    // All that the example may do.
    let token = rig.token_of("acme", &[rhaven::session::Scope::Vm]).await;
    let app = router(Rhaven::new(format!("http://{}", rig.address).parse().unwrap(), token));
    let served = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let window = person.open(&example).await;
    shows(&window, "!choose.hidden && profiles.children.length === 0").await;
    window.eval("document.getElementById('new').click(), 1").await;
    shows(&window, "!browser.hidden && location.search.startsWith('?profile=') && told.textContent === ''").await;
    let profile = window.eval("new URLSearchParams(location.search).get('profile')").await;
    // To the site, and in.
    window
        .sees("!document.getElementById('cover').className && document.querySelectorAll('#tab-list li').length === 1")
        .await;
    window.click("#address").await;
    window.ask("Input.insertText", json!({ "text": site })).await;
    window.press(&["Enter"]).await;
    titled(&window, "nobody").await;
    // By the keys: into the field, the name, to the button, and press it.
    window.press(&["Tab"]).await;
    window.types("Ada").await;
    window.press(&["Tab", "Space"]).await;
    titled(&window, "Ada").await;

    // A reload of the page around comes back to the same browser, which is where it was.
    let before = rig.ask(reqwest::Method::GET, "/v0/vm", None).await.json();
    window.page.reload(&rhaven::page::GotoOptions::default(), soon()).await.unwrap();
    shows(&window, "!browser.hidden && told.textContent === ''").await;
    titled(&window, "Ada").await;
    assert_eq!(rig.ask(reqwest::Method::GET, "/v0/vm", None).await.json()["results"], before["results"]);

    // Saved at the end, and there again.
    window.eval("document.getElementById('close').click(), 1").await;
    shows(&window, "!choose.hidden && profiles.children.length === 1 && location.search === ''").await;
    assert_eq!(rig.ask(reqwest::Method::GET, "/v0/vm", None).await.json()["results"], json!([]));
    assert_eq!(window.eval("profiles.querySelector('button').textContent").await, profile);
    window.eval("profiles.querySelector('button').click(), 1").await;
    shows(&window, "!browser.hidden && told.textContent === ''").await;
    titled(&window, "Ada").await;
    assert_eq!(window.eval("new URLSearchParams(location.search).get('profile')").await, profile);
    window.eval("document.getElementById('close').click(), 1").await;
    shows(&window, "!choose.hidden && told.textContent === ''").await;

    drop(window);
    person.end().await;
    served.abort();
    rig.stop().await;
}
