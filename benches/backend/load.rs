//! Runs what loads a server, on its core.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use entracte_testbed::programs::peers as programs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::Result;
use crate::answer::Answer;
use crate::cases::{CONNECTIONS, Case, H2, IDLE, PIPELINED};
use crate::client::Report;
use crate::figures::float;
use crate::server::Running;

/// What is started on a core.
#[derive(Debug)]
pub(crate) struct Clients {
    core: usize,
    ours: PathBuf,
    /// nghttp2's client, and its version; or why there is none.
    h2load: std::result::Result<(PathBuf, String), String>,
}

/// How long a client may take longer than it was told to load.
const PATIENCE: Duration = Duration::from_secs(20);

impl Clients {
    pub(crate) async fn find(core: usize) -> Result<Self> {
        let h2load = match programs::program(&programs::H2LOAD).await {
            Ok(program) => Ok((program.clone(), version(program).await?)),
            Err(error) => Err(error.to_string()),
        };
        Ok(Self {
            core,
            ours: env::current_exe()?,
            h2load,
        })
    }

    pub(crate) fn h2load_version(&self) -> std::result::Result<&str, &str> {
        self.h2load
            .as_ref()
            .map(|(_, version)| &**version)
            .map_err(|error| &**error)
    }

    /// Loads a server in the way of a case, as fast as it goes.
    pub(crate) async fn load(
        &self,
        case: Case,
        server: &Running,
        answer: &Answer,
        seconds: Duration,
    ) -> Result<Report> {
        let how = match case {
            Case::H1Keepalive => words(&["closed", "1"]),
            Case::H1Pipelined => words(&["closed", &PIPELINED.to_string()]),
            Case::H1Connect => words(&["fresh"]),
            Case::H2c => return self.h2load(server, answer, seconds).await,
            Case::Idle => return Err("idle clients are no load".into()),
        };
        self.run(server, answer, CONNECTIONS, seconds, how).await
    }

    /// Loads a server at a constant rate.
    pub(crate) async fn pace(
        &self,
        server: &Running,
        answer: &Answer,
        seconds: Duration,
        rate: f64,
    ) -> Result<Report> {
        let how = words(&["paced", &rate.to_string()]);
        self.run(server, answer, CONNECTIONS, seconds, how).await
    }

    async fn run(
        &self,
        server: &Running,
        answer: &Answer,
        connections: usize,
        seconds: Duration,
        how: Vec<String>,
    ) -> Result<Report> {
        let mut command = self.client(server, answer, connections, seconds);
        command.args(how).stdin(Stdio::null());
        let output = timeout(seconds + PATIENCE, command.output()).await??;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the client failed: {said}").into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn client(
        &self,
        server: &Running,
        answer: &Answer,
        connections: usize,
        seconds: Duration,
    ) -> Command {
        let mut command = self.pinned();
        command
            .arg(&self.ours)
            .arg("client")
            .args(["--server", &server.h1.to_string()])
            .args(["--length", &answer.bytes.len().to_string()])
            .args(["--connections", &connections.to_string()])
            .args(["--seconds", &seconds.as_secs_f64().to_string()]);
        command
    }

    fn pinned(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "taskset", "--cpu-list"])
            .arg(self.core.to_string())
            .kill_on_drop(true);
        command
    }

    /// Opens connections that idle after a request.
    pub(crate) async fn idle(&self, server: &Running, answer: &Answer) -> Result<(Idle, Report)> {
        let mut command = self.client(server, answer, IDLE, Duration::from_secs(1));
        command
            .arg("idle")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut idle = Idle {
            child,
            output: BufReader::new(output),
        };
        let report = serde_json::from_str(&idle.line().await?)?;
        Ok((idle, report))
    }

    async fn h2load(&self, server: &Running, answer: &Answer, seconds: Duration) -> Result<Report> {
        let (program, _) = self.h2load.as_ref().map_err(Clone::clone)?;
        let mut command = self.pinned();
        command
            .arg(program)
            .args(["--clients", &H2.0.to_string()])
            .args(["--max-concurrent-streams", &H2.1.to_string()])
            .args(["--threads", "1"])
            .arg(format!("--duration={}ms", seconds.as_millis()))
            .args(["--header", "user-agent: entracte-bench"])
            .args(["--header", "accept: */*"])
            .arg(format!("http://{}/cart", server.h2))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn()?;
        let output = timeout(seconds + PATIENCE, child.wait_with_output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        read_h2load(&said, answer)
            .ok_or_else(|| format!("h2load: not what all answer:\n{said}").into())
    }
}

/// Connections that idle.
pub(crate) struct Idle {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Idle {
    /// Closes them, and says how many there still were.
    pub(crate) async fn close(mut self) -> Result<usize> {
        drop(self.child.stdin.take());
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.output.read_line(&mut line)).await??;
        Ok(line)
    }
}

async fn version(program: PathBuf) -> Result<String> {
    let said = Command::new(program).arg("--version").output().await?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.rsplit('/').next().unwrap_or_default();
    Ok(version.trim().to_owned())
}

/// What h2load says, if all answers were those that they should be. It calls a 503 failed.
fn read_h2load(said: &str, answer: &Answer) -> Option<Report> {
    let line = |start| said.lines().find_map(|line| line.strip_prefix(start));
    let rate = line("finished in ")?.split_once(", ")?.1;
    let rate: f64 = rate.split_once(" req/s")?.0.parse().ok()?;
    let requests = counts(line("requests: ")?)?;
    let statuses = counts(line("status codes: ")?)?;
    let data = line("traffic: ")?.rsplit_once('(')?.1;
    let data: u64 = data.strip_suffix(") data")?.parse().ok()?;

    let answered = *requests.get("done")?;
    let is_none = |counts: &HashMap<&str, u64>, name| counts.get(name) == Some(&0);
    let others = ["2xx", "3xx", "4xx"].map(|name| is_none(&statuses, name));
    let failures = ["errored", "timeout"].map(|name| is_none(&requests, name));
    let nothing_else = others.into_iter().chain(failures).all(|none| none);
    // At the end some streams had their head, or their body too, and not yet their end.
    let under_way = u64::try_from(H2.0 * H2.1).ok()?;
    let possible = answered..=answered + under_way;
    let length = u64::try_from(answer.body().len()).ok()?;
    let good = requests.get("failed") == Some(&answered)
        && possible.contains(statuses.get("5xx")?)
        && (possible.start() * length..=possible.end() * length).contains(&data);
    (answered > 0 && good && nothing_else).then_some(())?;
    Some(Report {
        answered,
        seconds: float(answered) / rate,
        p99_ms: None,
        busy: None,
    })
}

/// `3 total, 2 done`, by name.
fn counts(text: &str) -> Option<HashMap<&str, u64>> {
    let counts = text.split(", ").map(|count| {
        let (number, name) = count.trim().split_once(' ')?;
        Some((name, number.parse().ok()?))
    });
    counts.collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
