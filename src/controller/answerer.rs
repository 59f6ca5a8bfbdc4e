//! Step 2, continued: who answers for what is held. Does not touch the cluster.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::Context;
use super::observe::Observed;
use crate::plan::backend::Endpoint;
use crate::plan::{Answering, bridge};
use crate::schedule::Window;

/// What a leading window has prepared.
#[derive(Debug)]
pub(super) struct Answerer {
    bridge: String,
    bridge_ready: bool,
    port: Option<u16>,
    endpoints: Vec<Endpoint>,
    backend: Vec<Endpoint>,
}

impl Answerer {
    fn of(window: &Window, context: &Context, observed: &Observed, now: DateTime<Utc>) -> Self {
        let notice = observed
            .notice_of(&window.uid)
            .map(|standing| &standing.notice);
        Self {
            bridge: bridge::name(&window.name),
            bridge_ready: observed
                .bridge_ready_at(&window.name)
                .is_some_and(|at| at <= now),
            port: notice.map(|notice| notice.port),
            endpoints: notice
                .map(|notice| observed.answering(notice, &context.probes))
                .unwrap_or_default(),
            backend: observed.backend.clone(),
        }
    }

    pub(super) fn answering<'a>(&'a self, idle: &'a BTreeSet<String>) -> Answering<'a> {
        Answering {
            bridge: &self.bridge,
            bridge_ready: self.bridge_ready,
            port: self.port,
            endpoints: &self.endpoints,
            backend: &self.backend,
            is_kept: false,
            idle,
        }
    }
}

/// The answerers of the leading windows, by the windows' uid.
pub(super) fn answerers<'w>(
    context: &Context,
    observed: &Observed,
    leading: impl IntoIterator<Item = &'w Window>,
    now: DateTime<Utc>,
) -> HashMap<&'w str, Answerer> {
    let mut answerers = HashMap::new();
    for leading in leading {
        answerers
            .entry(leading.uid.as_str())
            .or_insert_with(|| Answerer::of(leading, context, observed, now));
    }
    answerers
}
