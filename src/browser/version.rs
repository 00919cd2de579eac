//! Which Chromium a binary is, without starting a browser: its profile may not be one that a later Chromium wrote, and after
//! the start it is too late to ask.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::flags::passed_on;
use super::{BrowserError, LaunchOptions};

/// How long a binary may take to print its version; 50 ms are usual.
const ANSWER: Duration = Duration::from_secs(10);

/// The version of the browser that would be started: `156.0.7000.1`. Runs its binary with `--version`.
pub async fn installed_version(options: &LaunchOptions) -> Result<String, BrowserError> {
    let path = options.find()?.path;
    let failed = |reason: String| BrowserError::Launch {
        executable: path.display().to_string(),
        reason: format!("its version could not be told: {reason}"),
    };
    let printed = tokio::time::timeout(ANSWER, ask(&path)).await;
    let printed = printed.map_err(|_| failed("it does not answer".to_owned()))?;
    let printed = printed.map_err(|error| failed(error.to_string()))?;
    version_number(&printed).map(str::to_owned).ok_or_else(|| failed(format!("it printed {:?}", printed.trim())))
}

async fn ask(path: &Path) -> std::io::Result<String> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .env_clear()
        .envs(passed_on())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The number in `Chromium 156.0.7000.1` or `HeadlessChrome/156.0.7000.1`.
pub fn version_number(text: &str) -> Option<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.into_iter().find(|word| word.split('.').count() == 4 && word.split('.').all(|part| !part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::version_number;

    #[test]
    fn a_version_is_found_in_what_browsers_say_of_themselves() {
        let check = |text, number| assert_eq!(version_number(text), number, "{text}");
        check("Chromium 156.0.8078.79 built on Debian 12", Some("156.0.8078.79"));
        check("HeadlessChrome/156.0.8078.79", Some("156.0.8078.79"));
        check("Google Chrome 9.1.2.3 ", Some("9.1.2.3"));
        check("Chromium 156", None);
        check("1.2.3.", None);
        check("", None);
    }
}
