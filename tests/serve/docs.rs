//! The examples of `rhaven docs serve`, `fetch` and `live`, run as they stand: each is a command whose answer has no error.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::rig::Rig;
use crate::run::site;

/// The blocks of shell commands in the topics.
fn examples() -> Vec<String> {
    let topics = ["serve", "fetch", "live"].map(|topic| rhaven::script::topic(topic).unwrap().text);
    let blocks = topics.iter().flat_map(|topic| topic.split("```sh\n").skip(1));
    blocks.filter_map(|block| block.split_once("\n```")).map(|(block, _)| block.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_the_topic_works_as_it_stands() {
    let scripts = tempfile::tempdir().unwrap();
    std::fs::write(scripts.path().join("orders.rhai"), "// Lists orders.\n//@ arg shop: which\nargs.shop").unwrap();
    let rig = Rig::start_with(|config| config.scripts = Some(scripts.path().to_owned())).await;
    let site = site().await;
    let examples = examples();
    assert!(examples.len() >= 12, "{examples:?}");
    for example in examples {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &example]).kill_on_drop(true).stdin(Stdio::null());
        command.env("URL", format!("http://{}", rig.address)).env("TOKEN", &rig.token).env("SITE", &site);
        command.env("no_proxy", "*").current_dir(scripts.path());
        let output = command.output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{example}\n{out}\n{err}");
        // Streams and files are none; what is JSON tells of no error.
        if let Ok(answer) = serde_json::from_str::<Value>(&out) {
            // Those of live browsers are as others' are, and have the request's id in a header only.
            let is_named = answer["request_id"].is_string() || example.contains("/v0/");
            assert!(answer.get("error").is_none() && is_named, "{example}\n{answer:#}");
        } else {
            assert!(!out.is_empty() && !out.contains("\"error\""), "{example}\n{out}");
        }
    }
    rig.stop().await;
}
