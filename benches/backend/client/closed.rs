//! A closed loop: the next requests of a connection when all before are answered.

use std::time::Instant;

use super::{Arguments, Connections, LAST, Report};
use crate::Result;
use crate::answer::request;

pub(super) fn load(arguments: &Arguments, pipelined: usize) -> Result<Report> {
    let requests = request(false).repeat(pipelined);
    let count = u64::try_from(pipelined)?;
    let mut connections = Connections::open(arguments)?;
    let began = Instant::now();
    for connection in &mut connections.all {
        connection.send(&requests, count)?;
    }
    let end = began + arguments.seconds;
    let mut answered = 0;
    let mut waiting = connections.all.len();
    while waiting > 0 {
        let now = Instant::now();
        if now > end + LAST {
            return Err("requests were not answered".into());
        }
        connections.wait(LAST, |_, connection, answers| {
            answered += answers;
            if connection.open > 0 {
                return Ok(());
            }
            if now < end {
                return connection.send(&requests, count);
            }
            waiting -= 1;
            Ok(())
        })?;
    }
    Report::new(answered, began)
}
