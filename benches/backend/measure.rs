//! Rounds: in each, every server is measured once in every case.

use std::time::Duration;

use tokio::time::sleep;

use crate::answer::Answer;
use crate::cases::{Case, IDLE};
use crate::client::Report;
use crate::figures::{Figures, Machine, Row, Sample, median};
use crate::load::Clients;
use crate::server::{Kind, Running, Server, Stage};
use crate::{Options, Result, say, usage};

/// How long a server is loaded before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long connections idle before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// All that is asked for; where something failed, what was measured before, and how it failed.
pub(crate) async fn all(options: &Options) -> Result<(Figures, Result)> {
    let is_asked = |kind: &Kind| options.servers.is_empty() || options.servers.contains(kind);
    let mut missing = Vec::new();
    let mut servers = Vec::new();
    let entracte = Server::find(Kind::Entracte).await?;
    for kind in Kind::ALL.into_iter().filter(is_asked) {
        match Server::find(kind).await {
            Ok(server) => servers.push(server),
            Err(error) => missing.push(format!("{} is left out: {error}", kind.name())),
        }
    }
    let clients = Clients::find(options.client_core).await?;
    let stage = Stage::set(options.server_core, &entracte).await?;
    let bench = Bench {
        options,
        stage,
        clients,
    };
    let mut figures = Figures {
        machine: Machine::this(),
        versions: versions(&servers, &bench.clients),
        rounds: options.rounds,
        seconds: options.seconds.as_secs_f64(),
        answer: bench.stage.ours(Case::H1Keepalive)?.bytes.len(),
        missing,
        rows: Vec::new(),
    };
    let measured = bench.cases(&servers, &mut figures).await;
    Ok((figures, measured))
}

fn versions(servers: &[Server], clients: &Clients) -> Vec<(String, String)> {
    let servers = servers.iter().filter(|server| !server.version.is_empty());
    let mut versions: Vec<_> = servers
        .map(|server| (server.kind.name().to_owned(), server.version.clone()))
        .collect();
    if let Ok(version) = clients.h2load_version() {
        versions.push(("h2load".to_owned(), version.to_owned()));
    }
    versions
}

struct Bench<'a> {
    options: &'a Options,
    stage: Stage,
    clients: Clients,
}

impl Bench<'_> {
    /// Why a case cannot be measured here.
    fn obstacle(&self, case: Case) -> Option<String> {
        match case {
            Case::H2c => self.clients.h2load_version().err().map(str::to_owned),
            Case::Idle => too_few_files(),
            _ => None,
        }
    }

    async fn cases(&self, servers: &[Server], figures: &mut Figures) -> Result {
        let is_asked =
            |case: &Case| self.options.cases.is_empty() || self.options.cases.contains(case);
        for case in Case::ALL.into_iter().filter(is_asked) {
            match self.obstacle(case) {
                Some(reason) => {
                    let missing = format!("{} is left out: {reason}", case.name());
                    figures.missing.push(missing);
                }
                None => figures.rows.extend(self.case(case, servers).await?),
            }
        }
        Ok(())
    }

    async fn case(&self, case: Case, servers: &[Server]) -> Result<Vec<Row>> {
        let servers = servers.iter().filter(|server| server.kind.knows(case));
        let mut servers: Vec<_> = servers.map(|server| (server, Vec::new())).collect();
        for round in 1..=self.options.rounds {
            say(&format!(
                "{}: round {round} of {}",
                case.name(),
                self.options.rounds
            ));
            for (server, samples) in &mut servers {
                let sample = self.sample(case, server).await;
                let named = |error| format!("{}, {}: {error}", server.kind.name(), case.name());
                samples.push(sample.map_err(named)?);
            }
            // So that none always comes after the same other one.
            servers.rotate_left(1);
        }
        if case == Case::H1Keepalive {
            self.half_the_peak(&mut servers).await?;
        }
        servers.sort_by_key(|(server, _)| Kind::ALL.iter().position(|kind| *kind == server.kind));
        let rows = servers.into_iter();
        Ok(rows
            .map(|(server, samples)| Row::new(case, server.kind, &samples))
            .collect())
    }

    async fn sample(&self, case: Case, server: &Server) -> Result<Sample> {
        let running = self.stage.start(server, case).await?;
        let answer = Answer::fetch(running.h1, case == Case::H1Connect)?;
        answer.is_like(self.stage.ours(case)?)?;
        let sample = match case {
            Case::Idle => self.idle(&running, &answer).await?,
            _ => self.loaded(case, &running, &answer).await?,
        };
        running.stop().await?;
        Ok(sample)
    }

    async fn loaded(&self, case: Case, running: &Running, answer: &Answer) -> Result<Sample> {
        let process = running.id()?;
        let at_start = usage::rss(process)?;
        self.clients.load(case, running, answer, WARM_UP).await?;
        let before = usage::cpu(process)?;
        let seconds = self.options.seconds;
        let report = self.clients.load(case, running, answer, seconds).await?;
        let cpu = usage::cpu(process)?.saturating_sub(before);
        Ok(Sample::new(&report, cpu, at_start, usage::rss(process)?))
    }

    /// The rate is that of opening the connections, which is done one after the other.
    async fn idle(&self, running: &Running, answer: &Answer) -> Result<Sample> {
        let process = running.id()?;
        let at_start = usage::rss(process)?;
        let before = usage::cpu(process)?;
        let (idle, report) = self.clients.idle(running, answer).await?;
        let cpu = usage::cpu(process)?.saturating_sub(before);
        sleep(SETTLE).await;
        let rss = usage::rss(process)?;
        let stayed = idle.close().await?;
        if stayed != IDLE {
            return Err(format!("of {IDLE} idle connections {stayed} stayed").into());
        }
        Ok(Sample::new(&report, cpu, at_start, rss))
    }

    /// How long answers take where a server is asked for half of what it can do.
    async fn half_the_peak(&self, servers: &mut [(&Server, Vec<Sample>)]) -> Result {
        for round in 0..usize::try_from(self.options.rounds)? {
            say(&format!(
                "half the peak: round {} of {}",
                round + 1,
                self.options.rounds
            ));
            for (server, samples) in &mut *servers {
                let rate = median(samples.iter().map(|sample| sample.rps)) / 2.0;
                let p99 = self.paced(server, rate).await;
                let named = |error| format!("{}, half the peak: {error}", server.kind.name());
                samples[round].p99_ms = p99.map_err(named)?.p99_ms;
            }
        }
        Ok(())
    }

    async fn paced(&self, server: &Server, rate: f64) -> Result<Report> {
        let running = self.stage.start(server, Case::H1Keepalive).await?;
        let answer = Answer::fetch(running.h1, false)?;
        let load = |seconds| self.clients.pace(&running, &answer, seconds, rate);
        load(WARM_UP).await?;
        let report = load(self.options.seconds).await?;
        running.stop().await?;
        Ok(report)
    }
}

/// A descriptor for each idle connection, and a few.
fn too_few_files() -> Option<String> {
    let wanted = u64::try_from(IDLE + 500).ok()?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.current.filter(|most| *most < wanted)?;
    Some(format!(
        "a process may open {most} files at most, and {wanted} are needed: raise the hard limit (`ulimit -Hn`)"
    ))
}
