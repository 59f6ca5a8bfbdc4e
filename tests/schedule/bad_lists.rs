//! The slips that `bad_input.rs` makes.

/// What went wrong, what was written, and what the sentence must contain.
pub(crate) type Slip = (&'static str, &'static str, &'static [&'static str]);

pub(crate) const CRONS: &[Slip] = &[
    // Not five fields.
    ("nothing", "", &["needs five"]),
    ("nothing", "   ", &["needs five"]),
    ("three fields", "* * *", &["needs five"]),
    ("four fields", "0 2 * *", &["needs five"]),
    ("seconds in front", "0 0 2 * * SUN", &["needs five"]),
    ("a year behind", "0 0 2 6 12 * 2026", &["needs five"]),
    (
        "a sentence",
        "every first Sunday of each month at two",
        &["needs five"],
    ),
    // Numbers out of range.
    ("minute 60", "60 2 * * *", &["60", "minute"]),
    ("hour 24", "0 24 * * *", &["24", "hour"]),
    ("day 0", "0 2 0 * *", &["0", "day of month"]),
    ("day 32", "0 2 32 * *", &["32", "day of month"]),
    ("month 0", "0 2 1 0 *", &["0", "month"]),
    ("month 13", "0 2 1 13 *", &["13", "month"]),
    ("weekday 8", "0 2 * * 8", &["8", "day of week"]),
    ("the end of a range", "0 2 * * 1-9", &["9", "day of week"]),
    (
        "a number that overflows",
        "0 99999999999999999999 * * *",
        &["hour"],
    ),
    (
        "a step that overflows",
        "*/99999999999999999999 2 * * *",
        &["minute"],
    ),
    ("a negative number", "-5 2 * * *", &["-5", "minute"]),
    ("a fraction", "0 2.5 * * *", &["2.5"]),
    (
        "digits of another script",
        "\u{0660} 2 * * *",
        &["\u{0660}"],
    ),
    // Lists, ranges and steps.
    ("no step at all", "*/0 2 * * *", &["*/0"]),
    ("a step without a number", "*/ 2 * * *", &["*/"]),
    (
        "a step without a range",
        "5/15 2 * * *",
        &["5/15", "5-59/15"],
    ),
    ("a step of a step", "0-30/2/3 2 * * *", &["0-30/2/3"]),
    ("a range backwards", "0 6-2 * * *", &["6-2"]),
    ("a week across its end", "0 2 * * FRI-MON", &["FRI-MON"]),
    ("a range without an end", "0 2- * * *", &["2-"]),
    ("a range of three", "0 1-2-3 * * *", &["1-2-3"]),
    ("an empty entry", "0 2 1,,15 * *", &["empty", "comma"]),
    ("an empty entry", "0 2 1,15, * *", &["empty", "comma"]),
    // Names.
    (
        "a name that is no month",
        "0 2 1 JANUARY *",
        &["JANUARY", "JAN"],
    ),
    (
        "a weekday among the months",
        "0 2 1 SUN *",
        &["SUN", "month"],
    ),
    ("a name that is no weekday", "0 2 * * SON", &["SON", "SUN"]),
    (
        "a month among the weekdays",
        "0 2 * * JAN",
        &["JAN", "day of week"],
    ),
    ("a name among the hours", "0 two * * *", &["two", "hour"]),
    // The nth and the last.
    ("a sixth Sunday", "0 2 * * SUN#6", &["SUN#6"]),
    ("a zeroth Sunday", "0 2 * * SUN#0", &["SUN#0"]),
    ("a Sunday of no number", "0 2 * * SUN#", &["SUN#"]),
    ("the last with a hash", "0 2 * * FRI#L", &["FRI#L", "SUNL"]),
    ("the last of no weekday", "0 2 * * L", &["SUNL"]),
    ("the last but three", "0 2 L-3 * *", &["L-3"]),
    ("the last hour", "0 L * * *", &["L", "hour"]),
    ("a hash among the days", "0 2 1#1 * *", &["1#1"]),
    ("the nearest working day", "0 2 15W * *", &["15W"]),
    // What other schedulers read.
    ("a question mark", "0 2 ? * SUN", &["?", "*"]),
    ("a hash of Jenkins", "H 2 * * *", &["H", "minute"]),
    ("an interval", "@every 1h", &["@every"]),
    ("a reboot", "@reboot", &["@reboot"]),
    ("no short form", "@noon", &["@noon", "@daily"]),
    ("a zone in front", "TZ=UTC 0 2 * * *", &["timeZone"]),
    (
        "a zone in front",
        "CRON_TZ=Europe/Berlin 0 2 * * *",
        &["timeZone"],
    ),
    // Well formed, and not meant.
    ("a day that never comes", "0 0 30 2 *", &["never"]),
    ("a day that never comes", "0 0 31 4,6,9,11 *", &["never"]),
    ("both days", "0 2 1-7 * SUN", &["SUN#1"]),
    ("both days", "0 2 */2 * SUN", &["SUN#1"]),
];

pub(crate) const ZONES: &[Slip] = &[
    ("no name", "", &["Etc/UTC"]),
    ("each machine's own zone", "Local", &["Local", "Etc/UTC"]),
    ("an abbreviation with an offset", "CET+1", &["CET+1"]),
    ("an offset", "+01:00", &["+01:00"]),
    ("UTC with an offset", "UTC+1", &["UTC+1"]),
    (
        "a rule of POSIX",
        "EST5EDT,M3.2.0,M11.1.0",
        &["EST5EDT,M3.2.0,M11.1.0"],
    ),
    (
        "a letter too few",
        "Europe/Berln",
        &["Europe/Berln", "Europe/Berlin"],
    ),
    (
        "lower case",
        "europe/berlin",
        &["europe/berlin", "Europe/Berlin"],
    ),
    ("a city without its region", "Berlin", &["Europe/Berlin"]),
    (
        "a blank for an underscore",
        "America/New York",
        &["America/New_York"],
    ),
    (
        "a city that no map has",
        "Mars/Olympus_Mons",
        &["Mars/Olympus_Mons"],
    ),
    ("a path", "../../etc/passwd", &["../../etc/passwd"]),
];

pub(crate) const DURATIONS: &[Slip] = &[
    ("nothing", "", &["2h"]),
    ("days", "1d", &["1d", "2h"]),
    ("weeks", "1w", &["1w", "2h"]),
    ("a negative length", "-5m", &["-5m"]),
    ("no length", "0s", &["1s"]),
    ("no length", "999ms", &["1s"]),
    ("no unit", "90", &["90"]),
    ("a fraction", "1.5h", &["1.5h", "1h30m"]),
    ("words", "two hours", &["two hours"]),
    ("a blank", "2 h", &["2 h"]),
    ("ISO 8601", "PT2H", &["PT2H"]),
    (
        "a number that overflows",
        "99999999999999999999h",
        &["99999"],
    ),
    ("more than a year", "8785h", &["366 days", "always"]),
];

/// What went wrong, start, end, the field to blame, and what the sentence must contain.
pub(crate) type Exception = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

pub(crate) const EXCEPTIONS: &[Exception] = &[
    (
        "an end that is not after its start",
        "2027-01-04",
        "2026-12-20",
        "end",
        &["after start"],
    ),
    (
        "an end that is not after its start",
        "2026-12-20",
        "2026-12-20",
        "end",
        &["after start"],
    ),
    (
        "an end that is not after its start",
        "2026-12-20T12:00:00",
        "2026-12-20T11:00:00",
        "end",
        &["after start"],
    ),
    (
        "an end that is not after its start",
        "2026-12-20T12:00:00+01:00",
        "2026-12-20T12:30:00+02:00",
        "end",
        &["after start"],
    ),
    (
        "a holiday",
        "Christmas",
        "2027-01-04",
        "start",
        &["Christmas", "2026-12-20"],
    ),
    (
        "a day without a year",
        "12-24",
        "2027-01-04",
        "start",
        &["12-24"],
    ),
    (
        "no such day",
        "2026-12-20",
        "2027-02-29",
        "end",
        &["2027-02-29"],
    ),
    (
        "no such hour",
        "2026-12-20T24:00:00",
        "2027-01-04",
        "start",
        &["24:00"],
    ),
    (
        "no such month",
        "2026-12-20",
        "2026-13-01",
        "end",
        &["2026-13-01"],
    ),
    (
        "a year too early",
        "1999-12-20",
        "2027-01-04",
        "start",
        &["2000", "2999"],
    ),
    (
        "a year too late",
        "2026-12-20",
        "3027-01-04",
        "end",
        &["2000", "2999"],
    ),
    (
        "a year of five digits",
        "2026-12-20",
        "20270-01-04",
        "end",
        &["20270-01-04"],
    ),
    ("nothing", "2026-12-20", "", "end", &["2026-12-20"]),
];

/// What went wrong, the members of `once`, the field to blame after `spec.schedule.once`, and
/// what the sentence must contain.
pub(crate) type OnceSlip = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
);

pub(crate) const ONCE: &[OnceSlip] = &[
    (
        "neither end nor duration",
        &[("start", "2026-12-06T02:00:00Z")],
        "",
        &["exactly one of duration and end"],
    ),
    (
        "a local time without a zone",
        &[("start", "2026-12-06T02:00:00"), ("duration", "2h")],
        ".start",
        &["timeZone", "2026-12-06T02:00:00+01:00"],
    ),
    (
        "an offset and a zone",
        &[
            ("start", "2026-12-06T02:00:00+01:00"),
            ("timeZone", "Europe/Berlin"),
            ("duration", "2h"),
        ],
        ".timeZone",
        &["offset"],
    ),
    (
        "an end with an offset beside a local start",
        &[
            ("start", "2026-12-06T02:00:00"),
            ("timeZone", "Europe/Berlin"),
            ("end", "2026-12-06T04:00:00+01:00"),
        ],
        ".end",
        &["start"],
    ),
    (
        "a zone that is none",
        &[
            ("start", "2026-12-06T02:00:00"),
            ("timeZone", "Europe/Berln"),
            ("duration", "2h"),
        ],
        ".timeZone",
        &["Europe/Berlin"],
    ),
    (
        "a local day that the calendar does not have",
        &[
            ("start", "2026-02-30T02:00:00"),
            ("timeZone", "Europe/Berlin"),
            ("duration", "2h"),
        ],
        ".start",
        &["2026-02-30"],
    ),
    (
        "a date",
        &[
            ("start", "2026-12-06"),
            ("timeZone", "Europe/Berlin"),
            ("duration", "2h"),
        ],
        ".start",
        &["2026-12-06T02:00:00"],
    ),
    (
        "a weekday",
        &[("start", "Sunday"), ("duration", "2h")],
        ".start",
        &["Sunday", "2026-12-06T02:00:00"],
    ),
    (
        "a year too early",
        &[("start", "1026-12-06T02:00:00Z"), ("duration", "2h")],
        ".start",
        &["2000", "2999"],
    ),
    (
        "a local year too late",
        &[
            ("start", "2999-12-31T02:00:00"),
            ("timeZone", "Europe/Berlin"),
            ("end", "3000-01-01T02:00:00"),
        ],
        ".end",
        &["2000", "2999"],
    ),
    (
        "a year that overflows",
        &[("start", "99999999999-12-06T02:00:00Z"), ("duration", "2h")],
        ".start",
        &["99999999999-12-06", "2026-12-06T02:00:00"],
    ),
    (
        "an end that is not after its start",
        &[
            ("start", "2026-12-06T02:00:00Z"),
            ("end", "2026-12-06T01:00:00Z"),
        ],
        ".end",
        &["after start"],
    ),
    (
        "an end that is not after its start",
        &[
            ("start", "2026-03-29T02:00:00"),
            ("timeZone", "Europe/Berlin"),
            ("end", "2026-03-29T03:00:00"),
        ],
        ".end",
        &["after start"],
    ),
    (
        "days",
        &[("start", "2026-12-06T02:00:00Z"), ("duration", "1d")],
        ".duration",
        &["1d", "2h"],
    ),
    (
        "more than a year",
        &[
            ("start", "2026-12-06T02:00:00Z"),
            ("end", "2027-12-08T02:00:00Z"),
        ],
        ".end",
        &["366 days", "always"],
    ),
];
