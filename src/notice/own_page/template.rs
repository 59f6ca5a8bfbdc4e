//! The template engine, and what it may do. Pure.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, SubsecRound, Utc};
use minijinja::machinery::{Token, tokenize};
use minijinja::{AutoEscape, Environment, ErrorKind, Template, UndefinedBehavior, Value};

use super::Error;
use crate::api::time::{from_text, to_text};
use crate::notice::Notice;
use crate::notice::end::{Outlook, outlook};
use crate::schedule::Zone;

/// What one rendering may do: an instruction costs 1, and so do 64 bytes that it makes, wherever they
/// go. So it takes up 640 KB at most, and some milliseconds.
const FUEL: u64 = 10_000;

/// The most bytes of a format of `strftime`, which costs no fuel.
const LONGEST_FORMAT: usize = 128;

/// Tests that read a whole text each time, which costs no fuel.
const COSTLY_TESTS: [&str; 5] = ["lower", "upper", "startingwith", "endingwith", "containing"];

/// How deep loops and the like may be nested.
const DEPTH: usize = 32;

/// The most tokens of code that a template has. Of one that uses up its fuel without a loop fewer are run;
/// and as it is kept with its notice, they take some 2 MB at most.
pub(super) const MOST_TOKENS: usize = 20_000;

/// The most of them between two delimiters. To compile an expression takes the square of its length.
pub(super) const MOST_TOKENS_OF_TAG: usize = 1000;

/// What an environment calls its only template.
const NAME: &str = "page";

/// The template of a text that stays the same, parsed by who asks first, on whichever thread.
///
/// It follows from the text: all are equal, and a clone begins anew.
#[derive(Default)]
pub(in crate::notice) struct Parsed {
    environment: OnceLock<Result<Environment<'static>, Error>>,
    /// Whether somebody has complained of it.
    complained: AtomicBool,
}

impl Parsed {
    pub(super) fn render(&self, text: &str, values: Value) -> Result<String, Error> {
        self.with(text, |_, template| template.render(values).map_err(because))
    }

    /// Whether nobody has asked yet.
    pub(in crate::notice) fn is_first_to_complain(&self) -> bool {
        !self.complained.swap(true, Ordering::Relaxed)
    }

    /// Does `work` with the template of `text`, and what it knows.
    pub(super) fn with<T>(
        &self,
        text: &str,
        work: impl FnOnce(&Environment<'_>, &Template<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let parsed = self.environment.get_or_init(|| parse(text));
        let environment = parsed.as_ref().map_err(Clone::clone)?;
        let template = environment.get_template(NAME).map_err(because)?;
        work(environment, &template)
    }
}

impl Clone for Parsed {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Parsed {}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.environment.get().is_some() {
            "parsed"
        } else {
            "not parsed"
        })
    }
}

fn parse(text: &str) -> Result<Environment<'static>, Error> {
    let mut environment = environment();
    measure(text, &environment)?;
    environment
        .add_template_owned(NAME, text.to_owned())
        .map_err(because)?;
    Ok(environment)
}

/// Refuses what would take long to compile. What breaks the grammar is the compiler's to say.
fn measure(text: &str, environment: &Environment<'_>) -> Result<(), Error> {
    let (mut all, mut of_tag) = (0, 0);
    let tokens = tokenize(text, false, environment.syntax().clone());
    for (token, span) in tokens.map_while(Result::ok) {
        match token {
            Token::TemplateData(_) => continue,
            Token::VariableStart | Token::BlockStart => of_tag = 0,
            _ => of_tag += 1,
        }
        all += 1;
        let line = span.start_line.into();
        if of_tag > MOST_TOKENS_OF_TAG {
            return Err(Error::TooLongTag { line });
        }
        if all > MOST_TOKENS {
            return Err(Error::TooMuchCode { line });
        }
    }
    Ok(())
}

/// It knows no other template, no file and no clock.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    // An error then names the value that is undefined.
    environment.set_debug(true);
    // It prints what is inside.
    environment.remove_global("debug");
    environment.add_filter("strftime", strftime);
    for test in COSTLY_TESTS {
        environment.remove_test(test);
    }
    environment
}

pub(super) fn values(notice: &Notice, now: DateTime<Utc>, retry_after: u64) -> Value {
    let end = match outlook(notice, now) {
        Outlook::At(end) => Some(end),
        Outlook::AnyMoment | Outlook::Unknown => None,
    };
    let window = [
        ("namespace", notice.window.namespace.as_str()),
        ("name", notice.window.name.as_str()),
    ];
    let text = |instant| Value::from(to_text(instant));
    let values = [
        (
            "message",
            Some(Value::from(notice.message.as_deref().unwrap_or_default())),
        ),
        ("window", Some(Value::from_pairs(window))),
        ("start", notice.start.map(text)),
        ("end", end.map(text)),
        ("retry_after", Some(Value::from(retry_after))),
        ("now", Some(text(now.trunc_subsecs(0)))),
    ];
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    Value::from_pairs(known)
}

/// `{{ end | strftime("%H:%M %Z", "Europe/Berlin") }}`; without a zone, in UTC.
fn strftime(instant: &Value, format: &str, zone: Option<&str>) -> Result<String, minijinja::Error> {
    let wrong = |said: String| minijinja::Error::new(ErrorKind::InvalidOperation, said);
    if instant.is_undefined() {
        let said = "what strftime is given is undefined";
        return Err(minijinja::Error::new(ErrorKind::UndefinedError, said));
    }
    if format.len() > LONGEST_FORMAT {
        let said = format!("a format of strftime has at most {LONGEST_FORMAT} bytes");
        return Err(wrong(said));
    }
    let instant = instant
        .as_str()
        .and_then(from_text)
        .ok_or_else(|| wrong("strftime takes start, end or now".to_owned()))?;
    let zone = Zone::parse(zone.unwrap_or("Etc/UTC")).map_err(|error| wrong(error.to_string()))?;
    zone.write(instant, format)
        .map_err(|error| wrong(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn because(error: minijinja::Error) -> Error {
    let line = error.line().unwrap_or(1);
    let detail = error.detail();
    match error.kind() {
        ErrorKind::OutOfFuel => Error::TooMuch { line },
        ErrorKind::UndefinedError => Error::Unknown {
            line,
            said: detail.unwrap_or("a value is undefined").to_owned(),
        },
        kind => Error::Broken {
            line,
            said: detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    fn rendered(parsed: &Parsed, text: &str) -> Result<String, Error> {
        parsed.render(text, Value::from_pairs([("now", "noon")]))
    }

    #[test]
    fn a_template_is_parsed_once_and_a_clone_of_it_anew() {
        let parsed = Parsed::default();
        for text in ["{{ now }}", "{{ another }}"] {
            assert_eq!(rendered(&parsed, text), Ok("noon".to_owned()), "{text}");
        }
        assert_eq!(
            rendered(&parsed.clone(), "it is {{ now }}"),
            Ok("it is noon".to_owned())
        );
    }

    #[test]
    fn one_complains_of_a_template_and_one_of_its_clone() {
        let parsed = Parsed::default();
        for parsed in [&parsed, &parsed.clone()] {
            let complains = [(); 3].map(|()| parsed.is_first_to_complain());
            assert_eq!(complains, [true, false, false]);
        }
    }

    #[test]
    fn what_is_wrong_with_a_template_is_known_once_and_said_each_time() {
        let parsed = Parsed::default();
        for text in ["{{ now }", "{{ now }}"] {
            let error = rendered(&parsed, text).unwrap_err();
            assert!(matches!(error, Error::Broken { line: 1, .. }), "{error}");
        }
    }
}
