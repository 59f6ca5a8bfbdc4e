//! How much something is wanted: the weight of an element in `Accept` and its kin
//! (RFC 9110 §12.4.2). Pure.

/// A weight in thousandths, up to 1000: a qvalue has at most three decimals. 0 is "not
/// acceptable".
pub(super) type Weight = u16;

/// The weight of what is given none.
pub(super) const FULL: Weight = 1000;

/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`; `None` for everything else.
pub(super) fn parse(qvalue: &[u8]) -> Option<Weight> {
    let (whole, decimals) = match qvalue {
        [whole, b'.', decimals @ ..] => (whole, decimals),
        [whole] => (whole, &[][..]),
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| {
        decimals
            .get(place)
            .map_or(0, |digit| Weight::from(digit - b'0'))
    };
    let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn a_qvalue_is_thousandths() {
        for (qvalue, weight) in [
            ("0", 0),
            ("0.", 0),
            ("0.0", 0),
            ("0.001", 1),
            ("0.01", 10),
            ("0.1", 100),
            ("0.123", 123),
            ("0.999", 999),
            ("1", 1000),
            ("1.", 1000),
            ("1.000", 1000),
        ] {
            assert_eq!(parse(qvalue.as_bytes()), Some(weight), "{qvalue}");
        }
    }

    #[test]
    fn what_is_no_qvalue_is_none() {
        for qvalue in [
            "", ".", ".5", "00", "00.5", "2", "-0", "+1", "1.001", "1.0000", "0.1234", "0,5",
            "0.5 ", " 0.5", "0.+1", "0.a", "1e0", "\u{661}",
        ] {
            assert_eq!(parse(qvalue.as_bytes()), None, "{qvalue}");
        }
    }
}
