//! `entracte schedule`: the coming occurrences of the windows in files. Reads files and the clock.

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use crate::api::time::{from_text, to_text};
use crate::schedule::Schedule;

use super::documents::{self, Found};
use super::notes::notes;
use super::window::{Finding, Inspected, Understood, inspect};
use super::{Error, fields, print, printable, table};

/// How many occurrences are listed where nothing else is asked for.
const COUNT: usize = 5;

/// Arguments of `entracte schedule`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Files of YAML (of several documents) or JSON; - is standard input
    ///
    /// Kinds other than MaintenanceWindow are passed over. A window without a namespace is in
    /// the namespace "default".
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// List occurrences that end after this instant, such as 2026-12-06T01:00:00Z [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub from: Option<DateTime<Utc>>,
    /// List occurrences that start before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub until: Option<DateTime<Utc>>,
    /// List at most so many of each window [default: 5; with --until all]
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
    /// How to write them
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub output: Output,
}

/// How occurrences are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people, in the window's time zone and in UTC
    Table,
    /// An array with one element for each window
    Json,
    /// The same as YAML
    Yaml,
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    from_text(text).ok_or_else(|| {
        "write an instant with its offset, such as 2026-12-06T02:00:00+01:00 or \
         2026-12-06T01:00:00Z"
            .to_owned()
    })
}

/// Which occurrences are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// They end after this.
    pub(super) from: DateTime<Utc>,
    /// They start before this.
    pub(super) until: Option<DateTime<Utc>>,
    /// No more than so many.
    pub(super) count: usize,
}

/// A window, and what is listed of it.
#[derive(Debug, PartialEq)]
pub(super) struct Listing {
    pub(super) namespace: String,
    pub(super) name: String,
    /// What it is called in messages.
    pub(super) title: String,
    pub(super) result: Result<Listed, Vec<Finding>>,
}

/// What is listed of a window without problems.
#[derive(Debug, PartialEq)]
pub(super) struct Listed {
    /// The schedule in short.
    pub(super) summary: String,
    /// The zone in which it is written.
    pub(super) zone: String,
    pub(super) suspended: bool,
    pub(super) rows: Vec<Row>,
}

/// One occurrence, in the zone of its window.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) start: DateTime<FixedOffset>,
    pub(super) end: Option<DateTime<FixedOffset>>,
    pub(super) notes: Vec<String>,
}

/// Lists the occurrences, or says why there can be none.
pub fn run(args: &Args) -> Result<(), Error> {
    let range = range(args, Utc::now())?;
    let found = documents::read(&args.files)?;
    let listings = list(&found, range)?;
    print(&write(&listings, range, args.output)?)?;
    for broken in &found.broken {
        eprintln!("{}", printable(&broken.to_string()));
    }
    verdict(&found, &listings)
}

fn range(args: &Args, now: DateTime<Utc>) -> Result<Range, Error> {
    let from = args.from.unwrap_or(now);
    if args.until.is_some_and(|until| until <= from) {
        return Err(Error::UntilBeforeFrom);
    }
    let all = if args.until.is_some() {
        usize::MAX
    } else {
        COUNT
    };
    Ok(Range {
        from,
        until: args.until,
        count: args.count.unwrap_or(all),
    })
}

/// What is in the files. A window that no API server has seen counts as created at `range.from`.
fn list(found: &Found, range: Range) -> Result<Vec<Listing>, Error> {
    let schema = fields::schema()?;
    let listing = |document| {
        let inspected = inspect(document, &schema, range.from);
        let title = inspected.title();
        let Inspected {
            namespace,
            name,
            result,
        } = inspected;
        Listing {
            namespace,
            name,
            title,
            result: result.map(|understood| listed(&understood, range)),
        }
    };
    Ok(found.documents.iter().map(listing).collect())
}

fn listed(understood: &Understood, range: Range) -> Listed {
    let Understood {
        window,
        written,
        created,
    } = understood;
    let schedule = &window.schedule;
    let in_zone = |instant: DateTime<Utc>| instant.with_timezone(&schedule.offset_at(instant));
    let unborn = !created && matches!(schedule, Schedule::Always { .. });
    let rows = schedule
        .after(range.from)
        .take_while(|occurrence| range.until.is_none_or(|until| occurrence.start < until))
        .take(range.count)
        .map(|occurrence| {
            let mut notes = notes(schedule, *written, occurrence);
            if unborn {
                notes.push("starts when the window is created".to_owned());
            }
            Row {
                start: in_zone(occurrence.start),
                end: occurrence.end.map(in_zone),
                notes,
            }
        });
    Listed {
        summary: schedule.summary(),
        zone: schedule.zone(),
        suspended: window.suspended,
        rows: rows.collect(),
    }
}

fn write(listings: &[Listing], range: Range, output: Output) -> Result<String, Error> {
    match output {
        Output::Table => Ok(table::table(listings, range)),
        Output::Json => Ok(serde_json::to_string_pretty(&elements(listings))? + "\n"),
        Output::Yaml => Ok(serde_saphyr::to_string(&elements(listings))?),
    }
}

fn verdict(found: &Found, listings: &[Listing]) -> Result<(), Error> {
    let of_windows = listings
        .iter()
        .filter_map(|listing| listing.result.as_ref().err())
        .map(Vec::len);
    let problems = found.broken.len() + of_windows.sum::<usize>();
    super::verdict(listings.len(), problems)
}

/// One window for programs.
#[derive(Serialize)]
struct Element<'a> {
    namespace: &'a str,
    name: &'a str,
    occurrences: Vec<Span>,
    problems: Vec<Said<'a>>,
}

/// One occurrence for programs, in UTC.
#[derive(Serialize)]
struct Span {
    start: String,
    end: Option<String>,
}

/// One problem for programs.
#[derive(Serialize)]
struct Said<'a> {
    field: &'a str,
    message: &'a str,
}

fn elements(listings: &[Listing]) -> Vec<Element<'_>> {
    listings.iter().map(element).collect()
}

fn element(listing: &Listing) -> Element<'_> {
    let (occurrences, problems) = match &listing.result {
        Ok(listed) => (listed.rows.iter().map(span).collect(), Vec::new()),
        Err(findings) => (Vec::new(), findings.iter().map(said).collect()),
    };
    Element {
        namespace: &listing.namespace,
        name: &listing.name,
        occurrences,
        problems,
    }
}

fn span(row: &Row) -> Span {
    Span {
        start: in_utc(row.start),
        end: row.end.map(in_utc),
    }
}

fn said(finding: &Finding) -> Said<'_> {
    Said {
        field: &finding.problem.field,
        message: &finding.problem.message,
    }
}

/// RFC 3339 in UTC, with fractions of a second only where there are any.
pub(super) fn in_utc(instant: DateTime<FixedOffset>) -> String {
    to_text(instant.to_utc())
}

#[cfg(test)]
mod tests;
