//! The binary: the runtime, the command line, the exit code; nothing else.

use std::process::ExitCode;

/// Verbs of one script follow each other; a second thread keeps the browser's messages flowing while one works.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    let invocation = match rhaven::cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return ExitCode::from(code),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(rhaven::cli::no_runtime(&error)),
    };
    let code = runtime.block_on(invocation.execute());
    // Whatever still runs (a script that does not stop) must not hold up the end.
    runtime.shutdown_background();
    ExitCode::from(code)
}
