//! Integers of HPACK (RFC 7541 §5.1).

use super::Malformed;

/// More than any index or length that we take: what is larger would only be refused later.
const MOST: usize = 1 << 28;

/// The integer whose first byte is `first`, of which the lowest `bits` count. What follows is taken
/// from `rest`.
pub(super) fn read(first: u8, bits: u32, rest: &mut &[u8]) -> Result<usize, Malformed> {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value < most {
        return Ok(value);
    }
    // Five bytes hold more than MOST, and zeros without an end hold nothing.
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        value += usize::from(byte & 0x7f) << shift;
        if value > MOST {
            return Err(Malformed);
        }
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// Appends `value` with `flags` in the bits of the first byte above the lowest `bits`.
pub(super) fn write(output: &mut Vec<u8>, flags: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    let low = |value: usize| value.to_le_bytes()[0];
    if value < most {
        output.push(flags | low(value));
        return;
    }
    output.push(flags | low(most));
    let mut left = value - most;
    while left >= 0x80 {
        output.push(low(left) | 0x80);
        left >>= 7;
    }
    output.push(low(left));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    fn whole(bytes: &[u8], bits: u32) -> Result<usize, Malformed> {
        let (first, mut rest) = bytes.split_first().unwrap();
        let value = read(*first, bits, &mut rest)?;
        assert_eq!(rest, [0_u8; 0]);
        Ok(value)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read_and_written() {
        for (bytes, bits, value) in [
            (&b"\x0a"[..], 5, 10),
            (b"\x1f\x9a\x0a", 5, 1337),
            (b"\x2a", 8, 42),
        ] {
            assert_eq!(whole(bytes, bits), Ok(value));
            let mut written = Vec::new();
            write(&mut written, 0, bits, value);
            assert_eq!(written, bytes);
        }
    }

    #[test]
    fn what_is_cut_off_or_too_large_is_malformed() {
        for bytes in [
            &b"\x1f"[..],
            b"\x1f\x80",
            b"\x1f\xff\xff\xff\xff\x0f",
            b"\x1f\x80\x80\x80\x80\x80\x00",
            b"\x1f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(whole(bytes, 5), Err(Malformed), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in 0..=MOST, bits in 4_u32..=7) {
            let mut written = Vec::new();
            write(&mut written, 0, bits, value);
            prop_assert_eq!(whole(&written, bits), Ok(value));
        }
    }
}
