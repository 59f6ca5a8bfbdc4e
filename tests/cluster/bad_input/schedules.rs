//! What is refused of a schedule.

use super::Case;

pub(super) const CASES: &[Case] = &[
    // spec.schedule
    (
        "no kind of schedule",
        schedule!(""),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "two kinds of schedule",
        schedule!("always: {}, once: {start: \"2026-12-06T02:00:00Z\", duration: 2h}"),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "always with nothing after it",
        schedule!("always: null"),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "always as a switch",
        schedule!("always: true"),
        &["spec.schedule.always in body must be of type object: \"boolean\""],
    ),
    (
        "a misspelt kind of schedule",
        schedule!("always: {}, onse: {}"),
        &["unknown field \"spec.schedule.onse\""],
    ),
    (
        "something inside always",
        schedule!("always: {until: tomorrow}"),
        &["unknown field \"spec.schedule.always.until\""],
    ),
    // spec.schedule.once
    (
        "no start",
        once!("duration: 2h"),
        &["spec.schedule.once.start: Required value"],
    ),
    (
        "neither duration nor end",
        once!("start: \"2026-12-06T02:00:00Z\""),
        &[
            "spec.schedule.once: Invalid value: ",
            "write exactly one of duration and end",
        ],
    ),
    (
        "duration and end",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2h, end: \"2026-12-06T04:00:00Z\""),
        &[
            "spec.schedule.once: Invalid value: ",
            "write exactly one of duration and end",
        ],
    ),
    (
        "a misspelt duration",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2026-12-06T04:00:00Z\", durration: 2h"),
        &["unknown field \"spec.schedule.once.durration\""],
    ),
    (
        "a start in words",
        once!("start: Sunday, duration: 2h"),
        &[
            "start must be RFC 3339 with an offset, such as 2026-12-06T02:00:00+01:00 or \
         2026-12-06T01:00:00Z, or a local time such as 2026-12-06T02:00:00 beside a timeZone",
        ],
    ),
    (
        "a start with a space",
        once!("start: \"2026-12-06 02:00:00Z\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start without seconds",
        once!("start: \"2026-12-06T02:00Z\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start that is a date",
        once!("start: \"2026-12-06\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start that is a number",
        once!("start: 1796518800, duration: 2h"),
        &["spec.schedule.once.start in body must be of type string: \"integer\""],
    ),
    (
        "a start that is far too long",
        once!("start: \"2026-12-06T02:00:00.0000000000000000000000Z\", duration: 2h"),
        &["spec.schedule.once.start: Too long: may not be more than 40"],
    ),
    (
        "a day that does not exist",
        once!("start: \"2026-02-30T02:00:00Z\", duration: 2h"),
        &["start must be a day that the calendar has"],
    ),
    (
        "a local day that does not exist",
        once!("start: \"2026-02-30T02:00:00\", timeZone: Europe/Berlin, duration: 2h"),
        &["start must be a day that the calendar has"],
    ),
    (
        "an offset and a timeZone",
        once!("start: \"2026-12-06T02:00:00+01:00\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "start has an offset and needs no timeZone: \
         remove timeZone, or write start as a local time such as 2026-12-06T02:00:00",
        ],
    ),
    (
        "neither an offset nor a timeZone",
        once!("start: \"2026-12-06T02:00:00\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start does not say in which time zone it is: add \
         an offset, as in 2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin",
        ],
    ),
    (
        "the machine's own time zone",
        once!("start: \"2026-12-06T02:00:00\", timeZone: Local, duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "timeZone must be an IANA name such as \
         Europe/Berlin or Etc/UTC; Local would mean another zone on each machine",
        ],
    ),
    (
        "an empty time zone",
        once!("start: \"2026-12-06T02:00:00\", timeZone: \"\", duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "timeZone must be an IANA name",
        ],
    ),
    (
        "an end that is written unlike the start",
        once!(
            "start: \"2026-12-06T02:00:00\", timeZone: Europe/Berlin, \
             end: \"2026-12-06T04:00:00+01:00\""
        ),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "write end as start is written: both with an \
         offset, or both as local times in timeZone",
        ],
    ),
    (
        "an end that is the start",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2026-12-06T03:00:00+01:00\""),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be after start",
        ],
    ),
    (
        "a local end before the start",
        once!(
            "start: \"2026-12-06T02:00:00\", timeZone: Europe/Berlin, end: \"2026-12-05T04:00:00\""
        ),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be after start",
        ],
    ),
    (
        "an end after years",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2036-12-06T02:00:00Z\""),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "a window may last at most 366 days: write an \
         earlier end, or use always",
        ],
    ),
    (
        "an end in words",
        once!("start: \"2026-12-06T02:00:00Z\", end: never"),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be RFC 3339 with an offset",
        ],
    ),
    (
        "an end on a day that does not exist",
        once!("start: \"2026-02-20T02:00:00Z\", end: \"2026-02-30T02:00:00Z\""),
        &["end must be a day that the calendar has"],
    ),
    (
        "a duration in words",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2 hours"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h, \
         1h30m or 45s: whole numbers of at most five digits, each with its unit h, m, s or ms",
        ],
    ),
    (
        "a duration without a unit",
        once!("start: \"2026-12-06T02:00:00Z\", duration: \"2\""),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration that is a number",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 7200"),
        &["spec.schedule.once.duration in body must be of type string: \"integer\""],
    ),
    (
        "a negative duration",
        once!("start: \"2026-12-06T02:00:00Z\", duration: -2h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration with a fraction",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 1.5h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration in days",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2d"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "no time at all",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 0s"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    (
        "a duration of years",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 99999h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    // spec.schedule.recurring
    (
        "recurring without a time zone",
        recurring!("cron: \"0 2 * * SUN#1\", duration: 2h"),
        &["spec.schedule.recurring.timeZone: Required value"],
    ),
    (
        "recurring in the machine's own time zone",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: local, duration: 2h"),
        &[
            "spec.schedule.recurring.timeZone: Invalid value: ",
            "timeZone must be an IANA name",
        ],
    ),
    (
        "recurring without an end",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin"),
        &["spec.schedule.recurring.duration: Required value"],
    ),
    (
        "recurring for no time at all",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin, duration: 0h"),
        &[
            "spec.schedule.recurring.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    (
        "recurring for a while in words",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin, duration: 2 hours"),
        &[
            "spec.schedule.recurring.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "cron with seconds",
        recurring!("cron: \"0 0 2 * * SUN\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields: minute, hour, \
         day of month, month, day of week, as in \"0 2 * * SUN#1\", or be one of @hourly, @daily, \
         @weekly, @monthly and @yearly; the zone stands in timeZone",
        ],
    ),
    (
        "cron by a nickname that counts from nowhere",
        recurring!("cron: \"@every 1h\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields",
        ],
    ),
    (
        "cron with a zone of its own",
        recurring!("cron: \"TZ=UTC 0 2 * * *\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields",
        ],
    ),
    (
        "cron that restricts both days",
        recurring!("cron: \"0 2 1-7 * SUN\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron restricts both day of month and day of \
         week, and cron reads that as \"or\": write * for one of them; SUN#1 is the first Sunday \
         of a month",
        ],
    ),
    (
        "exceptions, but none",
        recurring!("cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, except: []"),
        &["spec.schedule.recurring.except in body should have at least 1 items"],
    ),
    (
        "an exception in words",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: Christmas, end: \"2027-01-04\"}]"
        ),
        &[
            "spec.schedule.recurring.except[0].start: Invalid value: ",
            "start must be a date such as \
         2026-12-20, a local time such as 2026-12-20T12:00:00, or RFC 3339 with an offset, such \
         as 2026-12-20T12:00:00+01:00",
        ],
    ),
    (
        "an exception until words",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\", end: Epiphany}]"
        ),
        &[
            "spec.schedule.recurring.except[0].end: Invalid value: ",
            "end must be a date such as",
        ],
    ),
    (
        "an exception for no day at all",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\", end: \"2026-12-20\"}]"
        ),
        &[
            "spec.schedule.recurring.except[0].end: Invalid value: ",
            "end must be after start: the end \
         of 2026-12-20 as a whole day is 2026-12-21",
        ],
    ),
    (
        "an exception without an end",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\"}]"
        ),
        &["spec.schedule.recurring.except[0].end: Required value"],
    ),
];
