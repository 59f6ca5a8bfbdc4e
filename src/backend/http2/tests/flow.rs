//! Flow control (RFC 9113 §5.2 and §6.9).

use similar_asserts::assert_eq;

use super::*;

#[test]
fn an_answer_waits_for_the_window_of_its_stream() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 1));
    let said = session.say(&headers(END, 1, GET));
    assert_eq!(said, ["HEADERS 1 503", "DATA 1 1"]);
    assert!(session.connection.is_stalled());
    assert_eq!(session.say(&window_update(1, 2)), ["DATA 1 2"]);
    // A larger one for all.
    let said = session.say(&settings(setting::INITIAL_WINDOW_SIZE, 11));
    assert_eq!(said, ["SETTINGS ACK", "DATA 1 10"]);
    let rest = LENGTH - 13;
    let said = session.say(&window_update(1, 1000));
    assert_eq!(said, [format!("DATA 1 {rest} END")]);
    assert!(!session.connection.is_stalled());
}

#[test]
fn a_window_that_is_below_zero_is_opened_by_more_than_it_lacks() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 10));
    session.send(&headers(END, 1, GET));
    // -10.
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    assert_eq!(session.say(&window_update(1, 10)), [""; 0]);
    assert_eq!(session.say(&window_update(1, 3)), ["DATA 1 3"]);
    assert!(session.connection.is_stalled());
}

#[test]
fn settings_that_open_a_window_too_far_break_the_connection() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&headers(END, 1, GET));
    session.send(&headers(OPEN, 3, b"\x02\x04HEAD\x86\x84"));
    session.send(&window_update(3, 0x7fff_ffff));
    let said = session.say(&settings(setting::INITIAL_WINDOW_SIZE, 1));
    assert_eq!(said, ["GOAWAY 3 0x3"]);
}

#[test]
fn answers_wait_for_the_window_of_the_connection_in_their_order() {
    let mut session = Session::new();
    let all = 65_535;
    let count = u32::try_from(all / LENGTH).unwrap();
    for stream in (1..2 * count).step_by(2) {
        assert_eq!(session.say(&headers(END, stream, GET)), answer(stream));
    }
    let left = all % LENGTH;
    let [a, b] = [2 * count + 1, 2 * count + 3];
    let said = session.say(&[headers(END, a, GET), headers(END, b, GET)].concat());
    assert_eq!(
        said,
        [
            format!("HEADERS {a} 503"),
            format!("DATA {a} {left}"),
            format!("HEADERS {b} 503"),
        ]
    );
    let more = u32::try_from(LENGTH).unwrap();
    let said = session.say(&window_update(0, more));
    assert_eq!(
        said,
        [
            format!("DATA {a} {} END", LENGTH - left),
            format!("DATA {b} {left}"),
        ]
    );
    // One that is taken back takes nothing of it.
    assert_eq!(session.say(&reset(b)), [""; 0]);
    assert_eq!(session.say(&window_update(0, more)), [""; 0]);
    assert!(!session.connection.is_stalled());
}

#[test]
fn what_is_to_be_written_is_bounded_whatever_is_released_at_once() {
    let mut session = Session::new();
    session.desk = desk(with_page(100_000));
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&window_update(0, 1 << 30));
    let html = [GET, b"\x00\x06accept\x09text/html"].concat();
    for stream in (1..20).step_by(2) {
        session.send(&headers(END, stream, &html));
    }
    session.input = settings(setting::INITIAL_WINDOW_SIZE, 1 << 20);
    let mut sizes = Vec::new();
    loop {
        let mut output = Vec::new();
        let Session {
            connection,
            desk,
            limits,
            now,
            input,
            ..
        } = &mut session;
        let received = connection.receive(input, &mut output, desk, limits, *now);
        input.drain(..received.consumed);
        sizes.push(output.len());
        if received.then == Then::Read {
            break;
        }
    }
    assert!(
        sizes.iter().all(|size| *size <= 2 * OUTPUT + HEAD),
        "{sizes:?}"
    );
    assert!(sizes.iter().sum::<usize>() > 10 * 100_000, "{sizes:?}");
    assert!(!session.connection.is_stalled());
}

#[test]
fn who_sends_more_of_a_body_than_his_window_has_is_told() {
    // What is more than a body may have is not given back to its stream.
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&headers(OPEN, 1, POST));
    let mut said = Vec::new();
    while said
        .last()
        .is_none_or(|last: &String| !last.starts_with("RST_STREAM"))
    {
        said.extend(session.say(&data(0, 1, 16_000)));
        assert!(said.len() < 100, "{said:?}");
    }
    assert_eq!(said.last().map(String::as_str), Some("RST_STREAM 1 0x3"));
    assert!(!session.is_over());
}

#[test]
fn an_answer_whose_window_stays_shut_is_taken_back_and_others_live_on() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&[headers(OPEN, 1, POST), headers(END, 3, GET)].concat());
    assert_eq!(session.say(&data(1, 1, 1)), [""; 0]);
    let half = Duration::from_secs(5);
    assert_eq!(session.wait(half), [""; 0]);
    assert_eq!(session.say(&window_update(3, 1)), ["DATA 3 1"]);
    assert!(session.connection.has_deadlines());
    assert_eq!(session.wait(half), ["RST_STREAM 1 0x8"]);
    assert_eq!(session.wait(half), ["RST_STREAM 3 0x8"]);
    assert!(!session.connection.has_deadlines());
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 1000));
    assert_eq!(session.say(&headers(END, 5, GET)), answer(5));
}

#[test]
fn an_answer_that_is_taken_byte_by_byte_is_taken_back_in_the_end() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&headers(END, 1, GET));
    for _ in 0..19 {
        assert_eq!(session.wait(Duration::from_secs(5)), [""; 0]);
        assert_eq!(session.say(&window_update(1, 1)), ["DATA 1 1"]);
    }
    assert_eq!(session.wait(Duration::from_secs(5)), ["RST_STREAM 1 0x8"]);
}

#[test]
fn an_answer_that_waits_for_its_turn_has_time_while_others_are_sent() {
    let mut session = Session::new();
    session.desk = desk(with_page(100_000));
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 1 << 20));
    let html = [GET, b"\x00\x06accept\x09text/html"].concat();
    session.send(&[headers(END, 1, &html), headers(END, 3, &html)].concat());
    assert_eq!(session.wait(Duration::from_secs(9)), [""; 0]);
    assert_eq!(session.say(&window_update(0, 1000)), ["DATA 1 1000"]);
    assert_eq!(session.wait(Duration::from_secs(9)), [""; 0]);
    let both = ["RST_STREAM 1 0x8", "RST_STREAM 3 0x8"];
    assert_eq!(session.wait(Duration::from_secs(1)), both);
}
