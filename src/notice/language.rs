//! Which language a request asks for: proactive negotiation by `Accept-Language`
//! (RFC 9110 §12.5.4), by the lookup of RFC 4647 §3.4. Pure.

use std::cmp::Reverse;

use super::weight::{self, Weight};

/// A language that the page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// For everybody whom we cannot give what they ask for.
    English,
    /// `de`, wherever it is spoken.
    German,
    /// `fr`, wherever it is spoken.
    French,
    /// In words that are used on both sides of the Atlantic.
    Spanish,
    /// In words that are used on both sides of the Atlantic.
    Portuguese,
    /// `it`, wherever it is spoken.
    Italian,
    /// `nl`, wherever it is spoken.
    Dutch,
    /// `pl`, wherever it is spoken.
    Polish,
    /// `ja`, wherever it is spoken.
    Japanese,
    /// In simplified characters.
    Chinese,
    /// In traditional characters, which Taiwan, Hong Kong and Macao write.
    TraditionalChinese,
}

impl Language {
    /// In our order of preference.
    pub const ALL: [Self; 11] = [
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Portuguese,
        Self::Italian,
        Self::Dutch,
        Self::Polish,
        Self::Japanese,
        Self::Chinese,
        Self::TraditionalChinese,
    ];

    /// Its tag (RFC 5646), for `Content-Language` and `lang`. Chinese names its script: browsers
    /// choose the shapes of the characters by it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
            Self::Italian => "it",
            Self::Dutch => "nl",
            Self::Polish => "pl",
            Self::Japanese => "ja",
            Self::Chinese => "zh-Hans",
            Self::TraditionalChinese => "zh-Hant",
        }
    }

    /// The language for a request with these lines of `Accept-Language`.
    ///
    /// The highest weight wins; at the same weight, what is named first. `*` stands for every
    /// language that is not named, and comes after those that are. A weight of 0 rules out the
    /// language that the range names, not the one that it is a part of: `de-AT;q=0` leaves German.
    /// What breaks the grammar is passed over. Who accepts nothing that we have gets English, as
    /// §12.5.4 allows: it says more than no page. Allocates nothing.
    pub fn negotiate<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut wishes = Wishes::default();
        let elements = lines.flat_map(|line| line.split(|byte| *byte == b','));
        for (range, place) in elements.filter_map(Range::parse).zip(0..) {
            wishes.add(&range, place);
        }
        wishes.best()
    }

    /// What is found for a well-formed range by cutting off subtags from its end (RFC 4647 §3.4);
    /// Chinese without a script is written in the one of its region.
    fn lookup(range: &[u8]) -> Option<Self> {
        let mut subtags = range.split(|byte| *byte == b'-');
        let primary = subtags.next()?;
        if primary.eq_ignore_ascii_case(b"zh") {
            // What follows a subtag of one letter is an extension.
            let mut subtags = subtags.take_while(|subtag| subtag.len() > 1);
            return Some(subtags.find_map(written).unwrap_or(Self::Chinese));
        }
        let is_primary = |language: &Self| language.tag().as_bytes().eq_ignore_ascii_case(primary);
        Self::ALL.into_iter().find(is_primary)
    }

    /// Whether a range names this language, or more than it (RFC 4647 §3.3.1).
    fn is_named_by(self, range: &[u8]) -> bool {
        let tag = self.tag().as_bytes();
        tag.get(..range.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(range))
            && matches!(tag.get(range.len()), None | Some(b'-'))
    }
}

/// How Chinese is written, by a script or a region.
fn written(subtag: &[u8]) -> Option<Language> {
    let is_one_of = |names: &[&[u8]]| names.iter().any(|name| subtag.eq_ignore_ascii_case(name));
    if is_one_of(&[b"Hant", b"TW", b"HK", b"MO"]) {
        Some(Language::TraditionalChinese)
    } else if is_one_of(&[b"Hans", b"CN", b"SG", b"MY"]) {
        Some(Language::Chinese)
    } else {
        None
    }
}

/// How much a language is wanted, and how early it is named. The greatest wins.
type Wish = (Weight, Reverse<usize>);

#[derive(Default)]
struct Wishes {
    named: [Option<Wish>; Language::ALL.len()],
    ruled_out: [bool; Language::ALL.len()],
    /// The weight of `*`.
    any: Weight,
}

impl Wishes {
    fn add(&mut self, range: &Range<'_>, place: usize) {
        if range.tag == b"*" {
            self.any = self.any.max(range.weight);
        } else if range.weight == 0 {
            for language in Language::ALL {
                self.ruled_out[language as usize] |= language.is_named_by(range.tag);
            }
        } else if let Some(language) = Language::lookup(range.tag) {
            let wish = Some((range.weight, Reverse(place)));
            let named = &mut self.named[language as usize];
            *named = wish.max(*named);
        }
    }

    fn best(&self) -> Language {
        let wished = |language| Some((self.wish(language)?, language));
        // Of equals the last is taken: the first of ours.
        let best = Language::ALL.into_iter().rev().filter_map(wished);
        best.max_by_key(|(wish, _)| *wish)
            .map_or(Language::English, |(_, language)| language)
    }

    fn wish(&self, language: Language) -> Option<Wish> {
        if self.ruled_out[language as usize] {
            return None;
        }
        let unnamed = (self.any > 0).then_some((self.any, Reverse(usize::MAX)));
        self.named[language as usize].or(unnamed)
    }
}

/// One element of `Accept-Language` that follows the grammar.
struct Range<'a> {
    tag: &'a [u8],
    weight: Weight,
}

impl<'a> Range<'a> {
    fn parse(element: &'a [u8]) -> Option<Self> {
        let mut parts = element.splitn(2, |byte| *byte == b';');
        let tag = parts.next()?.trim_ascii();
        let weight = match parts.next().map(<[u8]>::trim_ascii) {
            None => weight::FULL,
            Some([b'q' | b'Q', b'=', qvalue @ ..]) => weight::parse(qvalue)?,
            Some(_) => return None,
        };
        is_range(tag).then_some(Self { tag, weight })
    }
}

/// `language-range = (1*8ALPHA *("-" 1*8alphanum)) / "*"` (RFC 4647 §2.1).
fn is_range(text: &[u8]) -> bool {
    let is_subtag = |subtag: &[u8]| {
        (1..=8).contains(&subtag.len()) && subtag.iter().all(u8::is_ascii_alphanumeric)
    };
    let primary = text.split(|byte| *byte == b'-').next().unwrap_or_default();
    text == b"*"
        || (primary.iter().all(u8::is_ascii_alphabetic)
            && text.split(|byte| *byte == b'-').all(is_subtag))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::Language::{
        Chinese, Dutch, English, French, German, Italian, Japanese, Polish, Portuguese, Spanish,
        TraditionalChinese,
    };
    use super::*;

    fn language_for(lines: &[&str]) -> Language {
        Language::negotiate(lines.iter().map(|line| line.as_bytes()))
    }

    fn check(table: &[(&str, Language)]) {
        for (line, language) in table {
            assert_eq!(language_for(&[line]), *language, "{line}");
        }
    }

    #[test]
    fn browsers_get_their_language() {
        check(&[
            ("en-US,en;q=0.9", English),
            ("en-GB,en;q=0.5", English),
            ("de-AT,de;q=0.9,en;q=0.8", German),
            ("de,en-US;q=0.7,en;q=0.3", German),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", French),
            ("es-419,es;q=0.9", Spanish),
            ("pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", Portuguese),
            ("it-IT,it;q=0.8,en-US;q=0.5,en;q=0.3", Italian),
            ("nl-BE,nl;q=0.9,fr;q=0.8", Dutch),
            ("pl", Polish),
            ("ja-JP", Japanese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", TraditionalChinese),
            ("zh-HK,zh-TW;q=0.9,zh;q=0.8", TraditionalChinese),
        ]);
    }

    #[test]
    fn who_asks_for_nothing_that_we_have_gets_english() {
        assert_eq!(language_for(&[]), English);
        check(&[
            ("", English),
            ("*", English),
            ("tlh", English),
            ("sv-SE,sv;q=0.9", English),
            ("*;q=0", English),
            ("en;q=0", English),
            ("de;q=0", English),
            ("i-klingon, x-whatever", English),
        ]);
    }

    #[test]
    fn the_highest_weight_wins() {
        check(&[
            ("en;q=0.4, fr;q=0.5", French),
            ("en;q=0.501, fr;q=0.5", English),
            ("da, en-GB;q=0.8, de;q=0.7", English),
            ("sv, de;q=0.7, en;q=0.699", German),
            ("de;q=0.001", German),
            ("de;Q=1.000, fr;q=0.999", German),
            ("fr ; q=0.2 ,\tde\t;\tq=0.3", German),
            ("de;q=0.3, fr;q=0.5, de-AT;q=0.9", German),
        ]);
    }

    #[test]
    fn at_the_same_weight_the_first_wins() {
        check(&[
            ("de, en", German),
            ("en, de", English),
            ("pl;q=0.5, nl;q=0.5, en;q=0.4", Polish),
            ("zh-TW, zh-CN", TraditionalChinese),
            ("zh-CN, zh-TW", Chinese),
        ]);
        assert_eq!(language_for(&["fr;q=0.5", "de;q=0.5"]), French);
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(language_for(&["de;q=0.5", "fr;q=0.6"]), French);
        assert_eq!(language_for(&["de", "de;q=0, fr;q=0.6"]), French);
    }

    #[test]
    fn a_range_is_cut_down_to_what_we_have() {
        check(&[
            ("de-Latn-AT-1996", German),
            ("de-CH-1901-x-private", German),
            ("DE-at", German),
            ("ES-es", Spanish),
            ("ja-Jpan-JP-u-ca-japanese", Japanese),
            ("pt-PT", Portuguese),
            // Others, that only begin alike.
            ("den", English),
            ("deu", English),
            ("plt-MG", English),
        ]);
    }

    #[test]
    fn chinese_is_written_as_its_script_or_its_region_says() {
        check(&[
            ("zh", Chinese),
            ("zh-SG", Chinese),
            ("zh-Hans-HK", Chinese),
            ("zh-cmn-Hans-CN", Chinese),
            ("zh-Hant", TraditionalChinese),
            ("ZH-HANT-CN", TraditionalChinese),
            ("zh-MO", TraditionalChinese),
            ("zh-yue-HK", TraditionalChinese),
            ("zh-x-tw", Chinese),
        ]);
    }

    #[test]
    fn a_weight_of_zero_rules_out_what_it_names() {
        check(&[
            ("de;q=0, de-AT, fr;q=0.1", French),
            ("de-AT;q=0, de", German),
            ("en;q=0, *", German),
            ("en;q=0, de;q=0.0, *;q=0.1", French),
            ("zh;q=0, zh-TW, ja;q=0.1", Japanese),
            ("zh-Hant;q=0, zh-TW, zh-CN;q=0.5", Chinese),
            ("de;q=0.000, fr;q=0, en;q=0", English),
        ]);
    }

    #[test]
    fn the_wildcard_stands_for_what_is_not_named_and_comes_after_what_is() {
        check(&[
            ("*, de", German),
            ("de, *", German),
            ("de;q=0.5, *", English),
            ("en;q=0.5, *", German),
            ("de;q=0.5, *;q=0.4", German),
            ("*;q=0, de;q=0.1", German),
            ("sv, *;q=0.5", English),
        ]);
    }

    #[test]
    fn what_breaks_the_grammar_is_passed_over() {
        for broken in [
            "de_AT",
            "de-",
            "-de",
            "de--AT",
            "d3",
            "deutschland",
            "de-österreich",
            "de-abcdefghi",
            "de AT",
            "*-CH",
            "**",
            "de;",
            "de;q",
            "de;q=",
            "de;q=2",
            "de;q=1.001",
            "de;q=0.1234",
            "de;q= 1",
            "de;q =1",
            "de;level=1",
            "de;q=1;q=1",
            "de;q=\"1\"",
            "\"de\"",
            ",, ,",
        ] {
            for line in [format!("{broken}, fr;q=0.1"), format!("fr;q=0.1,{broken}")] {
                assert_eq!(language_for(&[&line]), French, "{line}");
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_passed_over() {
        let lines: [&[u8]; 2] = [b"de\xff, \xff, fr;q=0.\xff", b"it;q=0.2"];
        assert_eq!(Language::negotiate(lines.into_iter()), Italian);
    }

    #[test]
    fn every_language_is_found_by_its_own_tag() {
        for language in Language::ALL {
            assert_eq!(language_for(&[language.tag()]), language);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_language(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let language = Language::negotiate(lines.iter().map(Vec::as_slice));
            prop_assert!(Language::ALL.contains(&language));
        }

        #[test]
        fn the_language_is_the_one_of_the_highest_weight_wherever_it_stands(
            weights in proptest::sample::subsequence((1_u16..=1000).collect::<Vec<_>>(), 11)
                .prop_shuffle(),
        ) {
            let wishes: Vec<_> = Language::ALL.into_iter().zip(weights).collect();
            let (wanted, _) = wishes.iter().max_by_key(|(_, weight)| *weight).unwrap();
            let element = |(language, weight): &(Language, u16)| {
                format!("{};q={}.{:03}", language.tag(), weight / 1000, weight % 1000)
            };
            let line = wishes.iter().map(element).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(language_for(&[&line]), *wanted, "{}", line);
        }
    }
}
