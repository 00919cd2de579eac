//! Scripts that read whole documents and scroll, on the practice site.

use rhaven::practice::{FEED_COUNT, Practice};
use serde_json::{Value, json};

use super::rig::script;

async fn result(text: &str) -> Value {
    let site = Practice::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let answer = script(text).arg("site", site.url()).result().await;
    serde_json::from_str(&answer.to_string().replace(site.url(), "SITE")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_is_read() {
    let text = "goto(args.site + \"/article\");
        let node = structured_data().json_ld[0];
        #{ text: markdown(#{ main_content: true }), table: tables()[0], author: node.author.name, links: links(\"article\") }";
    let read = result(text).await;
    let article = read["text"].as_str().unwrap();
    assert!(article.starts_with("# How the tide mill was mended"), "{article}");
    assert!(
        article.contains("| Sluice | 21 | 1850.00 EUR |") && article.contains("[list of everything](SITE/feed)"),
        "{article}"
    );
    assert!(!article.contains("cookies") && !article.contains("Most read"), "{article}");
    let row = json!({"Part": "Bearings", "Days": "9", "Cost": "770.00 EUR"});
    assert_eq!((&read["table"]["heading"], &read["table"]["rows"][2]), (&json!("What it cost"), &row));
    assert_eq!(read["author"], "Nora Quill");
    let links = json!([
        {"url": "SITE/article#author", "text": "Nora Quill", "rel": "author"},
        {"url": "SITE/feed", "text": "list of everything"},
    ]);
    assert_eq!(read["links"], links);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_scrolled_to_its_end() {
    let text = "goto(args.site + \"/feed\");
        wait_for(\"#feed li >> nth=0\");
        let step = scroll(\"down\", #{ amount: 100 });
        let done = scroll(#{ until_stable: true, timeout: \"20s\" });
        let top = scroll(\"up\", #{ amount: 1000000 });
        scroll_into_view(\"text=That is all\");
        [step.moved, done.stable, done.at_end, top.at_end, extract([\"#feed li\"]).len(), links(\"#feed\").len()]";
    assert_eq!(result(text).await, json!([100, true, true, true, FEED_COUNT, FEED_COUNT]));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_found_before_the_run() {
    let failure = script("scroll(\"text=\");").failure().await;
    assert_eq!(failure.code, "invalid_selector");
    let failure = script("scroll(\"down\", #{ direction: \"sideways\" });").failure().await;
    assert_eq!(failure.code, "invalid_option");
    let failure = script("markdown(#{ main: true });").failure().await;
    assert_eq!(failure.code, "invalid_option");
}
