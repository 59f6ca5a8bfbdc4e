//! Who asks for more than he may, and how it ends.

use similar_asserts::assert_eq;

use super::*;

const REFUSED: u32 = 0x7;
const CALM: u32 = 0xb;

#[test]
fn more_streams_than_may_be_are_refused_and_too_many_of_those_end_the_connection() {
    let mut session = Session::new();
    session.send(&acknowledged());
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
fn who_cannot_know_yet_how_many_streams_there_may_be_is_refused_as_often() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    let mut streams = (1..).step_by(2);
    for stream in streams.by_ref().take(10) {
        session.send(&headers(END, stream, GET));
    }
    for stream in streams.by_ref().take(200) {
        let said = last(&mut session, &headers(END, stream, GET));
        assert_eq!(said, refused(stream, REFUSED));
    }
    session.send(&acknowledged());
    let count = streams
        .take_while(|stream| !last(&mut session, &headers(END, *stream, GET)).1)
        .count();
    assert_eq!(count, 20);
}

#[test]
fn users_of_a_proxy_who_go_away_do_not_end_the_connection_of_the_others() {
    // Whether they have their answers by then or not.
    for window in [0, 65_535] {
        let mut session = Session::new();
        session.send(&window_update(0, 1 << 20));
        session.send(&settings(setting::INITIAL_WINDOW_SIZE, window));
        for stream in (3..2000).step_by(2) {
            session.send(&headers(END, stream, GET));
            if stream > 3 {
                assert_eq!(session.say(&reset(stream - 2)), [""; 0]);
            }
        }
        assert!(!session.is_over(), "{window}");
    }
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
