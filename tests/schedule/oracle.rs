//! What a schedule says, compared with what a [`Walk`] saw.

use std::ops::Range;

use chrono::{DateTime, Utc};
use entracte::schedule::{Cron, Occurrence, Recurring, Schedule, Zone, duration};
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::{
    random::{DURATIONS, Random, expression},
    walk::{Stretch, Walk, stretches},
};

const ZONES: [&str; 24] = [
    "Etc/UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Nuuk",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Vancouver",
    "Pacific/Easter",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Gaza",
    "Asia/Beirut",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Etc/GMT+12",
];

/// Around what the walks are, besides the changes of the clocks.
const DAYS: [&str; 3] = [
    "2026-12-31T23:00:00Z",
    "2027-03-01T00:00:00Z",
    "2028-02-29T12:00:00Z",
];

const EXPRESSIONS_IN_EACH_WALK: usize = 16;

const DAY: i64 = 86_400;

/// From one instant until another, in milliseconds.
type Instants = Range<i64>;

#[test]
fn a_schedule_says_what_a_walk_over_the_minutes_sees() {
    let database = TimeZoneDatabase::bundled();
    let mut random = Random::new(2026);
    let (mut compared, mut told, mut passed_over) = (0, 0, 0);
    for name in ZONES {
        let zone = database.get(name).unwrap();
        for middle in middles(&zone) {
            let walk = Walk::new(&zone, middle - 3 * DAY, middle + 4 * DAY);
            let date = zone.to_datetime(Timestamp::from_second(middle).unwrap());
            for _ in 0..EXPRESSIONS_IN_EACH_WALK {
                let case = Case {
                    expression: expression(&mut random, date.day(), date.month()),
                    zone: name,
                    duration: random.pick(&DURATIONS),
                    except: exceptions(&mut random, &walk),
                };
                match case.compare(&walk, &mut random) {
                    Some(stretches) => {
                        compared += 1;
                        told += usize::from(stretches > 0);
                    }
                    None => passed_over += 1,
                }
            }
        }
    }
    // Lest a slip in the test itself turn it into one that compares nothing.
    assert!(
        compared > 2000 && told > 1000,
        "{compared} were compared, {told} of them had stretches, {passed_over} were passed over"
    );
}

/// Changes of the clocks of a zone, and some days on which they do not change, in seconds.
fn middles(zone: &TimeZone) -> Vec<i64> {
    let changes = |from: &str, count| {
        let from: Timestamp = from.parse().unwrap();
        let changes = zone.following(from).take(count);
        changes
            .map(|change| change.timestamp().as_second())
            .collect::<Vec<i64>>()
    };
    let days = DAYS.map(|day| day.parse::<Timestamp>().unwrap().as_second());
    let mut middles = changes("2011-10-01T00:00:00Z", 2);
    middles.extend(changes("2026-01-01T00:00:00Z", 3));
    middles.extend(days);
    middles
}

/// None, one or two exceptions, in milliseconds.
fn exceptions(random: &mut Random, walk: &Walk) -> Vec<Instants> {
    let count = random.below(4).saturating_sub(1);
    let one = |_| {
        let start = random.between(walk.from / 60_000, walk.until / 60_000) * 60_000;
        start..start + random.between(1, 2880) * 60_000
    };
    (0..count).map(one).collect()
}

struct Case {
    expression: String,
    zone: &'static str,
    duration: &'static str,
    except: Vec<Instants>,
}

impl Case {
    fn schedule(&self) -> Schedule {
        let except = self.except.iter();
        Schedule::Recurring(Recurring {
            cron: Cron::parse(&self.expression).unwrap(),
            zone: Zone::parse(self.zone).unwrap(),
            duration: duration::parse(self.duration).unwrap(),
            except: except.map(|e| instant(e.start)..instant(e.end)).collect(),
        })
    }

    /// Compares, and counts what there was to compare. None: this walk cannot judge it, because
    /// a chain of occurrences goes beyond one of its ends, or is longer than any that is
    /// accepted.
    fn compare(&self, walk: &Walk, random: &mut Random) -> Option<usize> {
        let length = duration::parse(self.duration).unwrap().num_milliseconds();
        let mut starts = walk.starts(&self.expression);
        // What starts before the walk does may reach into it as far as this.
        let whole = walk.from + length + 1..walk.until;
        let without_exceptions = Seen {
            stretches: stretches(&starts, length),
            whole: whole.clone(),
        };
        if !without_exceptions.can_be_judged() {
            return None;
        }
        starts.retain(|start| !self.except.iter().any(|e| e.contains(start)));
        let seen = Seen {
            stretches: stretches(&starts, length),
            whole,
        };
        let schedule = self.schedule();
        self.compare_lists(&schedule, &seen, seen.whole.start - 1);
        let from = random.between(seen.whole.start, seen.whole.end);
        self.compare_lists(&schedule, &seen, from);
        for now in seen.telling_instants(random) {
            self.compare_at(&schedule, &seen, now);
        }
        Some(seen.whole_stretches().count())
    }

    fn compare_lists(&self, schedule: &Schedule, seen: &Seen, from: i64) {
        let said: Vec<(i64, i64)> = schedule
            .after(instant(from))
            .map(milliseconds)
            .take_while(|(start, _)| *start < seen.whole.end)
            .filter(|(start, end)| seen.is_whole(*start, *end))
            .collect();
        let expected: Vec<(i64, i64)> = seen
            .whole_stretches()
            .filter(|(_, end)| *end > from)
            .collect();
        assert_eq!(readable(&said), readable(&expected), "{}", self.at(from));
    }

    fn compare_at(&self, schedule: &Schedule, seen: &Seen, now: i64) {
        let answer = |occurrence: Option<Occurrence>| readable(&occurrence.map(milliseconds));
        let is_whole = |stretch: &&Stretch| seen.is_whole(stretch.start, stretch.end);
        let expected = |stretch: &Stretch| readable(&Some((stretch.start, stretch.end)));

        let mut all = seen.stretches.iter();
        let current = all.find(|stretch| (stretch.start..stretch.end).contains(&now));
        let said = answer(schedule.current(instant(now)));
        match current {
            None => assert_eq!(said, answer(None), "current: {}", self.at(now)),
            Some(stretch) if is_whole(&stretch) => {
                assert_eq!(said, expected(stretch), "current: {}", self.at(now));
            }
            Some(_) => {}
        }

        let mut all = seen.stretches.iter();
        let next = all.find(|stretch| stretch.start > now);
        let said = schedule.next(instant(now));
        match next {
            Some(stretch) if is_whole(&stretch) => {
                assert_eq!(answer(said), expected(stretch), "next: {}", self.at(now));
            }
            Some(stretch) => {
                let start = said.map(|said| said.start);
                assert_eq!(
                    start,
                    Some(instant(stretch.start)),
                    "next: {}",
                    self.at(now)
                );
            }
            None => {
                let end = instant(seen.whole.end);
                assert!(
                    said.is_none_or(|said| said.start >= end),
                    "next: {}",
                    self.at(now)
                );
            }
        }

        let mut all = seen.stretches.iter().rev();
        let last = all.find(|stretch| stretch.end <= now).filter(is_whole);
        if let Some(stretch) = last {
            let said = answer(schedule.last(instant(now)));
            assert_eq!(said, expected(stretch), "last: {}", self.at(now));
        }
    }

    /// The case in words.
    fn at(&self, now: i64) -> String {
        let Self {
            expression,
            zone,
            duration,
            except,
        } = self;
        let except: Vec<String> = except
            .iter()
            .map(|e| format!("{}/{}", instant(e.start), instant(e.end)))
            .collect();
        let now = instant(now);
        format!("{expression} for {duration} in {zone} except {except:?} at {now:?}")
    }
}

/// What a walk has seen of a schedule.
struct Seen {
    stretches: Vec<Stretch>,
    /// Between these, what is seen is all that there is.
    whole: Instants,
}

impl Seen {
    /// Whether a stretch is seen from end to end.
    fn is_whole(&self, start: i64, end: i64) -> bool {
        self.whole.start <= start && end < self.whole.end
    }

    /// Whether no chain of occurrences goes beyond an end of the walk, or for ever.
    fn can_be_judged(&self) -> bool {
        let is_whole = |s: &Stretch| s.count <= 1000 && self.is_whole(s.start, s.end);
        let mut all = self.stretches.iter();
        all.all(|stretch| stretch.count == 1 || is_whole(stretch))
    }

    fn whole_stretches(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let pairs = self.stretches.iter().map(|s| (s.start, s.end));
        pairs.filter(|(start, end)| self.is_whole(*start, *end))
    }

    /// Starts and ends, what is just before and after them, and anything in between.
    fn telling_instants(&self, random: &mut Random) -> Vec<i64> {
        let mut instants = vec![random.between(self.whole.start, self.whole.end)];
        for (start, end) in self.whole_stretches().take(2) {
            let inside = random.between(start, end);
            instants.extend([start - 1, start, inside, end - 1, end]);
        }
        instants.retain(|now| self.whole.contains(now));
        instants
    }
}

fn instant(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap()
}

fn milliseconds(occurrence: Occurrence) -> (i64, i64) {
    let end = occurrence.end.unwrap();
    (occurrence.start.timestamp_millis(), end.timestamp_millis())
}

/// Pairs of instants as text, which says more than milliseconds do when a comparison fails.
fn readable<'a>(pairs: impl IntoIterator<Item = &'a (i64, i64)>) -> Vec<String> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(start, end)| format!("{:?}/{:?}", instant(*start), instant(*end)))
        .collect()
}
