//! A client of hyper, over memory.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::DATE;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use similar_asserts::assert_eq;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::notice;

/// Serves one connection until its client goes or it is over; returns how many requests it answered.
async fn serve(mut stream: DuplexStream, desk: Desk) -> u32 {
    let (mut connection, limits) = (Connection::new(), limits());
    let (mut input, mut output, mut answered) = (Vec::new(), Vec::new(), 0);
    loop {
        let now = Instant::now();
        let received = connection.receive(&input, &mut output, &desk, &limits, now);
        input.drain(..received.consumed);
        answered += received.answered;
        // The client may have gone as soon as it had its answer.
        if stream.write_all(&output).await.is_err() {
            return answered;
        }
        output.clear();
        match received.then {
            Then::Answer => {}
            Then::Read => {
                if stream.read_buf(&mut input).await.unwrap() == 0 {
                    return answered;
                }
            }
            Then::ShutDown => {
                let _ = stream.shutdown().await;
                return answered;
            }
        }
    }
}

/// A client of a server for `desk`.
async fn client(desk: Desk) -> SendRequest<Full<Bytes>> {
    let (near, far) = tokio::io::duplex(4096);
    tokio::task::spawn_local(serve(far, desk));
    let io = TokioIo::new(near);
    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::task::spawn_local(connection);
    client
}

async fn in_local(test: impl Future<Output = ()>) {
    let all = tokio::task::LocalSet::new();
    let test = tokio::time::timeout(Duration::from_secs(20), test);
    all.run_until(Box::pin(test)).await.unwrap();
}

type Request_ = Request<Full<Bytes>>;

fn request(method: &str, path: &str, fields: &[(&str, &str)], body: usize) -> Request_ {
    let uri = format!("http://shop.example{path}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(vec![b'x'; body].into()).unwrap()
}

/// What a request is answered, and `Date` apart from it.
async fn answered(
    client: &mut SendRequest<Full<Bytes>>,
    request: Request_,
) -> ((StatusCode, HeaderMap, Bytes), String) {
    let (mut parts, body) = client.send_request(request).await.unwrap().into_parts();
    let date = parts.headers.remove(DATE).unwrap();
    let body = body.collect().await.unwrap().to_bytes();
    let date = date.to_str().unwrap().to_owned();
    ((parts.status, parts.headers, body), date)
}

/// What the notice says that a request is answered.
fn expected(request: Request_) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, _) = request.into_parts();
    let head = notice::Head::of(&parts);
    let answer = notice::answer(&head, &notice(), DateTime::<Utc>::UNIX_EPOCH, 0);
    (answer.status, answer.headers, answer.body)
}

#[tokio::test]
async fn every_request_gets_what_the_notice_says() {
    let origin = ("origin", "https://shop.example");
    let requests = || {
        [
            request("GET", "/", &[], 0),
            request("GET", "/cart?a=b", &[("accept", "text/html")], 0),
            request(
                "GET",
                "/",
                &[("accept", "text/html"), ("accept-language", "de")],
                0,
            ),
            request("GET", "/", &[("accept", "text/plain"), origin], 0),
            request("GET", "/robots.txt", &[("accept", "text/html")], 0),
            request("HEAD", "/", &[("accept", "text/html")], 0),
            request("GET", "/healthz", &[], 0),
            request(
                "POST",
                "/shop.Cart/Add",
                &[("content-type", "application/grpc")],
                5,
            ),
            request(
                "POST",
                "/shop.Cart/Add",
                &[("content-type", "application/grpc-web-text"), origin],
                0,
            ),
            request(
                "OPTIONS",
                "/cart",
                &[origin, ("access-control-request-method", "PUT")],
                0,
            ),
            request("PUT", "/file", &[("x-more", &"y".repeat(3000))], 70_000),
            request(
                "PROPFIND",
                "/%20",
                &[("cookie", "a=b"), ("cookie", "c=d")],
                0,
            ),
        ]
    };
    in_local(async move {
        let mut client = client(desk(notice())).await;
        // Twice, so that fields come from the table as well.
        for _ in 0..2 {
            for (sent, same) in requests().into_iter().zip(requests()) {
                let what = format!("{} {}", sent.method(), sent.uri());
                let (answer, date) = answered(&mut client, sent).await;
                assert_eq!(answer, expected(same), "{what}");
                assert!(DateTime::parse_from_rfc2822(&date).is_ok(), "{date}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn connect_is_answered_like_any_other_method() {
    in_local(async move {
        let mut client = client(desk(notice())).await;
        let connect = Request::builder()
            .method(Method::CONNECT)
            .uri("shop.example:443")
            .body(Full::default())
            .unwrap();
        let response = client.send_request(connect).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    })
    .await;
}

#[tokio::test]
async fn requests_at_the_same_time_are_all_answered() {
    in_local(async move {
        let client = client(desk(notice())).await;
        let requests = (0..200).map(|_| {
            let mut client = client.clone();
            let sent = request("GET", "/", &[("accept", "text/html")], 0);
            async move {
                client.ready().await.unwrap();
                answered(&mut client, sent).await.0
            }
        });
        let answers = futures::future::join_all(requests).await;
        let expected = expected(request("GET", "/", &[("accept", "text/html")], 0));
        assert_eq!(answers, vec![expected; 200]);
    })
    .await;
}

#[tokio::test]
async fn a_client_of_a_notice_that_ends_has_its_answer_and_is_closed() {
    in_local(async move {
        let desk = desk(notice());
        desk.leave();
        let (near, far) = tokio::io::duplex(4096);
        let serving = tokio::task::spawn_local(serve(far, desk));
        let io = TokioIo::new(near);
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let connection = tokio::task::spawn_local(connection);
        let (answer, _) = answered(&mut client, request("GET", "/", &[], 0)).await;
        assert_eq!(answer, expected(request("GET", "/", &[], 0)));
        assert_eq!(serving.await.unwrap(), 1);
        connection.await.unwrap().unwrap();
    })
    .await;
}
