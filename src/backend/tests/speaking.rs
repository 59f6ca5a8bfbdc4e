//! What a connection may speak: TLS, a header of the PROXY protocol, both, or neither.

use std::fs;
use std::path::Path;

use http::StatusCode;
use http::header::RETRY_AFTER;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use similar_asserts::assert_eq;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::trust::Anybody;
use super::*;

const NAME: &str = "shop.example";

/// A certificate for [`NAME`] and its key, in files that a backend reads.
struct Mounted {
    folder: tempfile::TempDir,
    certificate: String,
}

impl Mounted {
    fn new() -> Self {
        let mut mounted = Self {
            folder: tempfile::tempdir().unwrap(),
            certificate: String::new(),
        };
        mounted.renew();
        mounted
    }

    /// As a kubelet does it: the files are links through a link, which is replaced.
    fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        self.certificate = made.cert.pem();
        let version = tempfile::tempdir_in(&self.folder).unwrap().keep();
        fs::write(version.join("tls.crt"), &self.certificate).unwrap();
        fs::write(version.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        let link = |target: &Path, name: &str| {
            let new = self.folder.path().join("new");
            std::os::unix::fs::symlink(target, &new).unwrap();
            fs::rename(new, self.folder.path().join(name)).unwrap();
        };
        link(&version, "..data");
        for file in ["tls.crt", "tls.key"] {
            link(&Path::new("..data").join(file), file);
        }
    }

    fn backend(&self, notice: Notice) -> impl Future<Output = Backend> {
        let tls = Tls::new(&TlsArgs {
            tls_folder: Some(self.folder.path().to_owned()),
            ..TlsArgs::default()
        });
        let backend = Backend::start_with(&limits(), WORKERS, tls.unwrap());
        async move { backend.answering(notice).await }
    }

    /// A client that trusts this certificate only.
    fn client(&self, protocols: &[&str]) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        speaking(
            protocols,
            builder()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// A client that checks nobody's certificate, as most proxies do with their upstreams.
pub(super) fn trusting(protocols: &[&str]) -> ClientConfig {
    let verifier = Arc::new(Anybody(ring::default_provider()));
    let builder = builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    speaking(protocols, builder.with_no_client_auth())
}

fn speaking(protocols: &[&str], mut config: ClientConfig) -> ClientConfig {
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    config
}

pub(super) async fn secured(
    stream: TcpStream,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(ServerName::try_from(NAME).unwrap(), stream)
        .await
}

fn protocol(stream: &TlsStream<TcpStream>) -> Option<&str> {
    str::from_utf8(stream.get_ref().1.alpn_protocol()?).ok()
}

#[tokio::test]
async fn over_tls_http_1_1_gets_the_same_answer_and_keeps_the_connection() {
    let (port, mounted) = (free_port().await, Mounted::new());
    let _backend = mounted.backend(notice(port)).await;
    for offered in [&["http/1.1"][..], &[]] {
        let client = mounted.client(offered);
        let mut stream = secured(connect(port).await, client).await.unwrap();
        assert_eq!(protocol(&stream), offered.first().copied());
        for _ in 0..3 {
            send(&mut stream, GET).await;
            let (head, body) = receive(&mut stream).await;
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
            assert_eq!(field(&head, "retry-after"), Some("30"));
            assert!(
                body.starts_with("We are upgrading our database.\n"),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn over_tls_http_2_is_chosen_where_it_is_offered() {
    let (port, mounted) = (free_port().await, Mounted::new());
    let _backend = mounted.backend(notice(port)).await;
    let client = mounted.client(&["h2", "http/1.1"]);
    let stream = secured(connect(port).await, client).await.unwrap();
    assert_eq!(protocol(&stream), Some("h2"));
    let (mut client, _connection) = h2(stream).await;
    for _ in 0..3 {
        let response = client.send_request(get()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "30");
    }
}

#[tokio::test]
async fn without_a_certificate_there_is_one_for_who_does_not_check() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = secured(connect(port).await, trusting(&["http/1.1"]))
        .await
        .unwrap();
    send(&mut stream, GET).await;
    assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_used_for_new_connections_and_cuts_none() {
    let (port, mut mounted) = (free_port().await, Mounted::new());
    let _backend = mounted.backend(notice(port)).await;
    let mut open = secured(connect(port).await, mounted.client(&[]))
        .await
        .unwrap();
    mounted.renew();
    let client = mounted.client(&[]);
    assert!(secured(connect(port).await, client.clone()).await.is_err());
    let renewed = async {
        while secured(connect(port).await, client.clone()).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, renewed).await.unwrap();
    send(&mut open, GET).await;
    receive(&mut open).await;
}

#[tokio::test]
async fn over_tls_connections_end_as_they_do_without() {
    let (port, mounted) = (free_port().await, Mounted::new());
    let backend = mounted.backend(notice(port)).await;
    let secured = |protocol: &'static str| {
        let client = mounted.client(&[protocol]);
        async move { secured(connect(port).await, client).await.unwrap() }
    };
    let (mut idle, mut asking) = (secured("http/1.1").await, secured("http/1.1").await);
    for stream in [&mut idle, &mut asking] {
        send(stream, GET).await;
        assert_eq!(field(&receive(stream).await.0, "connection"), None);
    }
    let (mut client, connection) = h2(secured("h2").await).await;
    client.send_request(get()).await.unwrap();

    let begun = Instant::now();
    backend.wants(&[Notice {
        released: true,
        ..notice(port)
    }]);
    sleep(Duration::from_millis(500)).await;
    send(&mut asking, GET).await;
    assert_eq!(
        field(&receive(&mut asking).await.0, "connection"),
        Some("close")
    );
    assert_eq!(rest(&mut asking).await, "");
    assert_eq!(rest(&mut idle).await, "");
    timeout(PATIENCE, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(990) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

#[tokio::test]
async fn garbage_that_begins_like_tls_harms_nobody_else() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    for garbage in [
        "\u{16}GET / HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\0",
    ] {
        let mut stream = connect(port).await;
        send(&mut stream, garbage).await;
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        // An alert at most, and never HTTP without TLS.
        assert!(
            ended.is_err() || answer.first().is_none_or(|byte| *byte == 0x15),
            "{answer:?}"
        );
        let mut other = connect(port).await;
        send(&mut other, GET).await;
        receive(&mut other).await;
    }
}

/// Headers of the PROXY protocol, of both versions.
fn headers() -> Vec<Vec<u8>> {
    let v2 = |command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [
            b"\r\n\r\n\0\r\nQUIT\n",
            &[command, family][..],
            &length,
            rest,
        ]
        .concat()
    };
    vec![
        b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0x20, 0x00, b""),
        v2(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 7, 220, 4, 1, 187]),
        v2(0x21, 0x21, &[7; 36 + 200]),
    ]
}

#[tokio::test]
async fn a_proxy_header_is_skipped_and_changes_nothing() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    for header in headers() {
        let mut stream = connect(port).await;
        stream.write_all(&header).await.unwrap();
        for _ in 0..2 {
            send(&mut stream, GET).await;
            assert!(
                receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "),
                "{header:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_proxy_header_may_come_with_the_request_or_in_pieces() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    for header in headers() {
        let mut at_once = connect(port).await;
        at_once
            .write_all(&[&header, GET.as_bytes()].concat())
            .await
            .unwrap();
        receive(&mut at_once).await;

        let mut in_pieces = connect(port).await;
        in_pieces.set_nodelay(true).unwrap();
        for byte in [&header[..], b"GET / "].concat() {
            in_pieces.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_micros(200)).await;
        }
        send(&mut in_pieces, "HTTP/1.1\r\nhost: x\r\n\r\n").await;
        receive(&mut in_pieces).await;
    }
}

#[tokio::test]
async fn a_proxy_header_may_come_before_tls_and_before_http_2() {
    let (port, mounted) = (free_port().await, Mounted::new());
    let _backend = mounted.backend(notice(port)).await;
    for header in headers() {
        let mut stream = connect(port).await;
        stream.write_all(&header).await.unwrap();
        let mut stream = secured(stream, mounted.client(&[])).await.unwrap();
        send(&mut stream, GET).await;
        receive(&mut stream).await;

        let mut stream = connect(port).await;
        stream.write_all(&header).await.unwrap();
        let (mut client, _connection) = h2(stream).await;
        let response = client.send_request(get()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn a_malformed_proxy_header_closes_its_connection_unanswered() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
    for header in [
        "PROXY / HTTP/1.1\r\nhost: x\r\n\r\n",
        &long,
        "\r\n\r\n\0\r\nQUIT\n\u{11}\u{11}\0\0",
    ] {
        let mut stream = connect(port).await;
        send(&mut stream, header).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        assert_eq!(answer, b"", "{header}");
    }
    // A second one is no request.
    let mut stream = connect(port).await;
    send(&mut stream, "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n").await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
}
