//! Requests, and what they get.

use similar_asserts::assert_eq;

use super::*;

#[test]
fn a_request_gets_the_fields_of_its_answer_and_its_body() {
    let mut session = Session::new();
    let sent = session.send(&headers(END, 1, GET));
    assert_eq!(words(&sent), answer(1));
    let length = Head::read(&sent).unwrap().length;
    let mut values = fields(&sent[HEAD..HEAD + length]);
    let date = values.pop().unwrap();
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    assert_eq!(
        values,
        [
            "503",
            "30",
            "application/problem+json",
            "Accept, Accept-Language, Origin",
            "nosniff",
            "noindex",
            "no-store",
            "shop/db-upgrade",
            &LENGTH.to_string(),
        ]
    );
    assert_eq!(session.answered, 1);
}

#[test]
fn an_answer_without_a_body_ends_with_its_fields() {
    // By the name's index, a literal: HEAD; POST with the content type of gRPC; OPTIONS.
    let head = b"\x02\x04HEAD\x86\x84";
    let grpc = b"\x83\x86\x84\x0f\x10\x10application/grpc";
    let preflight = b"\x02\x07OPTIONS\x86\x84\x00\x06origin\x04null\
                      \x00\x1daccess-control-request-method\x03PUT";
    for (fields, status) in [(&head[..], 503), (grpc, 200), (preflight, 204)] {
        let said = Session::new().say(&headers(END, 1, fields));
        assert_eq!(said, [format!("HEADERS 1 {status} END")]);
    }
}

#[test]
fn an_origin_is_said_back() {
    let asked = [GET, b"\x00\x06origin\x04null"].concat();
    let sent = Session::new().send(&headers(END, 1, &asked));
    assert_eq!(words(&sent), answer(1));
    let length = Head::read(&sent).unwrap().length;
    let values = fields(&sent[HEAD..HEAD + length]);
    assert_eq!(values[values.len() - 2], "null");
}

#[test]
fn fields_that_were_sent_before_are_referred_to() {
    let mut session = Session::new();
    let first = b"\x82\x86\x84\x40\x06accept\x09text/html";
    let html = session.say(&headers(END, 1, first));
    let again = session.say(&headers(END, 3, b"\x82\x86\x84\xbe"));
    assert_eq!(again[1], html[1].replace("DATA 1", "DATA 3"));
    assert_ne!(html[1], answer(1)[1]);
}

#[test]
fn a_head_may_come_in_many_frames_with_padding_and_priority() {
    let first = [&[3, 0, 0, 0, 0, 0], &GET[..2], &[0; 3]].concat();
    let flags = flag::END_STREAM | flag::PADDED | flag::PRIORITY;
    let mut session = Session::new();
    assert_eq!(session.say(&headers(flags, 1, &first)), [""; 0]);
    let rest = |flags, bytes| frame(kind::CONTINUATION, flags, 1, bytes);
    assert_eq!(session.say(&rest(0, &GET[2..6])), [""; 0]);
    assert_eq!(session.say(&rest(0, &[])), [""; 0]);
    assert_eq!(session.say(&rest(OPEN, &GET[6..])), answer(1));
}

#[test]
fn a_head_that_is_too_large_gets_431_and_the_connection_lives_on() {
    let mut session = Session::new();
    // It is in the table all the same.
    let large = [
        GET,
        b"\x40\x01a\x01b",
        b"\x00\x01x\x7f\xf1\x3e",
        &[b'x'; 8176],
    ]
    .concat();
    assert_eq!(session.say(&headers(END, 1, &large)), ["HEADERS 1 431 END"]);
    assert_eq!(
        session.say(&headers(END, 3, &[GET, b"\xbf"].concat())),
        answer(3)
    );
    assert_eq!(
        session.say(&headers(OPEN, 5, &large)),
        ["HEADERS 5 431 END"]
    );
    assert_eq!(session.connection.bodies(), 1);
    assert_eq!(session.say(&data(1, 5, 100)), [""; 0]);
    assert_eq!(session.connection.bodies(), 0);
    assert_eq!(session.answered, 3);
}

#[test]
fn a_head_without_an_end_ends_the_connection() {
    let mut session = Session::new();
    session.send(&headers(0, 1, GET));
    let more = frame(kind::CONTINUATION, 0, 1, &[b'x'; 8000]);
    assert_eq!(session.say(&more), [""; 0]);
    assert_eq!(session.say(&more), [""; 0]);
    assert_eq!(session.say(&more), ["GOAWAY 0 0xb"]);
    assert!(session.is_over());
}

#[test]
fn a_request_is_answered_before_its_body() {
    let mut session = Session::new();
    assert_eq!(session.say(&headers(OPEN, 1, POST)), answer(1));
    assert_eq!(session.connection.bodies(), 1);
    assert_eq!(session.say(&data(0, 1, 1000)), [""; 0]);
    // Trailers end it as well.
    assert_eq!(session.say(&headers(END, 1, b"\x00\x01a\x01b")), [""; 0]);
    assert_eq!(session.connection.bodies(), 0);
    assert_eq!(session.say(&headers(END, 3, GET)), answer(3));
}

#[test]
fn a_body_that_is_too_long_is_given_up_and_the_connection_lives_on() {
    let mut session = Session::new();
    session.send(&headers(OPEN, 1, POST));
    let said: Vec<_> = (0..7)
        .flat_map(|_| session.say(&data(0, 1, 16_000)))
        .collect();
    assert_eq!(
        said,
        [
            "WINDOW_UPDATE 0 48000",
            "WINDOW_UPDATE 1 48000",
            "WINDOW_UPDATE 0 48000",
            "WINDOW_UPDATE 1 48000",
            "RST_STREAM 1 0x0",
        ]
    );
    // What was on its way counts for the connection.
    let said: Vec<_> = (0..6)
        .flat_map(|_| session.say(&data(0, 1, 16_000)))
        .collect();
    assert_eq!(said, ["WINDOW_UPDATE 0 48000", "WINDOW_UPDATE 0 48000"]);
    assert_eq!(session.say(&headers(END, 3, GET)), answer(3));
    assert_eq!(session.connection.bodies(), 0);
}

#[test]
fn a_body_that_takes_too_long_is_given_up() {
    let mut session = Session::new();
    session.send(&headers(OPEN, 1, POST));
    assert_eq!(session.wait(Duration::from_millis(4999)), [""; 0]);
    assert!(session.connection.has_deadlines());
    assert_eq!(session.wait(Duration::from_millis(1)), ["RST_STREAM 1 0x0"]);
    assert_eq!(session.say(&data(1, 1, 1)), [""; 0]);
    assert!(!session.connection.has_deadlines());
    // Who sends without a pause need not be looked at.
    session.send(&headers(OPEN, 3, POST));
    session.now += Duration::from_millis(4999);
    assert_eq!(session.say(&data(0, 3, 1)), [""; 0]);
    session.now += Duration::from_millis(1);
    assert_eq!(session.say(&data(0, 3, 1)), ["RST_STREAM 3 0x0"]);
}

#[test]
fn times_beyond_all_clocks_are_as_good_as_none() {
    let mut session = Session::new();
    session.limits.body_timeout = Duration::MAX;
    session.limits.write_timeout = Duration::MAX;
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&headers(OPEN, 1, POST));
    assert_eq!(session.wait(Duration::from_secs(1_000_000)), [""; 0]);
    assert_eq!(session.say(&data(0, 1, 1)), [""; 0]);
}

#[test]
fn a_path_that_is_no_text_is_answered() {
    let said = Session::new().say(&headers(END, 1, b"\x82\x86\x04\x02/\xff"));
    assert_eq!(said, answer(1));
}

#[test]
fn a_body_is_not_given_up_before_its_answer_is_sent() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 100));
    let said = session.say(&headers(OPEN, 1, POST));
    assert_eq!(said, ["HEADERS 1 503", "DATA 1 100"]);
    assert_eq!(session.wait(Duration::from_secs(5)), [""; 0]);
    let said = session.say(&window_update(1, 1000));
    assert_eq!(said, ["DATA 1 50 END", "RST_STREAM 1 0x0"]);
}
