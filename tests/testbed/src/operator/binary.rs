//! Builds the binary under test, as a user of the repository would.

use std::{env, io, path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

/// The name of the operator's binary.
pub(crate) const NAME: &str = "entracte";

/// The binary could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// `cargo` could not be started.
    #[error("cannot run cargo: {0}")]
    Run(#[from] io::Error),
    /// `cargo` failed; what it says stands above.
    #[error("`cargo build --package entracte --bin entracte` failed, as it says above")]
    Failed,
    /// `cargo` did not name the binary.
    #[error("cargo did not say where it put the binary `entracte`")]
    Unnamed,
}

/// Builds the binary and returns where it is. Cargo shows its progress itself.
pub(crate) async fn build() -> Result<PathBuf, BinaryError> {
    // Cargo names itself to what it runs.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        // Both packages: with the features of both together, which is how this program was
        // built itself, nothing has to be compiled a second time.
        .args([
            "build",
            "--package",
            NAME,
            "--package",
            env!("CARGO_PKG_NAME"),
        ])
        .args(["--bin", NAME])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().await?;
    if !output.status.success() {
        return Err(BinaryError::Failed);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(executable)
        .next_back()
        .ok_or(BinaryError::Unnamed)
}

/// The binary of a message of Cargo's (reason `compiler-artifact`).
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message.pointer("/target/name")? == NAME;
    let path = message.get("executable")?.as_str()?;
    ours.then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_what_cargo_says() {
        let binary = r#"{"reason":"compiler-artifact","target":{"name":"entracte"},"executable":"/t/entracte"}"#;
        let library =
            r#"{"reason":"compiler-artifact","target":{"name":"entracte"},"executable":null}"#;
        assert_eq!(executable(binary), Some("/t/entracte".into()));
        assert_eq!(executable(library), None);
    }
}
