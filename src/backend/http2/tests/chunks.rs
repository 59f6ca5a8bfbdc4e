//! Any bytes, in any pieces.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What is sent for a whole input that comes in pieces of the lengths of `cuts`, and how it ends.
fn sent(input: &[u8], cuts: &[usize]) -> (Vec<u8>, u32, bool) {
    let mut session = Session::fresh();
    session.desk = desk(with_page(20_000));
    let mut sent = Vec::new();
    let mut rest = input;
    for cut in cuts.iter().cycle() {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        sent.extend(session.send(piece));
        if rest.is_empty() || session.is_over() {
            break;
        }
    }
    without_dates(&mut sent);
    (sent, session.answered, session.is_over())
}

/// Dates are those of the clock on the wall.
fn without_dates(sent: &mut [u8]) {
    const DATE: &[u8] = b"\x0f\x12\x1d";
    for start in 0..sent.len() {
        if sent[start..].starts_with(DATE) {
            sent[start + 3..start + 3 + 29].fill(b'x');
        }
    }
}

/// Frames of clients that mostly keep to the rules.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let stream = (0_u32..40).prop_map(|n| 2 * n + 1);
    let fields = prop_oneof![
        Just(GET.to_vec()),
        Just(POST.to_vec()),
        Just([GET, b"\x00\x06accept\x09text/html"].concat()),
        Just([GET, b"\x40\x06accept\x0atext/plain"].concat()),
        Just([GET, b"\xbe"].concat()),
        Just(b"\x00\x01a\x01b".to_vec()),
    ];
    prop_oneof![
        8 => (stream.clone(), fields.clone(), prop_oneof![Just(END), Just(OPEN)])
            .prop_map(|(stream, fields, flags)| headers(flags, stream, &fields)),
        2 => (stream.clone(), fields, 0_usize..9).prop_map(|(stream, fields, cut)| {
            let (first, rest) = fields.split_at(cut.min(fields.len()));
            let rest = frame(kind::CONTINUATION, OPEN, stream, rest);
            [headers(flag::END_STREAM, stream, first), rest].concat()
        }),
        4 => (stream.clone(), 0_usize..16_384, 0_u8..2)
            .prop_map(|(stream, length, flags)| data(flags, stream, length)),
        1 => (stream.clone(), 0_usize..300).prop_map(|(stream, length)| {
            frame(kind::DATA, flag::PADDED, stream, &vec![7; length])
        }),
        2 => (stream.clone(), 0_u32..100_000)
            .prop_map(|(stream, more)| window_update(stream, more)),
        2 => (1_u32..100_000).prop_map(|more| window_update(0, more)),
        1 => (0_u32..100_000).prop_map(|size| settings(setting::INITIAL_WINDOW_SIZE, size)),
        1 => stream.prop_map(reset),
        1 => Just(frame(kind::PING, 0, 0, b"12345678")),
        1 => Just(frame(0xff, 0, 0, b"whatever")),
    ]
}

/// Frames that may be anything.
fn unlikely() -> impl Strategy<Value = Vec<u8>> {
    let payload = vec(any::<u8>(), 0..40);
    (0_u8..12, any::<u8>(), 0_u32..12, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

/// Everything that a client sends.
fn input(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut input = preface();
    input.extend(frames.concat());
    input
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn in_whatever_pieces_bytes_come_the_same_is_sent(
        frames in vec(prop_oneof![9 => likely(), 1 => unlikely()], 0..40),
        cuts in vec(1_usize..5_000, 1..10),
        small in vec(1_usize..40, 1..10),
    ) {
        let input = input(&frames);
        let whole = sent(&input, &[input.len()]);
        for cuts in [cuts, small] {
            let pieces = sent(&input, &cuts);
            prop_assert!(pieces == whole, "{:?} {:?}", words(&pieces.0), words(&whole.0));
        }
    }

    #[test]
    fn streams_in_their_order_are_answered_in_whatever_pieces(
        frames in vec(likely(), 0..40), cuts in vec(1_usize..200, 1..10),
    ) {
        let mut next = 1;
        let mut ordered = Vec::new();
        for mut frame in frames {
            // So that most heads are those of requests.
            if frame[3] == kind::HEADERS && frame[4] & flag::END_HEADERS != 0 {
                frame[5..HEAD].copy_from_slice(&u32::to_be_bytes(next));
                next += 2;
            }
            ordered.push(frame);
        }
        let input = input(&ordered);
        let (pieces, whole) = (sent(&input, &cuts), sent(&input, &[input.len()]));
        prop_assert!(pieces == whole, "{:?} {:?}", words(&pieces.0), words(&whole.0));
    }

    #[test]
    fn any_bytes_end_and_no_call_writes_without_bound(
        frames in vec(prop_oneof![unlikely(), likely()], 0..60), noise: Vec<u8>,
    ) {
        let mut session = Session::fresh();
        let bytes = [input(&frames), noise].concat();
        let mut rest = &bytes[..];
        for _ in 0..10_000 {
            let mut output = Vec::new();
            let Session { connection, desk, limits, now, .. } = &mut session;
            let received = connection.receive(rest, &mut output, desk, limits, *now);
            prop_assert!(output.len() < 2 * OUTPUT, "{} bytes", output.len());
            rest = &rest[received.consumed..];
            match received.then {
                Then::Answer => {}
                Then::Read => prop_assert!(rest.len() < LONGEST + HEAD),
                Then::ShutDown => prop_assert!(rest.is_empty()),
            }
            if received.then != Then::Answer {
                return Ok(());
            }
        }
        prop_assert!(false, "it does not end");
    }
}
