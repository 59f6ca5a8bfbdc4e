//! The rules of the house that the compiler does not know.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The pure rooms: time is an argument there, and nothing is read from anywhere.
const PURE: [&str; 6] = [
    "coverage",
    "coverage.rs",
    "notice",
    "plan",
    "reach",
    "schedule",
];

/// What no pure room may speak of, and why.
const IMPURE: [(&str, &str); 14] = [
    ("kube::Client", "a cluster"),
    ("kube::Api", "a cluster"),
    ("kube::runtime", "a cluster"),
    ("tokio", "a runtime"),
    ("Utc::now", "a clock"),
    ("Local::now", "a clock"),
    ("Timestamp::now", "a clock"),
    ("std::time::Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("env::var", "the environment"),
    ("std::fs", "files"),
    ("crate::backend", "a room that is not pure"),
    ("crate::controller", "a room that is not pure"),
    ("crate::telemetry", "a room that is not pure"),
];

#[test]
fn the_pure_rooms_know_no_cluster_no_clock_and_no_environment() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    let mut found = Vec::new();
    for room in PURE {
        for file in files(&source.join(room))? {
            read += 1;
            found.extend(impurities(&file, &fs::read_to_string(&file)?));
        }
    }
    assert!(read >= PURE.len(), "only {read} files were looked at");
    assert_eq!(found, [""; 0]);
    Ok(())
}

#[test]
fn an_impurity_is_found() {
    let found = impurities(
        Path::new("a.rs"),
        "/// Not `Utc::now`.\nlet now = Utc::now();",
    );
    assert_eq!(found, ["a.rs:2 speaks of a clock: Utc::now"]);
}

/// Where a file speaks of what it may not, but for comments.
fn impurities(file: &Path, text: &str) -> Vec<String> {
    let code = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim_start().starts_with("//"));
    let of_line = |(line, number): (&str, usize)| {
        let spoken_of = IMPURE.iter().filter(move |(name, _)| line.contains(name));
        let sentence =
            |(name, what)| format!("{}:{number} speaks of {what}: {name}", file.display());
        spoken_of
            .map(move |(name, what)| sentence((name, what)))
            .collect::<Vec<_>>()
    };
    code.flat_map(of_line).collect()
}

/// A file, or the files in a folder and its folders.
fn files(path: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        found.extend(files(&entry?.path())?);
    }
    Ok(found)
}
