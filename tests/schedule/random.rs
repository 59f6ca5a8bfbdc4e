//! Expressions at random, the same ones in each run.

/// Numbers that look random: xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero for ever.
        let mut random = Self((seed ^ 0x9E37_79B9_7F4A_7C15) | 1);
        random.number();
        random
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number from 0 to `bound - 1`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    pub(crate) fn between(&mut self, least: i64, bound: i64) -> i64 {
        let width = u64::try_from(bound - least).unwrap();
        least + i64::try_from(self.below(width)).unwrap()
    }

    pub(crate) fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        let count = u64::try_from(texts.len()).unwrap();
        texts[usize::try_from(self.below(count)).unwrap()]
    }
}

/// Lengths of occurrences.
pub(crate) const DURATIONS: [&str; 14] = [
    "1s", "1s500ms", "1m", "5m", "10m", "30m", "1h", "1h", "90m", "2h", "3h", "8h", "24h", "26h",
];

const MINUTES: [&str; 8] = ["*", "*/5", "*/15", "10-50/20", "7,37", "0-9", "0", "*/25"];

const HOURS: [&str; 12] = [
    "*",
    "*/2",
    "*/6",
    "1-3",
    "0",
    "0",
    "1",
    "2",
    "3",
    "22-23,0-3",
    "23",
    "0,12",
];

const DAYS: [&str; 8] = [
    "*/2", "1-7", "L", "1,15,L", "25-31", "20-31/3", "1,L", "1-31",
];

const MONTHS: [&str; 8] = [
    "*",
    "*",
    "*",
    "*/3",
    "JAN-JUN",
    "oct-DEC,1",
    "2",
    "3,4,9-11",
];

const WEEKDAYS: [&str; 20] = [
    "SUN",
    "0",
    "7",
    "1-5",
    "MON-FRI",
    "5-7",
    "sat,SUN",
    "SUN#1",
    "1#2",
    "FRIL",
    "5L",
    "sunL",
    "SUN#1,SUN#3",
    "*/2",
    "MON#5,TUEL",
    "0-7",
    "WED",
    "7L",
    "4,6#4",
    "1-7/2",
];

/// An expression that happens, and often on this day of this month.
pub(crate) fn expression(random: &mut Random, day: i8, month: i8) -> String {
    let minute = match random.below(3) {
        0 => random.below(60).to_string(),
        _ => random.pick(&MINUTES).to_owned(),
    };
    let hour = match random.below(4) {
        0 => random.below(24).to_string(),
        _ => random.pick(&HOURS).to_owned(),
    };
    let month = match random.below(3) {
        0 => month.to_string(),
        _ => random.pick(&MONTHS).to_owned(),
    };
    let (day, weekday) = match random.below(4) {
        0 => ("*".to_owned(), "*".to_owned()),
        1 if day <= 28 => (day.to_string(), "*".to_owned()),
        1 | 2 => (random.pick(&DAYS).to_owned(), "*".to_owned()),
        _ => ("*".to_owned(), random.pick(&WEEKDAYS).to_owned()),
    };
    format!("{minute} {hour} {day} {month} {weekday}")
}
