//! The process of an app pod: an HTTP/1.1 server on the pod's addresses.
//!
//! It is the current program, run again with other arguments. It answers what the last line of
//! JSON on its standard input says, and writes a line when that is so. To who asks for a WebSocket
//! it sends back whatever comes, for as long as the connection is open.

use std::{
    convert::Infallible,
    env, io,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::{Arc, PoisonError, RwLock},
};

use futures::future::try_join_all;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, UPGRADE},
};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout},
    net::TcpListener,
};

/// The port on which every app pod listens.
pub const PORT: u16 = 8080;

/// The response header that names the app, by which a client knows who answered.
pub const APP_HEADER: &str = "x-app";

/// What the header Upgrade says of a WebSocket (RFC 6455 section 4.1).
const WEB_SOCKET: &str = "websocket";

/// The first argument of the program when it is to be the process of a pod.
const MARK: &str = "entracte-testbed-app-pod";

/// What an app pod answers to every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; without one it names the app and the pod.
    pub body: Option<String>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            body: None,
        }
    }
}

/// Which pod this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) app: String,
    pub(crate) pod: String,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Arguments {
    /// The arguments of this process, if it is to be the process of a pod.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::parse(&env::args().skip(1).collect::<Vec<_>>())
    }

    fn parse(arguments: &[String]) -> Option<Self> {
        match arguments {
            [mark, app, pod, addresses @ ..] if mark == MARK => Some(Self {
                app: app.clone(),
                pod: pod.clone(),
                addresses: addresses
                    .iter()
                    .map(|address| address.parse().ok())
                    .collect::<Option<_>>()?,
            }),
            _ => None,
        }
    }

    /// What to call the current program with.
    pub(crate) fn to_args(&self) -> Vec<String> {
        let names = [MARK.into(), self.app.clone(), self.pod.clone()];
        let addresses = self.addresses.iter().map(ToString::to_string);
        names.into_iter().chain(addresses).collect()
    }
}

/// Serves until standard input is closed, that is until the testbed is gone.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(serve(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> io::Result<()> {
    let mut listeners = Vec::new();
    for address in &arguments.addresses {
        listeners.push(TcpListener::bind(SocketAddr::new(*address, PORT)).await?);
    }
    let pod = Arc::new(Server {
        arguments,
        answer: RwLock::default(),
    });
    let accepting = listeners.iter().map(|listener| accept(listener, &pod));
    tokio::select! {
        result = try_join_all(accepting) => result.map(|_| ()),
        result = obey(&pod) => result,
    }
}

/// Reads answers, and confirms each; the first confirmation says that the server listens.
async fn obey(server: &Server) -> io::Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    let mut output = stdout();
    loop {
        output.write_all(b"ok\n").await?;
        output.flush().await?;
        let Some(line) = lines.next_line().await? else {
            return Ok(());
        };
        let answer: Answer = serde_json::from_str(&line)?;
        StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
        *server
            .answer
            .write()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

async fn accept(listener: &TcpListener, server: &Arc<Server>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(server);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = if asks_for_a_web_socket(&request) {
                tokio::spawn(send_back(request));
                switching_protocols()
            } else {
                server.respond(&request)
            };
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that goes away is its own business.
        tokio::spawn(connection.with_upgrades());
    }
}

fn asks_for_a_web_socket<B>(request: &Request<B>) -> bool {
    let upgrade = request.headers().get(UPGRADE);
    upgrade.is_some_and(|protocol| protocol == WEB_SOCKET)
}

/// Nobody here looks at more than the status: the frames are whatever the client takes for frames.
fn switching_protocols() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEB_SOCKET));
    response
}

async fn send_back(request: Request<Incoming>) {
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        let (mut input, mut output) = tokio::io::split(TokioIo::new(upgraded));
        // A client that goes away is its own business.
        let _ = tokio::io::copy(&mut input, &mut output).await;
    }
}

struct Server {
    arguments: Arguments,
    answer: RwLock<Answer>,
}

impl Server {
    fn respond<B>(&self, _request: &Request<B>) -> Response<Full<Bytes>> {
        let answer = self
            .answer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Arguments { app, pod, .. } = &self.arguments;
        let body = answer
            .body
            .unwrap_or_else(|| format!("{app} answers from {pod}\n"));
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if let Ok(app) = HeaderValue::from_str(app) {
            headers.insert(APP_HEADER, app);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        let addresses = ["10.244.0.2", "fd00:244::2"];
        Arguments {
            app: "web".into(),
            pod: "web-1".into(),
            addresses: addresses.map(|address| address.parse().unwrap()).into(),
        }
    }

    #[test]
    fn the_arguments_of_a_pod_are_understood_by_its_process() {
        assert_eq!(Arguments::parse(&arguments().to_args()), Some(arguments()));
        assert_eq!(Arguments::parse(&["--list".into()]), None);
    }

    #[test]
    fn the_usual_answer_names_the_app_and_the_pod() {
        let server = Server {
            arguments: arguments(),
            answer: RwLock::default(),
        };
        let response = server.respond(&Request::new(()));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[APP_HEADER], "web");
    }
}
