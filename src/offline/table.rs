//! Occurrences as a table, for people. PURE.

use chrono::{DateTime, FixedOffset};

use crate::api::time::to_text;
use crate::schedule::duration;

use super::printable;
use super::schedule::{Listed, Listing, Range, Row, in_utc};
use super::window::Finding;

const HEAD: [&str; 5] = ["START", "END", "START (UTC)", "END (UTC)", "LENGTH"];

const NO_END: &str = "no end";

/// The cells of one line.
type Cells = [String; 5];

/// Every window with its occurrences, or with its problems.
pub(super) fn table(listings: &[Listing], range: Range) -> String {
    let parts: Vec<String> = listings
        .iter()
        .map(|listing| part(listing, range))
        .collect();
    parts.join("\n")
}

fn part(listing: &Listing, range: Range) -> String {
    let title = &listing.title;
    let (mut text, lines) = match &listing.result {
        Ok(listed) => {
            let Listed { summary, zone, .. } = listed;
            (
                format!("{title}: {summary}, {zone}\n"),
                lines(listed, range),
            )
        }
        Err(findings) => (format!("{title}\n"), findings.iter().map(problem).collect()),
    };
    for line in lines {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn problem(finding: &Finding) -> String {
    printable(&format!("{}: {}", finding.place, finding.problem))
}

fn lines(listed: &Listed, range: Range) -> Vec<String> {
    let mut lines = Vec::new();
    if listed.suspended {
        lines.push("suspended: nothing is held while spec.suspend is true".to_owned());
    }
    if listed.rows.is_empty() {
        lines.push(nothing(range));
        return lines;
    }
    let cells: Vec<Cells> = listed.rows.iter().map(cells).collect();
    let head = HEAD.map(str::to_owned);
    let widths = widths(&head, &cells);
    lines.push(line(&head, widths));
    for (row, cells) in listed.rows.iter().zip(&cells) {
        lines.push(line(cells, widths));
        lines.extend(row.notes.iter().map(|note| format!("  {note}")));
    }
    lines
}

fn nothing(range: Range) -> String {
    let from = to_text(range.from);
    match range.until {
        Some(until) => format!("no occurrence from {from} until {}", to_text(until)),
        None => format!("no occurrence from {from} on"),
    }
}

fn cells(row: &Row) -> Cells {
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| NO_END.to_owned());
    [
        local(row.start),
        or_none(row.end.map(local)),
        in_utc(row.start),
        or_none(row.end.map(in_utc)),
        or_none(row.end.map(|end| duration::format(end - row.start))),
    ]
}

/// `Sun 2026-12-06 02:00:00 +01:00`
fn local(instant: DateTime<FixedOffset>) -> String {
    instant.format("%a %Y-%m-%d %H:%M:%S%.f %:z").to_string()
}

fn widths(head: &Cells, rows: &[Cells]) -> [usize; 5] {
    let mut widths = [0; 5];
    for cells in std::iter::once(head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    widths
}

fn line(cells: &Cells, widths: [usize; 5]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    padded.join("  ").trim_end().to_owned()
}
