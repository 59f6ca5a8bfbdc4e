//! Attacks over HTTP/2.

use std::time::Duration;

use tokio::time::sleep;

use super::frames::{
    CANCEL, CONTINUATION, END_HEADERS, END_STREAM, GET, HEADERS, NO_WINDOW, PING, RST_STREAM,
    SETTINGS, frame, preface, stream,
};
use super::siege::Siege;
use super::{HEAD_TIMEOUT, MIB};

/// Pieces: the preface, and then each of those that `piece` makes of its number.
fn after_the_preface(
    pieces: u32,
    piece: impl Fn(u32) -> Vec<u8>,
) -> impl AsyncFnMut() -> Option<Vec<u8>> {
    let mut preface = Some(preface());
    let mut numbers = 0..pieces;
    async move || preface.take().or_else(|| numbers.next().map(&piece))
}

/// CVE-2023-44487.
#[tokio::test]
async fn streams_that_are_reset_as_soon_as_they_are_opened_end_the_connection() {
    const PIECES: u32 = 10_000;
    let siege = Siege::begin(&[]).await;
    // 100 streams in each.
    let opened_and_reset = |piece: u32| {
        let frames = (100 * piece..100 * (piece + 1)).map(stream).map(|stream| {
            let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
            [open, frame(RST_STREAM, 0, stream, &CANCEL)].concat()
        });
        frames.collect::<Vec<_>>().concat()
    };
    let ended = siege.attack(20, Duration::from_secs(20), |_| {
        after_the_preface(PIECES, opened_and_reset)
    });
    for ended in ended.await {
        // A MiB, and what the kernel's buffers took meanwhile.
        assert!(ended.sent < 8_000_000, "{} bytes were taken", ended.sent);
    }
    siege
        .end("h2 rapid reset, 20 connections at a time", 40 * MIB)
        .await;
}

/// CVE-2024-27316 and its kin.
#[tokio::test]
async fn fields_that_go_on_for_ever_end_the_connection() {
    let siege = Siege::begin(&[]).await;
    // A literal field that is not indexed (RFC 7541 §6.2.2): 1 + 1 + 6 + 1 + 100 bytes.
    let field = [&b"\x00\x06x-more\x64"[..], &[b'x'; 100]].concat();
    let fields = field.repeat(100);
    let piece = |number| match number {
        0 => frame(HEADERS, 0, 1, GET),
        _ => frame(CONTINUATION, 0, 1, &fields),
    };
    let ended = siege.attack(20, Duration::from_secs(20), |_| {
        after_the_preface(10_000, piece)
    });
    for ended in ended.await {
        // 64 KiB, and what the kernel's buffers took meanwhile.
        assert!(ended.sent < 8_000_000, "{} bytes were taken", ended.sent);
    }
    siege
        .end("h2 CONTINUATION without an end, 20 at a time", 40 * MIB)
        .await;
}

#[tokio::test]
async fn pings_and_settings_without_an_end_hold_nobody_else_up() {
    let siege = Siege::begin(&HEAD_TIMEOUT).await;
    let piece = |number: u32| match number % 2 {
        0 => frame(PING, 0, 0, b"entracte").repeat(1000),
        _ => frame(SETTINGS, 0, 0, &[]).repeat(1000),
    };
    siege
        .attack(20, Duration::from_secs(20), |_| {
            after_the_preface(20, piece)
        })
        .await;
    siege
        .end("h2 PING and SETTINGS, 20 at a time", 40 * MIB)
        .await;
}

#[tokio::test]
async fn answers_that_nobody_has_room_for_are_bounded_by_the_streams_of_a_connection() {
    let siege = Siege::begin(&["--write-timeout", "2s", "--idle-timeout", "4s"]).await;
    // Every other one keeps to the limit of streams. Those above it are refused, the others reset, and
    // then the connection idles.
    let streams = |number| if number % 2 == 0 { 1000 } else { 100 };
    let ended = siege.attack(100, Duration::from_secs(10), |number| {
        let no_window = frame(SETTINGS, 0, 0, &NO_WINDOW);
        let streams = (0..streams(number)).map(stream);
        let requests = streams.map(|stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, GET));
        let mut all = Some([preface(), no_window, requests.collect::<Vec<_>>().concat()].concat());
        async move || {
            sleep(Duration::from_millis(1)).await;
            all.take()
        }
    });
    for ended in ended.await {
        assert!(!ended.received.is_empty());
        assert!(
            ended.after >= Duration::from_millis(3900),
            "{:?}",
            ended.after
        );
    }
    siege
        .end(
            "1,000 or 100 h2 streams without a window, 100 at a time",
            80 * MIB,
        )
        .await;
}
