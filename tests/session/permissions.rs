//! What sites may do: kept beside the state, put back before a page can ask.

use chromiumoxide::cdp::browser_protocol::browser::{PermissionDescriptor, PermissionSetting, SetPermissionParams};
use rhaven::page::Page;
use rhaven::session::SessionOptions;
use serde_json::{Value, json};

use super::rig::{Rig, changes, evaluate, goto, id, soon};

pub async fn set(page: &Page, name: &str, setting: PermissionSetting, origin: &str) {
    let mut params = SetPermissionParams::new(PermissionDescriptor::new(name), setting);
    params.origin = Some(origin.to_owned());
    params.browser_context_id = page.target().context_id().cloned();
    page.main_frame().cdp().call(params).await.unwrap();
}

pub async fn states(page: &Page) -> Value {
    let ask = "async () => Promise.all(['geolocation', 'notifications', 'midi', 'clipboard-read'].map(async name =>
        (await navigator.permissions.query({ name })).state))";
    evaluate(page, ask).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_may_is_kept() {
    let rig = Rig::start().await;
    let (own, other) = (rig.url(""), rig.other_url(""));
    let mut usual = Value::Null;
    let first = rig
        .run(async |_, page| {
            goto(&page, &rig.other_url("/")).await;
            goto(&page, &rig.url("/")).await;
            usual = states(&page).await;
            set(&page, "geolocation", PermissionSetting::Granted, &own).await;
            set(&page, "midi", PermissionSetting::Denied, &own).await;
            evaluate(&page, "localStorage.setItem('x', '1')").await;
        })
        .await;
    assert_eq!(changes(&first), ["added localstorage x"]);
    let mut wanted = usual.clone();
    (wanted[0], wanted[2]) = (json!("granted"), json!("denied"));
    assert_ne!(wanted, usual);
    // Put back, and left as it is by a run that goes elsewhere and saves something.
    for _ in 0..2 {
        let second = rig.run(async |_, page| {
            goto(&page, &rig.url("/")).await;
            assert_eq!(states(&page).await, wanted);
        });
        assert_eq!(second.await.changes, []);
        rig.run(async |_, page| {
            goto(&page, &rig.other_url("/")).await;
            assert_eq!(states(&page).await, usual, "{other} was never asked about");
            evaluate(&page, "localStorage.setItem('y', Math.random())").await;
        })
        .await;
    }
    // What is taken back is not kept.
    rig.run(async |_, page| {
        goto(&page, &rig.url("/")).await;
        set(&page, "geolocation", PermissionSetting::Prompt, &own).await;
        set(&page, "midi", PermissionSetting::Prompt, &own).await;
        evaluate(&page, "localStorage.setItem('x', '2')").await;
    })
    .await;
    rig.run(async |_, page| {
        goto(&page, &rig.url("/")).await;
        assert_eq!(states(&page).await, usual);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_may_is_no_change() {
    let rig = Rig::start().await;
    rig.visit("localStorage.setItem('x', '1')").await;
    let workspace = rig.workspace();
    let session = workspace.session(&id("acme"), &SessionOptions::default()).await.unwrap();
    let page = session.page().await.unwrap();
    goto(&page, &rig.url("/")).await;
    set(&page, "geolocation", PermissionSetting::Granted, &rig.url("")).await;
    let outcome = workspace.finish(soon()).await.remove(0);
    assert_eq!((outcome.updated, outcome.changes, outcome.save_error), (false, vec![], None));
}
