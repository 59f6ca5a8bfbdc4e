//! `entracte lint`: every problem of every window in files. Reads files and the clock.

use std::path::PathBuf;

use chrono::Utc;

use super::documents::{self, Found};
use super::window::{Inspected, inspect};
use super::{Error, count, fields, print, printable};

/// Arguments of `entracte lint`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Files of YAML (of several documents) or JSON; - is standard input
    ///
    /// Kinds other than MaintenanceWindow are passed over. A window without a namespace is in
    /// the namespace "default".
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Says every problem, or that there is none.
pub fn run(args: &Args) -> Result<(), Error> {
    let found = documents::read(&args.files)?;
    let schema = fields::schema()?;
    let now = Utc::now();
    let windows: Vec<_> = found
        .documents
        .iter()
        .map(|document| inspect(document, &schema, now))
        .collect();
    print(&report(&found, &windows))?;
    verdict(&found, &windows)
}

/// What is printed: a line for each problem, and one line where there is none.
fn report(found: &Found, windows: &[Inspected]) -> String {
    let mut lines: Vec<String> = found.broken.iter().map(ToString::to_string).collect();
    for window in windows {
        let title = window.title();
        for finding in window.result.as_ref().err().into_iter().flatten() {
            lines.push(format!("{}: {title}: {}", finding.place, finding.problem));
        }
    }
    if lines.is_empty() && !windows.is_empty() {
        let (windows, files) = (count(windows.len(), "window"), count(found.files, "file"));
        lines.push(format!("{windows} in {files}: no problems"));
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn verdict(found: &Found, windows: &[Inspected]) -> Result<(), Error> {
    let of_windows = windows
        .iter()
        .filter_map(|window| window.result.as_ref().err())
        .map(Vec::len);
    let problems = found.broken.len() + of_windows.sum::<usize>();
    super::verdict(windows.len(), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output and the sentence on standard error.
    fn lint(files: &[(&str, &str)]) -> (String, Option<String>) {
        let mut found = Found::default();
        for (name, text) in files {
            found.add(name, text);
        }
        let schema = fields::schema().unwrap();
        let now = "2026-12-01T09:00:00Z".parse().unwrap();
        let windows: Vec<_> = found
            .documents
            .iter()
            .map(|document| inspect(document, &schema, now))
            .collect();
        let error = verdict(&found, &windows).err();
        (
            report(&found, &windows),
            error.map(|error| error.to_string()),
        )
    }

    const GOOD: &str = "\
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: db-upgrade, namespace: shop}
spec:
  schedule:
    recurring:
      cron: 0 2 * * SUN#1
      timeZone: Europe/Berlin
      duration: 2h
  targets:
  - {kind: Ingress, name: web}
";

    #[test]
    fn windows_without_problems_are_counted() {
        let two = format!("{GOOD}---\n{GOOD}");
        let (said, error) = lint(&[("a.yaml", &two), ("b.yaml", GOOD)]);
        assert_eq!(said, "3 windows in 2 files: no problems\n");
        assert_eq!(error, None);
        let (said, error) = lint(&[("a.yaml", GOOD)]);
        assert_eq!(said, "1 window in 1 file: no problems\n");
        assert_eq!(error, None);
    }

    #[test]
    fn every_problem_is_said_with_file_line_window_and_field() {
        let bad = GOOD
            .replace("timeZone", "timezone")
            .replace("duration: 2h", "duration: 2")
            .replace("kind: Ingress", "kind: ingress")
            .replace(", namespace: shop", "");
        let broken = "kind: [\n";
        let (said, error) = lint(&[("a.yaml", &format!("{GOOD}---\n{bad}")), ("b.yaml", broken)]);
        let lines: Vec<_> = said.lines().collect();
        let (of_broken, of_window) = lines.split_first().unwrap();
        assert!(of_broken.starts_with("b.yaml:"), "{of_broken}");
        assert_eq!(
            of_window,
            [
                "a.yaml:20: default/db-upgrade: spec.schedule.recurring.timezone: is not a field: \
                 did you mean timeZone?",
                "a.yaml:21: default/db-upgrade: spec.schedule.recurring.duration: is a number, \
                 where a text is wanted: quote it: \"2\"",
                "a.yaml:23: default/db-upgrade: spec.targets[0].kind: \"ingress\" is not known: \
                 did you mean Ingress?",
            ]
        );
        let sentence = "found 4 problems: correct what is named above";
        assert_eq!(error.as_deref(), Some(sentence));
    }

    #[test]
    fn files_without_a_window_are_refused() {
        let (said, error) = lint(&[("a.yaml", "apiVersion: v1\nkind: Service\n")]);
        assert_eq!(said, "");
        assert!(error.unwrap().starts_with("no MaintenanceWindow"));
    }

    #[test]
    fn what_a_file_says_does_nothing_to_the_terminal() {
        let bad = GOOD.to_owned() + "  \"\\e[31m\\n\": 1\n";
        let (said, _) = lint(&[("a.yaml", &bad)]);
        assert!(!said.contains('\u{1b}'), "{said:?}");
        assert_eq!(said.lines().count(), 1, "{said:?}");
    }
}
