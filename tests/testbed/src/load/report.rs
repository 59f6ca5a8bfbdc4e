//! What clients saw: counts, and the flips found among recorded answers. No I/O and no clock.

use std::ops::RangeBounds;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::classify::{Class, Reason, Verdict};

/// An instant on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Since the load was started; does not jump.
    pub elapsed: Duration,
    /// What schedules and Retry-After are compared with.
    pub wall: DateTime<Utc>,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Before the connection was opened, or the request written on an open one.
    pub sent: Moment,
    /// When the head of the answer was there, or the failure.
    pub answered: Moment,
    /// Who answered.
    pub verdict: Verdict,
}

/// Requests by answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`Class::App`].
    pub app: u64,
    /// See [`Class::Maintenance`].
    pub maintenance: u64,
    /// See [`Class::Other`].
    pub other: u64,
}

impl Counts {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.app + self.maintenance + self.other
    }

    pub(super) fn add(&mut self, class: Class) {
        match class {
            Class::App => self.app += 1,
            Class::Maintenance => self.maintenance += 1,
            Class::Other => self.other += 1,
        }
    }
}

/// All answers of a load, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every request's answer.
    pub answers: Vec<Answer>,
    /// How often a kept connection was closed under a request before a byte of the answer came, so
    /// that the request was sent once more on a new one, as RFC 9112 section 9.3.1 lets a client do
    /// with a GET, and all do. What came of that is among the answers, as one answer.
    pub retried: u64,
}

impl Report {
    /// Requests by answer.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for answer in &self.answers {
            counts.add(answer.verdict.class());
        }
        counts
    }

    /// The answers that no client should have got, first ones first.
    pub fn others(&self) -> impl Iterator<Item = (&Answer, &Reason)> {
        self.answers
            .iter()
            .filter_map(|answer| match &answer.verdict {
                Verdict::Other(reason) => Some((answer, reason)),
                _ => None,
            })
    }

    /// How many answers of a class came within a span, for what must not be there: maintenance
    /// before the first start, or the app a while after it.
    pub fn count(&self, class: Class, span: impl RangeBounds<DateTime<Utc>>) -> usize {
        self.answers
            .iter()
            .filter(|answer| answer.verdict.class() == class)
            .filter(|answer| span.contains(&answer.answered.wall))
            .count()
    }

    /// The last answer of a class that came within a span.
    pub fn last(&self, class: Class, span: impl RangeBounds<DateTime<Utc>>) -> Option<Moment> {
        self.answers
            .iter()
            .filter(|answer| answer.verdict.class() == class)
            .map(|answer| answer.answered)
            .filter(|moment| span.contains(&moment.wall))
            .max()
    }

    /// The flip to `to` that was scheduled for `at`; see [`flip_at`].
    pub fn flip_at(
        &self,
        at: DateTime<Utc>,
        next: Option<DateTime<Utc>>,
        to: Class,
    ) -> Option<Flip> {
        flip_at(&self.answers, at, next, to)
    }

    /// The flips of a schedule, which is in order of time; `None` for each that was not seen.
    pub fn flips(&self, schedule: &[(DateTime<Utc>, Class)]) -> Vec<Option<Flip>> {
        schedule
            .iter()
            .enumerate()
            .map(|(index, &(at, to))| {
                let next = schedule.get(index + 1).map(|&(next, _)| next);
                self.flip_at(at, next, to)
            })
            .collect()
    }
}

/// A change of who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The instant for which it was scheduled.
    pub at: DateTime<Utc>,
    /// Who answers from then on.
    pub to: Class,
    /// The first answer of the new kind.
    pub first_new: Moment,
    /// The last answer of the old kind; `None` if the load saw none.
    pub last_old: Option<Moment>,
}

impl Flip {
    /// From the scheduled instant to the first new answer.
    pub fn seen(&self) -> TimeDelta {
        self.first_new.wall - self.at
    }

    /// From the scheduled instant to the last old answer, or to the first new one where no old
    /// one came after it.
    pub fn settled(&self) -> TimeDelta {
        self.last_old
            .map_or(self.first_new, |old| old.max(self.first_new))
            .wall
            - self.at
    }

    /// For how long both kinds of answers came.
    pub fn mixed(&self) -> Duration {
        self.last_old.map_or(Duration::ZERO, |old| {
            old.elapsed.saturating_sub(self.first_new.elapsed)
        })
    }
}

/// Finds the flip to `to` that was scheduled for `at`, before the one scheduled for `next`.
///
/// It is seen when an answer of the new kind comes at or after `at`. An old answer counts however
/// late it comes, as long as it is before `next`. Answers that are neither tell nothing.
///
/// A new answer before `at` is not looked at: what came too early is found by [`Report::count`].
pub fn flip_at(
    answers: &[Answer],
    at: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
    to: Class,
) -> Option<Flip> {
    let from = to.opposite()?;
    let of_class = |class: Class| {
        answers
            .iter()
            .filter(move |answer| answer.verdict.class() == class)
            .map(|answer| answer.answered)
            .filter(move |moment| next.is_none_or(|next| moment.wall < next))
    };
    let first_new = of_class(to).filter(|moment| moment.wall >= at).min()?;
    Some(Flip {
        at,
        to,
        first_new,
        last_old: of_class(from).max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
    }

    fn moment(milliseconds: u64) -> Moment {
        Moment {
            elapsed: Duration::from_millis(milliseconds),
            wall: at(milliseconds.try_into().unwrap()),
        }
    }

    /// A letter is an answer (`a`pp, `m`aintenance, `x` other), 10 ms after the one before it.
    fn report(letters: &str) -> Report {
        let answers = letters.chars().zip(0_u64..).map(|(letter, index)| Answer {
            sent: moment((index * 10).saturating_sub(3)),
            answered: moment(index * 10),
            verdict: match letter {
                'a' => Verdict::App,
                'm' => Verdict::Maintenance {
                    window: "shop/db".to_owned(),
                    retry_after: 1,
                },
                _ => Verdict::Other(Reason::Connect("refused".to_owned())),
            },
        });
        Report {
            answers: answers.collect(),
            retried: 0,
        }
    }

    /// First new, last old, settled, mixed: in milliseconds.
    type Seen = (u64, Option<u64>, i64, u128);

    /// What it shows, the answers, the instant, the next one, the new class, what is found.
    type Case = (
        &'static str,
        &'static str,
        i64,
        Option<i64>,
        Class,
        Option<Seen>,
    );

    #[test]
    fn a_flip_is_found_between_its_instant_and_the_next() {
        use Class::{App, Maintenance};
        let cases: [Case; 14] = [
            (
                "clean",
                "aaaammmm",
                35,
                None,
                Maintenance,
                Some((40, Some(30), 5, 0)),
            ),
            ("back", "mmaa", 10, None, App, Some((20, Some(10), 10, 0))),
            (
                "a mix",
                "aaamamamm",
                20,
                None,
                Maintenance,
                Some((30, Some(60), 40, 30)),
            ),
            (
                "old ones reappear",
                "aammmmmam",
                10,
                None,
                Maintenance,
                Some((20, Some(70), 60, 50)),
            ),
            ("not seen", "aaaaaa", 20, None, Maintenance, None),
            (
                "seen only after the next",
                "aaaaam",
                20,
                Some(50),
                Maintenance,
                None,
            ),
            (
                "the next is left out",
                "aammaa",
                15,
                Some(35),
                Maintenance,
                Some((20, Some(10), 5, 0)),
            ),
            (
                "the one before is left out",
                "aammaa",
                35,
                None,
                App,
                Some((40, Some(30), 5, 0)),
            ),
            (
                "early ones do not count",
                "amamm",
                25,
                None,
                Maintenance,
                Some((30, Some(20), 5, 0)),
            ),
            (
                "on the instant",
                "aam",
                20,
                None,
                Maintenance,
                Some((20, Some(10), 0, 0)),
            ),
            (
                "no old one",
                "mmm",
                0,
                None,
                Maintenance,
                Some((0, None, 0, 0)),
            ),
            (
                "others tell nothing",
                "aaxmxx",
                20,
                None,
                Maintenance,
                Some((30, Some(10), 10, 0)),
            ),
            ("no answers", "", 0, None, Maintenance, None),
            ("no flip to others", "aaxx", 15, None, Class::Other, None),
        ];
        for (what, letters, instant, next, to, expected) in cases {
            let flip = report(letters).flip_at(at(instant), next.map(at), to);
            let seen = flip.map(|flip| {
                (
                    u64::try_from(flip.first_new.elapsed.as_millis()).unwrap(),
                    flip.last_old
                        .map(|old| u64::try_from(old.elapsed.as_millis()).unwrap()),
                    flip.settled().num_milliseconds(),
                    flip.mixed().as_millis(),
                )
            });
            assert_eq!(seen, expected, "{what}");
        }
    }

    #[test]
    fn the_flips_of_a_schedule_are_found_one_by_one() {
        let schedule = [
            (at(15), Class::Maintenance),
            (at(45), Class::App),
            (at(75), Class::Maintenance),
        ];
        let flips = report("aamammmaaa").flips(&schedule);
        let firsts: Vec<_> = flips
            .iter()
            .map(|flip| flip.map(|flip| (flip.seen().num_milliseconds(), flip.mixed())))
            .collect();
        assert_eq!(
            firsts,
            [
                Some((5, Duration::from_millis(10))),
                Some((25, Duration::ZERO)),
                None
            ]
        );
    }

    #[test]
    fn answers_come_in_any_order() {
        let mut shuffled = report("aaamamamm");
        shuffled.answers.reverse();
        assert_eq!(
            shuffled.flip_at(at(20), None, Class::Maintenance),
            report("aaamamamm").flip_at(at(20), None, Class::Maintenance)
        );
    }

    #[test]
    fn counts_others_and_early_answers_are_reported() {
        let report = report("amaxm");
        let counts = Counts {
            app: 2,
            maintenance: 2,
            other: 1,
        };
        assert_eq!(report.counts(), counts);
        assert_eq!(report.counts().total(), 5);
        assert_eq!(report.count(Class::Maintenance, ..at(20)), 1);
        assert_eq!(report.count(Class::App, at(30)..), 0);
        assert_eq!(report.last(Class::App, ..), Some(moment(20)));
        assert_eq!(report.last(Class::Maintenance, ..at(40)), Some(moment(10)));
        assert_eq!(report.last(Class::App, at(30)..), None);
        let others: Vec<_> = report
            .others()
            .map(|(answer, reason)| (answer.answered, reason.to_string()))
            .collect();
        assert_eq!(
            others,
            [(moment(30), "could not connect: refused".to_owned())]
        );
    }
}
