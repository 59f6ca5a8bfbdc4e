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
mod tests;
