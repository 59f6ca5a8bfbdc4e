//! ConfigMaps → the notices that are wanted. Reads the cluster.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use crate::api::names::NOTICE_LABEL;
use crate::notice::{self, Notice};

/// The notices that are wanted, by port.
pub(super) type Notices = BTreeMap<u16, Arc<Notice>>;

/// Why a ConfigMap that bears our label is passed over.
#[derive(Debug, Error)]
enum Error {
    #[error(transparent)]
    Notice(#[from] notice::Error),
    /// Only its name gives a notice the right to its port.
    #[error("it gives port {port}, which belongs to {owner}: delete it")]
    Misnamed { port: u16, owner: String },
}

/// Keeps `wanted` as the cluster has it, for ever; `None` until the first list has arrived.
///
/// While the cluster cannot be reached the last known notices stay. A ConfigMap that is no notice
/// is logged and passed over; where it was one before, what it said then stays.
pub(super) async fn follow(
    client: Client,
    namespace: &str,
    wanted: watch::Sender<Option<Notices>>,
) -> Infallible {
    let selector = format!("{NOTICE_LABEL}=true");
    let api = Api::<ConfigMap>::namespaced(client, namespace);
    let mut ledger = Ledger::default();
    loop {
        let config = watcher::Config::default().labels(&selector);
        let mut events = pin!(watcher(api.clone(), config).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if ledger.record(event) {
                        wanted.send_replace(Some(ledger.notices.clone()));
                    }
                }
                Err(error) => warn!(
                    error = sentence(error),
                    namespace,
                    "cannot watch notices; trying again: check that the API server can be reached \
                     and that the service account may list and watch ConfigMaps"
                ),
            }
        }
    }
}

/// What is known of the cluster.
#[derive(Debug, Default)]
struct Ledger {
    notices: Notices,
    /// The list that is arriving.
    arriving: Notices,
}

impl Ledger {
    /// Records an event; true when `notices` is complete and may have changed.
    fn record(&mut self, event: Event<ConfigMap>) -> bool {
        match event {
            Event::Init => {
                self.arriving.clear();
                false
            }
            Event::InitApply(object) => {
                let known = self
                    .read(&object)
                    .or_else(|| self.known(&object.name_any()));
                self.arriving.extend(known);
                false
            }
            Event::InitDone => {
                self.notices = std::mem::take(&mut self.arriving);
                true
            }
            Event::Apply(object) => {
                let read = self.read(&object);
                let changed = read.is_some();
                self.notices.extend(read);
                changed
            }
            Event::Delete(object) => {
                let known = self.known(&object.name_any());
                known.is_some_and(|(port, _)| self.notices.remove(&port).is_some())
            }
        }
    }

    fn read(&self, object: &ConfigMap) -> Option<(u16, Arc<Notice>)> {
        let name = object.name_any();
        match read(&name, object) {
            Ok(notice) => Some((notice.port, Arc::new(notice))),
            Err(error) => {
                let kept = self.known(&name).is_some();
                warn!(%error, name, kept, "passing over a ConfigMap that is no notice");
                None
            }
        }
    }

    fn known(&self, name: &str) -> Option<(u16, Arc<Notice>)> {
        let mut notices = self.notices.iter();
        let (port, notice) = notices.find(|(port, _)| Notice::object_name(**port) == name)?;
        Some((*port, Arc::clone(notice)))
    }
}

/// What the API server says, where it says anything, without the whole `Status` behind it.
fn sentence(error: watcher::Error) -> String {
    use watcher::Error as E;
    match error {
        E::InitialListFailed(kube::Error::Api(status))
        | E::WatchStartFailed(kube::Error::Api(status))
        | E::WatchFailed(kube::Error::Api(status))
        | E::WatchError(status) => status.message,
        other => other.to_string(),
    }
}

fn read(name: &str, object: &ConfigMap) -> Result<Notice, Error> {
    let nothing = BTreeMap::new();
    let notice = Notice::from_data(object.data.as_ref().unwrap_or(&nothing))?;
    let owner = Notice::object_name(notice.port);
    if owner == name {
        Ok(notice)
    } else {
        Err(Error::Misnamed {
            port: notice.port,
            owner,
        })
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;
    use similar_asserts::assert_eq;

    use super::*;
    use crate::api::names::NOTICE_KEY;
    use crate::notice::WindowRef;

    fn notice(port: u16, message: &str) -> Notice {
        let window = WindowRef {
            namespace: "shop".into(),
            name: "db-upgrade".into(),
        };
        Notice {
            message: Some(message.to_owned()),
            ..Notice::new(window, "1".into(), port)
        }
    }

    fn object(name: String, data: BTreeMap<String, String>) -> ConfigMap {
        let metadata = ObjectMeta {
            name: Some(name),
            ..ObjectMeta::default()
        };
        ConfigMap {
            metadata,
            data: Some(data),
            ..ConfigMap::default()
        }
    }

    fn written(port: u16, message: &str) -> ConfigMap {
        object(Notice::object_name(port), notice(port, message).to_data())
    }

    fn broken(port: u16) -> ConfigMap {
        let data = BTreeMap::from([(NOTICE_KEY.to_owned(), "{".to_owned())]);
        object(Notice::object_name(port), data)
    }

    fn listed(objects: Vec<ConfigMap>) -> Ledger {
        let mut ledger = Ledger::default();
        assert!(!ledger.record(Event::Init));
        for object in objects {
            assert!(!ledger.record(Event::InitApply(object)));
        }
        assert!(ledger.record(Event::InitDone));
        ledger
    }

    fn messages(ledger: &Ledger) -> Vec<(u16, &str)> {
        let notices = ledger.notices.iter();
        notices
            .map(|(port, notice)| (*port, notice.message.as_deref().unwrap()))
            .collect()
    }

    #[test]
    fn the_first_list_is_complete_even_when_it_is_empty() {
        assert_eq!(messages(&listed(vec![])), []);
    }

    #[test]
    fn notices_come_change_and_go() {
        let mut ledger = listed(vec![written(20_001, "one")]);
        assert!(ledger.record(Event::Apply(written(20_002, "two"))));
        assert!(ledger.record(Event::Apply(written(20_001, "uno"))));
        assert_eq!(messages(&ledger), [(20_001, "uno"), (20_002, "two")]);
        assert!(ledger.record(Event::Delete(written(20_001, "uno"))));
        assert_eq!(messages(&ledger), [(20_002, "two")]);
    }

    #[test]
    fn what_a_new_list_does_not_name_is_gone_and_not_before_it_is_complete() {
        let mut ledger = listed(vec![written(20_001, "one"), written(20_002, "two")]);
        assert!(!ledger.record(Event::Init));
        assert!(!ledger.record(Event::InitApply(written(20_002, "two"))));
        assert_eq!(messages(&ledger), [(20_001, "one"), (20_002, "two")]);
        assert!(ledger.record(Event::InitDone));
        assert_eq!(messages(&ledger), [(20_002, "two")]);
    }

    #[test]
    fn a_list_that_broke_off_leaves_nothing_behind() {
        let mut ledger = listed(vec![]);
        assert!(!ledger.record(Event::Init));
        assert!(!ledger.record(Event::InitApply(written(20_001, "one"))));
        assert!(!ledger.record(Event::Init));
        assert!(ledger.record(Event::InitDone));
        assert_eq!(messages(&ledger), []);
    }

    #[test]
    fn a_config_map_that_is_no_notice_does_not_stall_the_others() {
        let mut ledger = listed(vec![broken(20_001), written(20_002, "two")]);
        assert!(!ledger.record(Event::Apply(broken(20_003))));
        assert!(ledger.record(Event::Apply(written(20_004, "four"))));
        assert_eq!(messages(&ledger), [(20_002, "two"), (20_004, "four")]);
    }

    #[test]
    fn a_notice_that_breaks_keeps_what_it_said_until_it_is_deleted() {
        let mut ledger = listed(vec![written(20_001, "one")]);
        assert!(!ledger.record(Event::Apply(broken(20_001))));
        assert_eq!(messages(&ledger), [(20_001, "one")]);
        assert!(!ledger.record(Event::Init));
        assert!(!ledger.record(Event::InitApply(broken(20_001))));
        assert!(ledger.record(Event::InitDone));
        assert_eq!(messages(&ledger), [(20_001, "one")]);
        assert!(ledger.record(Event::Delete(broken(20_001))));
        assert_eq!(messages(&ledger), []);
    }

    #[test]
    fn only_its_name_gives_a_notice_its_port() {
        let thief = || object("other".into(), notice(20_001, "mine").to_data());
        let mut ledger = listed(vec![written(20_001, "one"), thief()]);
        assert!(!ledger.record(Event::Apply(thief())));
        assert!(!ledger.record(Event::Delete(thief())));
        assert_eq!(messages(&ledger), [(20_001, "one")]);
        assert_eq!(
            read("other", &thief()).unwrap_err().to_string(),
            "it gives port 20001, which belongs to entracte-notice-20001: delete it"
        );
    }
}
