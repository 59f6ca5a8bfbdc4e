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
