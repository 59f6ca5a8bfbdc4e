//! Step 9: tell of a refusal in an Event. Touches the cluster: creates Events.
//!
//! The status says it as well, for as long as it is so. An Event is what stands below
//! `kubectl describe`, and what tools that watch a cluster pick up.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::api::names;

/// What an Event has room for, in bytes (`events.k8s.io/v1`).
const LONGEST_NOTE: usize = 1024;

/// Says once what is wrong with a window. A failure is logged and no more: the status says it too.
pub(super) async fn refused(client: &Client, window: &ObjectMeta, sentence: &str) {
    let event = Event {
        type_: EventType::Warning,
        reason: "Refused".to_owned(),
        note: Some(shortened(sentence)),
        action: "Parse".to_owned(),
        secondary: None,
    };
    let reporter = Reporter {
        controller: names::GROUP.to_owned(),
        instance: None,
    };
    // A recorder that is kept would count a second refusal as a repetition of the first one, and
    // say the first one's sentence again.
    let recorder = Recorder::new(client.clone(), reporter);
    if let Err(error) = recorder.publish(&event, &reference(window)).await {
        let name = window.name.as_deref().unwrap_or_default();
        tracing::warn!(name, %error, "cannot create an Event; the status says the same");
    }
}

fn reference(window: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{}/v1alpha1", names::GROUP)),
        kind: Some("MaintenanceWindow".to_owned()),
        namespace: window.namespace.clone(),
        name: window.name.clone(),
        uid: window.uid.clone(),
        resource_version: window.resource_version.clone(),
        field_path: None,
    }
}

fn shortened(sentence: &str) -> String {
    if sentence.len() <= LONGEST_NOTE {
        return sentence.to_owned();
    }
    let room = LONGEST_NOTE - '…'.len_utf8();
    let whole = sentence
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= room);
    whole.map(|(_, c)| c).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(1000));
        assert!(long.len() <= LONGEST_NOTE && long.ends_with("é…"), "{long}");
    }
}
