//! The CEL rules of the schema: each refuses one mistake, with a sentence that says what to
//! write instead.
//!
//! Rules that read a text are silent about one that another rule refuses already, so that a
//! mistake is told once. Where a rule cannot be evaluated (`timestamp()` of the 30th of
//! February), the API server puts the error before our sentence.
//!
//! [`crate::schedule`] checks the same again, because an object may have been stored before a
//! rule was.

use kube::core::Rule;

/// A duration as GEP-2257 has it.
const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

const DATE: &str = "2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
const CLOCK: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
const OFFSET: &str = "([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

/// A local time is as long as this; a time with an offset is longer, a date shorter.
const LOCAL_TIME_LENGTH: usize = "2026-12-06T02:00:00".len();

/// Five fields with the characters that they may have, or a nickname.
const CRON: &str = "^([0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4}|@(hourly|daily|midnight|weekly|\
                    monthly|yearly|annually))$";

/// A nickname, or five fields of which the third or the fifth is `*`.
const CRON_WITH_A_FREE_DAY: &str = "^(@.*|[^ ]+ +[^ ]+ +([*] +[^ ]+ +[^ ]+|[^ ]+ +[^ ]+ +[*]))$";

/// A rule: what must be true, and what to say when it is not.
fn require(expression: impl Into<String>, sentence: &str) -> Rule {
    Rule::new(expression).message(sentence)
}

// === The whole ===

pub(super) fn window_name() -> Rule {
    require(
        "self.metadata.name.size() <= 63",
        "the name of a window may have at most 63 characters: choose a shorter one",
    )
}

// === Times ===

/// A local time, or one with an offset.
fn is_time(field: &str) -> String {
    format!("{field}.matches('^{DATE}T{CLOCK}({OFFSET})?$')")
}

/// A date, a local time, or one with an offset.
fn is_date_or_time(field: &str) -> String {
    format!("{field}.matches('^{DATE}(T{CLOCK}({OFFSET})?)?$')")
}

fn has_offset(field: &str) -> String {
    format!("({field}.size() > {LOCAL_TIME_LENGTH})")
}

/// The instant of a time. A local time is read in UTC, which is enough to compare two of them.
fn instant(field: &str) -> String {
    format!("timestamp({field}.size() == {LOCAL_TIME_LENGTH} ? {field} + 'Z' : {field})")
}

/// As [`instant`], with a date read as its midnight.
fn instant_of_date(field: &str) -> String {
    let of_time = instant(field);
    format!(
        "({field}.size() < {LOCAL_TIME_LENGTH} ? timestamp({field} + 'T00:00:00Z') : {of_time})"
    )
}

/// Whether start and end both have an offset, or neither has.
fn are_written_alike() -> String {
    format!("{} == {}", has_offset("self.start"), has_offset("self.end"))
}

/// Compares start and end of one occurrence once they can be compared.
fn end_and_start(comparison: &str) -> String {
    let (start, end) = (is_time("self.start"), is_time("self.end"));
    let alike = are_written_alike();
    format!("!has(self.end) || !{start} || !{end} || !({alike}) || {comparison}")
}

pub(super) fn time_form(field: &str) -> Rule {
    let sentence = format!(
        "{field} must be RFC 3339 with an offset, such as 2026-12-06T02:00:00+01:00 or \
         2026-12-06T01:00:00Z, or a local time such as 2026-12-06T02:00:00 beside a timeZone"
    );
    require(is_time("self"), &sentence)
}

pub(super) fn time_exists(field: &str) -> Rule {
    let (is_time, instant) = (is_time("self"), instant("self"));
    // Only `timestamp` knows, and it says so by failing: every time of the form is later.
    let expression = format!("!{is_time} || {instant} > timestamp('1970-01-01T00:00:00Z')");
    require(
        expression,
        &format!("{field} must be a day that the calendar has"),
    )
}

pub(super) fn date_or_time_form(field: &str) -> Rule {
    let sentence = format!(
        "{field} must be a date such as 2026-12-20, a local time such as 2026-12-20T12:00:00, or \
         RFC 3339 with an offset, such as 2026-12-20T12:00:00+01:00"
    );
    require(is_date_or_time("self"), &sentence)
}

pub(super) fn time_zone() -> Rule {
    require(
        "self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') && self.lowerAscii() != 'local'",
        "timeZone must be an IANA name such as Europe/Berlin or Etc/UTC; Local would mean another \
         zone on each machine",
    )
}

// === Durations ===

pub(super) fn duration_form(field: &str) -> Rule {
    let sentence = format!(
        "{field} must be written like 2h, 1h30m or 45s: whole numbers of at most five digits, \
         each with its unit h, m, s or ms"
    );
    require(format!("self.matches('{DURATION}')"), &sentence)
}

pub(super) fn duration_between(field: &str, least: &str, most: &str) -> Rule {
    let expression = format!(
        "!self.matches('{DURATION}') || (duration(self) >= duration('{least}') && \
         duration(self) <= duration('{most}'))"
    );
    require(
        expression,
        &format!("{field} must be from {least} to {most}"),
    )
}

// === The schedule ===

pub(super) fn one_schedule() -> Rule {
    require(
        "[has(self.once), has(self.recurring), has(self.always)].filter(x, x).size() == 1",
        "write exactly one of once, recurring and always",
    )
}

pub(super) fn duration_or_end() -> Rule {
    require(
        "has(self.duration) != has(self.end)",
        "write exactly one of duration and end",
    )
}

pub(super) fn start_names_its_zone_once() -> Rule {
    let (is_time, has_offset) = (is_time("self.start"), has_offset("self.start"));
    require(
        format!("!({is_time} && has(self.timeZone) && {has_offset})"),
        "start has an offset and needs no timeZone: remove timeZone, or write start as a local \
         time such as 2026-12-06T02:00:00",
    )
    .field_path(".timeZone")
}

pub(super) fn start_names_its_zone() -> Rule {
    let (is_time, has_offset) = (is_time("self.start"), has_offset("self.start"));
    require(
        format!("!({is_time} && !has(self.timeZone) && !{has_offset})"),
        "start does not say in which time zone it is: add an offset, as in \
         2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin",
    )
    .field_path(".start")
}

pub(super) fn end_is_written_like_start() -> Rule {
    let (start, end) = (is_time("self.start"), is_time("self.end"));
    let alike = are_written_alike();
    require(
        format!("!has(self.end) || !{start} || !{end} || {alike}"),
        "write end as start is written: both with an offset, or both as local times in timeZone",
    )
    .field_path(".end")
}

pub(super) fn end_after_start() -> Rule {
    let (start, end) = (instant("self.start"), instant("self.end"));
    require(
        end_and_start(&format!("{end} > {start}")),
        "end must be after start",
    )
    .field_path(".end")
}

pub(super) fn end_within_a_year() -> Rule {
    let (start, end) = (instant("self.start"), instant("self.end"));
    require(
        end_and_start(&format!("{end} - {start} <= duration('8784h')")),
        "a window may last at most 366 days: write an earlier end, or use always",
    )
    .field_path(".end")
}

pub(super) fn cron_form() -> Rule {
    require(
        format!("self.matches('{CRON}')"),
        "cron must have five fields: minute, hour, day of month, month, day of week, as in \
         \"0 2 * * SUN#1\", or be one of @hourly, @daily, @weekly, @monthly and @yearly; the zone \
         stands in timeZone",
    )
}

pub(super) fn cron_restricts_one_day() -> Rule {
    require(
        format!("!self.matches('{CRON}') || self.matches('{CRON_WITH_A_FREE_DAY}')"),
        "cron restricts both day of month and day of week, and cron reads that as \"or\": write * \
         for one of them; SUN#1 is the first Sunday of a month",
    )
}

pub(super) fn except_end_after_start() -> Rule {
    let (is_start, is_end) = (is_date_or_time("self.start"), is_date_or_time("self.end"));
    let (start, end) = (instant_of_date("self.start"), instant_of_date("self.end"));
    let alike = are_written_alike();
    require(
        format!("!{is_start} || !{is_end} || !({alike}) || {end} > {start}"),
        "end must be after start: the end of 2026-12-20 as a whole day is 2026-12-21",
    )
    .field_path(".end")
}

// === The targets ===

pub(super) fn no_target_twice() -> Rule {
    require(
        "self.all(a, !has(a.name) || \
         self.exists_one(b, has(b.name) && b.name == a.name && b.kind == a.kind))",
        "targets names the same object twice: remove one of the two",
    )
}

pub(super) fn one_way_to_name_a_target() -> Rule {
    require(
        "[has(self.name), has(self.selector), has(self.all)].filter(x, x).size() == 1",
        "write exactly one of name, selector and all for each target",
    )
}

pub(super) fn a_service_is_held_itself() -> Rule {
    require(
        "!(self.kind == 'Service' && has(self.hold) && self.hold == 'Services')",
        "a Service is held itself: remove hold, which is for Ingress and HTTPRoute",
    )
    .field_path(".hold")
}

pub(super) fn group_of_kind() -> Rule {
    require(
        "!has(self.group) || self.group == {'Service': '', 'Ingress': 'networking.k8s.io', \
         'HTTPRoute': 'gateway.networking.k8s.io'}[self.kind]",
        "the group of a Service is \"\", of an Ingress networking.k8s.io, of an HTTPRoute \
         gateway.networking.k8s.io: write that, or remove group",
    )
    .field_path(".group")
}

pub(super) fn object_name(field: &str) -> Rule {
    let sentence = format!(
        "{field} must be the name of an object in the window's own namespace: lower-case letters, \
         digits, - and ."
    );
    require(
        "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
        &sentence,
    )
}

pub(super) fn selector_is_not_empty() -> Rule {
    require(
        "(has(self.matchLabels) && self.matchLabels.size() > 0) || \
         (has(self.matchExpressions) && self.matchExpressions.size() > 0)",
        "the selector is empty: write matchLabels or matchExpressions, or all: {} in place of \
         selector for every object of this kind",
    )
}

pub(super) fn values_fit_the_operator() -> Rule {
    require(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
        "In and NotIn need values; Exists and DoesNotExist take none",
    )
}

// === The restore ===

pub(super) fn immediately_has_no_overrun() -> Rule {
    require(
        "!(has(self.when) && self.when == 'Immediately' && has(self.maxOverrun))",
        "maxOverrun says how long TargetsReady waits, and Immediately waits for nothing: remove \
         one of the two",
    )
    .field_path(".maxOverrun")
}

// === The response ===

pub(super) fn message_is_not_blank() -> Rule {
    require(
        "self.matches('[^[:space:]]')",
        "message is blank: write a sentence, or remove message for ours",
    )
}

pub(super) fn config_map_key() -> Rule {
    require(
        "self.matches('^[-._a-zA-Z0-9]+$')",
        "key must be a key of a ConfigMap, such as index.html: letters, digits, -, _ and .",
    )
}

pub(super) fn health_check_path() -> Rule {
    require(
        "self.matches('^/[^?#[:cntrl:][:space:]]*$')",
        "path must begin with / and have no query, fragment or space, as in /healthz",
    )
}
