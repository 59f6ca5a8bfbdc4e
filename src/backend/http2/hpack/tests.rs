//! The examples of RFC 7541, Appendix C, and what no example shows.

use proptest::prelude::*;
use similar_asserts::assert_eq;

use super::*;

type Pair = (&'static str, &'static str);

/// A block, its fields, the table after it and the size of that.
type Step<'a> = (&'a str, &'a [Pair], &'a [Pair], usize);

/// What a decoder says of a block: values and sizes.
fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(Kind, String, usize)>, Malformed> {
    let mut seen = Vec::new();
    decoder.read(block, &mut Vec::new(), |kind, value, size| {
        seen.push((kind, String::from_utf8_lossy(value).into_owned(), size));
        true
    })?;
    Ok(seen)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Blocks that one decoder reads, each with the fields that it stands for and with the table that is
/// there after it.
fn reads(most: usize, steps: &[Step<'_>]) {
    let mut decoder = Decoder::default();
    decoder.table.resize(most).unwrap();
    for (hex, fields, table, size) in steps {
        let seen = read(&mut decoder, &bytes(hex)).unwrap();
        let expected: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                let kind = Kind::of(name.as_bytes(), value.as_bytes());
                (kind, (*value).to_owned(), name.len() + value.len() + 32)
            })
            .collect();
        assert_eq!(seen, expected, "{hex}");
        let table: Vec<_> = table
            .iter()
            .map(|(name, value)| [name.as_bytes(), value.as_bytes()])
            .collect();
        assert_eq!(decoder.table.fields(), (table, *size), "{hex}");
    }
}

const AUTHORITY: (&str, &str) = (":authority", "www.example.com");
const NO_CACHE: (&str, &str) = ("cache-control", "no-cache");
const CUSTOM: (&str, &str) = ("custom-key", "custom-value");
const GET: (&str, &str) = (":method", "GET");
const HTTP: (&str, &str) = (":scheme", "http");
const HTTPS: (&str, &str) = (":scheme", "https");
const SLASH: (&str, &str) = (":path", "/");
const INDEX: (&str, &str) = (":path", "/index.html");

#[test]
fn each_representation_of_c_2_is_read() {
    let header = ("custom-key", "custom-header");
    let indexed = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
    reads(4096, &[(indexed, &[header], &[header], 55)]);
    let path = (":path", "/sample/path");
    let named = "040c 2f73 616d 706c 652f 7061 7468";
    reads(4096, &[(named, &[path], &[], 0)]);
    let never = "1008 7061 7373 776f 7264 0673 6563 7265 74";
    reads(4096, &[(never, &[("password", "secret")], &[], 0)]);
    reads(4096, &[("82", &[GET], &[], 0)]);
}

#[test]
fn the_requests_of_c_3_and_c_4_are_read() {
    let fields: [&[_]; 3] = [
        &[GET, HTTP, SLASH, AUTHORITY],
        &[GET, HTTP, SLASH, AUTHORITY, NO_CACHE],
        &[GET, HTTPS, INDEX, AUTHORITY, CUSTOM],
    ];
    let tables: [&[_]; 3] = [
        &[AUTHORITY],
        &[NO_CACHE, AUTHORITY],
        &[CUSTOM, NO_CACHE, AUTHORITY],
    ];
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let huffman = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for hex in [plain, huffman] {
        let step = |nth: usize, size| (hex[nth], fields[nth], tables[nth], size);
        reads(4096, &[step(0, 57), step(1, 110), step(2, 164)]);
    }
}

#[test]
fn the_responses_of_c_5_and_c_6_are_read_and_evict() {
    let date = [
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ];
    let location = ("location", "https://www.example.com");
    let private = ("cache-control", "private");
    let [ok, found, unchanged] = ["200", "302", "307"].map(|status| (":status", status));
    let gzip = ("content-encoding", "gzip");
    let cookie = (
        "set-cookie",
        "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    );
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 \
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 \
         6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d \
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 \
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e \
         3d31",
    ];
    let huffman = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab \
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f \
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    for hex in [plain, huffman] {
        reads(
            256,
            &[
                (
                    hex[0],
                    &[found, private, date[0], location],
                    &[location, date[0], private, found],
                    222,
                ),
                (
                    hex[1],
                    &[unchanged, private, date[0], location],
                    &[unchanged, location, date[0], private],
                    222,
                ),
                (
                    hex[2],
                    &[ok, private, date[1], location, gzip, cookie],
                    &[cookie, gzip, date[1]],
                    215,
                ),
            ],
        );
    }
}

#[test]
fn a_size_is_changed_at_the_beginning_and_to_no_more_than_we_have() {
    for (hex, expected) in [
        // 0, 30 and 4096.
        ("20 82", Ok(1)),
        ("20 3e 82", Ok(1)),
        ("3f e1 1f 82", Ok(1)),
        ("3f e2 1f 82", Err(Malformed)),
        ("82 20", Err(Malformed)),
    ] {
        let count = read(&mut Decoder::default(), &bytes(hex)).map(|seen| seen.len());
        assert_eq!(count, expected, "{hex}");
    }
}

#[test]
fn what_is_cut_off_or_names_nothing_is_malformed() {
    for hex in [
        "80",
        "be",
        "ff 80",
        "40",
        "00",
        "00 05",
        "00 01 61",
        "00 01 61 05 62",
        "7e 01 61",
        "00 81 ff 01 61",
        "00 01 61 84 ff ff ff ff",
    ] {
        let seen = read(&mut Decoder::default(), &bytes(hex));
        assert_eq!(seen, Err(Malformed), "{hex}");
    }
}

/// A decoder whose table has one field: its name has as many bytes as there is room for.
fn with_long_name() -> Decoder {
    let name = vec![b'a'; 4096 - 32];
    let block = [b"\x40\x7f\xe1\x1e", &name[..], b"\x00"].concat();
    let mut decoder = Decoder::default();
    assert_eq!(read(&mut decoder, &block).unwrap().len(), 1);
    assert_eq!(decoder.table.fields().1, 4096);
    decoder
}

#[test]
fn a_name_of_the_table_is_neither_copied_nor_looked_at_again() {
    // Indexed; a literal with the name; and one that is added and takes the place of the other.
    for (field, count) in [(&b"\xbe"[..], 1), (b"\x0f\x2f\x00", 3), (b"\x7e\x00", 2)] {
        let block = field.repeat(16_384 / count);
        let mut strings = Vec::new();
        let took = (0..5).map(|_| {
            let mut decoder = with_long_name();
            let begun = std::time::Instant::now();
            let mut size = 0;
            let all = decoder.read(&block, &mut strings, |kind, _, of_field| {
                assert_eq!(kind, Kind::Other);
                size += of_field;
                true
            });
            let took = begun.elapsed();
            assert_eq!(all, Ok(()));
            assert_eq!(size, 16_384 / count * 4096);
            let name = [b'a'; 4096 - 32];
            assert_eq!(decoder.table.fields().0, [[&name[..], b""]]);
            took
        });
        let took = took.min().unwrap();
        assert!(took.as_millis() < 20, "{field:?}: {took:?}");
        assert_eq!(strings.capacity(), 0);
    }
}

#[test]
fn who_has_seen_enough_sees_no_more_but_the_table_is_kept() {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    // The third is not even decoded.
    let block = bytes("82 40 01 61 01 62 00 01 61 81 00 7e 01 63 be");
    let all = decoder.read(&block, &mut Vec::new(), |kind, _, _| {
        seen.push(kind);
        false
    });
    assert_eq!((all, seen), (Ok(()), vec![Kind::Method]));
    assert_eq!(decoder.table.fields().0, [[b"a", b"c"], [b"a", b"b"]]);
    for hex in ["82 be", "82 0f 2f 00", "82 00 01"] {
        let all = Decoder::default().read(&bytes(hex), &mut Vec::new(), |_, _, _| false);
        assert_eq!(all, Err(Malformed), "{hex}");
    }
}

#[test]
fn what_is_written_refers_to_the_static_table_where_it_can() {
    for (name, value, expected) in [
        (":status", "200", &b"\x88"[..]),
        (":status", "503", b"\x08\x03503"),
        ("content-type", "a", b"\x0f\x10\x01a"),
        ("x", "", b"\x00\x01x\x00"),
    ] {
        let mut written = Vec::new();
        write(&mut written, name, value.as_bytes());
        assert_eq!(written, expected, "{name}: {value}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(name in "[a-z:-]{0,300}", value: Vec<u8>) {
        let mut block = Vec::new();
        write(&mut block, &name, &value);
        let mut seen = Vec::new();
        let mut decoder = Decoder::default();
        decoder
            .read(&block, &mut Vec::new(), |kind, value, _| {
                seen.push((kind, value.to_vec()));
                true
            })
            .unwrap();
        prop_assert_eq!(seen, [(Kind::of(name.as_bytes(), &value), value)]);
    }

    #[test]
    fn any_bytes_are_fields_or_malformed(blocks: Vec<Vec<u8>>) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let mut size = 0;
            let _ = decoder.read(&block, &mut Vec::new(), |_, _, of_field| {
                size += of_field;
                true
            });
            // An index is a byte, and stands for no more than the table holds.
            prop_assert!(size <= block.len() * (4096 + 32));
        }
    }
}
