//! Requests at a constant rate, whatever the server does. A request counts from when it was due, also
//! where all connections still wait for answers: else a server that pauses would be asked less.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Arguments, Connections, LAST, Report};
use crate::Result;
use crate::answer::request;

pub(super) fn load(arguments: &Arguments, rate: f64) -> Result<Report> {
    let request = request(false);
    let interval = Duration::from_secs_f64(1.0 / rate);
    let mut connections = Connections::open(arguments)?;
    let mut free: VecDeque<_> = (0..connections.all.len()).collect();
    let mut times: Vec<Duration> = Vec::new();
    let began = Instant::now();
    let end = began + arguments.seconds;
    let mut due = began;
    while due < end || free.len() < connections.all.len() {
        let now = Instant::now();
        if now > end + LAST {
            return Err("requests were not answered".into());
        }
        while due < end && due <= now {
            let Some(place) = free.pop_front() else {
                break;
            };
            let connection = &mut connections.all[place];
            connection.due = due;
            connection.send(&request, 1)?;
            due += interval;
        }
        // No sleep is as short as the pause between two requests.
        connections.wait(Duration::ZERO, |place, connection, _| {
            times.push(connection.due.elapsed());
            free.push_back(place);
            Ok(())
        })?;
    }
    let answered = u64::try_from(times.len())?;
    Ok(Report {
        p99_ms: Some(p99(times)),
        ..Report::new(answered, began)?
    })
}

/// By the nearest rank, in milliseconds.
fn p99(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100).max(1) - 1;
    let time = times.get(rank).copied().unwrap_or_default();
    time.as_secs_f64() * 1000.0
}
