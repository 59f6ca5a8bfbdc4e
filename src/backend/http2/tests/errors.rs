//! What no client may do, and what it is told, by the sections of RFC 9113.

use similar_asserts::assert_eq;

use super::*;

const PROTOCOL: u32 = 0x1;
const FLOW_CONTROL: u32 = 0x3;
const STREAM_CLOSED: u32 = 0x5;
const FRAME_SIZE: u32 = 0x6;
const REFUSED: u32 = 0x7;
const COMPRESSION: u32 = 0x9;
const CALM: u32 = 0xb;

/// The last words after `bytes`, and whether the connection is over by them.
fn last(session: &mut Session, bytes: &[u8]) -> (String, bool) {
    let said = session.say(bytes);
    (said.last().cloned().unwrap_or_default(), session.is_over())
}

fn broken(last: u32, code: u32) -> (String, bool) {
    (format!("GOAWAY {last} {code:#x}"), true)
}

fn refused(stream: u32, code: u32) -> (String, bool) {
    (format!("RST_STREAM {stream} {code:#x}"), false)
}

fn silence() -> (String, bool) {
    (String::new(), false)
}

#[test]
fn a_preface_that_is_none_ends_the_connection() {
    let mut session = Session::fresh();
    assert_eq!(
        last(&mut session, b"PRI * HTTP/2.0\r\n\r\nXX"),
        broken(0, PROTOCOL)
    );
    for first in [
        frame(kind::PING, 0, 0, b"entracte"),
        frame(kind::SETTINGS, flag::ACK, 0, &[]),
        headers(END, 1, GET),
    ] {
        let mut session = Session::fresh();
        let bytes = [PREFACE, &first].concat();
        assert_eq!(last(&mut session, &bytes), broken(0, PROTOCOL), "{first:?}");
    }
}

#[test]
fn what_breaks_a_connection_is_answered_by_goaway() {
    let dependent = [&[0, 0, 0, 3, 0], GET].concat();
    let open = headers(0, 1, GET);
    for (section, bytes, expected) in [
        (
            "4.2",
            vec![0, 0x40, 1, 0, 0, 0, 0, 0, 1],
            broken(0, FRAME_SIZE),
        ),
        ("4.3", headers(END, 1, b"\x80"), broken(0, COMPRESSION)),
        ("4.3", headers(END, 1, b"\x00\x05"), broken(0, COMPRESSION)),
        ("5.1", data(0, 1, 1), broken(0, PROTOCOL)),
        ("5.1", window_update(1, 1), broken(0, PROTOCOL)),
        ("5.1", reset(1), broken(0, PROTOCOL)),
        ("5.1.1", headers(END, 0, GET), broken(0, PROTOCOL)),
        ("5.1.1", headers(END, 2, GET), broken(0, PROTOCOL)),
        ("6.1", data(0, 0, 1), broken(0, PROTOCOL)),
        (
            "6.2",
            headers(END | flag::PADDED, 1, &[&[20], GET].concat()),
            broken(0, PROTOCOL),
        ),
        (
            "6.2",
            headers(END | flag::PADDED, 1, &[]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.2",
            headers(END | flag::PRIORITY, 1, &[0; 4]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.3",
            frame(kind::PRIORITY, 0, 0, &[0; 5]),
            broken(0, PROTOCOL),
        ),
        (
            "6.3",
            frame(kind::PRIORITY, 0, 1, &[0; 4]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.3",
            frame(kind::PRIORITY, 0, 3, &dependent[..5]),
            broken(0, PROTOCOL),
        ),
        (
            "6.4",
            frame(kind::RST_STREAM, 0, 0, &[0; 4]),
            broken(0, PROTOCOL),
        ),
        (
            "6.4",
            frame(kind::RST_STREAM, 0, 1, &[0; 3]),
            broken(0, FRAME_SIZE),
        ),
        ("6.5", frame(kind::SETTINGS, 0, 1, &[]), broken(0, PROTOCOL)),
        (
            "6.5",
            frame(kind::SETTINGS, 0, 0, &[0; 5]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.5",
            frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.5.2",
            settings(setting::ENABLE_PUSH, 2),
            broken(0, PROTOCOL),
        ),
        (
            "6.5.2",
            settings(setting::INITIAL_WINDOW_SIZE, 1 << 31),
            broken(0, FLOW_CONTROL),
        ),
        (
            "6.5.2",
            settings(setting::MAX_FRAME_SIZE, 16_383),
            broken(0, PROTOCOL),
        ),
        (
            "6.5.2",
            settings(setting::MAX_FRAME_SIZE, 1 << 24),
            broken(0, PROTOCOL),
        ),
        (
            "6.6",
            frame(kind::PUSH_PROMISE, 0, 1, &[0; 4]),
            broken(0, PROTOCOL),
        ),
        (
            "6.7",
            frame(kind::PING, 0, 1, b"entracte"),
            broken(0, PROTOCOL),
        ),
        (
            "6.7",
            frame(kind::PING, 0, 0, b"entract"),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.8",
            frame(kind::GOAWAY, 0, 1, &[0; 8]),
            broken(0, PROTOCOL),
        ),
        (
            "6.8",
            frame(kind::GOAWAY, 0, 0, &[0; 7]),
            broken(0, FRAME_SIZE),
        ),
        ("6.9", window_update(0, 0), broken(0, PROTOCOL)),
        (
            "6.9",
            frame(kind::WINDOW_UPDATE, 0, 0, &[0; 5]),
            broken(0, FRAME_SIZE),
        ),
        (
            "6.9.1",
            window_update(0, 0x7fff_ffff),
            broken(0, FLOW_CONTROL),
        ),
        (
            "6.10",
            frame(kind::CONTINUATION, OPEN, 1, GET),
            broken(0, PROTOCOL),
        ),
        (
            "6.10",
            [&open[..], &headers(END, 3, GET)].concat(),
            broken(0, PROTOCOL),
        ),
        (
            "6.10",
            [&open[..], &data(0, 1, 1)].concat(),
            broken(0, PROTOCOL),
        ),
        (
            "6.10",
            [&open[..], &frame(0xff, 0, 1, &[])].concat(),
            broken(0, PROTOCOL),
        ),
        (
            "6.10",
            [&open[..], &frame(kind::CONTINUATION, OPEN, 3, GET)].concat(),
            broken(0, PROTOCOL),
        ),
    ] {
        let said = last(&mut Session::new(), &bytes);
        assert_eq!(said, expected, "{section}: {bytes:x?}");
    }
}

#[test]
fn what_breaks_a_stream_resets_it_and_the_next_is_answered() {
    let open = headers(OPEN, 1, POST);
    let with_length = headers(OPEN, 1, &[POST, b"\x0f\x0d\x015"].concat());
    let upper = [GET, b"\x00\x01A\x01a"].concat();
    let length = [GET, b"\x0f\x0d\x011"].concat();
    let on_itself = [&[0, 0, 0, 1, 0], GET].concat();
    for (section, bytes, expected) in [
        (
            "5.1",
            [headers(END, 1, GET), data(0, 1, 1)].concat(),
            refused(1, STREAM_CLOSED),
        ),
        (
            "5.1",
            [&open[..], &reset(1), &data(0, 1, 1)].concat(),
            refused(1, STREAM_CLOSED),
        ),
        (
            "5.3.1",
            headers(END | flag::PRIORITY, 1, &on_itself),
            refused(1, PROTOCOL),
        ),
        (
            "5.3.1",
            [&open[..], &frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 1, 0])].concat(),
            refused(1, PROTOCOL),
        ),
        (
            "6.3",
            [&open[..], &frame(kind::PRIORITY, 0, 1, &[0; 6])].concat(),
            refused(1, FRAME_SIZE),
        ),
        (
            "6.9",
            [&open[..], &window_update(1, 0)].concat(),
            refused(1, PROTOCOL),
        ),
        (
            "6.9.1",
            [&open[..], &window_update(1, 0x7fff_ffff)].concat(),
            refused(1, FLOW_CONTROL),
        ),
        (
            "8.1",
            [&open[..], &headers(OPEN, 1, b"")].concat(),
            refused(1, PROTOCOL),
        ),
        (
            "8.1",
            [&open[..], &headers(END, 1, b"\x84")].concat(),
            refused(1, PROTOCOL),
        ),
        ("8.1.1", headers(END, 1, &length), refused(1, PROTOCOL)),
        (
            "8.1.1",
            [&with_length[..], &data(1, 1, 4)].concat(),
            refused(1, PROTOCOL),
        ),
        (
            "8.1.1",
            [&with_length[..], &data(0, 1, 6)].concat(),
            refused(1, PROTOCOL),
        ),
        (
            "8.1.1",
            [&with_length[..], &headers(END, 1, b"")].concat(),
            refused(1, PROTOCOL),
        ),
        ("8.2.1", headers(END, 1, &upper), refused(1, PROTOCOL)),
        ("8.3.1", headers(END, 1, &GET[1..]), refused(1, PROTOCOL)),
    ] {
        let mut session = Session::new();
        let said = last(&mut session, &bytes);
        assert_eq!(said, expected, "{section}: {bytes:x?}");
        assert_eq!(session.say(&headers(END, 3, GET)), answer(3), "{section}");
    }
}

#[test]
fn what_is_merely_late_or_unknown_is_passed_over() {
    let done = headers(END, 1, GET);
    let refused = headers(OPEN, 1, &GET[1..]);
    for (section, bytes) in [
        ("5.1", [&done[..], &window_update(1, 1)].concat()),
        ("5.1", [&done[..], &window_update(1, 0)].concat()),
        ("5.1", [&done[..], &reset(1)].concat()),
        (
            "5.1",
            [&refused[..], &data(0, 1, 10), &data(1, 1, 10)].concat(),
        ),
        ("5.1", [&refused[..], &reset(1)].concat()),
        ("5.1", [&refused[..], &headers(END, 1, b"")].concat()),
        ("5.5", frame(0xff, 0xff, 77, b"whatever")),
        ("5.3.2", frame(kind::PRIORITY, 0, 7, &[0; 5])),
        ("6.5.3", frame(kind::SETTINGS, flag::ACK, 0, &[])),
        ("6.7", frame(kind::PING, flag::ACK, 0, b"whatever")),
        ("6.8", frame(kind::GOAWAY, 0, 0, b"12345678 and why")),
    ] {
        let mut session = Session::new();
        session.send(&bytes);
        let said = last(&mut session, &[]);
        assert_eq!(said, silence(), "{section}");
        assert_eq!(session.say(&headers(END, 3, GET)), answer(3), "{section}");
    }
}

#[test]
fn a_second_head_of_a_stream_that_ended_breaks_the_connection() {
    let mut session = Session::new();
    session.send(&headers(END, 5, GET));
    assert_eq!(
        last(&mut session, &headers(END, 5, GET)),
        broken(5, STREAM_CLOSED)
    );
    // This one was never opened (5.1.1).
    let mut session = Session::new();
    session.send(&headers(END, 5, GET));
    assert_eq!(
        last(&mut session, &headers(END, 3, GET)),
        broken(5, PROTOCOL)
    );
}

#[test]
fn after_the_end_nothing_is_said() {
    let mut session = Session::new();
    session.send(&data(0, 0, 1));
    assert_eq!(session.say(&headers(END, 1, GET)), [""; 0]);
    assert!(session.is_over());
    assert_eq!(session.hear(Connection::leave), [""; 0]);
    assert_eq!(session.hear(Connection::close), [""; 0]);
}

#[test]
fn more_streams_than_may_be_are_refused_and_too_many_of_those_end_the_connection() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    let mut stream = (1..).step_by(2);
    for stream in stream.by_ref().take(10) {
        let said = session.say(&headers(END, stream, GET));
        assert_eq!(said, [format!("HEADERS {stream} 503")]);
    }
    assert!(session.connection.is_stalled());
    for stream in stream.by_ref().take(20) {
        assert_eq!(
            last(&mut session, &headers(END, stream, GET)),
            refused(stream, REFUSED)
        );
    }
    let stream = stream.next().unwrap();
    assert_eq!(
        last(&mut session, &headers(END, stream, GET)),
        broken(stream, CALM)
    );
}

#[test]
fn requests_that_are_taken_back_as_soon_as_they_are_sent_end_the_connection() {
    let mut session = Session::new();
    let pair = |stream| [headers(END, stream, GET), reset(stream)].concat();
    let mut streams = (1..).step_by(2);
    let count = streams
        .by_ref()
        .take(1000)
        .take_while(|stream| !last(&mut session, &pair(*stream)).1)
        .count();
    assert_eq!(count, 39);
}

#[test]
fn who_takes_the_rest_of_a_body_back_has_his_answer_and_goes_on() {
    let mut session = Session::new();
    session.send(&window_update(0, 1 << 20));
    for stream in (1..2000).step_by(2) {
        let bytes = [
            headers(OPEN, stream, POST),
            data(0, stream, 10),
            reset(stream),
        ]
        .concat();
        assert_eq!(session.say(&bytes), answer(stream));
    }
    assert!(!session.is_over());
}

#[test]
fn frames_that_bear_no_request_are_bounded() {
    for (what, bytes) in [
        ("ping", frame(kind::PING, 0, 0, b"12345678")),
        ("settings", frame(kind::SETTINGS, 0, 0, &[])),
        ("priority", frame(kind::PRIORITY, 0, 3, &[0; 5])),
        ("window", window_update(0, 1)),
        ("unknown", frame(0xff, 0, 0, &[])),
        ("empty", data(0, 1, 0)),
        ("padding", frame(kind::DATA, flag::PADDED, 1, &[0])),
    ] {
        let mut session = Session::new();
        session.send(&headers(OPEN, 1, POST));
        let end = (0..1100).find(|_| last(&mut session, &bytes).1);
        assert!(end.is_some_and(|end| end > 1000), "{what}: {end:?}");
    }
    let mut session = Session::new();
    session.send(&headers(0, 1, GET));
    let empty = frame(kind::CONTINUATION, 0, 1, &[]);
    let end = (0..1100).find(|_| last(&mut session, &empty).1);
    assert!(end.is_some(), "empty CONTINUATION: {end:?}");
    // Requests allow for more.
    let mut session = Session::new();
    for stream in (1..400).step_by(2) {
        let pings = frame(kind::PING, 0, 0, b"12345678").repeat(9);
        session.send(&[headers(END, stream, GET), pings].concat());
    }
    assert!(!session.is_over());
    assert_eq!(last(&mut session, &[]), silence());
}
