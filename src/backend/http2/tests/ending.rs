//! How connections end (RFC 9113 §6.8).

use similar_asserts::assert_eq;

use super::*;

const ANNOUNCED: [&str; 2] = ["GOAWAY 2147483647 0x0", "PING entracte"];

fn heard() -> Vec<u8> {
    frame(kind::PING, flag::ACK, 0, LEAVE)
}

#[test]
fn who_leaves_says_so_and_answers_what_is_on_its_way() {
    let mut session = Session::new();
    session.send(&headers(END, 1, GET));
    assert_eq!(session.hear(Connection::leave), ANNOUNCED);
    assert_eq!(session.hear(Connection::leave), [""; 0]);
    assert_eq!(session.say(&headers(END, 3, GET)), answer(3));
    assert!(!session.is_over());
    assert_eq!(session.say(&heard()), ["GOAWAY 3 0x0"]);
    assert!(session.is_over());
}

#[test]
fn who_does_not_wait_says_at_once_which_requests_are_the_last() {
    let mut session = Session::new();
    session.send(&headers(END, 1, GET));
    session.hear(Connection::leave);
    assert_eq!(session.hear(Connection::close), ["GOAWAY 1 0x0"]);
    assert!(session.is_over());
    assert_eq!(session.hear(Connection::close), [""; 0]);
    assert_eq!(session.say(&headers(END, 3, GET)), [""; 0]);
}

#[test]
fn the_end_waits_for_bodies_and_for_answers() {
    let mut session = Session::new();
    session.send(&settings(setting::INITIAL_WINDOW_SIZE, 0));
    session.send(&headers(END, 1, GET));
    session.send(&headers(OPEN, 3, b"\x02\x04HEAD\x86\x84"));
    assert_eq!(session.hear(Connection::close), ["GOAWAY 3 0x0"]);
    assert!(!session.is_over());
    // Of those that are too late nothing is said, but their fields and bytes count.
    let late = [GET, b"\x40\x01a\x01b"].concat();
    assert_eq!(session.say(&headers(OPEN, 5, &late)), [""; 0]);
    assert_eq!(
        session.say(&data(0, 5, 16_000).repeat(3)),
        ["WINDOW_UPDATE 0 48000"]
    );
    assert_eq!(
        session.say(&[window_update(5, 1), reset(5)].concat()),
        [""; 0]
    );
    assert_eq!(
        session.say(&window_update(1, 1000)),
        [format!("DATA 1 {LENGTH} END")]
    );
    assert!(!session.is_over());
    assert_eq!(session.say(&headers(END, 3, b"\xbe")), [""; 0]);
    assert!(session.is_over());
}

#[test]
fn an_answer_of_a_notice_that_ends_is_followed_by_the_farewell() {
    let mut session = Session::new();
    session.desk.leave();
    let [fields, body] = answer(1);
    let [first, second] = ANNOUNCED.map(str::to_owned);
    let said = session.say(&headers(END, 1, GET));
    assert_eq!(said, [fields, body, first, second]);
    assert_eq!(session.say(&headers(END, 3, GET)), answer(3));
    assert_eq!(session.say(&heard()), ["GOAWAY 3 0x0"]);
    assert!(session.is_over());
}

#[test]
fn a_ping_that_is_answered_unasked_ends_nothing() {
    let mut session = Session::new();
    assert_eq!(session.say(&heard()), [""; 0]);
    session.hear(Connection::leave);
    let other = frame(kind::PING, flag::ACK, 0, b"whatever");
    assert_eq!(session.say(&other), [""; 0]);
    assert!(!session.is_over());
}

#[test]
fn before_the_preface_nothing_is_said() {
    let mut session = Session::fresh();
    assert_eq!(session.hear(Connection::leave), [""; 0]);
    assert!(!session.is_over());
    assert_eq!(session.hear(Connection::close), [""; 0]);
    assert!(session.is_over());
}
