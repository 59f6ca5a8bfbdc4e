//! The servers: each is started afresh for every measurement, pinned to its core, and gone when it is
//! dropped, or when this process is.

mod peers;

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use entracte_testbed::process::Process;
use entracte_testbed::programs::peers as programs;
use serde::Serialize;
use tokio::process::Command;

use crate::answer::{Answer, notice};
use crate::cases::Case;
use crate::{Result, target};

/// How long a server may take to start.
const LIMIT: Duration = Duration::from_secs(20);

/// Whose answer is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The operator's backend
    Entracte,
    /// nginx of today
    Nginx,
    /// Debian's nginx
    NginxDebian,
    /// Debian's HAProxy
    Haproxy,
    /// Envoy
    Envoy,
    /// A bare socket loop that writes a constant
    Floor,
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    program: PathBuf,
    pub(crate) version: String,
}

/// A server that runs.
pub(crate) struct Running {
    process: Process,
    /// Where it answers over HTTP/1.1, and where over HTTP/2.
    pub(crate) h1: SocketAddr,
    pub(crate) h2: SocketAddr,
}

/// Where, and as what, servers are started.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    core: usize,
    /// The operator's answer to a connection that stays, and to one that does not.
    ours: Option<[Answer; 2]>,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Entracte,
        Self::Nginx,
        Self::NginxDebian,
        Self::Haproxy,
        Self::Envoy,
        Self::Floor,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Entracte => "entracte",
            Self::Nginx => "nginx",
            Self::NginxDebian => "nginx-debian",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Floor => "floor",
        }
    }

    /// Whether it can be asked in that way. The floor is one for HTTP/1.1.
    pub(crate) fn knows(self, case: Case) -> bool {
        self != Self::Floor || case != Case::H2c
    }

    /// Whether its `Retry-After` changes each second.
    pub(crate) fn counts_down(self) -> bool {
        matches!(self, Self::Entracte | Self::Haproxy)
    }
}

impl Server {
    /// Has it fetched if it is not here.
    pub(crate) async fn find(kind: Kind) -> Result<Self> {
        let program = match kind {
            // With the profile of a benchmark, which is the one of a release.
            Kind::Entracte => env!("CARGO_BIN_EXE_entracte").into(),
            Kind::Floor => env::current_exe()?,
            Kind::Nginx => programs::program(&programs::NGINX).await?,
            Kind::NginxDebian => programs::program(&programs::NGINX_DEBIAN).await?,
            Kind::Haproxy => programs::program(&programs::HAPROXY).await?,
            Kind::Envoy => programs::program(&programs::ENVOY_PROXY).await?,
        };
        let version = version(kind, &program).await?;
        Ok(Self {
            kind,
            program,
            version,
        })
    }
}

/// As it says itself.
async fn version(kind: Kind, program: &Path) -> Result<String> {
    let flag = match kind {
        Kind::Entracte => return Ok(env!("CARGO_PKG_VERSION").to_owned()),
        Kind::Floor => return Ok(String::new()),
        Kind::Nginx | Kind::NginxDebian | Kind::Haproxy => "-v",
        Kind::Envoy => "--version",
    };
    let said = Command::new(program).arg(flag).output().await?;
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let version = words.find(|word| word.split('.').count() >= 3 && !word.starts_with('.'));
    let version =
        version.ok_or_else(|| format!("{} does not say its version: {text}", program.display()))?;
    Ok(version.to_owned())
}

impl Stage {
    /// In a folder of its own, which is emptied. The operator is asked what all have to answer.
    pub(crate) async fn set(core: usize, entracte: &Server) -> Result<Self> {
        let folder = target()?.join("tmp").join("backend-bench");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut stage = Self {
            folder,
            core,
            ours: None,
        };
        let running = stage.start(entracte, Case::H1Keepalive).await?;
        let ours = [false, true].map(|close| Answer::fetch(running.h1, close));
        let [stays, goes] = ours;
        stage.ours = Some([stays?, goes?]);
        running.stop().await?;
        Ok(stage)
    }

    /// Starts a server, and makes sure of what it answers.
    pub(crate) async fn start(&self, server: &Server, case: Case) -> Result<Running> {
        let (h1, h2, admin) = (free()?, free()?, free()?);
        let arguments = self.arguments(server.kind, case, h1, h2, admin)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "taskset", "--cpu-list"])
            .arg(self.core.to_string())
            .arg(&server.program)
            .args(arguments)
            .current_dir(&self.folder);
        let mut process = Process::start(server.kind.name(), command, &self.folder)?;
        let answers = async || Answer::fetch(h1, false).is_ok();
        process.ready(LIMIT, answers).await?;
        Ok(Running {
            process,
            h1,
            // One port for both, where a port without TLS can be that.
            h2: if server.kind == Kind::NginxDebian {
                h2
            } else {
                h1
            },
        })
    }

    fn arguments(
        &self,
        kind: Kind,
        case: Case,
        h1: SocketAddr,
        h2: SocketAddr,
        admin: SocketAddr,
    ) -> Result<Vec<String>> {
        if kind == Kind::Entracte {
            let notices = self.folder.join("notices");
            fs::create_dir_all(&notices)?;
            let notice = notice(h1.port())?;
            fs::write(notices.join("notice.json"), notice.to_string())?;
            return Ok(words([
                "backend",
                "--notices",
                "notices",
                "--bind",
                &h1.ip().to_string(),
                "--admin-port",
                &admin.port().to_string(),
            ]));
        }
        let answer = self.ours(case)?;
        if kind == Kind::Floor {
            let file = self.folder.join("answer");
            fs::write(&file, &answer.bytes)?;
            let listen = h1.to_string();
            let mut arguments = words(["floor", "--listen", &listen, "--answer", "answer"]);
            arguments.extend((case == Case::H1Connect).then(|| "--close".to_owned()));
            return Ok(arguments);
        }
        peers::arguments(kind, case, answer, [h1, h2], &self.folder)
    }

    /// The operator's answer.
    pub(crate) fn ours(&self, case: Case) -> Result<&Answer> {
        let [stays, goes] = self.ours.as_ref().ok_or("the operator was not asked")?;
        Ok(if case == Case::H1Connect { goes } else { stays })
    }
}

impl Running {
    pub(crate) fn id(&self) -> Result<u32> {
        Ok(self.process.id().ok_or("the server ended")?)
    }

    pub(crate) async fn stop(self) -> Result {
        Ok(self.process.kill().await?)
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// A port that nobody has at the moment.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
