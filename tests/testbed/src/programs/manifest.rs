//! Definitions of custom resources that lie in a Go module, as one file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::build::{go, last_lines};

/// A file that is made of what lies in a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// What the file is called.
    pub(super) name: &'static str,
    /// A module that the `go.mod` pins.
    pub(super) module: &'static str,
    /// A file of the module, or a folder whose files are taken one after the other.
    pub(super) path: &'static str,
}

/// The definitions could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// `go` could not be started.
    #[error("cannot run `go`: {0}; install Go from https://go.dev/dl")]
    Run(io::Error),
    /// `go` failed.
    #[error(
        "`go mod download {module}` failed:\n{output}\nModules come from GOPROXY: is it reachable?"
    )]
    Download {
        /// The module.
        module: &'static str,
        /// The end of what `go` wrote.
        output: String,
    },
    /// `go` did not say where the module is.
    #[error("`go mod download -json` is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// A file could not be read or written.
    #[error("cannot copy {path}: {source}")]
    Copy {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What `go mod download -json` says of a module.
#[derive(Deserialize)]
struct Downloaded {
    #[serde(rename = "Dir")]
    folder: PathBuf,
}

/// Writes the file into a folder. The module is of the version, and of the content, that the
/// `go.mod` and `go.sum` in the folder `pins` say.
pub(super) async fn write(
    manifest: &Manifest,
    pins: &Path,
    into: &Path,
) -> Result<(), ManifestError> {
    let module = download(manifest.module, pins).await?;
    let source = module.join(manifest.path);
    let mut content = String::new();
    for path in files(&source).map_err(|error| copy_error(&source, error))? {
        let document = fs::read_to_string(&path).map_err(|error| copy_error(&path, error))?;
        content += "---\n";
        content += document.trim_start_matches("---\n");
        content += "\n";
    }
    let path = into.join(manifest.name);
    fs::write(&path, content).map_err(|error| copy_error(&path, error))
}

async fn download(module: &'static str, pins: &Path) -> Result<PathBuf, ManifestError> {
    let output = go(pins)
        .args(["mod", "download", "-json", module])
        .output()
        .await
        .map_err(ManifestError::Run)?;
    if !output.status.success() {
        let output = last_lines(&output);
        return Err(ManifestError::Download { module, output });
    }
    let downloaded: Downloaded = serde_json::from_slice(&output.stdout)?;
    Ok(downloaded.folder)
}

/// The path itself, or the definitions in it if it is a folder.
///
/// The folder of the Gateway API has a `kustomization.yaml` beside them.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<_> = entries
        .iter()
        .map(fs::DirEntry::path)
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "kustomization"))
        .collect();
    files.sort();
    Ok(files)
}

fn copy_error(path: &Path, source: io::Error) -> ManifestError {
    ManifestError::Copy {
        path: path.to_owned(),
        source,
    }
}
