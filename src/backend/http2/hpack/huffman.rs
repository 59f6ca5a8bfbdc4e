//! The Huffman code of HPACK (RFC 7541 §5.2 and Appendix B).
//!
//! The code is canonical: codes of one length follow each other in the order of their symbols, and the
//! first of a length follows the last of the one before. So the lengths say it all.

use super::Malformed;

/// How many bits the code of each byte has.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The symbol that no string has: the beginning of its code fills a string's last byte.
const EOS: usize = 256;

const LONGEST: usize = 30;

/// How many bits are looked up at once: the codes of all that heads are full of have no more.
const QUICK: u32 = 9;

/// A symbol, and how many bits its code has; no bits where the code is longer than what was looked
/// up.
#[derive(Clone, Copy)]
struct Symbol {
    byte: u8,
    bits: u8,
}

/// The codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The first of them.
    code: u32,
    count: u32,
    /// Where its symbol is in the order.
    place: usize,
}

/// All symbols in the order of their codes.
static ORDER: [u16; 257] = order();
static ROWS: [Row; LONGEST + 1] = rows();
static TABLE: [Symbol; 1 << QUICK] = table();

const fn length(symbol: usize) -> usize {
    if symbol == EOS {
        return LONGEST;
    }
    LENGTHS[symbol] as usize
}

#[expect(clippy::cast_possible_truncation, reason = "a symbol is at most 256")]
const fn order() -> [u16; 257] {
    let mut order = [0; 257];
    let (mut place, mut bits) = (0, 1);
    while bits <= LONGEST {
        let mut symbol = 0;
        while symbol <= EOS {
            if length(symbol) == bits {
                order[place] = symbol as u16;
                place += 1;
            }
            symbol += 1;
        }
        bits += 1;
    }
    order
}

const fn rows() -> [Row; LONGEST + 1] {
    let nothing = Row {
        code: 0,
        count: 0,
        place: 0,
    };
    let mut rows = [nothing; LONGEST + 1];
    let mut bits = 1;
    while bits <= LONGEST {
        let before = rows[bits - 1];
        let mut count = 0;
        let mut symbol = 0;
        while symbol <= EOS {
            count += (length(symbol) == bits) as u32;
            symbol += 1;
        }
        rows[bits] = Row {
            code: (before.code + before.count) << 1,
            count,
            place: before.place + before.count as usize,
        };
        bits += 1;
    }
    rows
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "short codes are those of bytes"
)]
const fn table() -> [Symbol; 1 << QUICK] {
    let (rows, order) = (rows(), order());
    let mut table = [Symbol { byte: 0, bits: 0 }; 1 << QUICK];
    let mut bits = 1;
    while bits <= QUICK {
        let row = rows[bits as usize];
        let mut nth = 0;
        while nth < row.count {
            let start = ((row.code + nth) << (QUICK - bits)) as usize;
            let mut filled = 0;
            while filled < 1 << (QUICK - bits) {
                table[start + filled] = Symbol {
                    byte: order[row.place + nth as usize] as u8,
                    bits: bits as u8,
                };
                filled += 1;
            }
            nth += 1;
        }
        bits += 1;
    }
    table
}

/// Appends the string that `coded` stands for. No bytes that are no string are taken for one:
/// [`EOS`], and an end that is not the beginning of its code or longer than seven bits.
pub(super) fn decode(coded: &[u8], output: &mut Vec<u8>) -> Result<(), Malformed> {
    // The next bits are the highest; below the last one there are zeros.
    let (mut bits, mut count) = (0_u64, 0_u32);
    let mut rest = coded.iter();
    loop {
        while count <= 56 {
            let Some(&byte) = rest.next() else { break };
            bits |= u64::from(byte) << (56 - count);
            count += 8;
        }
        let symbol = symbol(bits)?;
        let taken = u32::from(symbol.bits);
        if taken > count {
            let is_padding = count < 8 && bits.leading_ones() >= count;
            return if is_padding { Ok(()) } else { Err(Malformed) };
        }
        output.push(symbol.byte);
        bits <<= taken;
        count -= taken;
    }
}

/// The symbol whose code `bits` begin with.
fn symbol(bits: u64) -> Result<Symbol, Malformed> {
    let start = usize::try_from(bits >> (u64::BITS - QUICK)).unwrap_or_default();
    match TABLE.get(start) {
        Some(symbol) if symbol.bits > 0 => Ok(*symbol),
        _ => long_symbol(bits),
    }
}

#[cold]
fn long_symbol(bits: u64) -> Result<Symbol, Malformed> {
    let longer = (1_u8..).zip(&ROWS[1..]).skip(QUICK as usize);
    for (length, row) in longer {
        let code = u32::try_from(bits >> (u64::BITS - u32::from(length))).unwrap_or_default();
        let nth = code.wrapping_sub(row.code);
        if nth < row.count {
            let symbol = ORDER.get(row.place + nth as usize).copied();
            let byte = symbol.and_then(|symbol| u8::try_from(symbol).ok());
            return byte.map_or(Err(Malformed), |byte| Ok(Symbol { byte, bits: length }));
        }
    }
    Err(Malformed)
}

/// What stands for `string`. Nothing of ours is sent so: what is sent is ready, and to copy a few
/// bytes more costs less than it costs the client to decode them.
#[cfg(test)]
pub(super) fn encode(string: &[u8]) -> Vec<u8> {
    use std::fmt::Write;

    let mut bits = String::new();
    for byte in string {
        let length = LENGTHS[usize::from(*byte)];
        let row = ROWS[usize::from(length)];
        let place = ORDER.iter().position(|symbol| *symbol == u16::from(*byte));
        let code = row.code + u32::try_from(place.unwrap() - row.place).unwrap();
        let width = usize::from(length);
        write!(bits, "{code:0width$b}").unwrap();
    }
    bits += &"1".repeat((8 - bits.len() % 8) % 8);
    let bytes = bits.as_bytes().chunks(8);
    bytes
        .map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut string = Vec::new();
        decode(coded, &mut string).map(|()| string)
    }

    #[test]
    fn codes_are_those_of_the_appendix() {
        let code = |symbol: usize| {
            let row = ROWS[length(symbol)];
            let place = ORDER.iter().position(|other| usize::from(*other) == symbol);
            row.code + u32::try_from(place.unwrap() - row.place).unwrap()
        };
        for (symbol, expected) in [
            (0, 0x1ff8),
            (1, 0x007f_ffd8),
            (10, 0x3fff_fffc),
            (22, 0x3fff_fffe),
            (32, 0x14),
            (48, 0x0),
            (92, 0x0007_fff0),
            (97, 0x3),
            (122, 0x7b),
            (127, 0x0fff_fffc),
            (249, 0x0fff_fffe),
            (255, 0x03ff_ffee),
            (EOS, 0x3fff_ffff),
        ] {
            assert_eq!(code(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn every_byte_is_decoded_as_it_was_encoded() {
        for byte in 0..=255 {
            for string in [vec![byte], vec![byte; 3], vec![b'a', byte, 0xff, byte]] {
                assert_eq!(decoded(&encode(&string)), Ok(string));
            }
        }
    }

    #[test]
    fn the_end_is_the_beginning_of_eos_and_shorter_than_a_byte() {
        assert_eq!(decoded(b""), Ok(vec![]));
        // "0" is 00000.
        for (coded, expected) in [
            (&b"\x07"[..], Ok(b"0".to_vec())),
            (b"\x06", Err(Malformed)),
            (b"\x00", Err(Malformed)),
            (b"\x07\xff", Err(Malformed)),
            (b"\xff", Err(Malformed)),
            (b"\xff\xff\xff\xff", Err(Malformed)),
            (b"\x07\xff\xff\xff\xff", Err(Malformed)),
        ] {
            assert_eq!(decoded(coded), expected, "{coded:x?}");
        }
    }

    proptest! {
        #[test]
        fn a_string_is_decoded_as_it_was_encoded(string: Vec<u8>) {
            prop_assert_eq!(decoded(&encode(&string)), Ok(string));
        }

        #[test]
        fn what_is_decoded_is_encoded_to_the_same(coded: Vec<u8>) {
            if let Ok(string) = decoded(&coded) {
                prop_assert_eq!(encode(&string), coded);
            }
        }
    }
}
