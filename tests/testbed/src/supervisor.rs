//! The process outside: waits for the one inside, passes on its exit code, and ends it when the
//! user asks for that.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    time::Duration,
};

use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, sleep_until},
};

/// How long the inside may take to end by itself after a first Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the first Ctrl-C does. The second one kills in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// Everything inside is killed.
    Kill,
    /// The inside, which the terminal interrupted too, gets [`PATIENCE`] to end by itself.
    Wait,
}

/// How the inside ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The exit code to pass on: that of the inside, or 128 + the signal's number.
    pub(crate) code: u8,
    /// Whether somebody asked for the end, by Ctrl-C or another signal.
    pub(crate) on_request: bool,
}

/// Runs `command` (made by [`crate::namespace::Right::isolate`]) to its end. No process of its
/// namespace is left when this returns.
pub(crate) async fn supervise(command: Command, on_interrupt: OnInterrupt) -> io::Result<Ended> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut child = tokio::process::Command::from(command).spawn()?;
    let mut deadline = None;
    let killed_by = loop {
        tokio::select! {
            status = child.wait() => {
                let code = exit_code(status?);
                return Ok(Ended { code, on_request: deadline.is_some() });
            }
            _ = interrupt.recv() => match (on_interrupt, deadline) {
                (OnInterrupt::Wait, None) => deadline = Some(Instant::now() + PATIENCE),
                _ => break SignalKind::interrupt(),
            },
            () = at(deadline) => break SignalKind::interrupt(),
            _ = terminate.recv() => break SignalKind::terminate(),
            _ = hangup.recv() => break SignalKind::hangup(),
        }
    };
    kill(&mut child).await?;
    Ok(Ended {
        code: shell_code(killed_by.as_raw_value()),
        on_request: true,
    })
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Kills `unshare`, with which PID 1 of the namespace dies (`--kill-child`), and waits for that.
/// PID 1 is dead only when all others in the namespace are.
async fn kill(unshare: &mut Child) -> io::Result<()> {
    let inside = unshare.id().and_then(only_child);
    unshare.kill().await?;
    while inside.is_some_and(is_alive) {
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn only_child(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// A zombie is dead; whoever inherited it may take long to reap it.
fn is_alive(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("\nState:\tZ") && !status.contains("\nState:\tX"))
}

fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => shell_code(signal),
        (None, None) => u8::MAX,
    }
}

fn shell_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_passed_on() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
    }

    #[test]
    fn a_process_is_alive_until_it_has_ended() {
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(u32::MAX));
    }

    #[test]
    fn a_signal_becomes_the_exit_code_of_a_shell() {
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(shell_code(SignalKind::interrupt().as_raw_value()), 130);
    }
}
