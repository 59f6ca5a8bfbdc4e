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

/// The table of the fifteen nastiest cases, in the crate doc of this file.
const NASTIEST: &str = "tests/cluster/nastiest.rs";

#[test]
fn each_of_the_nastiest_cases_is_shown_by_tests_that_are_there() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join(NASTIEST))?;
    let listed = fs::read_to_string(root.join("tests/cluster/main.rs"))?;
    let cases = cases(&table);
    let numbers: Vec<usize> = cases.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    for (number, tests) in cases {
        assert!(!tests.is_empty(), "case {number} is shown by nothing");
        for test in tests {
            let (file, name) = test.split_once("::").ok_or("no file")?;
            let places = ["tests/cluster", "tests", "src"].map(|place| root.join(place));
            let mut sources = places.iter().map(|place| place.join(format!("{file}.rs")));
            let source = sources.find(|source| source.is_file());
            let source = source.ok_or_else(|| format!("case {number}: there is no {file}.rs"))?;
            let text = fs::read_to_string(&source)?;
            assert!(
                text.contains(&format!("fn {name}(")),
                "case {number}: {test}"
            );
            // Of the cluster's tests those are run that its table lists.
            let is_run = !source.starts_with(&places[0]) || listed.contains(name);
            assert!(is_run, "case {number}: {test} is not run");
        }
    }
    Ok(())
}

/// The number of each case, and the tests in the second column of its row, in backticks.
fn cases(table: &str) -> Vec<(usize, Vec<&str>)> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    let row = |row| {
        let (number, _) = str::split_once(row, ". ")?;
        let tests = row.split(" | ").nth(1)?.split('`').skip(1).step_by(2);
        Some((number.parse().ok()?, tests.collect()))
    };
    rows.filter_map(row).collect()
}

#[test]
fn a_row_names_its_tests() {
    let table = "//! | case | shown by | without |\n//! |---|---|---|\n\
                 //! | 7. A `b` c | `flux::a`, `plan/flux::b` | |\n//! 8. no row\n";
    assert_eq!(cases(table), [(7, vec!["flux::a", "plan/flux::b"])]);
}
