//! The clients that are built or fetched once, into the cache of the testbed.

use std::path::{Path, PathBuf};

use entracte_testbed::process::mortal;
use entracte_testbed::programs::{self, Family, Plan, Source};
use tokio::process::Command;

static GO: Family = Family::new(
    "clients-go",
    Source::Go(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/go")),
    &["h2spec", "retryable", "grpc"],
);

static PYTHON: Family = Family::new(
    "clients-python",
    Source::Packages(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python")),
    &["requests/__init__.py", "urllib3/__init__.py"],
);

/// A client written in Go, or h2spec.
pub(crate) async fn go(program: &str) -> Command {
    mortal(path(&GO, program).await, "KILL")
}

/// Python with the pinned packages, and a script of ours.
pub(crate) async fn python(script: &str) -> Command {
    let packages = path(&PYTHON, "urllib3/__init__.py").await;
    let packages = packages.ancestors().nth(2).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients/python")
        .join(script);
    let mut command = mortal("python3", "KILL");
    command
        .arg(script)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

async fn path(family: &'static Family, name: &str) -> PathBuf {
    let plan = Plan::of_family(family).unwrap_or_else(|error| panic!("{error}"));
    let built = programs::build(&plan).await;
    built.unwrap_or_else(|error| panic!("A client could not be built: {error}"));
    let mut files = plan.files();
    files.find(|(file, _)| *file == name).unwrap().1
}
