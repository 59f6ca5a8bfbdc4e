//! Step 9: tell in an Event of a window that is refused, and of a target that cannot be given back
//! when there is no window any more to say so. Touches the cluster: creates Events.
//!
//! An Event is what stands below `kubectl describe`, and what tools that watch a cluster pick up.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::api::names;
use crate::plan::Holdable;

/// What an Event has room for, in bytes (`events.k8s.io/v1`).
const LONGEST_NOTE: usize = 1024;

/// Says once what is wrong with a window. A failure is logged and no more: the status says it too.
pub(super) async fn refused(client: &Client, window: &ObjectMeta, sentence: &str) {
    let version = format!("{}/v1alpha1", names::GROUP);
    let window = reference(version, "MaintenanceWindow", window);
    publish(client, &window, "Refused", "Parse", sentence).await;
}

/// Says once that a target cannot be given back, of which no window speaks any more.
pub(super) async fn stays(client: &Client, target: &dyn Holdable, sentence: &str) {
    let kind = target.kind();
    let version = match kind.group() {
        "" => kind.version().to_owned(),
        group => format!("{group}/{}", kind.version()),
    };
    let target = reference(version, kind.as_str(), target.metadata());
    publish(client, &target, "NotReleased", "Release", sentence).await;
}

async fn publish(
    client: &Client,
    regarding: &ObjectReference,
    reason: &str,
    action: &str,
    sentence: &str,
) {
    let event = Event {
        type_: EventType::Warning,
        reason: reason.to_owned(),
        note: Some(shortened(sentence)),
        action: action.to_owned(),
        secondary: None,
    };
    let reporter = Reporter {
        controller: names::GROUP.to_owned(),
        instance: None,
    };
    // A recorder that is kept would count a second refusal as a repetition of the first one, and
    // say the first one's sentence again.
    let recorder = Recorder::new(client.clone(), reporter);
    if let Err(error) = recorder.publish(&event, regarding).await {
        let name = regarding.name.as_deref().unwrap_or_default();
        tracing::warn!(name, %error, sentence, "cannot create an Event");
    }
}

fn reference(api_version: String, kind: &str, metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(api_version),
        kind: Some(kind.to_owned()),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
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
