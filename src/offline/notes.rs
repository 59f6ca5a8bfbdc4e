//! What a change of the clocks does to an occurrence, for people. PURE.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike, Utc};

use crate::schedule::{Change, Occurrence, Schedule, WrittenIn, Zone, duration};

use super::window::Written;

/// Longer than any clock was ever put back.
const LONGEST_REPEAT: TimeDelta = TimeDelta::hours(25);

/// What is to be noted of an occurrence of a schedule, whose local times are written so.
pub(super) fn notes(schedule: &Schedule, written: Written, occurrence: Occurrence) -> Vec<String> {
    let Some(zone) = zone(schedule) else {
        return Vec::new();
    };
    let start = occurrence.start;
    let is_skipped = |change: &Change| {
        if let Schedule::Recurring(recurring) = schedule {
            let just_before = change.local_before - TimeDelta::seconds(1);
            is_in(change, recurring.cron.next(just_before))
        } else {
            is_in(change, written.start)
        }
    };
    let mut notes = Vec::new();
    notes.extend(edge(zone, "starts", start, is_skipped));
    if let Some(end) = occurrence.end {
        let of_end = written
            .end
            .and_then(|written| edge(zone, "ends", end, |change| is_in(change, Some(written))));
        let mut changes = changes(zone, start, end);
        // What moves the end is said once.
        changes.retain(|change| of_end.is_none() || change.at != end);
        notes.extend(during(zone, &changes, start, end));
        notes.extend(of_end);
    }
    notes
}

/// The zone whose clocks the schedule follows; an offset has none that change.
fn zone(schedule: &Schedule) -> Option<&Zone> {
    match schedule {
        Schedule::Recurring(recurring) => Some(&recurring.zone),
        Schedule::Once {
            written_in: WrittenIn::Zone(zone),
            ..
        } => Some(zone),
        _ => None,
    }
}

/// Whether a time is one that the clocks skip.
fn is_in(change: &Change, local: Option<NaiveDateTime>) -> bool {
    local.is_some_and(|local| change.local_before <= local && local < change.local_after)
}

/// What is to be noted of a start or an end: that the clocks skip what was meant, or show it twice.
fn edge(
    zone: &Zone,
    verb: &str,
    instant: DateTime<Utc>,
    is_skipped: impl Fn(&Change) -> bool,
) -> Option<String> {
    let local = zone.local(instant);
    let shown = clock(local);
    let last = zone
        .last_change(instant)
        .filter(|change| change.at == instant);
    if let Some(change) = last.filter(is_skipped) {
        return Some(format!("{verb} at {shown}, {}", sentence(&change)));
    }
    let next = changes(zone, instant, instant + LONGEST_REPEAT);
    let repeat = next
        .first()
        .filter(|change| change.local_after <= local && local < change.local_before)?;
    let sentence = sentence(repeat);
    Some(format!("{verb} at {shown}, the first of two: {sentence}"))
}

/// What the clocks do between a start and an end.
fn during(
    zone: &Zone,
    changes: &[Change],
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Option<String> {
    let shown = clock(zone.local(end));
    let length = duration::format(end - start);
    let what = match changes {
        [] => return None,
        [change] if change.at == end => format!("{} as it ends", sentence(change)),
        [change] => format!("{} in it", sentence(change)),
        many => format!("the clocks change {} times in it", many.len()),
    };
    Some(format!("{what}: ends at {shown} after {length}"))
}

/// The changes after an instant, until another and at it.
fn changes(zone: &Zone, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Change> {
    std::iter::successors(zone.next_change(after), |change| {
        zone.next_change(change.at)
    })
    .take_while(|change| change.at <= until)
    // A zone may change its name and nothing else.
    .filter(|change| change.local_before != change.local_after)
    .collect()
}

/// `the clocks skip 02:00–03:00`, `the clocks go back 03:00–02:00`
fn sentence(change: &Change) -> String {
    let (before, after) = (change.local_before, change.local_after);
    let verb = if before < after { "skip" } else { "go back" };
    if before.date() == after.date() {
        format!("the clocks {verb} {}–{}", clock(before), clock(after))
    } else {
        let (from, to) = (before.date(), after.date());
        format!(
            "the clocks {verb} {from} {}–{to} {}",
            clock(before),
            clock(after)
        )
    }
}

/// `02:00`, with seconds where there are any.
fn clock(local: NaiveDateTime) -> String {
    let format = if local.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    local.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::documents::Found;
    use super::super::fields;
    use super::super::window::inspect;
    use super::*;

    /// The notes of the first occurrence of a schedule that ends after an instant.
    fn notes_of(schedule: &str, from: &str) -> Vec<String> {
        let mut found = Found::default();
        let yaml = format!(
            "apiVersion: entracte.dev/v1alpha1\nkind: MaintenanceWindow\nmetadata: {{name: web}}\n\
             spec: {{schedule: {schedule}, targets: [{{kind: Service, name: web}}]}}\n"
        );
        found.add("shop.yaml", &yaml);
        let from: DateTime<Utc> = from.parse().unwrap();
        let schema = fields::schema().unwrap();
        let inspected = inspect(found.documents.first().unwrap(), &schema, from);
        let understood = inspected.result.unwrap();
        let schedule = &understood.window.schedule;
        let occurrence = schedule.after(from).next().unwrap();
        notes(schedule, understood.written, occurrence)
    }

    fn recurring(cron: &str, zone: &str, duration: &str) -> String {
        format!("{{recurring: {{cron: \"{cron}\", timeZone: {zone}, duration: {duration}}}}}")
    }

    #[test]
    fn a_start_that_the_clocks_skip_is_noted() {
        let cases = [
            ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "1h"),
            (
                "0,30 2 * * *",
                "Europe/Berlin",
                "2027-03-27T12:00:00Z",
                "1h",
            ),
        ];
        for (cron, zone, from, duration) in cases {
            assert_eq!(
                notes_of(&recurring(cron, zone, duration), from),
                ["starts at 03:00, the clocks skip 02:00–03:00"]
            );
        }
        assert_eq!(
            notes_of(
                &recurring("0 0 * * *", "America/Havana", "2h"),
                "2024-03-09T12:00:00Z"
            ),
            ["starts at 01:00, the clocks skip 00:00–01:00"]
        );
        assert_eq!(
            notes_of(
                &recurring("15 2 * * *", "Australia/Lord_Howe", "1h"),
                "2026-10-02T18:00:00Z"
            ),
            ["starts at 02:30, the clocks skip 02:00–02:30"]
        );
    }

    #[test]
    fn a_start_at_the_end_of_what_the_clocks_skip_is_where_it_was_meant() {
        let at_three = recurring("0 3 * * *", "Europe/Berlin", "1h");
        assert_eq!(notes_of(&at_three, "2027-03-27T12:00:00Z"), [""; 0]);
        let once =
            "{once: {start: \"2027-03-28T03:00:00\", timeZone: Europe/Berlin, duration: 1h}}";
        assert_eq!(notes_of(once, "2027-03-27T12:00:00Z"), [""; 0]);
    }

    #[test]
    fn a_change_in_an_occurrence_is_noted_with_its_end() {
        let at_one = recurring("30 1 * * *", "Europe/Berlin", "2h");
        assert_eq!(
            notes_of(&at_one, "2027-03-27T12:00:00Z"),
            ["the clocks skip 02:00–03:00 in it: ends at 04:30 after 2h"]
        );
        assert_eq!(
            notes_of(&at_one, "2026-10-24T12:00:00Z"),
            ["the clocks go back 03:00–02:00 in it: ends at 02:30 after 2h"]
        );
        let until_the_change = recurring("30 1 * * *", "Europe/Berlin", "30m");
        assert_eq!(
            notes_of(&until_the_change, "2027-03-27T12:00:00Z"),
            ["the clocks skip 02:00–03:00 as it ends: ends at 03:00 after 30m"]
        );
        assert_eq!(notes_of(&at_one, "2027-01-01T12:00:00Z"), [""; 0]);
        let year = "{once: {start: \"2027-01-01T00:00:00\", timeZone: Europe/Berlin, \
                    end: \"2028-01-01T00:00:00\"}}";
        assert_eq!(
            notes_of(year, "2027-01-01T00:00:00Z"),
            ["the clocks change 2 times in it: ends at 00:00 after 8760h"]
        );
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_of_the_two() {
        let twice = recurring("30 2 * * *", "Europe/Berlin", "15m");
        assert_eq!(
            notes_of(&twice, "2026-10-24T12:00:00Z"),
            ["starts at 02:30, the first of two: the clocks go back 03:00–02:00"]
        );
        let long = recurring("30 2 * * *", "Europe/Berlin", "1h");
        assert_eq!(
            notes_of(&long, "2026-10-24T12:00:00Z"),
            [
                "starts at 02:30, the first of two: the clocks go back 03:00–02:00",
                "the clocks go back 03:00–02:00 in it: ends at 02:30 after 1h",
            ]
        );
    }

    #[test]
    fn the_local_times_of_a_once_are_compared_with_what_is_written() {
        let once = "{once: {start: \"2027-03-28T01:00:00\", timeZone: Europe/Berlin, \
                    end: \"2027-03-28T02:30:00\"}}";
        assert_eq!(
            notes_of(once, "2027-03-27T12:00:00Z"),
            ["ends at 03:00, the clocks skip 02:00–03:00"]
        );
        let once = "{once: {start: \"2027-03-28T02:30:00\", timeZone: Europe/Berlin, \
                    duration: 1h}}";
        assert_eq!(
            notes_of(once, "2027-03-27T12:00:00Z"),
            ["starts at 03:00, the clocks skip 02:00–03:00"]
        );
        let with_offset = "{once: {start: \"2027-03-28T02:30:00+01:00\", duration: 4h}}";
        assert_eq!(notes_of(with_offset, "2027-03-27T12:00:00Z"), [""; 0]);
    }

    #[test]
    fn what_has_no_end_and_no_zone_needs_no_note() {
        assert_eq!(notes_of("{always: {}}", "2027-03-27T12:00:00Z"), [""; 0]);
    }
}
