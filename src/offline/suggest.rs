//! What somebody meant who wrote something else. PURE.

/// The name that was probably meant: the same but for case and dashes, or the nearest, where no
/// more than a third of its letters differ.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = plain(written);
    let slips = |name: &'a str| (strsim::osa_distance(&written, &plain(name)), name);
    let (least, name) = known.into_iter().map(slips).min()?;
    (least <= name.len() / 3).then_some(name)
}

fn plain(name: &str) -> String {
    name.replace(['-', '_', ' '], "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["cron", "timeZone", "duration", "except", "end"];
        let cases = [
            ("timezone", Some("timeZone")),
            ("TimeZone", Some("timeZone")),
            ("time-zone", Some("timeZone")),
            ("time_zone", Some("timeZone")),
            ("timeZnoe", Some("timeZone")),
            ("cronn", Some("cron")),
            ("corn", Some("cron")),
            ("duratoin", Some("duration")),
            ("excepts", Some("except")),
            ("ends", Some("end")),
            ("schedule", None),
            ("zone", None),
            ("", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
        assert_eq!(nearest("cron", []), None);
    }
}
