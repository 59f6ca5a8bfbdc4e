//! The end of the demo in numbers. PURE.

use std::time::Duration;

use chrono::TimeDelta;
use entracte_testbed::{
    load::Counts,
    target::To,
    verdict::{Flip, Verdict},
};
use serde::Serialize;

/// What `--json` prints. Its fields are an interface: programs read them.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    requests: u64,
    app: u64,
    maintenance: u64,
    other: u64,
    flips: Vec<FlipTimes>,
    seconds: f64,
}

/// Milliseconds after the scheduled instant; null for what did not happen.
#[derive(Debug, Serialize)]
struct FlipTimes {
    target: String,
    to: To,
    written_ms: Option<f64>,
    seen_ms: Option<f64>,
    settled_ms: Option<f64>,
}

impl Summary {
    pub(crate) fn new(verdicts: &[Verdict], took: Duration) -> Self {
        let Counts {
            app,
            maintenance,
            other,
        } = total(verdicts);
        Self {
            requests: app + maintenance + other,
            app,
            maintenance,
            other,
            flips: in_order_of_time(verdicts)
                .map(|(name, flip)| FlipTimes::new(name, flip))
                .collect(),
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// One line.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl FlipTimes {
    fn new(target: String, flip: Flip) -> Self {
        Self {
            target,
            to: flip.to,
            written_ms: flip.written.map(milliseconds),
            seen_ms: flip.seen.map(milliseconds),
            settled_ms: flip.settled.map(milliseconds),
        }
    }
}

/// To a tenth.
fn milliseconds(span: TimeDelta) -> f64 {
    (span.as_seconds_f64() * 10_000.0).round() / 10.0
}

fn total(verdicts: &[Verdict]) -> Counts {
    verdicts
        .iter()
        .fold(Counts::default(), |sum, Verdict { counts, .. }| Counts {
            app: sum.app + counts.app,
            maintenance: sum.maintenance + counts.maintenance,
            other: sum.other + counts.other,
        })
}

/// All holds, then all releases.
fn in_order_of_time(verdicts: &[Verdict]) -> impl Iterator<Item = (String, Flip)> {
    [To::Hold, To::Release].into_iter().flat_map(move |to| {
        let flips = move |verdict: &Verdict| {
            let flip = verdict.flips.into_iter().find(|flip| flip.to == to)?;
            Some((verdict.target.to_string(), flip))
        };
        verdicts.iter().filter_map(flips)
    })
}

/// The table of requests by answer.
pub(crate) fn answers(verdicts: &[Verdict]) -> String {
    let mut rows = vec![row([
        "requests by answer",
        "requests",
        "app",
        "maintenance",
        "anything else",
    ])];
    let counts = |name: &str, counts: Counts| {
        let Counts {
            app,
            maintenance,
            other,
        } = counts;
        let numbers = [counts.total(), app, maintenance, other].map(|number| number.to_string());
        [vec![name.to_owned()], numbers.to_vec()].concat()
    };
    for verdict in verdicts {
        rows.push(counts(&verdict.target.to_string(), verdict.counts));
    }
    rows.push(counts("all", total(verdicts)));
    table(&rows)
}

/// The table of flips.
pub(crate) fn flips(verdicts: &[Verdict]) -> String {
    let mut rows = vec![row(["ms after its instant", "written", "seen", "settled"])];
    let cell = |span: Option<TimeDelta>| {
        span.map_or("never".to_owned(), |span| {
            format!("{:.1}", milliseconds(span))
        })
    };
    for (target, flip) in in_order_of_time(verdicts) {
        let name = format!("{target} {}", flip.to);
        rows.push(vec![
            name,
            cell(flip.written),
            cell(flip.seen),
            cell(flip.settled),
        ]);
    }
    table(&rows)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// The first column is names, the others are numbers.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("   {cell:>width$}"),
                });
        cells.collect::<String>() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use entracte_testbed::target::{Kind, Target};

    fn verdict(kind: Kind, name: &str, written: Option<TimeDelta>) -> Verdict {
        let ms = |milliseconds| Some(TimeDelta::milliseconds(milliseconds));
        let flip = |to, written, seen, settled| Flip {
            to,
            written,
            seen,
            settled,
        };
        Verdict {
            target: Target {
                kind,
                namespace: "shop".to_owned(),
                name: name.to_owned(),
            },
            counts: Counts {
                app: 1200,
                maintenance: 300,
                other: 0,
            },
            flips: [
                flip(To::Hold, written, ms(45), ms(51)),
                flip(To::Release, ms(9), ms(110), ms(1_204)),
            ],
            faults: Vec::new(),
        }
    }

    fn verdicts() -> [Verdict; 2] {
        [
            verdict(Kind::Ingress, "web", Some(TimeDelta::microseconds(6_449))),
            verdict(Kind::Service, "api", None),
        ]
    }

    #[test]
    fn the_line_of_json_has_its_fields_in_their_order() {
        let summary = Summary::new(&verdicts(), Duration::from_millis(31_449));
        assert_eq!(
            summary.to_json().unwrap(),
            concat!(
                r#"{"requests":3000,"app":2400,"maintenance":600,"other":0,"flips":["#,
                r#"{"target":"Ingress/web","to":"hold","written_ms":6.4,"seen_ms":45.0,"settled_ms":51.0},"#,
                r#"{"target":"Service/api","to":"hold","written_ms":null,"seen_ms":45.0,"settled_ms":51.0},"#,
                r#"{"target":"Ingress/web","to":"release","written_ms":9.0,"seen_ms":110.0,"settled_ms":1204.0},"#,
                r#"{"target":"Service/api","to":"release","written_ms":9.0,"seen_ms":110.0,"settled_ms":1204.0}"#,
                r#"],"seconds":31.4}"#
            )
        );
    }

    #[test]
    fn answers_are_a_table() {
        assert_eq!(
            answers(&verdicts()),
            "\
requests by answer   requests    app   maintenance   anything else
Ingress/web              1500   1200           300               0
Service/api              1500   1200           300               0
all                      3000   2400           600               0
"
        );
    }

    #[test]
    fn flips_are_a_table_in_order_of_time() {
        assert_eq!(
            flips(&verdicts()),
            "\
ms after its instant   written    seen   settled
Ingress/web hold           6.4    45.0      51.0
Service/api hold         never    45.0      51.0
Ingress/web release        9.0   110.0    1204.0
Service/api release        9.0   110.0    1204.0
"
        );
    }
}
