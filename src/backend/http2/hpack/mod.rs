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
use table::{Field, Table};

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
    /// Reads a whole block, and has `look` see each field, until it says that it has seen enough: its
    /// kind, its value, and its size by §4.1. The rest is read for the table alone.
    ///
    /// `strings` is for what has to be decoded.
    pub(super) fn read(
        &mut self,
        block: &[u8],
        strings: &mut Vec<u8>,
        mut look: impl FnMut(Kind, &[u8], usize) -> bool,
    ) -> Result<(), Malformed> {
        let mut rest = block;
        let mut may_resize = true;
        let mut has_enough = false;
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
                has_enough = has_enough || !look(field.kind, field.value, field.size());
                continue;
            }
            let is_added = first & 0x40 != 0;
            let index = integer::read(first, if is_added { 6 } else { 4 }, &mut rest)?;
            let literal = Literal::read(index, &mut rest)?;
            if index > 0 {
                self.table.get(index)?;
            }
            if is_added || !has_enough {
                self.literal(&literal, is_added, strings, |field| {
                    has_enough = has_enough || !look(field.kind, field.value, field.size());
                })?;
            }
        }
        Ok(())
    }

    /// §6.2.
    fn literal(
        &mut self,
        literal: &Literal<'_>,
        is_added: bool,
        strings: &mut Vec<u8>,
        look: impl FnOnce(Field<'_>),
    ) -> Result<(), Malformed> {
        strings.clear();
        if let Name::New(name) = &literal.name {
            name.decode(strings)?;
        }
        let end = strings.len();
        literal.value.decode(strings)?;
        let (name, value) = strings.split_at(end);
        let value = literal.value.or(value);
        match &literal.name {
            Name::New(text) => {
                let name = text.or(name);
                let of_name = Kind::of_name(name);
                let field = Field {
                    of_name,
                    kind: of_name.with(value),
                    name,
                    value,
                };
                look(field);
                if is_added {
                    self.table.add(field);
                }
                Ok(())
            }
            Name::Known(index) => {
                // Neither copied nor looked at: a byte or two can stand for 4 KiB.
                let known = self.table.get(*index)?;
                let kind = known.of_name.with(value);
                look(Field {
                    kind,
                    value,
                    ..known
                });
                if is_added {
                    self.table.add_named(*index, kind, value)?;
                }
                Ok(())
            }
        }
    }
}

/// A field that is not, or not wholly, in a table.
struct Literal<'a> {
    name: Name<'a>,
    value: Text<'a>,
}

enum Name<'a> {
    New(Text<'a>),
    /// By its index.
    Known(usize),
}

/// A string as it was sent (§5.2).
struct Text<'a> {
    is_coded: bool,
    bytes: &'a [u8],
}

impl<'a> Literal<'a> {
    fn read(index: usize, rest: &mut &'a [u8]) -> Result<Self, Malformed> {
        let name = match index {
            0 => Name::New(Text::read(rest)?),
            _ => Name::Known(index),
        };
        let value = Text::read(rest)?;
        Ok(Self { name, value })
    }
}

impl<'a> Text<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, Malformed> {
        let (&first, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        let length = integer::read(first, 7, rest)?;
        let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        *rest = after;
        Ok(Self {
            is_coded: first & 0x80 != 0,
            bytes,
        })
    }

    /// Appends what has to be decoded.
    fn decode(&self, output: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.is_coded {
            huffman::decode(self.bytes, output)
        } else {
            Ok(())
        }
    }

    /// The string itself, which is `decoded` where it had to be.
    fn or<'b>(&self, decoded: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        if self.is_coded { decoded } else { self.bytes }
    }
}
