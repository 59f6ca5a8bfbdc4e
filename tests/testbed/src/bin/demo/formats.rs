//! What three kinds of clients are told, as `curl` shows it.

use std::{io, net::SocketAddr, process::Stdio};

use tokio::process::Command;

use crate::story::Story;

/// Long enough for a proxy that is busy, short enough for the show.
const SECONDS: &str = "2";

/// How many lines of a page are shown: its head says what it is.
const LINES: usize = 24;

/// `Accept` of a program that does not mind, of one that wants text, and of a browser.
const CLIENTS: [Option<&str>; 3] = [
    None,
    Some("text/plain"),
    Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
];

/// `curl` could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CurlError {
    #[error("cannot run `curl`: {0}; install the package curl")]
    Run(#[from] io::Error),
    #[error("`curl {arguments}` failed: {message}")]
    Failed { arguments: String, message: String },
}

/// Asks for `address` in each of the formats, and tells what came.
pub(crate) async fn tell(address: SocketAddr, story: &mut Story) -> Result<(), CurlError> {
    for accept in CLIENTS {
        let url = format!("http://{address}/");
        let header = accept.map(|accept| format!("Accept: {accept}"));
        let shown = header.as_deref().map(|header| format!(" -H '{header}'"));
        story.command(&format!("curl -i{} {url}", shown.unwrap_or_default()));
        let mut arguments = vec!["--silent", "--show-error", "--include"];
        arguments.extend(["--max-time", SECONDS]);
        arguments.extend(header.iter().flat_map(|header| ["--header", header]));
        arguments.push(&url);
        story.quote(&beginning(&curl(&arguments).await?));
    }
    Ok(())
}

async fn curl(arguments: &[&str]) -> Result<String, CurlError> {
    let mut command = Command::new("curl");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).replace('\r', ""));
    }
    Err(CurlError::Failed {
        arguments: arguments.join(" "),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn beginning(answer: &str) -> String {
    let lines: Vec<&str> = answer.lines().collect();
    match lines.split_at_checked(LINES) {
        Some((shown, rest)) if !rest.is_empty() => {
            format!("{}\n… and {} lines more", shown.join("\n"), rest.len())
        }
        _ => lines.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_page_is_shown_by_its_beginning() {
        let whole = "line\n".repeat(LINES);
        assert_eq!(beginning(&whole), whole.trim_end());
        let longer = format!("{whole}one\ntwo\n");
        assert_eq!(beginning(&longer), format!("{whole}… and 2 lines more"));
    }
}
