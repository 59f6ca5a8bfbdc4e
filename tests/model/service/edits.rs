//! What people and tools write to a Service and its slices.

use entracte::api::names;
use serde_json::json;

use super::{Cart, forget};
use crate::cluster::state::Contents;
use crate::kind::UserEdit;
use crate::store::Id;

impl Cart {
    pub(super) fn edits_of(&mut self, server: Contents, truth: Id) -> Vec<UserEdit> {
        let [Some(service), ours, platform] = server else {
            return Vec::new();
        };
        let mut edits = Vec::new();
        let mut put = |name, leaves: Contents, truth| {
            edits.push(UserEdit {
                name,
                leaves,
                truth,
            });
        };
        let is_robbed = self.is_robbed;
        let uid = self.uid_of(service);
        let user = self.user("cart", &uid);
        // A forced server-side apply: the selector is atomic, the label is not the applier's.
        let forced = self.services.edited(service, |value| {
            value["spec"]["selector"] = json!({"app": "cart"});
        });
        put("applies by force", [Some(forced), ours, platform], user);
        put("replaces the manifest", [Some(user), ours, platform], user);
        let edited = self.services.edited(service, |value| {
            value["spec"]["selector"]["app"] = json!("basket");
        });
        let basket = self.user("basket", &uid);
        put("edits the selector", [Some(edited), ours, platform], basket);
        let unlabelled = self.services.edited(service, |value| {
            forget(&mut value["metadata"]["labels"], names::HELD_LABEL);
        });
        put(
            "takes the label away",
            [Some(unlabelled), ours, platform],
            truth,
        );
        if is_robbed {
            put("deletes our slice", [Some(service), None, platform], truth);
        }
        if uid == "u1" {
            // Our slice stays behind, as after `--cascade=orphan`.
            let anew = self.user("cart", "u2");
            let empty = platform.map(|slice| self.emptied(slice));
            put(
                "deletes it and makes it anew",
                [Some(anew), ours, empty],
                anew,
            );
        }
        edits
    }

    fn emptied(&mut self, slice: Id) -> Id {
        self.slices
            .edited(slice, |value| value["endpoints"] = json!([]))
    }
}
