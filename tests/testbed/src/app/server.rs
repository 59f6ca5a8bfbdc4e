//! The process of an app pod: an HTTP/1.1 server on the pod's address.
//!
//! It is the current program, run again with other arguments. It answers what the last line of
//! JSON on its standard input says, and writes a line when that is so.

use std::{
    convert::Infallible,
    env, io,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
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
    pub(crate) address: IpAddr,
}

impl Arguments {
    /// The arguments of this process, if it is to be the process of a pod.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::parse(&env::args().skip(1).collect::<Vec<_>>())
    }

    fn parse(arguments: &[String]) -> Option<Self> {
        match arguments {
            [mark, app, pod, address] if mark == MARK => Some(Self {
                app: app.clone(),
                pod: pod.clone(),
                address: address.parse().ok()?,
            }),
            _ => None,
        }
    }

    /// What to call the current program with.
    pub(crate) fn to_args(&self) -> [String; 4] {
        [
            MARK.into(),
            self.app.clone(),
            self.pod.clone(),
            self.address.to_string(),
        ]
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
    let listener = TcpListener::bind(SocketAddr::new(arguments.address, PORT)).await?;
    let pod = Arc::new(Server {
        arguments,
        answer: RwLock::default(),
    });
    tokio::select! {
        result = accept(&listener, &pod) => result,
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
            let response = server.respond(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        // A client that goes away is its own business.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
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
        let address = "10.244.0.2".parse().unwrap();
        Arguments {
            app: "web".into(),
            pod: "web-1".into(),
            address,
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
