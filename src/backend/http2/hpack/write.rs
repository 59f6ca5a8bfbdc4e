//! A field is written so that no table of the connection is touched (RFC 7541 §6.1 and §6.2.2).

use super::integer;
use super::table::STATIC;

/// Appends a field: by its index where it is in the static table, and else as a literal that is not
/// indexed, with the index of its name where that is there.
///
/// Strings are not Huffman-coded: a block is copied from where it is ready, and to copy a few dozen
/// bytes more costs less than it costs the client to decode them.
pub(in super::super) fn write(output: &mut Vec<u8>, name: &str, value: &[u8]) {
    let named = |(other, _): &(&str, &str)| *other == name;
    let whole = |(other, fixed): &(&str, &str)| *other == name && fixed.as_bytes() == value;
    if let Some(place) = STATIC.iter().position(whole) {
        return integer::write(output, 0x80, 7, place + 1);
    }
    let place = STATIC.iter().position(named);
    integer::write(output, 0, 4, place.map_or(0, |place| place + 1));
    if place.is_none() {
        string(output, name.as_bytes());
    }
    string(output, value);
}

fn string(output: &mut Vec<u8>, string: &[u8]) {
    integer::write(output, 0, 7, string.len());
    output.extend_from_slice(string);
}
