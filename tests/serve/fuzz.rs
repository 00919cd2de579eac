//! The document of the interface, held against the server by a program that was not written for it: schemathesis sends what the
//! document allows, and what it does not, and finds no fault of the server and no answer that is not described.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::rig::Rig;

/// What `.ci/install schemathesis` installs.
const VERSION: &str = "4.32.5";
/// Cases of each operation and phase; `RHAVEN_FUZZ_EXAMPLES` says otherwise.
const EXAMPLES: &str = "10";

/// Statuses beyond 500 that are told on purpose: what is asked may name what cannot be reached.
const CONFIG: &str =
    "[checks]\nnot_a_server_error.expected-statuses = [\"2xx\", \"3xx\", \"4xx\", \"502\", \"503\", \"504\"]\n";

/// What is held of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth";

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    let program = cache.unwrap_or_else(home).join(format!("rhaven-tests/schemathesis-{VERSION}/bin/schemathesis"));
    assert!(program.exists(), "schemathesis {VERSION} is missing, it comes with: .ci/install schemathesis");
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_finds_a_fault_or_an_answer_that_is_not_described() {
    // One live browser is enough to learn from: beyond it the answer is 429.
    let rig = Rig::start_with(|config| config.max_live = 1).await;
    let examples = std::env::var("RHAVEN_FUZZ_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let run = Command::new(program())
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("http://{}/openapi.json", rig.address), "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {}", rig.token)])
        .args(["--checks", CHECKS, "--max-examples", &examples, "--workers", "1"])
        .args(["--phases", "coverage,fuzzing", "--generation-deterministic"])
        .args(["--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "60"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = run.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace(&rig.token, "TOKEN");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    rig.stop().await;
}
