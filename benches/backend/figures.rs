//! What comes out: a table, and the same as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::cases::Case;
use crate::client::Report;
use crate::server::Kind;

/// What is written to a file. `rows` with its first five fields is an interface: programs read them.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rounds: u32,
    /// How long each server was loaded in each round.
    pub(crate) seconds: f64,
    /// How many bytes the operator's answer has.
    pub(crate) answer: usize,
    /// What was left out, and why.
    pub(crate) missing: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// One server in one case: medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) server: Kind,
    pub(crate) median_rps: f64,
    pub(crate) cpu_us_per_request: f64,
    /// With the load's connections, or the idle ones.
    pub(crate) rss_kib: f64,
    /// Before there were any.
    rss_start_kib: f64,
    /// The highest rate less the lowest one, as a part of the median.
    spread: f64,
    /// How much of its core the server took, and the client of its own.
    busy: f64,
    client_busy: Option<f64>,
    /// At half of the median rate, from when a request was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) rps: f64,
    cpu_us: f64,
    busy: f64,
    client_busy: Option<f64>,
    rss_start: f64,
    rss: f64,
    pub(crate) p99_ms: Option<f64>,
}

/// On what it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
}

impl Sample {
    pub(crate) fn new(report: &Report, cpu: Duration, rss_start: u64, rss: u64) -> Self {
        let answered = float(report.answered);
        Self {
            rps: answered / report.seconds,
            cpu_us: cpu.as_secs_f64() * 1e6 / answered,
            busy: cpu.as_secs_f64() / report.seconds,
            client_busy: report.busy,
            rss_start: float(rss_start),
            rss: float(rss),
            p99_ms: None,
        }
    }
}

impl Row {
    pub(crate) fn new(case: Case, server: Kind, samples: &[Sample]) -> Self {
        let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field));
        let maybe = |field: fn(&Sample) -> Option<f64>| {
            let all: Option<Vec<f64>> = samples.iter().map(field).collect();
            all.map(|all| median(all.into_iter()))
        };
        let rates = || samples.iter().map(|sample| sample.rps);
        let span = rates().fold(f64::MIN, f64::max) - rates().fold(f64::MAX, f64::min);
        Self {
            case,
            server,
            median_rps: of(|sample| sample.rps),
            cpu_us_per_request: of(|sample| sample.cpu_us),
            rss_kib: of(|sample| sample.rss),
            rss_start_kib: of(|sample| sample.rss_start),
            spread: span / of(|sample| sample.rps),
            busy: of(|sample| sample.busy),
            client_busy: maybe(|sample| sample.client_busy),
            p99_ms: maybe(|sample| sample.p99_ms),
        }
    }
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let mut lines = processors.lines();
        let model = lines.find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self {
            processor: model.unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

impl Figures {
    pub(crate) fn print(&self) {
        let Machine {
            processor,
            processors,
            kernel,
        } = &self.machine;
        let versions = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        println!("{}", versions.collect::<Vec<_>>().join(", "));
        println!("Linux {kernel}, {processors} × {processor}");
        println!(
            "an answer has {} bytes; medians of {} rounds of {} s",
            self.answer, self.rounds, self.seconds
        );
        for case in Case::ALL {
            let rows: Vec<_> = self.rows.iter().filter(|row| row.case == case).collect();
            if !rows.is_empty() {
                print_case(case, &rows);
            }
        }
        println!();
        let constant = self.rows.iter().filter(|row| !row.server.counts_down());
        let mut constant: Vec<_> = constant.map(|row| row.server.name()).collect();
        constant.sort_unstable();
        constant.dedup();
        if !constant.is_empty() {
            println!(
                "Retry-After does not change with the time: {}",
                constant.join(", ")
            );
        }
        for missing in &self.missing {
            println!("{missing}");
        }
    }
}

fn print_case(case: Case, rows: &[&Row]) {
    println!("\n{}: {}", case.name(), case.title());
    println!(
        "  {:<14}{:>11}{:>8}{:>16}{:>7}{:>8}{:>11}{:>11}{:>10}",
        "",
        "requests/s",
        "spread",
        "CPU µs/request",
        "busy",
        "client",
        "start KiB",
        "KiB",
        "p99 ms"
    );
    for row in rows {
        let percent = |part: f64| format!("{:.0}%", part * 100.0);
        println!(
            "  {:<14}{:>11.0}{:>8}{:>16.2}{:>7}{:>8}{:>11.0}{:>11.0}{:>10}",
            row.server.name(),
            row.median_rps,
            format!("{:.1}%", row.spread * 100.0),
            row.cpu_us_per_request,
            percent(row.busy),
            row.client_busy.map(percent).unwrap_or_default(),
            row.rss_start_kib,
            row.rss_kib,
            row.p99_ms
                .map(|p99| format!("{p99:.3}"))
                .unwrap_or_default(),
        );
    }
    print_ratios(case, rows);
}

/// The operator beside the best of the others, and beside the floor.
fn print_ratios(case: Case, rows: &[&Row]) {
    let is_peer = |row: &&&Row| !matches!(row.server, Kind::Entracte | Kind::Floor);
    let peers = || rows.iter().filter(is_peer);
    let find = |kind| rows.iter().find(|row| row.server == kind);
    let Some(ours) = find(Kind::Entracte) else {
        return;
    };
    let line = |what: &str, other: &Row, field: fn(&Row) -> f64, goal: &str| {
        let ratio = field(ours) / field(other);
        println!(
            "  {:<52}{ratio:>6.2} ×   {goal}",
            format!("{what}, entracte / {}", other.server.name())
        );
    };
    let rps = |row: &Row| row.median_rps;
    let cpu = |row: &Row| row.cpu_us_per_request;
    let memory = |row: &Row| row.rss_kib;
    let fastest = peers().max_by(|a, b| a.median_rps.total_cmp(&b.median_rps));
    let cheapest = peers().min_by(|a, b| a.cpu_us_per_request.total_cmp(&b.cpu_us_per_request));
    if case == Case::Idle {
        for nginx in peers().filter(|row| matches!(row.server, Kind::Nginx | Kind::NginxDebian)) {
            line("memory", nginx, memory, "goal ≤ 1");
        }
    } else if let (Some(fastest), Some(cheapest)) = (fastest, cheapest) {
        let (faster, cheaper) = match case {
            Case::H1Keepalive => ("goal ≥ 1.05", "goal < 1"),
            Case::H2c => ("goal ≥ 1.2", ""),
            _ => ("", ""),
        };
        line("requests/s", fastest, rps, faster);
        line("CPU", cheapest, cpu, cheaper);
    }
    if let Some(floor) = find(Kind::Floor).filter(|_| case != Case::Idle) {
        let keeps = case == Case::H1Keepalive;
        line(
            "requests/s",
            floor,
            rps,
            if keeps { "goal ≥ 0.95" } else { "" },
        );
        line("CPU", floor, cpu, if keeps { "goal ≤ 1.1" } else { "" });
    }
}

/// Of an even number of them, the lower one of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
