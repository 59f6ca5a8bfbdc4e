//! HPACK: the compression of fields (RFC 7541).
//!
//! Fields are read one by one, each for as long as it is looked at, and none is allocated. What is
//! written refers to the static table at most: it is the same for every connection, whatever was sent
//! there before.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | a block of fields is read |
//! | `write` | a field is written |
//! | `integer` | integers |
//! | `huffman` | the Huffman code |
//! | `table` | the static and the dynamic table |

mod huffman;
mod integer;
mod table;
#[cfg(test)]
mod tests;
mod write;

use super::field::Kind;
use table::{Field, OVERHEAD, Table};

pub(super) use write::write;

/// A block that is not HPACK: the connection cannot go on, for both sides do not know the same table
/// any more (RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is read of one connection.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    table: Table,
}

impl Decoder {
    /// Reads a whole block, and has `look` see each field: its kind, its value, and its size by §4.1.
    ///
    /// `strings` is for what has to be decoded.
    pub(super) fn read(
        &mut self,
        block: &[u8],
        strings: &mut Vec<u8>,
        mut look: impl FnMut(Kind, &[u8], usize),
    ) -> Result<(), Malformed> {
        let mut rest = block;
        let mut may_resize = true;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            if first & 0xe0 == 0x20 {
                // Only at the beginning (§4.2).
                if !may_resize {
                    return Err(Malformed);
                }
                self.table.resize(integer::read(first, 5, &mut rest)?)?;
                continue;
            }
            may_resize = false;
            if first & 0x80 != 0 {
                let field = self.table.get(integer::read(first, 7, &mut rest)?)?;
                look(field.kind, field.value, field.size());
            } else {
                let is_added = first & 0x40 != 0;
                let index = integer::read(first, if is_added { 6 } else { 4 }, &mut rest)?;
                self.literal(index, is_added, &mut rest, strings, &mut look)?;
            }
        }
        Ok(())
    }

    /// §6.2.
    fn literal(
        &mut self,
        index: usize,
        is_added: bool,
        rest: &mut &[u8],
        strings: &mut Vec<u8>,
        look: &mut impl FnMut(Kind, &[u8], usize),
    ) -> Result<(), Malformed> {
        strings.clear();
        if index == 0 {
            string(rest, strings)?;
        } else {
            strings.extend_from_slice(self.table.get(index)?.name);
        }
        let end = strings.len();
        string(rest, strings)?;
        let (name, value) = strings.split_at(end);
        let field = Field {
            kind: Kind::of(name, value),
            name,
            value,
        };
        look(field.kind, field.value, field.size());
        if is_added {
            self.table.add(field);
        }
        Ok(())
    }
}

impl Field<'_> {
    fn size(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

/// Appends the string that `rest` begins with (§5.2).
fn string(rest: &mut &[u8], output: &mut Vec<u8>) -> Result<(), Malformed> {
    let (&first, after) = rest.split_first().ok_or(Malformed)?;
    *rest = after;
    let length = integer::read(first, 7, rest)?;
    let (string, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    if first & 0x80 == 0 {
        output.extend_from_slice(string);
        return Ok(());
    }
    huffman::decode(string, output)
}
