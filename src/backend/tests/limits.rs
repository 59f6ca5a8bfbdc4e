//! What a client may take of us, and what happens where he takes more.

use similar_asserts::assert_eq;

use super::*;

/// A backend of one worker: what it allows is not shared out.
async fn alone(limits: LimitArgs, notice: Notice) -> Backend {
    let tls = Tls::new(&TlsArgs::default()).unwrap();
    let backend = Backend::start_with(&limits, 1, tls);
    backend.answering(notice).await
}

/// Reads until the connection ends, in order or not: what came, and how long it took.
async fn until_it_ends(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let (mut answer, begun) = (Vec::new(), Instant::now());
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    (answer, begun.elapsed())
}

#[tokio::test]
async fn a_connection_that_never_asks_is_closed() {
    let port = free_port().await;
    let limits = LimitArgs {
        head_timeout: Duration::from_millis(300),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    for first in [
        "",
        "GET / HT",
        "PROXY TC",
        "PROXY UNKNOWN\r\n",
        "\u{16}\u{3}\u{1}\u{1}\0\u{1}",
    ] {
        let mut stream = connect(port).await;
        send(&mut stream, first).await;
        let (answer, took) = until_it_ends(&mut stream).await;
        assert_eq!(answer, b"", "{first}");
        assert!(took < Duration::from_secs(2), "{first}: {took:?}");
    }
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_does_not_take_for_ever() {
    let port = free_port().await;
    let limits = LimitArgs {
        head_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(500),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    for requests_before in [0, 1] {
        let mut stream = connect(port).await;
        for _ in 0..requests_before {
            send(&mut stream, GET).await;
            receive(&mut stream).await;
        }
        let begun = Instant::now();
        send(&mut stream, "GET / HTTP/1.1\r\ncookie: ").await;
        // The first that is written after the end is not refused, but answered with a reset.
        while stream.write_all(b"x").await.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "it is still read");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn one_too_many_takes_the_place_of_who_has_asked_nothing_for_long_whatever_he_sends() {
    let port = free_port().await;
    let limits = LimitArgs {
        max_connections: 3,
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let mut silent = connect(port).await;
    let mut drips = connect(port).await;
    send(&mut drips, "GET / HT").await;
    let mut asks = connect(port).await;
    for byte in ["T", "P", "/", "1", ".", "1"] {
        send(&mut asks, GET).await;
        receive(&mut asks).await;
        send(&mut drips, byte).await;
        sleep(Duration::from_millis(250)).await;
    }
    for idle in [&mut silent, &mut drips] {
        let mut late = connect(port).await;
        send(&mut late, GET).await;
        receive(&mut late).await;
        assert_eq!(until_it_ends(idle).await.0, b"");
    }
    send(&mut asks, GET).await;
    receive(&mut asks).await;
}

#[tokio::test]
async fn while_nobody_was_idle_for_long_one_too_many_waits_for_its_turn() {
    let port = free_port().await;
    let limits = LimitArgs {
        max_connections: 1,
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let mut first = connect(port).await;
    send(&mut first, GET).await;
    receive(&mut first).await;
    let mut second = connect(port).await;
    send(&mut second, GET).await;
    assert!(
        timeout(Duration::from_millis(500), second.read_u8())
            .await
            .is_err()
    );
    drop(first);
    receive(&mut second).await;
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut_off() {
    let port = free_port().await;
    let limits = LimitArgs {
        write_timeout: Duration::from_millis(500),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    for first in ["", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"] {
        let mut stream = connect(port).await;
        send(&mut stream, first).await;
        // Answers to pings are answers as well.
        let ping = "\0\0\u{8}\u{6}\0\0\0\0\0ping ing";
        let requests = if first.is_empty() { GET } else { ping }.repeat(1000);
        let refused = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
        timeout(PATIENCE, refused).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_without_end_is_answered_and_cut_off() {
    let port = free_port().await;
    let limits = LimitArgs {
        max_body: 65_536,
        body_timeout: Duration::from_millis(500),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let large = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for (chunk, pause) in [(&large[..], 1), ("1\r\nx\r\n", 50)] {
        let mut stream = connect(port).await;
        send(&mut stream, head).await;
        receive(&mut stream).await;
        let begun = Instant::now();
        while stream.write_all(chunk.as_bytes()).await.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "it is still read");
            sleep(Duration::from_millis(pause)).await;
        }
    }
}

#[tokio::test]
async fn who_sends_more_than_is_read_before_he_looks_gets_his_answer() {
    let port = free_port().await;
    let limits = LimitArgs {
        max_body: 65_536,
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let mut stream = connect(port).await;
    let length = 800_000;
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    send(&mut stream, &head).await;
    for _ in 0..8 {
        send(&mut stream, &"x".repeat(length / 8)).await;
        sleep(Duration::from_millis(20)).await;
    }
    let (answer, _) = receive(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// GET http://x/, in HPACK.
const REQUEST: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'x'];
/// `END_STREAM` and `END_HEADERS`.
const WHOLE: u8 = 5;

/// The kinds and payloads of the frames in `bytes`.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, others) = rest.split_at(length.min(rest.len()));
        frames.push((*kind, payload));
        bytes = others;
    }
    frames
}

#[tokio::test]
async fn who_takes_back_what_he_asks_for_over_and_over_is_sent_away() {
    let port = free_port().await;
    let _backend = alone(limits(), notice(port)).await;
    let mut attack = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..400).step_by(2) {
        attack.extend(frame(HEADERS, WHOLE, stream, REQUEST));
        attack.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut stream = connect(port).await;
    stream.write_all(&attack).await.unwrap();
    let (answer, _) = until_it_ends(&mut stream).await;
    let frames = frames(&answer);
    let goaway = frames.iter().find(|(kind, _)| *kind == GOAWAY).unwrap().1;
    // `ENHANCE_YOUR_CALM` (RFC 9113 §7).
    assert_eq!(goaway[4..8], 11_u32.to_be_bytes());
}

#[tokio::test]
async fn http_2_is_told_how_many_requests_may_be_open() {
    let port = free_port().await;
    let limits = LimitArgs {
        max_streams: 7,
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let mut stream = connect(port).await;
    stream
        .write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
        .await
        .unwrap();
    let mut answer = [0; 9 + 6 * 8];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap();
    let (kind, settings) = frames(&answer[..read.unwrap()])[0];
    assert_eq!(kind, SETTINGS);
    // `SETTINGS_MAX_CONCURRENT_STREAMS` (RFC 9113 §6.5.2).
    assert!(
        settings
            .chunks(6)
            .any(|setting| setting == [0, 3, 0, 0, 0, 7]),
        "{settings:?}"
    );
}

/// A connection over which a request was sent, and no window is open for its answer.
async fn ask_without_a_window(port: u16) -> TcpStream {
    // `SETTINGS_INITIAL_WINDOW_SIZE` (RFC 9113 §6.5.2).
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = frame(HEADERS, WHOLE, 1, REQUEST);
    let mut stream = connect(port).await;
    stream
        .write_all(&[PREFACE, &no_window, &request].concat())
        .await
        .unwrap();
    stream
}

#[tokio::test]
async fn an_answer_without_a_window_is_taken_back_whatever_else_is_sent() {
    let port = free_port().await;
    let limits = LimitArgs {
        write_timeout: Duration::from_millis(800),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let begun = Instant::now();
    let mut stream = ask_without_a_window(port).await;
    let mut answer = Vec::new();
    let has = |answer: &[u8], wanted| frames(answer).iter().any(|(kind, _)| *kind == wanted);
    while !has(&answer, RST_STREAM) {
        assert!(begun.elapsed() < Duration::from_secs(3), "it still waits");
        let ping = frame(6, 0, 0, b"ping ing");
        stream.write_all(&ping).await.unwrap();
        stream.read_buf(&mut answer).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(800));
    assert!(!has(&answer, GOAWAY));
}

#[tokio::test]
async fn who_takes_his_answer_slowly_gets_it_whole() {
    let port = free_port().await;
    let limits = LimitArgs {
        write_timeout: Duration::from_millis(800),
        ..limits()
    };
    let _backend = alone(limits, notice(port)).await;
    let mut stream = ask_without_a_window(port).await;
    let window = frame(8, 0, 1, &50_u32.to_be_bytes());
    for _ in 0..8 {
        sleep(Duration::from_millis(250)).await;
        stream.write_all(&window).await.unwrap();
    }
    let mut answer = Vec::new();
    loop {
        timeout(PATIENCE, stream.read_buf(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let data = frames(&answer).into_iter().filter(|(kind, _)| *kind == 0);
        let body: Vec<u8> = data.flat_map(|(_, payload)| payload).copied().collect();
        if body.ends_with(b"}") {
            break;
        }
    }
}
