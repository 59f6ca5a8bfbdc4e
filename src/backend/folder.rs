//! Files → the notices that are wanted, without a cluster.
//!
//! It is how an answer is tried, tested and measured by itself.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use super::source::Notices;
use crate::notice::{self, Notice};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why the notices of a folder cannot be read.
#[derive(Debug, Error)]
enum Error {
    #[error("cannot read {path}: {source}: check that it is there, and who may read it")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Notice {
        path: PathBuf,
        source: notice::Error,
    },
    #[error("{path} gives port {port}, and so does another file: give each its own")]
    Twice { path: PathBuf, port: u16 },
}

/// Keeps `wanted` as the files `*.json` of the folder have it, for ever.
///
/// What cannot be read is logged, and the last known notices stay: a file that is just being
/// written is read whole a second later.
pub(super) async fn follow(folder: &Path, wanted: watch::Sender<Option<Notices>>) -> Infallible {
    let mut said = None;
    loop {
        match read(folder) {
            Ok(notices) => {
                said = None;
                wanted.send_if_modified(|wanted| {
                    let changes = wanted.as_ref() != Some(&notices);
                    *wanted = Some(notices);
                    changes
                });
            }
            Err(error) => {
                let error = Some(error.to_string());
                if said != error {
                    warn!(
                        error,
                        "the notices stay as they were; trying again every second"
                    );
                    said = error;
                }
            }
        }
        sleep(LOOK).await;
    }
}

fn read(folder: &Path) -> Result<Notices, Error> {
    let cannot = |path: &Path, source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut notices = Notices::new();
    for entry in fs::read_dir(folder).map_err(|source| cannot(folder, source))? {
        let path = entry.map_err(|source| cannot(folder, source))?.path();
        if path.extension() != Some(OsStr::new("json")) {
            continue;
        }
        let json = fs::read_to_string(&path).map_err(|source| cannot(&path, source))?;
        let notice = Notice::from_json(&json).map_err(|source| Error::Notice {
            path: path.clone(),
            source,
        })?;
        let port = notice.port;
        if notices.insert(port, notice.into()).is_some() {
            return Err(Error::Twice { path, port });
        }
    }
    Ok(notices)
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    const NOTICE: &str =
        r#"{"window": {"namespace": "shop", "name": "w"}, "uid": "1", "port": 20001}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn every_file_of_json_is_a_notice() {
        let folder = folder(&[("one.json", NOTICE), ("README", "no notice")]);
        let notices = read(folder.path()).unwrap();
        assert_eq!(notices.keys().collect::<Vec<_>>(), [&20_001]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file() {
        let broken = folder(&[("broken.json", "{")]);
        let error = read(broken.path()).unwrap_err().to_string();
        let path = broken.path().join("broken.json");
        let start = format!("{}: the notice is no JSON of one: EOF", path.display());
        assert!(error.starts_with(&start), "{error}");

        let twice = folder(&[("one.json", NOTICE), ("two.json", NOTICE)]);
        let error = read(twice.path()).unwrap_err().to_string();
        assert!(error.ends_with("gives port 20001, and so does another file: give each its own"));

        let nowhere = read(Path::new("/there/is/none")).unwrap_err().to_string();
        assert!(
            nowhere.starts_with("cannot read /there/is/none: "),
            "{nowhere}"
        );
    }
}
