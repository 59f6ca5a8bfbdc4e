//! When a window is on, proven from outside: by tables of real dates, by an oracle that walks
//! over the minutes, by properties, and by what is refused.
//!
//! | file | what it shows |
//! |---|---|
//! | `zones.rs`, `odd_clocks.rs` | the nights on which clocks change, in a dozen zones |
//! | `calendar.rs` | the days that cron expressions name: ends of months, leap days, first Sundays |
//! | `expressions.rs` | lists, ranges, steps, short forms, and occurrences that touch |
//! | `written.rs` | `once` and `except` as a manifest writes them: local times, dates, offsets |
//! | `oracle.rs` | what [`walk`] says, on thousands of expressions, zones and dates |
//! | `properties.rs` | what holds for every schedule, every instant and every text |
//! | `bad_input.rs`, `bad_lists.rs` | each slip is refused with its own sentence, at its own field |

// Each is `cfg(test)`, although all of this program is, because that is how clippy knows that
// helpers beside the tests may unwrap as well.
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bad_lists;
#[cfg(test)]
mod calendar;
#[cfg(test)]
mod expressions;
#[cfg(test)]
mod helpers;
#[cfg(test)]
mod odd_clocks;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod random;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod written;
#[cfg(test)]
mod zones;
