//! The arguments of `entracte backend`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::value_parser;

/// The arguments of `entracte backend`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The namespace whose notices are answered with: the operator's own
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: Option<String>,

    /// Answer with the notices in the files *.json of this folder, and ask no cluster: to try an
    /// answer. The folder is looked at each second
    #[arg(long, value_name = "FOLDER")]
    pub notices: Option<PathBuf>,

    /// The address to listen on; `::` is every address, of both families where there are both
    #[arg(long, value_name = "ADDRESS", default_value = "::")]
    pub bind: IpAddr,

    /// The port of /healthz and /readyz
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub admin_port: u16,

    /// How many threads answer, each on a core of its own. Absent: as many as there are cores for
    /// this process, but no more than 4
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,

    /// What TLS is spoken with.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// What a client may take.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// How the process ends.
    #[command(flatten)]
    pub drain: DrainArgs,
}

/// The certificate for who speaks TLS to a port. Files are looked at each second, and taken when they
/// have changed and fit. Where none are named a certificate is made at the start, signed by nobody.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TlsArgs {
    /// The folder with the certificate chain in tls.crt and its key in tls.key: a mounted Secret. It
    /// may be empty; what appears in it later is taken
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls_folder: Option<PathBuf>,

    /// The file with the certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The file with the certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// What a client may take of a process that faces the internet.
#[derive(Clone, Debug, clap::Args)]
pub struct LimitArgs {
    /// The most connections that are served at a time, on all ports together; each worker has its
    /// share of them. For one that is too many, one that was idle for long is closed. No more than
    /// the limit on open files allows, which is raised as far as may be
    #[arg(long, value_name = "COUNT", default_value_t = 16_384, value_parser = value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// The most bytes in the head of a request. Set it no lower than the proxies' own limit:
    /// a request whose head is larger gets 431 and not the maintenance answer
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = value_parser!(u32).range(8192..=16_777_216))]
    pub max_head: u32,

    /// How long a new connection may take to send the head of its first request, with everything
    /// that comes before it: a PROXY header, and the handshake of TLS
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub head_timeout: Duration,

    /// How long a connection may take to send the head of its next request. Set it longer than
    /// the proxies keep idle connections, so that it is they who close
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    pub idle_timeout: Duration,

    /// How long a client may take nothing of an answer that waits for it, or open no window for it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub write_timeout: Duration,

    /// The most bytes of a request's body that are read, and thrown away, so that the connection
    /// can be kept
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576)]
    pub max_body: u32,

    /// How long a request's body is read for
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub body_timeout: Duration,

    /// The most requests that are open at a time on a connection of HTTP/2
    #[arg(long, value_name = "COUNT", default_value_t = 128, value_parser = value_parser!(u32).range(1..))]
    pub max_streams: u32,

    /// The most requests that a client of HTTP/2 may take back, or make us refuse, before its
    /// connection is closed; each request that it does not take back makes up for half of one
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = value_parser!(u16).range(1..))]
    pub max_resets: u16,
}

/// How the process ends: at the first SIGTERM or SIGINT it is not ready any more and asks its
/// clients to go; after a delay it takes no more connections; then it waits for those that are
/// left. A second signal stops it at once.
#[derive(Clone, Debug, clap::Args)]
pub struct DrainArgs {
    /// How long to take new connections after the signal: until the last proxy has heard that
    /// this pod goes
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub drain_delay: Duration,

    /// How long to wait after that for the connections that are left
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write a duration such as 500ms, 10s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use similar_asserts::assert_eq;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        let words = ["entracte", "--namespace", "entracte"].iter().chain(args);
        Program::try_parse_from(words).map(|program| program.args)
    }

    #[test]
    fn the_namespace_is_all_that_has_to_be_said() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.namespace.as_deref(), Some("entracte"));
        assert_eq!(args.bind.to_string(), "::");
        assert_eq!(args.drain.drain_delay, Duration::from_secs(5));
        assert_eq!(args.limits.idle_timeout, Duration::from_secs(120));
        assert_eq!((args.workers, args.tls.tls_folder), (None, None));
    }

    #[test]
    fn durations_have_units_and_are_not_negative() {
        let delay = |text: &str| {
            parse(&[&format!("--drain-delay={text}")]).map(|args| args.drain.drain_delay)
        };
        assert_eq!(delay("1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(delay("0s").unwrap(), Duration::ZERO);
        for wrong in ["5", "-5s", "soon", ""] {
            let error = delay(wrong).unwrap_err().to_string();
            assert!(
                error.contains("write a duration such as"),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn limits_that_would_refuse_everybody_are_refused() {
        assert!(parse(&["--max-connections", "0"]).is_err());
        assert!(parse(&["--max-head", "100"]).is_err());
        assert!(parse(&["--max-streams", "0"]).is_err());
        assert!(parse(&["--workers", "0"]).is_err());
    }

    #[test]
    fn a_certificate_has_its_key_and_comes_from_one_place() {
        assert!(parse(&["--tls-folder", "/tls"]).is_ok());
        assert!(parse(&["--tls-cert", "/a", "--tls-key", "/b"]).is_ok());
        assert!(parse(&["--tls-cert", "/a"]).is_err());
        assert!(parse(&["--tls-key", "/b"]).is_err());
        let both = [
            "--tls-folder",
            "/tls",
            "--tls-cert",
            "/a",
            "--tls-key",
            "/b",
        ];
        assert!(parse(&both).is_err());
    }
}
