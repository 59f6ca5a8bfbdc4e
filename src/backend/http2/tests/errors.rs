//! What no client may do, and what it is told, by the sections of RFC 9113.

use similar_asserts::assert_eq;

use super::*;

const PROTOCOL: u32 = 0x1;
const FLOW_CONTROL: u32 = 0x3;
const STREAM_CLOSED: u32 = 0x5;
const FRAME_SIZE: u32 = 0x6;
const COMPRESSION: u32 = 0x9;

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

/// Frames by section, each of which breaks a connection by an error.
fn break_connections(cases: &[(&str, Vec<u8>, u32)]) {
    for (section, bytes, code) in cases {
        let said = last(&mut Session::new(), bytes);
        assert_eq!(said, broken(0, *code), "{section}: {bytes:x?}");
    }
}

#[test]
fn frames_of_streams_that_break_a_connection_are_answered_by_goaway() {
    let dependent = [0, 0, 0, 3, 0];
    let cases = [
        ("4.2", vec![0, 0x40, 1, 0, 0, 0, 0, 0, 1], FRAME_SIZE),
        ("4.3", headers(END, 1, b"\x80"), COMPRESSION),
        ("4.3", headers(END, 1, b"\x00\x05"), COMPRESSION),
        ("5.1", data(0, 1, 1), PROTOCOL),
        ("5.1", window_update(1, 1), PROTOCOL),
        ("5.1", reset(1), PROTOCOL),
        ("5.1.1", headers(END, 0, GET), PROTOCOL),
        ("5.1.1", headers(END, 2, GET), PROTOCOL),
        ("6.1", data(0, 0, 1), PROTOCOL),
        (
            "6.2",
            headers(END | flag::PADDED, 1, &[&[20], GET].concat()),
            PROTOCOL,
        ),
        ("6.2", headers(END | flag::PADDED, 1, &[]), FRAME_SIZE),
        ("6.2", headers(END | flag::PRIORITY, 1, &[0; 4]), FRAME_SIZE),
        ("6.3", frame(kind::PRIORITY, 0, 0, &[0; 5]), PROTOCOL),
        ("6.3", frame(kind::PRIORITY, 0, 1, &[0; 4]), FRAME_SIZE),
        ("6.3", frame(kind::PRIORITY, 0, 3, &dependent), PROTOCOL),
        ("6.4", frame(kind::RST_STREAM, 0, 0, &[0; 4]), PROTOCOL),
        ("6.4", frame(kind::RST_STREAM, 0, 1, &[0; 3]), FRAME_SIZE),
    ];
    break_connections(&cases);
}

#[test]
fn frames_of_no_stream_that_break_a_connection_are_answered_by_goaway() {
    let open = headers(0, 1, GET);
    let cases = [
        ("6.5", frame(kind::SETTINGS, 0, 1, &[]), PROTOCOL),
        ("6.5", frame(kind::SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        (
            "6.5",
            frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            FRAME_SIZE,
        ),
        ("6.5.2", settings(setting::ENABLE_PUSH, 2), PROTOCOL),
        (
            "6.5.2",
            settings(setting::INITIAL_WINDOW_SIZE, 1 << 31),
            FLOW_CONTROL,
        ),
        ("6.5.2", settings(setting::MAX_FRAME_SIZE, 16_383), PROTOCOL),
        (
            "6.5.2",
            settings(setting::MAX_FRAME_SIZE, 1 << 24),
            PROTOCOL,
        ),
        ("6.6", frame(kind::PUSH_PROMISE, 0, 1, &[0; 4]), PROTOCOL),
        ("6.7", frame(kind::PING, 0, 1, b"entracte"), PROTOCOL),
        ("6.7", frame(kind::PING, 0, 0, b"entract"), FRAME_SIZE),
        ("6.8", frame(kind::GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        ("6.8", frame(kind::GOAWAY, 0, 0, &[0; 7]), FRAME_SIZE),
        ("6.9", window_update(0, 0), PROTOCOL),
        ("6.9", frame(kind::WINDOW_UPDATE, 0, 0, &[0; 5]), FRAME_SIZE),
        ("6.9.1", window_update(0, 0x7fff_ffff), FLOW_CONTROL),
        ("6.10", frame(kind::CONTINUATION, OPEN, 1, GET), PROTOCOL),
        (
            "6.10",
            [&open[..], &headers(END, 3, GET)].concat(),
            PROTOCOL,
        ),
        ("6.10", [&open[..], &data(0, 1, 1)].concat(), PROTOCOL),
        (
            "6.10",
            [&open[..], &frame(0xff, 0, 1, &[])].concat(),
            PROTOCOL,
        ),
        (
            "6.10",
            [&open[..], &frame(kind::CONTINUATION, OPEN, 3, GET)].concat(),
            PROTOCOL,
        ),
    ];
    break_connections(&cases);
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
fn what_is_late_for_a_stream_that_was_reset_long_ago_is_passed_over() {
    let mut session = Session::new();
    let last_one = 2 * 130 + 1;
    for stream in (1..=last_one).step_by(2) {
        session.send(&headers(OPEN, stream, POST));
        let said = session.wait(Duration::from_secs(5));
        assert_eq!(said, [format!("RST_STREAM {stream} 0x0")]);
    }
    for stream in [1, 5, 7, last_one] {
        assert_eq!(last(&mut session, &data(0, stream, 1)), silence());
        let trailers = headers(END, stream, b"");
        assert_eq!(last(&mut session, &trailers), silence(), "{stream}");
    }
    let next = last_one + 2;
    assert_eq!(session.say(&headers(END, next, GET)), answer(next));
    assert_eq!(
        last(&mut session, &headers(END, next, GET)),
        broken(next, STREAM_CLOSED)
    );
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
