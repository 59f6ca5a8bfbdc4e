//! What may be written, and what to write instead of the rest.

use std::fmt;

/// The nicknames of a CronJob, and what each stands for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, or `L` for the last.
    DayOfMonth,
    /// 1 to 12, or JAN to DEC.
    Month,
    /// 0 to 7, of which 0 and 7 are Sunday, or SUN to SAT; `SUN#1` is the first, `SUNL` the last.
    DayOfWeek,
}

impl Field {
    const ALL: [Self; 5] = [
        Self::Minute,
        Self::Hour,
        Self::DayOfMonth,
        Self::Month,
        Self::DayOfWeek,
    ];

    fn range(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// The names of values, and the value of the first.
    fn names(self) -> (&'static [&'static str], u32) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::DayOfWeek => (&WEEKDAYS, 0),
            _ => (&[], 0),
        }
    }

    /// What may be written, for sentences.
    fn values(self) -> &'static str {
        match self {
            Self::Minute => "minutes from 0 to 59",
            Self::Hour => "hours from 0 to 23",
            Self::DayOfMonth => "days from 1 to 31, or L for the last day",
            Self::Month => "months from 1 to 12, or JAN to DEC",
            Self::DayOfWeek => {
                "weekdays from 0 (Sunday) to 6, or SUN to SAT; SUN#1 is the first Sunday of a \
                 month, SUNL the last"
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// A text that is not a cron expression of our dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACron {
    /// A zone where it does not belong.
    #[error("has a zone of its own: remove {0} and write the zone in timeZone")]
    Zone(String),
    /// `@every`, `@reboot`, or a slip.
    #[error(
        "{0} is no nickname that names times of the clock: write five fields, or one of @hourly, \
         @daily, @weekly, @monthly and @yearly"
    )]
    Nickname(String),
    /// Too many or too few fields.
    #[error(
        "has {0} fields and needs five: minute, hour, day of month, month and day of week, as in \
         \"0 2 * * SUN#1\" (there are no seconds and no years)"
    )]
    FieldCount(usize),
    /// A list with nothing between two commas.
    #[error("has an empty entry in the list of the {0}, {1}: remove the comma that is too many")]
    EmptyEntry(Field, String),
    /// A value that the field does not have.
    #[error("has the {0} {1}: write {values}", values = .0.values())]
    Value(Field, String),
    /// `FRI-MON`.
    #[error("has a range of the {0} that runs backwards, {1}: write it as two, with a comma")]
    Backwards(Field, String),
    /// A step that is not a number above nothing.
    #[error("has a step of the {0} that is not 1 or more, {1}: write one such as */15")]
    Step(Field, String),
    /// `5/15`.
    #[error("has a step of the {field} without a range, {entry}: write {from}-{to}/{step}")]
    StepWithoutRange {
        /// Where.
        field: Field,
        /// What was written.
        entry: String,
        /// The value before the slash.
        from: String,
        /// The last value of the field.
        to: u32,
        /// The step.
        step: String,
    },
    /// `?` and `W`, of other dialects.
    #[error("has {1} for the {0}, which other dialects know: {instead}", instead = instead(.1))]
    OtherDialect(Field, String),
    /// Both days are restricted.
    #[error(
        "restricts both day of month and day of week, and cron reads that as \"or\": write * for \
         one of them; SUN#1 is the first Sunday of a month; or write two windows"
    )]
    BothDays,
    /// The thirtieth of February.
    #[error("never happens: no month that it names has such a day")]
    Never,
    /// The matcher knows better.
    #[error("cannot be matched: {0}")]
    NotMatchable(String),
}

fn instead(entry: &str) -> &'static str {
    if entry.contains('?') {
        "write * instead"
    } else {
        "write the day itself, or L for the last day of the month"
    }
}

/// Checks an expression, and writes it with five fields of numbers.
pub(super) fn to_plain_cron(text: &str) -> Result<String, NotACron> {
    let text = text.trim();
    if let Some(first) = text.split_whitespace().next() {
        if first.contains('=') {
            return Err(NotACron::Zone(first.to_owned()));
        }
        if first.starts_with('@') {
            return nickname(text);
        }
    }
    let written: Vec<&str> = text.split_whitespace().collect();
    if written.len() != Field::ALL.len() {
        return Err(NotACron::FieldCount(written.len()));
    }
    let fields = Field::ALL.into_iter().zip(&written);
    let plain: Vec<String> = fields
        .map(|(field, written)| list(field, written))
        .collect::<Result<_, _>>()?;
    if plain[2] != "*" && plain[4] != "*" {
        return Err(NotACron::BothDays);
    }
    Ok(plain.join(" "))
}

fn nickname(text: &str) -> Result<String, NotACron> {
    let known = NICKNAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    known
        .map(|(_, plain)| (*plain).to_owned())
        .ok_or_else(|| NotACron::Nickname(text.to_owned()))
}

fn list(field: Field, written: &str) -> Result<String, NotACron> {
    if written.split(',').any(str::is_empty) {
        return Err(NotACron::EmptyEntry(field, written.to_owned()));
    }
    let entries = written.split(',').map(|text| entry(field, text));
    Ok(entries.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn entry(field: Field, text: &str) -> Result<String, NotACron> {
    if text.contains('?') || field == Field::DayOfMonth && text.to_ascii_uppercase().contains('W') {
        return Err(NotACron::OtherDialect(field, text.to_owned()));
    }
    match text.split_once('/') {
        Some((range, step)) => stepped(field, text, range, step),
        None => base(field, text),
    }
}

fn stepped(field: Field, text: &str, range: &str, step: &str) -> Result<String, NotACron> {
    let is_number = step.chars().all(|c| c.is_ascii_digit());
    let number = step
        .parse::<u8>()
        .ok()
        .filter(|step| is_number && *step > 0);
    let Some(number) = number else {
        return Err(NotACron::Step(field, text.to_owned()));
    };
    let plain = base(field, range)?;
    if plain != "*" && !plain.contains('-') {
        return Err(NotACron::StepWithoutRange {
            field,
            entry: text.to_owned(),
            from: range.to_owned(),
            to: field.range().1,
            step: step.to_owned(),
        });
    }
    // A longer step than the range is long leaves its first value.
    let (first, last) = field.range();
    Ok(format!(
        "{plain}/{}",
        u32::from(number).min(last - first + 1)
    ))
}

fn base(field: Field, text: &str) -> Result<String, NotACron> {
    let wrong = || NotACron::Value(field, text.to_owned());
    if text == "*" {
        return Ok(text.to_owned());
    }
    if field == Field::DayOfMonth && text.eq_ignore_ascii_case("L") {
        return Ok("L".to_owned());
    }
    if field == Field::DayOfWeek {
        if let Some((day, number)) = text.split_once('#') {
            let day = value(field, day).ok_or_else(wrong)?;
            let is_known = ["1", "2", "3", "4", "5"].contains(&number);
            return is_known
                .then(|| format!("{day}#{number}"))
                .ok_or_else(wrong);
        }
        if let Some(day) = text.strip_suffix(['L', 'l']) {
            let day = value(field, day).ok_or_else(wrong)?;
            return Ok(format!("{day}L"));
        }
    }
    let Some((first, last)) = text.split_once('-') else {
        return value(field, text)
            .map(|value| value.to_string())
            .ok_or_else(wrong);
    };
    let (first, last) = (value(field, first), value(field, last));
    let (first, last) = (first.ok_or_else(wrong)?, last.ok_or_else(wrong)?);
    if first > last {
        return Err(NotACron::Backwards(field, text.to_owned()));
    }
    Ok(format!("{first}-{last}"))
}

/// One value, as a number or by its name.
fn value(field: Field, text: &str) -> Option<u32> {
    let (names, first) = field.names();
    let by_name = (first..)
        .zip(names)
        .find(|(_, name)| name.eq_ignore_ascii_case(text));
    if let Some((value, _)) = by_name {
        return Some(value);
    }
    let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let (least, most) = field.range();
    let value = text.parse().ok().filter(|_| is_number)?;
    (least..=most).contains(&value).then_some(value)
}
