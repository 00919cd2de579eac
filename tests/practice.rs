//! The practice site over HTTP: signing in, orders, trouble, counts, and that it ends with its handle.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "practice/client.rs"]
mod client;

use client::{Visitor, site};
use rhaven::practice::{EMAIL, ORDER_COUNT, PASSWORD};

#[tokio::test]
async fn right_credentials_give_a_cookie_and_the_dashboard() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    let answer = visitor.sign_in().await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")));
    assert!(answer.head.contains("httponly; samesite=lax"), "{}", answer.head);
    assert!(answer.head.contains("max-age=2592000"), "{}", answer.head);
    let dashboard = visitor.get("/dashboard").await;
    assert_eq!(dashboard.status, 200);
    assert!(dashboard.body.contains(EMAIL));
}

#[tokio::test]
async fn a_wrong_password_is_said_on_the_page() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    let answer = visitor.sign_in_as(EMAIL, "wrong", "/login").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("Wrong e-mail or password"));
    assert!(!visitor.cookies.contains_key("sid"));
}

#[tokio::test]
async fn a_form_without_the_token_of_this_browser_is_refused() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    let csrf = visitor.get("/login").await.field("csrf");
    visitor.cookies.clear();
    let answer = visitor.post("/login", &format!("csrf={csrf}&email={EMAIL}&password={PASSWORD}")).await;
    assert_eq!(answer.status, 403);
    assert_eq!(visitor.post("/login", "csrf=&email=a&password=b").await.status, 403);
}

#[tokio::test]
async fn a_stranger_is_sent_to_the_login_and_back() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    let answer = visitor.get("/account/orders?page=2").await;
    let login = answer.header("location").expect("a redirect").to_owned();
    assert_eq!((answer.status, login.as_str()), (303, "/login?next=%2faccount%2forders%3fpage%3d2"));
    let answer = visitor.sign_in_as(EMAIL, PASSWORD, &login).await;
    assert_eq!(answer.header("location"), Some("/account/orders?page=2"));
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let site = site().await;
    for target in ["https://example.com/", "//example.com", "/\\example.com", "dashboard"] {
        let encoded: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let mut visitor = Visitor::of(&site);
        let answer = visitor.sign_in_as(EMAIL, PASSWORD, &format!("/login?next={encoded}")).await;
        assert_eq!(answer.header("location"), Some("/dashboard"), "{target}");
        assert_eq!(visitor.get(&format!("/redirect?to={encoded}")).await.status, 400, "{target}");
    }
    assert_eq!(Visitor::of(&site).get("/redirect?to=/form").await.header("location"), Some("/form"));
}

#[tokio::test]
async fn signing_out_and_reset_forget_the_cookie() {
    let site = site().await;
    for forget in ["/logout", "/api/reset"] {
        let mut visitor = Visitor::of(&site);
        visitor.sign_in().await;
        let kept = visitor.cookies.clone();
        visitor.post(forget, "").await;
        visitor.cookies = kept;
        assert_eq!(visitor.get("/dashboard").await.status, 303, "after {forget}");
        assert_eq!(visitor.get("/api/token").await.status, 401, "after {forget}");
    }
}

#[tokio::test]
async fn all_orders_are_on_the_pages_and_each_has_its_own() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    visitor.sign_in().await;
    let mut seen = Vec::new();
    let mut path = "/account/orders".to_owned();
    loop {
        let body = visitor.get(&path).await.body;
        seen.extend(body.split("class=\"id\">").skip(1).map(|rest| rest[..6].to_owned()));
        let Some(next) = body.split_once("rel=\"next\" href=\"") else { break };
        path = next.1.split('"').next().expect("an address").to_owned();
    }
    let expected: Vec<String> = (0..ORDER_COUNT).map(|index| format!("A-{}", 1000 + index)).collect();
    assert_eq!(seen, expected);
    assert!(visitor.get("/account/orders/A-1022").await.body.contains("A-1022"));
    assert_eq!(visitor.get("/account/orders/A-1023").await.status, 404);
    assert_eq!(visitor.get("/account/orders?page=4").await.status, 404);
}

#[tokio::test]
async fn every_link_of_the_index_leads_to_a_whole_page() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    visitor.sign_in().await;
    let index = visitor.get("/").await.body;
    let links: Vec<&str> = index.split("href=\"").skip(2).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links.into_iter().filter(|link| !matches!(*link, "/hang" | "/slow" | "/broken")) {
        let answer = visitor.get(link).await;
        let expected = match link {
            "/status/500" => 500,
            "/redirect?to=/form" => 303,
            _ => 200,
        };
        assert_eq!(answer.status, expected, "{link}");
        assert!(!answer.body.contains("{{"), "a placeholder is left on {link}");
        assert!(link == "/frames" || !answer.body.contains("src=\"http"), "{link} loads something from elsewhere");
    }
}

#[tokio::test]
async fn the_other_site_of_the_frames_is_the_other_name_of_this_host() {
    let site = site().await;
    let port = site.url().rsplit(':').next().expect("a port");
    let body = Visitor::of(&site).get("/frames").await.body;
    assert!(body.contains(&format!("src=\"http://localhost:{port}/frames/inner?name=other\"")));
}

#[tokio::test]
async fn the_form_is_answered_with_what_arrived() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    assert_eq!(
        visitor.post("/form/received", "{\"name\": \"žluťoučký 😀 中文\"}").await.body,
        "{\"name\":\"žluťoučký 😀 中文\"}"
    );
    assert_eq!(visitor.post("/form/received", "name=a").await.status, 400);
}

#[tokio::test]
async fn statuses_come_as_asked_for() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    for (asked, given) in [(200, 200), (204, 204), (404, 404), (503, 503), (101, 400), (600, 400), (999, 400)] {
        assert_eq!(visitor.get(&format!("/status/{asked}")).await.status, given);
    }
}

#[tokio::test]
async fn a_broken_answer_begins_and_is_cut() {
    let site = site().await;
    // Depending on the moment, the cut is a clean end or a reset; in neither case does the rest come.
    if let Ok(text) = Visitor::of(&site).try_send("GET", "/broken", "").await {
        assert!(text.contains("content-length: 5000") && text.ends_with("The first hal"), "{text}");
    }
}

#[tokio::test]
async fn visits_are_counted_by_method_and_path() {
    let site = site().await;
    let mut visitor = Visitor::of(&site);
    visitor.sign_in().await;
    visitor.get("/dashboard?avatar=10").await;
    assert_eq!(visitor.visits("/login").await, 1);
    assert_eq!(visitor.visits("POST /login").await, 1);
    assert_eq!(visitor.visits("/dashboard").await, 1);
    assert_eq!(visitor.visits("/api/visits").await, 0);
    visitor.post("/api/reset", "").await;
    assert_eq!(visitor.visits("/login").await, 0);
}

#[tokio::test]
async fn the_site_stops_when_dropped_even_with_requests_that_hang() {
    let site = site().await;
    let visitor = Visitor::of(&site);
    let hanging = tokio::spawn({
        let visitor = Visitor::of(&site);
        async move { visitor.try_send("GET", "/hang", "").await }
    });
    let mut observer = Visitor::of(&site);
    while observer.visits("/hang").await == 0 {
        tokio::task::yield_now().await;
    }
    drop(site);
    let answer = hanging.await.expect("the request's task").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    while visitor.try_send("GET", "/", "").await.is_ok() {
        tokio::task::yield_now().await;
    }
}
