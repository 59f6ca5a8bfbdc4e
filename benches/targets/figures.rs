//! What was measured, printed and written. PURE, but for what it asks of the machine.

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

/// What is written to a file. Its fields are an interface: programs read them.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) machine: Machine,
    pub(crate) many: Vec<Many>,
    pub(crate) writes: Vec<Writes>,
    pub(crate) late: Vec<Late>,
    /// How long the benchmark itself took.
    pub(crate) seconds: f64,
}

/// On what it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    pub(crate) kubernetes: String,
    pub(crate) entracte: &'static str,
}

/// One window over many targets. Times count from the instant of its start.
#[derive(Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) kind: &'static str,
    pub(crate) targets: usize,
    /// When the first target was patched, and the last one.
    #[serde(serialize_with = "seconds")]
    pub(crate) first: TimeDelta,
    #[serde(serialize_with = "seconds")]
    pub(crate) patched: TimeDelta,
    /// The last answer of an app; of an Ingress the patch is all that the operator can do.
    #[serde(serialize_with = "maybe_seconds")]
    pub(crate) effective: Option<TimeDelta>,
    /// When the status said that all are held.
    #[serde(serialize_with = "seconds")]
    pub(crate) said: TimeDelta,
    /// When the ownership of the last field was given back.
    #[serde(serialize_with = "seconds")]
    pub(crate) given_back: TimeDelta,
    /// When the last target was released, after the end.
    #[serde(serialize_with = "seconds")]
    pub(crate) released: TimeDelta,
    /// What the same patches take a plain client, and what they do together with the slices that have
    /// to stand before them.
    #[serde(serialize_with = "seconds")]
    pub(crate) plain: TimeDelta,
    #[serde(serialize_with = "maybe_seconds")]
    pub(crate) with_slices: Option<TimeDelta>,
    /// How many requests the operator made for all of it.
    pub(crate) requests: usize,
}

/// What one window over one target wrote, by verb and resource.
#[derive(Debug, Serialize)]
pub(crate) struct Writes {
    pub(crate) kind: &'static str,
    pub(crate) before: Vec<(String, usize)>,
    pub(crate) hold: Vec<(String, usize)>,
    pub(crate) release: Vec<(String, usize)>,
}

/// How late flips were written, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Late {
    /// Which windows waited meanwhile.
    pub(crate) others: String,
    pub(crate) flips: usize,
    pub(crate) first: Quantiles,
    pub(crate) last: Quantiles,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Late {
    pub(crate) fn new(others: &str, first: Vec<TimeDelta>, last: Vec<TimeDelta>) -> Self {
        Self {
            others: others.to_owned(),
            flips: first.len(),
            first: Quantiles::of(first),
            last: Quantiles::of(last),
        }
    }
}

impl Quantiles {
    /// By the nearest rank.
    fn of(mut times: Vec<TimeDelta>) -> Self {
        times.sort_unstable();
        let rank = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(rank).map_or(f64::NAN, |time| milliseconds(*time))
        };
        Self {
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors
            .lines()
            .find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self {
            processor: model.unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            kubernetes: pinned().to_owned(),
            entracte: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The release that the testbed is built from; the programs themselves do not know it.
fn pinned() -> &'static str {
    let pins = include_str!("../../tests/testbed/programs/kubernetes/go.mod");
    let mut lines = pins.lines().map(str::trim);
    let version = lines.find_map(|line| {
        line.trim_start_matches("require ")
            .strip_prefix("k8s.io/kubernetes ")
    });
    let version = version.and_then(|version| version.split_whitespace().next());
    version.unwrap_or_default()
}

impl Figures {
    pub(crate) fn print(&self) {
        let Machine {
            processor,
            processors,
            kernel,
            kubernetes,
            entracte,
        } = &self.machine;
        println!(
            "entracte {entracte}, Kubernetes {kubernetes}, Linux {kernel}, {processors} × {processor}\n"
        );
        for many in &self.many {
            many.print();
        }
        for writes in &self.writes {
            writes.print();
        }
        self.print_late();
        println!("\nmeasured in {:.0} s", self.seconds);
    }

    fn print_late(&self) {
        if self.late.is_empty() {
            return;
        }
        println!(
            "{:<38}{:>7}{:>16}{:>16}",
            "ms after the instant", "flips", "first", "last"
        );
        println!("{:<38}{:>7}{:>16}{:>16}", "", "", "p50/p99", "p50/p99");
        for late in &self.late {
            let Late {
                others,
                flips,
                first,
                last,
            } = late;
            let two = |it: &Quantiles| format!("{:.1}/{:.1}", it.p50, it.p99);
            println!("{others:<38}{flips:>7}{:>16}{:>16}", two(first), two(last));
        }
    }
}

impl Many {
    fn print(&self) {
        let line = |what: &str, time: TimeDelta, goal: &str| {
            println!("  {what:<52}{:>7.2} s   {goal}", time.as_seconds_f64());
        };
        println!(
            "{} targets of kind {}, seconds after the instant",
            self.targets, self.kind
        );
        line("the first is patched", self.first, "");
        line("the last is patched", self.patched, "");
        line("the same patches, a plain client", self.plain, "");
        let ratio = self.patched.as_seconds_f64() / self.plain.as_seconds_f64();
        println!("  {:<52}{ratio:>7.2} ×   goal 1.25", "… as often");
        if let Some(with_slices) = self.with_slices {
            line(
                "the same patches and slices, a plain client",
                with_slices,
                "",
            );
            let ratio = self.patched.as_seconds_f64() / with_slices.as_seconds_f64();
            println!("  {:<52}{ratio:>7.2} ×", "… as often");
        }
        match self.effective {
            Some(effective) => line("the last answer of an app", effective, "goal 5"),
            None => line(
                "the last is patched, which is the effect",
                self.patched,
                "goal 2",
            ),
        }
        line("the last field is given back", self.given_back, "");
        line("the status says that all are held", self.said, "");
        println!("  {:<52}{:>7}", "requests", self.requests);
        line("after the end: the last is released", self.released, "");
        println!();
    }
}

impl Writes {
    fn print(&self) {
        println!("one {}, writes", self.kind);
        let line = |what: &str, writes: &[(String, usize)]| {
            let sum: usize = writes.iter().map(|(_, count)| count).sum();
            let told: Vec<String> = writes
                .iter()
                .map(|(what, count)| format!("{count} {what}"))
                .collect();
            println!("  {what:<10}{sum:>3}   {}", told.join(", "));
        };
        line("before", &self.before);
        line("hold", &self.hold);
        line("release", &self.release);
        println!();
    }
}

fn milliseconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64() * 1000.0
}

fn seconds<S: Serializer>(time: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_seconds_f64())
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn maybe_seconds<S: Serializer>(
    time: &Option<TimeDelta>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}
