//! The dashboard's door: what its cookie opens, and what other sites cannot do with it.

use reqwest::{Method, StatusCode, header};
use rhaven::browser::Target;
use serde_json::json;

use super::browser::{end, evaluate, goto, start, tab};
use super::rig::{Answered, Rig, sent};
use super::site::Site;
use super::vm::in_time;

/// A request as a browser sends it: no token, perhaps with the cookie and the word.
async fn asked(rig: &Rig, method: Method, path: &str, headers: &[(&str, &str)]) -> Answered {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("http://{}{path}", rig.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if path.ends_with("/sign-in") {
        request = request.json(&json!({ "token": rig.token }));
    } else if path == "/v1/run" {
        request = request.json(&json!({ "script": "1 + 1" }));
    } else if path == "/v0/vm" {
        // Nothing is begun: whoever is let in is told that this cannot be.
        request = request.json(&json!({ "fps": 0 }));
    }
    sent(request).await
}

/// Signs in; the cookie, and the word that goes with it.
async fn sign_in(rig: &Rig) -> (String, String) {
    let signed = asked(rig, Method::POST, "/dashboard/sign-in", &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text);
    let cookie = signed.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(rig.token.rsplit('.').next().unwrap()), "it is not the token");
    let told = signed.json();
    assert_eq!(told["tenant"], "acme");
    (cookie.split(';').next().unwrap().to_owned(), told["csrf"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_cookie_opens_nothing_without_the_word_that_only_its_page_has() {
    let rig = Rig::start().await;
    let (cookie, word) = sign_in(&rig).await;
    let (other, others) = sign_in(&rig).await;
    assert_ne!(cookie, other);
    let cookie = ("cookie", &*cookie);
    for (path, let_in) in [("/v1/run", StatusCode::OK), ("/v0/vm", StatusCode::BAD_REQUEST)] {
        for refused in [
            &[cookie][..],
            &[cookie, ("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")],
            &[cookie, ("x-rhaven-csrf", "1")],
            &[cookie, ("x-rhaven-csrf", &others)],
            &[cookie, ("x-rhaven-csrf", &word), ("sec-fetch-site", "cross-site")],
            &[cookie, ("x-rhaven-csrf", &word), ("sec-fetch-site", "same-site")],
            &[("x-rhaven-csrf", &word)],
        ] {
            let answer = asked(&rig, Method::POST, path, refused).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {refused:?}: {}", answer.text);
        }
        let right = [cookie, ("x-rhaven-csrf", &*word), ("sec-fetch-site", "same-origin")];
        let answer = asked(&rig, Method::POST, path, &right).await;
        assert_eq!(answer.status, let_in, "{}", answer.text);
    }
    // Nobody is signed in, or out, by a page of another site.
    for path in ["/dashboard/sign-in", "/dashboard/sign-out"] {
        let answer = asked(&rig, Method::POST, path, &[cookie, ("sec-fetch-site", "cross-site")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    rig.stop().await;
}

#[tokio::test]
async fn who_signs_out_or_whose_token_is_revoked_is_out_wherever_the_cookie_is() {
    let rig = Rig::start().await;
    let ((first, word), (second, others)) = (sign_in(&rig).await, sign_in(&rig).await);
    let beside = rig.beside(|_| {}).await;
    let status = async |rig: &Rig, cookie: &str, word: &str| {
        let headers = [("cookie", cookie), ("x-rhaven-csrf", word)];
        let is_known = asked(rig, Method::GET, "/dashboard/me", &headers[..1]).await.status;
        let opens = asked(rig, Method::GET, "/v0/vm", &headers).await.status;
        assert_eq!(is_known, opens);
        opens
    };
    assert_eq!(status(&beside, &first, &word).await, StatusCode::OK);
    let out = asked(&rig, Method::POST, "/dashboard/sign-out", &[("cookie", &first)]).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    for rig in [&rig, &beside] {
        assert_eq!(status(rig, &first, &word).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(rig, &second, &others).await, StatusCode::OK, "the other sign-in goes on");
    }
    assert!(rig.sessions.revoke_token(rig.token.split('.').nth(1).unwrap()).await.unwrap());
    assert_eq!(status(&rig, &second, &others).await, StatusCode::UNAUTHORIZED);
    beside.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn where_all_of_the_host_is_ours_no_other_host_can_put_the_cookie_there() {
    let rig = Rig::start().await;
    for (base, name, set) in [
        ("https://rhaven.example", "__Host-rhaven", "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"),
        ("https://site.example/rhaven", "rhaven", "; Path=/rhaven; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"),
        ("http://rhaven.example", "rhaven", "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
    ] {
        let here = rig.beside(|config| config.public_url = Some(base.to_owned())).await;
        let signed = asked(&here, Method::POST, "/dashboard/sign-in", &[]).await;
        let cookie = signed.headers[header::SET_COOKIE].to_str().unwrap();
        let (pair, attributes) = cookie.split_at(cookie.find(';').unwrap());
        assert_eq!(attributes, set, "{base}");
        let value = pair.strip_prefix(&format!("{name}=")).unwrap_or_else(|| panic!("{base}: {cookie}"));
        let other = if name == "rhaven" { "__Host-rhaven" } else { "rhaven" };
        // Whatever else is sent, be it the same under the other name.
        for (sent, status) in [
            (pair.to_owned(), StatusCode::OK),
            (format!("{other}=planted; {pair}"), StatusCode::OK),
            (format!("{other}={value}"), StatusCode::UNAUTHORIZED),
            (format!("{name}=planted; {other}={value}"), StatusCode::UNAUTHORIZED),
        ] {
            let me = asked(&here, Method::GET, "/dashboard/me", &[("cookie", &sent)]).await;
            assert_eq!(me.status, status, "{base}: {sent}: {}", me.text);
        }
        // Signing out ends that one, and takes it from the browser: by its name, at its path.
        let out = asked(&here, Method::POST, "/dashboard/sign-out", &[("cookie", pair)]).await;
        let gone = format!("{name}={}", set.replace("43200", "0"));
        assert_eq!((out.status, out.headers[header::SET_COOKIE].to_str().unwrap()), (StatusCode::NO_CONTENT, &*gone));
        let me = asked(&here, Method::GET, "/dashboard/me", &[("cookie", pair)]).await;
        assert_eq!(me.status, StatusCode::UNAUTHORIZED, "{base}");
        here.stop().await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn nobody_frames_it_and_it_loads_nothing_from_elsewhere() {
    let rig = Rig::start().await;
    for path in ["/", "/dashboard/dashboard.js", "/docs"] {
        let answer = asked(&rig, Method::GET, path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer", "{path}");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
    }
    // The page of a live browser may stand in a frame, and nothing else of it is looser.
    let page = asked(&rig, Method::GET, "/live/anything", &[]).await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("frame-ancestors"), "{policy}");
    assert!(!page.headers.contains_key(header::X_FRAME_OPTIONS));
    rig.stop().await;
}

/// Waits until that holds in the page.
async fn until(tab: &Target, what: &str) {
    let look = format!(
        "(async () => {{ for (let n = 0; n < 20 && !({what}); n++) await new Promise((go) => setTimeout(go, 50)); return Boolean({what}); }})()"
    );
    in_time(what, async { while evaluate(tab.cdp(), &look).await != json!(true) {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_runs_a_script_in_the_box_sees_its_steps_and_signs_out() {
    let (rig, site, browser) = (Rig::start().await, Site::start().await, start().await);
    let (_context, tab) = tab(&browser).await;
    goto(&tab, &format!("http://{}/", rig.address)).await;
    until(&tab, "document.querySelector('#token')").await;
    let sign_in = format!("token.value = '{}'; token.form.requestSubmit()", rig.token);
    evaluate(tab.cdp(), &sign_in).await;
    until(&tab, "who.textContent === 'Tenant acme'").await;
    assert_eq!(evaluate(tab.cdp(), "document.cookie").await, json!(""), "scripts cannot read it");
    evaluate(tab.cdp(), "location.hash = '#run'").await;
    until(&tab, "document.querySelector('#script-args')").await;
    let url = site.url("/");
    let fill = format!(
        "document.querySelector('#script').value = 'print(\"begun\"); step(\"opening\", || goto(args.url)); title()';
         document.querySelector('#script-args').value = JSON.stringify({{ url: '{url}' }});
         [...document.querySelectorAll('button')].find((one) => one.textContent === 'Run').click()"
    );
    evaluate(tab.cdp(), &fill).await;
    until(&tab, "document.querySelector('section pre:not([hidden])')").await;
    let told = "[document.querySelector('section pre').textContent, ...[...document.querySelectorAll('.steps li')].map((one) => one.textContent)]";
    let told = evaluate(tab.cdp(), told).await;
    let told: Vec<&str> = told.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(told[0], "\"Start\"", "{told:?}");
    let step = told.iter().position(|line| line.starts_with("opening: ") && line.ends_with(" ms"));
    assert!(step > told.iter().position(|line| *line == "begun") && told.contains(&"begun"), "{told:?}");
    evaluate(tab.cdp(), "document.querySelector('#sign-out').click()").await;
    until(&tab, "document.querySelector('#token')").await;
    end(browser).await;
    rig.stop().await;
}
