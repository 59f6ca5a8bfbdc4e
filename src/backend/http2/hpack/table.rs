//! The static and the dynamic table of HPACK (RFC 7541 §2.3, §4 and Appendix A).

use std::collections::VecDeque;

use super::Malformed;
use crate::backend::http2::field::Kind;

/// The size of the dynamic table where nobody asks for another one: we do not (RFC 9113 §6.5.2).
pub(super) const MOST: usize = 4096;

/// What an entry counts for besides its bytes (§4.1).
pub(super) const OVERHEAD: usize = 32;

/// From how many bytes on those of entries that are gone make room.
const GONE: usize = 512;

/// The static table; its first index is 1.
pub(super) static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The kinds of its names.
static KINDS: [Kind; STATIC.len()] = kinds();

const fn kinds() -> [Kind; STATIC.len()] {
    let mut kinds = [Kind::Other; STATIC.len()];
    let mut place = 0;
    while place < STATIC.len() {
        kinds[place] = Kind::of_name(STATIC[place].0.as_bytes());
        place += 1;
    }
    kinds
}

/// A field of either table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// What its name is by itself, and with the value.
    pub(super) of_name: Kind,
    pub(super) kind: Kind,
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Field<'_> {
    pub(super) fn size(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

/// The dynamic table. Names and values are one after the other in one place, so that a field costs no
/// allocation of its own.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    /// The newest is the last.
    entries: VecDeque<Entry>,
    /// By §4.1.
    size: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u16,
    name: u16,
    value: u16,
    of_name: Kind,
    kind: Kind,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            entries: VecDeque::new(),
            size: 0,
            most: MOST,
        }
    }
}

impl Table {
    /// The field of an index (§2.3.3).
    pub(super) fn get(&self, index: usize) -> Result<Field<'_>, Malformed> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        if let (Some((name, value)), Some(of_name)) = (STATIC.get(index), KINDS.get(index)) {
            let kind = match of_name {
                // The only one of these values that is none.
                Kind::ContentLength => Kind::Malformed,
                kind => *kind,
            };
            return Ok(Field {
                of_name: *of_name,
                kind,
                name: name.as_bytes(),
                value: value.as_bytes(),
            });
        }
        let entry = self.entry(index)?;
        let bytes = self.bytes.get(usize::from(entry.start)..);
        let parts = bytes.and_then(|bytes| bytes.split_at_checked(entry.name.into()));
        let (name, rest) = parts.ok_or(Malformed)?;
        Ok(Field {
            of_name: entry.of_name,
            kind: entry.kind,
            name,
            value: rest.get(..entry.value.into()).ok_or(Malformed)?,
        })
    }

    /// The entry of an index, which counts from zero.
    fn entry(&self, index: usize) -> Result<&Entry, Malformed> {
        let newest = self.entries.len().checked_sub(1).ok_or(Malformed)?;
        let nth = index.checked_sub(STATIC.len()).ok_or(Malformed)?;
        let place = newest.checked_sub(nth).ok_or(Malformed)?;
        self.entries.get(place).ok_or(Malformed)
    }

    /// Adds a field; one that is larger than the table empties it (§4.4).
    pub(super) fn add(&mut self, field: Field<'_>) {
        if self.fits(field.size()) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(field.name);
            self.push(field.of_name, field.kind, start, field.value);
        }
    }

    /// Adds a field whose name is that of another one, which may have to go for it (§4.4).
    pub(super) fn add_named(
        &mut self,
        index: usize,
        kind: Kind,
        value: &[u8],
    ) -> Result<(), Malformed> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        if let (Some((name, _)), Some(of_name)) = (STATIC.get(index), KINDS.get(index)) {
            self.add(Field {
                of_name: *of_name,
                kind,
                name: name.as_bytes(),
                value,
            });
            return Ok(());
        }
        let Entry {
            start,
            name,
            of_name,
            ..
        } = *self.entry(index)?;
        if self.fits(usize::from(name) + value.len() + OVERHEAD) {
            let place = usize::from(start)..usize::from(start) + usize::from(name);
            let start = self.bytes.len();
            self.bytes.extend_from_within(place);
            self.push(of_name, kind, start, value);
        }
        Ok(())
    }

    /// Whether a field of so many bytes has room; the table is emptied where it has not.
    fn fits(&mut self, size: usize) -> bool {
        let fits = size <= self.most;
        if !fits {
            self.shrink(0);
        }
        fits
    }

    /// Adds the field whose name is in place from `start` on. Only then others make room for it: the
    /// name may have been theirs.
    fn push(&mut self, of_name: Kind, kind: Kind, start: usize, value: &[u8]) {
        let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        let name = self.bytes.len() - start;
        self.bytes.extend_from_slice(value);
        let size = name + value.len() + OVERHEAD;
        self.evict(self.most.saturating_sub(size));
        self.size += size;
        self.entries.push_back(Entry {
            start: length(start),
            name: length(name),
            value: length(value.len()),
            of_name,
            kind,
        });
        self.make_room();
    }

    /// Changes the size that the table may have (§4.3 and §6.3).
    pub(super) fn resize(&mut self, most: usize) -> Result<(), Malformed> {
        if most > MOST {
            return Err(Malformed);
        }
        self.most = most;
        self.shrink(most);
        Ok(())
    }

    /// Evicts until the table has at most `most`, which nothing follows.
    fn shrink(&mut self, most: usize) {
        self.evict(most);
        if self.entries.is_empty() {
            self.bytes.clear();
        }
    }

    fn evict(&mut self, most: usize) {
        while self.size > most {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.size -= usize::from(oldest.name) + usize::from(oldest.value) + OVERHEAD;
        }
    }

    /// Lets go of the bytes of entries that are gone, where there are as many as of those that are
    /// left: so each byte is moved once at most, as it were.
    fn make_room(&mut self) {
        let gone = self.entries.front().map_or(0, |oldest| oldest.start);
        let count = usize::from(gone);
        if count >= GONE && count * 2 >= self.bytes.len() {
            self.bytes.drain(..count);
            for entry in &mut self.entries {
                entry.start -= gone;
            }
        }
    }

    /// Names and values, the newest first; and the size.
    #[cfg(test)]
    pub(super) fn fields(&self) -> (Vec<[&[u8]; 2]>, usize) {
        let indexes = STATIC.len() + 1..=STATIC.len() + self.entries.len();
        let fields = indexes.map(|index| self.get(index).unwrap());
        let pairs = fields.map(|field| [field.name, field.value]).collect();
        (pairs, self.size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    fn field<'a>(name: &'a [u8], value: &'a [u8]) -> Field<'a> {
        Field {
            of_name: Kind::of_name(name),
            kind: Kind::of(name, value),
            name,
            value,
        }
    }

    #[test]
    fn the_kinds_of_the_static_table_are_those_of_its_fields() {
        for (index, (name, value)) in (1..).zip(STATIC) {
            let expected = field(name.as_bytes(), value.as_bytes());
            assert_eq!(Table::default().get(index), Ok(expected));
        }
    }

    #[test]
    fn an_index_beyond_both_tables_and_zero_name_nothing() {
        let mut table = Table::default();
        assert_eq!(table.get(0), Err(Malformed));
        assert_eq!(table.get(2).map(|field| field.value), Ok(&b"GET"[..]));
        assert_eq!(
            table.get(61).map(|field| field.name),
            Ok(&b"www-authenticate"[..])
        );
        assert_eq!(table.get(62), Err(Malformed));
        table.add(field(b"a", b"b"));
        assert_eq!(table.get(62), Ok(field(b"a", b"b")));
        assert_eq!(table.get(63), Err(Malformed));
        assert_eq!(table.get(usize::MAX), Err(Malformed));
    }

    #[test]
    fn a_field_that_is_larger_than_the_table_empties_it() {
        let mut table = Table::default();
        table.add(field(b"a", b"b"));
        table.add(field(b"a", &[b'x'; MOST - OVERHEAD]));
        assert_eq!(table.fields(), (vec![], 0));
        table.add(field(b"a", &[b'x'; MOST - OVERHEAD - 1]));
        assert_eq!(table.fields().1, MOST);
        assert_eq!(table.resize(MOST - 1), Ok(()));
        assert_eq!(table.fields(), (vec![], 0));
        assert_eq!(table.resize(MOST + 1), Err(Malformed));
    }

    proptest! {
        #[test]
        fn the_table_holds_the_newest_fields_that_fit(
            // The name may be that of one of the newest fields.
            lengths in prop::collection::vec((0_usize..60, 0_usize..900, 0_usize..20), 0..200),
            most in 0_usize..=MOST,
        ) {
            let mut table = Table::default();
            table.resize(most).unwrap();
            let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            for (nth, (name, value, newest)) in lengths.into_iter().enumerate() {
                let byte = u8::try_from(nth % 256).unwrap();
                let (mut name, value) = (vec![byte; name], vec![!byte; value]);
                if let Some((same, _)) = fields.get(newest) {
                    name.clone_from(same);
                    let index = STATIC.len() + 1 + newest;
                    table.add_named(index, Kind::Other, &value).unwrap();
                } else {
                    table.add(field(&name, &value));
                }
                fields.insert(0, (name, value));
                let mut left = most;
                let fitting = fields.iter().take_while(|(name, value)| {
                    let size = name.len() + value.len() + OVERHEAD;
                    let fits = size <= left;
                    left -= size.min(left);
                    fits
                });
                let count = fitting.count();
                fields.truncate(count);
                let expected: Vec<_> = fields.iter().map(|(n, v)| [&n[..], &v[..]]).collect();
                prop_assert_eq!(table.fields().0, expected);
                prop_assert!(table.bytes.len() <= 3 * MOST);
            }
        }
    }
}
