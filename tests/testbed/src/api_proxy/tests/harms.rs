//! Other answers than the API server's, late watches, old lists.

use super::*;
use tokio::time::{Instant, sleep};

/// Long beside what passing a frame on takes, short beside [`LIMIT`].
const LATE: Duration = Duration::from_millis(500);

async fn text(answer: Response<Incoming>) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

async fn watch(proxy: &ApiProxy, path: &str) -> Incoming {
    let path = format!("{path}?watch=true");
    let answer = send(proxy, Method::GET, &path, "").await.unwrap();
    answer.into_body()
}

async fn event(events: &mut mpsc::Sender<Event>, text: &'static str) {
    let frame = Frame::data(Bytes::from(text));
    events.send(Ok(frame)).await.unwrap();
}

#[tokio::test]
async fn a_busy_api_server_says_when_to_come_back() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let busy = Harm::Answer {
        status: 429,
        retry_after: Some(3),
    };
    proxy.arm(Fault::new(1, Side::Before, busy));
    let answer = patch(&proxy).await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "3");
    assert_eq!(upstream.got(), []);
    assert!(
        matches!(
            proxy.requests()[0].outcome,
            Outcome::Instead {
                given: 429,
                side: Side::Before,
                status: None,
                ..
            }
        ),
        "{}",
        proxy.requests()[0]
    );
    assert_eq!(patch(&proxy).await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_conflict_may_be_answered_after_the_write_was_done() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    proxy.arm(Fault::answer(1, Side::After, 409));
    let answer = patch(&proxy).await.unwrap();
    assert_eq!(answer.status(), 409);
    let body = text(answer).await;
    let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&status["code"], &status["reason"]),
        (&409.into(), &"Conflict".into())
    );
    assert_eq!(upstream.got().len(), 1);
    assert_eq!(proxy.requests()[0].status(), Some(201));
}

#[tokio::test]
async fn silence_is_no_answer_and_no_end() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    for (side, seen) in [(Side::Before, 0), (Side::After, 1)] {
        proxy.arm(Fault::silence(1, side));
        let silent = timeout(LATE, asked(&proxy, Method::PATCH, SERVICE, "[]")).await;
        assert!(silent.is_err(), "{side}");
        assert_eq!(upstream.got().len(), seen, "{side}");
        let last = proxy.requests().pop().unwrap();
        assert!(matches!(last.outcome, Outcome::Silent { .. }), "{last}");
    }
    patch(&proxy).await.unwrap();
}

#[tokio::test]
async fn the_watches_of_one_resource_are_held_back_and_let_go() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let mut of_services = upstream.stream_next();
    let mut services = watch(&proxy, SERVICES).await;
    let mut of_slices = upstream.stream_next();
    let mut slices = watch(&proxy, "/apis/discovery.k8s.io/v1/endpointslices").await;

    proxy.delay_watches(Delay::by(LATE).of("services"));
    let sent = Instant::now();
    event(&mut of_services, "first").await;
    event(&mut of_slices, "other").await;
    assert_eq!(frame(&mut slices).await.unwrap(), "other");
    assert!(sent.elapsed() < LATE, "{:?}", sent.elapsed());
    // Each is held back from when it came, and not from when the one before was passed on.
    sleep(LATE / 2).await;
    event(&mut of_services, "second").await;
    assert_eq!(frame(&mut services).await.unwrap(), "first");
    assert!(sent.elapsed() >= LATE, "{:?}", sent.elapsed());
    assert_eq!(frame(&mut services).await.unwrap(), "second");
    assert!(sent.elapsed() >= LATE * 3 / 2, "{:?}", sent.elapsed());
    assert!(sent.elapsed() < LATE * 2, "{:?}", sent.elapsed());

    proxy.delay_watches(Delay::by(LIMIT * 2));
    event(&mut of_services, "third").await;
    sleep(LATE / 5).await;
    proxy.let_watches_go();
    assert_eq!(frame(&mut services).await.unwrap(), "third");
}

#[tokio::test]
async fn an_api_server_that_is_away_ends_watches_and_answers_nobody() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let _events = upstream.stream_next();
    let mut services = watch(&proxy, SERVICES).await;
    proxy.go_away();
    let end = timeout(LIMIT, services.frame()).await.unwrap();
    assert!(end.is_none_or(|frame| frame.is_err()));
    patch(&proxy).await.unwrap_err();
    send(&proxy, Method::GET, SERVICES, "").await.unwrap_err();
    assert_eq!(upstream.got().len(), 1, "the watch alone");
    proxy.come_back();
    assert_eq!(patch(&proxy).await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_list_in_pages_is_answered_once_more_as_it_was_before() {
    let upstream = Upstream::start().await;
    let proxy = upstream.proxy().await;
    let listed = format!("{SERVICES}?limit=500");
    let whole = format!("{SERVICES}?labelSelector=a");
    upstream.body_next("old");
    send(&proxy, Method::GET, &listed, "").await.unwrap();
    send(&proxy, Method::GET, &whole, "").await.unwrap();
    let before = proxy.lists();
    assert_eq!(before.len(), 1, "one list was in pages");

    proxy.replay(before);
    let answers = [&listed, &listed, &whole].map(|path| send(&proxy, Method::GET, path, ""));
    let mut bodies = Vec::new();
    for answer in answers {
        bodies.push(text(answer.await.unwrap()).await);
    }
    assert_eq!(bodies, ["old", "GET", "GET"]);
    assert_eq!(proxy.lists_to_replay(), 0);
    assert_eq!(upstream.got().len(), 4);
}
