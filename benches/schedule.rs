//! What a schedule costs: `cargo bench --bench schedule`.
//!
//! The next occurrence, for expressions that are common, dense and sparse; what it takes to find
//! that one never happens; and the next wake-up of 10,000 windows. Beside each is what the crate
//! croner takes for the same question, which knows neither durations nor stretches. Every figure
//! is the median of several rounds.

use std::error::Error;
use std::hint::black_box;
use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use entracte::{
    api::MaintenanceWindow,
    coverage::next_change,
    schedule::{self, Cron, Recurring, Schedule, Window, Zone},
};
use jiff::{
    Timestamp, Zoned,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde_json::json;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// An odd number, so that there is one in the middle.
const ROUNDS: usize = 9;

const WINDOWS: u32 = 10_000;

const ZONE: &str = "Europe/Berlin";

const ZONES: [&str; 6] = [
    "Etc/UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Chatham",
];

/// A few days before the clocks of Europe change.
const NOW: i64 = 1_792_500_000;

fn main() -> Result {
    println!(
        "{:<44} {:>12} {:>12} {:>7}",
        "", "entracte", "croner", "ratio"
    );
    let cases = [
        ("typical", "0 2 * * SUN", "2h"),
        ("dense", "*/5 * * * *", "1m"),
        ("sparse", "0 0 29 2 *", "2h"),
    ];
    for (name, cron, duration) in cases {
        next(name, cron, duration)?;
    }
    never()?;
    wake_up()
}

/// One call of `next`.
fn next(name: &str, cron: &str, duration: &str) -> Result {
    let schedule = Schedule::Recurring(Recurring {
        cron: Cron::parse(cron)?,
        zone: Zone::parse(ZONE)?,
        duration: schedule::duration::parse(duration)?,
        except: Vec::new(),
    });
    let now = now()?;
    let ours = median(1000, |call| {
        let now = now + TimeDelta::minutes(i64::from(call));
        black_box(schedule.next(black_box(now)));
    });

    let theirs = croner::Cron::from_str(cron)?;
    let zone = TimeZoneDatabase::bundled().get(ZONE)?;
    let mut starts = Vec::new();
    for call in 0..1000 {
        let timestamp = Timestamp::from_second(NOW + 60 * call)?;
        starts.push(Zoned::new(timestamp, zone.clone()));
    }
    let croner = median(1000, |call| {
        let start = &starts[usize::try_from(call).unwrap_or_default()];
        black_box(croner_next(&theirs, black_box(start)));
    });
    print(&format!("next, {name} ({cron})"), ours, croner);
    Ok(())
}

/// To find that an expression never happens: when it is read, as a manifest is. croner finds it
/// when it is asked for the next occurrence.
fn never() -> Result {
    const NEVER: &str = "0 0 30 2 *";
    if Cron::parse(NEVER).is_ok() {
        return Err(format!("{NEVER} is accepted").into());
    }
    let ours = median(100, |_| {
        black_box(Cron::parse(black_box(NEVER)).is_err());
    });
    let zone = TimeZoneDatabase::bundled().get(ZONE)?;
    let start = Zoned::new(Timestamp::from_second(NOW)?, zone);
    let croner = median(3, |_| {
        let cron = croner::Cron::from_str(black_box(NEVER));
        black_box(cron.is_ok_and(|cron| croner_next(&cron, &start).is_some()));
    });
    print(&format!("parse, never ({NEVER})"), ours, croner);
    Ok(())
}

/// The next instant at which anything changes for any of 10,000 windows.
fn wake_up() -> Result {
    let mut windows = Vec::new();
    let mut scanned = Vec::new();
    for (number, zone) in (0..WINDOWS).zip(ZONES.into_iter().cycle()) {
        let cron = night(number);
        windows.push(window(number, &cron, zone)?);
        let zone = TimeZoneDatabase::bundled().get(zone)?;
        scanned.push((croner::Cron::from_str(&cron)?, zone));
    }
    let now = now()?;
    let ours = median(3, |_| {
        black_box(next_change(black_box(&windows), black_box(now)));
    });
    let timestamp = Timestamp::from_second(NOW)?;
    let croner = median(3, |_| {
        black_box(scan(black_box(&scanned), black_box(timestamp)));
    });
    print("next wake-up of 10,000 windows", ours, croner);
    Ok(())
}

/// Nights that differ.
fn night(number: u32) -> String {
    let (minute, hour) = (number % 60, number / 60 % 24);
    match number % 4 {
        0 => format!("{minute} {hour} * * *"),
        1 => format!("{minute} {hour} * * SUN#1"),
        2 => format!("{minute} {hour} {} * *", 1 + number % 28),
        _ => format!("{minute} {hour} * * {}", number / 4 % 7),
    }
}

fn window(number: u32, cron: &str, zone: &str) -> Result<Window> {
    let resource: MaintenanceWindow = serde_json::from_value(json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {
            "namespace": "shop",
            "name": format!("window-{number}"),
            "uid": format!("uid-{number}"),
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "schedule": {"recurring": {"cron": cron, "timeZone": zone, "duration": "2h"}},
            "targets": [{"kind": "Service", "name": "cart"}],
        },
    }))?;
    schedule::parse(&resource).map_err(|problems| format!("{problems:?}").into())
}

/// A plain scan: ask each for its next start.
fn scan(windows: &[(croner::Cron, TimeZone)], now: Timestamp) -> Option<Timestamp> {
    windows
        .iter()
        .filter_map(|(cron, zone)| croner_next(cron, &Zoned::new(now, zone.clone())))
        .map(|next| next.timestamp())
        .min()
}

/// All that we ask of croner, with its backend for jiff.
fn croner_next(cron: &croner::Cron, now: &Zoned) -> Option<Zoned> {
    cron.find_next_occurrence(now, false).ok()
}

fn now() -> Result<DateTime<Utc>> {
    DateTime::from_timestamp(NOW, 0).ok_or_else(|| "an instant".into())
}

/// What one call takes: the median of the means of several rounds.
fn median(calls: u32, mut call: impl FnMut(u32)) -> Duration {
    let mut round = || {
        let start = Instant::now();
        for number in 0..calls {
            call(number);
        }
        start.elapsed() / calls
    };
    // The first round warms up.
    round();
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn print(what: &str, ours: Duration, croner: Duration) {
    let ratio = croner.as_secs_f64() / ours.as_secs_f64();
    println!("{what:<44} {ours:>12.1?} {croner:>12.1?} {ratio:>6.1}x");
}
