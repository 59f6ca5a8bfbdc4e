//! How a process ends: the first signal asks it to finish, the second one to stop at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A process's end, shared by everything that has to know of it.
///
/// It has two steps, and neither is ever taken back: it *begins*, and whoever serves somebody
/// finishes that; it is *aborted*, and nobody waits any more.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    aborted: CancellationToken,
}

impl Shutdown {
    /// Begins at the first SIGTERM or SIGINT and aborts at the second.
    ///
    /// Must be called within a tokio runtime. Fails where the system lets us handle no signals.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(shutdown.clone().watch(terminate, interrupt));
        Ok(shutdown)
    }

    /// Begins it.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Aborts it, and begins it where nobody has.
    pub fn abort(&self) {
        self.begun.cancel();
        self.aborted.cancel();
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Waits until it is aborted.
    pub async fn aborted(&self) {
        self.aborted.cancelled().await;
    }

    async fn watch(self, mut terminate: Signal, mut interrupt: Signal) {
        let name = either(&mut terminate, &mut interrupt).await;
        info!("{name}: finishing; a second signal stops at once");
        self.begin();
        let name = either(&mut terminate, &mut interrupt).await;
        warn!("{name} again: stopping at once");
        self.abort();
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_learns_that_it_has_begun() {
        let shutdown = Shutdown::default();
        let other = shutdown.clone();
        assert!(!other.has_begun());
        shutdown.begin();
        other.begun().await;
        assert!(other.has_begun());
        assert!(!other.aborted.is_cancelled());
    }

    #[tokio::test]
    async fn what_is_aborted_has_begun() {
        let shutdown = Shutdown::default();
        shutdown.abort();
        shutdown.begun().await;
        shutdown.aborted().await;
    }
}
