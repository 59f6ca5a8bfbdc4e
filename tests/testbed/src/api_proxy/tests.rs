//! The proxy before a small HTTPS server that stands for the API server.

mod harms;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::*;

const SERVICE: &str = "/api/v1/namespaces/shop/services/web";
const SERVICES: &str = "/api/v1/services";
const STATUS: &str =
    "/apis/entracte.dev/v1alpha1/namespaces/shop/maintenancewindows/w/status?fieldManager=x";

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(10);

type Event = Result<Frame<Bytes>, Infallible>;

/// A request as the upstream got it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    line: String,
    host: String,
    token: String,
    body: String,
}

/// Answers a watch with the events that a test sends, and all else with 201 and the method.
struct Upstream {
    url: Uri,
    ca: NamedTempFile,
    got: Mutex<Vec<Got>>,
    events: Mutex<Option<mpsc::Receiver<Event>>>,
}

impl Upstream {
    async fn start() -> Arc<Self> {
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut ca = NamedTempFile::new().unwrap();
        ca.write_all(key.cert.pem().as_bytes()).unwrap();
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let upstream = Arc::new(Self {
            url: url.parse().unwrap(),
            ca,
            got: Mutex::default(),
            events: Mutex::default(),
        });
        tokio::spawn(upstream.clone().accept(listener, Arc::new(tls).into()));
        upstream
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (upstream, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else {
                    return;
                };
                let service = service_fn(|request| upstream.answer(request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _ = connection.await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let header = |name: &str| {
            let value = head.headers.get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let got = Got {
            line: format!("{} {}", head.method, head.uri),
            host: header("host"),
            token: header("authorization"),
            body: String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap(),
        };
        self.got.lock().unwrap().push(got);
        let events = self.events.lock().unwrap().take();
        let body = match events {
            Some(events) => BoxBody::new(StreamBody::new(events)),
            None => BoxBody::new(Full::from(head.method.to_string())),
        };
        Ok(Response::builder().status(201).body(body).unwrap())
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The next answer's body.
    fn body_next(&self, text: &'static str) {
        let mut events = self.stream_next();
        events.try_send(Ok(Frame::data(Bytes::from(text)))).unwrap();
    }

    /// The next answer's body is what is sent here.
    fn stream_next(&self) -> mpsc::Sender<Event> {
        let (sender, events) = mpsc::channel(1);
        *self.events.lock().unwrap() = Some(events);
        sender
    }

    async fn proxy(&self) -> ApiProxy {
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        ApiProxy::start(listen, &self.url, self.ca.path())
            .await
            .unwrap()
    }
}

/// Sends a request as the operator would.
async fn send(
    proxy: &ApiProxy,
    method: Method,
    path: &str,
    body: &'static str,
) -> Result<Response<Incoming>, legacy::Error> {
    timeout(LIMIT, asked(proxy, method, path, body))
        .await
        .unwrap()
}

async fn asked(
    proxy: &ApiProxy,
    method: Method,
    path: &str,
    body: &'static str,
) -> Result<Response<Incoming>, legacy::Error> {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", proxy.url()))
        .header("authorization", "Bearer secret")
        .header("user-agent", "operator")
        .header("content-type", "application/json-patch+json")
        .body(Full::from(body))
        .unwrap();
    client.request(request).await
}

async fn patch(proxy: &ApiProxy) -> Result<Response<Incoming>, legacy::Error> {
    send(proxy, Method::PATCH, SERVICE, "[]").await
}

async fn frame(body: &mut Incoming) -> Option<Bytes> {
    let frame = timeout(LIMIT, body.frame()).await.unwrap()?;
    Some(frame.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn a_request_and_its_answer_pass_unchanged() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let answer = send(&proxy, Method::PATCH, STATUS, "[{}]").await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "PATCH"
    );
    assert_eq!(
        upstream.got(),
        [Got {
            line: format!("PATCH {STATUS}"),
            host: upstream.url.authority().unwrap().to_string(),
            token: "Bearer secret".to_owned(),
            body: "[{}]".to_owned(),
        }]
    );
}

#[tokio::test]
async fn a_write_is_recorded_with_its_body_and_its_answer() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    send(&proxy, Method::PATCH, STATUS, "[{}]").await.unwrap();
    let recorded = proxy.requests().pop().unwrap();
    assert_eq!(
        recorded.request.to_string(),
        "patch entracte.dev/maintenancewindows/status shop/w"
    );
    assert_eq!(recorded.user_agent, "operator");
    assert_eq!(
        recorded.content_type.as_deref(),
        Some("application/json-patch+json")
    );
    assert_eq!(recorded.body, "[{}]");
    let Outcome::Answered { status: 201, at } = recorded.outcome else {
        panic!("{recorded}");
    };
    assert!(recorded.received <= at);
    assert!(
        recorded.to_string().ends_with("shop/w 201 [{}]"),
        "{recorded}"
    );
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_resource_and_since_a_mark() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    send(&proxy, Method::GET, SERVICE, "").await.unwrap();
    send(&proxy, Method::GET, SERVICES, "").await.unwrap();
    let mark = proxy.mark();
    patch(&proxy).await.unwrap();
    send(&proxy, Method::GET, SERVICE, "").await.unwrap();
    let services = "services".to_owned();
    assert_eq!(
        proxy.counts(),
        Counts::from([
            ((Verb::Get, services.clone()), 2),
            ((Verb::List, services.clone()), 1),
            ((Verb::Patch, services.clone()), 1),
        ])
    );
    assert_eq!(
        count(&proxy.writes_since(mark)),
        Counts::from([((Verb::Patch, services), 1)])
    );
    assert_eq!(proxy.since(mark).len(), 2);
    assert_eq!(proxy.since(proxy.mark()), []);
}

#[tokio::test]
async fn watch_events_pass_one_by_one_as_they_come() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let mut events = upstream.stream_next();
    let path = format!("{SERVICES}?watch=true");
    let answer = send(&proxy, Method::GET, &path, "").await.unwrap();
    assert_eq!(proxy.requests()[0].status(), Some(201));
    let mut body = answer.into_body();
    for event in ["ADDED", "MODIFIED"] {
        events
            .send(Ok(Frame::data(Bytes::from(event))))
            .await
            .unwrap();
        assert_eq!(frame(&mut body).await.unwrap(), event);
    }
    drop(events);
    assert_eq!(frame(&mut body).await, None);
}

#[tokio::test]
async fn the_upstream_learns_that_a_watcher_has_gone() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let mut events = upstream.stream_next();
    let path = format!("{SERVICES}?watch=1");
    drop(send(&proxy, Method::GET, &path, "").await.unwrap());
    let gone = async {
        while events
            .send(Ok(Frame::data(Bytes::from("ADDED"))))
            .await
            .is_ok()
        {}
    };
    timeout(LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn a_write_that_is_cut_before_never_reaches_the_upstream() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    proxy.arm(Fault::cut(2, Side::Before));
    patch(&proxy).await.unwrap();
    send(&proxy, Method::GET, SERVICE, "").await.unwrap();
    patch(&proxy).await.unwrap_err();
    assert_eq!(upstream.got().len(), 2);
    assert_eq!(proxy.faults_left(), []);
    patch(&proxy).await.unwrap();
    assert_eq!(upstream.got().len(), 3);
    let outcomes: Vec<_> = proxy.requests().into_iter().map(|r| r.outcome).collect();
    let Outcome::Cut {
        side: Side::Before,
        status: None,
        ..
    } = outcomes[2]
    else {
        panic!("{outcomes:?}");
    };
}

#[tokio::test]
async fn a_write_that_is_cut_after_has_reached_the_upstream() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    proxy.arm(Fault::cut(1, Side::After));
    patch(&proxy).await.unwrap_err();
    assert_eq!(upstream.got()[0].body, "[]");
    let recorded = &proxy.requests()[0];
    assert_eq!(recorded.status(), Some(201));
    assert!(
        matches!(
            recorded.outcome,
            Outcome::Cut {
                side: Side::After,
                ..
            }
        ),
        "{recorded}"
    );
    patch(&proxy).await.unwrap();
}

#[tokio::test]
async fn cleared_faults_do_not_strike() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    proxy.arm(Fault::cut(1, Side::Before));
    proxy.clear_faults();
    patch(&proxy).await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_is_not_trusted_gets_no_token() {
    let upstream = Upstream::start().await;
    let other = Upstream::start().await;
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let proxy = ApiProxy::start(listen, &upstream.url, other.ca.path())
        .await
        .unwrap();
    patch(&proxy).await.unwrap_err();
    assert_eq!(upstream.got(), []);
    let recorded = proxy.requests().pop().unwrap();
    assert!(
        matches!(&recorded.outcome, Outcome::Failed { cause, .. } if cause.contains("certificate")),
        "{recorded}"
    );
}

#[tokio::test]
async fn a_stopped_proxy_ends_its_watches_and_refuses_connections() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let _events = upstream.stream_next();
    let path = format!("{SERVICES}?watch=1");
    let mut watch = send(&proxy, Method::GET, &path, "")
        .await
        .unwrap()
        .into_body();
    let address = proxy.address;
    proxy.stop().await;
    assert!(
        timeout(LIMIT, watch.frame())
            .await
            .unwrap()
            .is_none_or(|frame| frame.is_err())
    );
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_with_its_name() {
    let empty = NamedTempFile::new().unwrap();
    let url = "https://127.0.0.1:6443".parse().unwrap();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let error = ApiProxy::start(listen, &url, empty.path())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&empty.path().display().to_string()),
        "{error}"
    );
}
