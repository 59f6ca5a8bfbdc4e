//! Flux is told to look away from an object while it is held.
//!
//! PURE. Flux applies by force at each of its intervals, unless the live object bears an annotation
//! that says not to. (`fluxcd/pkg/ssa`, `ResourceManager.shouldSkipApply`, and `jsondiff`, which
//! both look at the live object.) What the hold annotated is written down beside what it put in the
//! place of the user's, so that the release takes away that and no more: where the annotation was
//! there before, it is the user's.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;

type Map = BTreeMap<String, String>;

/// The label of what Flux manages, and the annotation that it obeys there.
const WORDS: [(&str, &str); 2] = [
    (
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/reconcile",
    ),
    (
        "helm.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/driftDetection",
    ),
];

/// The value of each annotation that tells Flux to look away.
const DISABLED: &str = "disabled";

/// Whether Flux manages the object, and nobody has told it to look away.
pub fn watches(metadata: &ObjectMeta) -> bool {
    !to_tell(metadata).is_empty()
}

/// The annotations that the object lacks for Flux to look away.
pub(super) fn to_tell(metadata: &ObjectMeta) -> Vec<&'static str> {
    let bears =
        |map: &Option<Map>, key: &str| map.as_ref().is_some_and(|map| map.contains_key(key));
    WORDS
        .iter()
        .filter(|(label, _)| bears(&metadata.labels, label))
        .filter(|(_, annotation)| !bears(&metadata.annotations, annotation))
        .map(|(_, annotation)| *annotation)
        .collect()
}

/// The changes of annotations that tell Flux to look away.
pub(super) fn telling<'a>(
    annotations: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = (&'a str, Option<&'static str>)> {
    let disabled = |annotation| (annotation, Some(DISABLED));
    annotations.into_iter().map(disabled)
}

/// The changes of annotations that take back what Flux was `told`. What somebody has changed since
/// is theirs.
pub(super) fn taking_back<'a>(
    told: &'a [String],
    metadata: &ObjectMeta,
) -> impl Iterator<Item = (&'a str, Option<&'static str>)> {
    let stands = |key: &str| {
        let value = metadata.annotations.as_ref().and_then(|map| map.get(key));
        value.map(String::as_str) == Some(DISABLED) && WORDS.iter().any(|(_, word)| *word == key)
    };
    let told = told.iter().map(String::as_str);
    let ours: Vec<&str> = told.filter(|key| stands(key)).collect();
    ours.into_iter().map(|key| (key, None))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::api::networking::v1::Ingress;
    use serde_json::json;

    use super::*;
    use crate::api::httproute::HttpRoute;
    use crate::plan::Holdable;
    use crate::plan::edit::Edit;
    use crate::plan::testing::{endpoints, held, object, plan_of};

    const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
    const HELM: &str = "helm.toolkit.fluxcd.io/driftDetection";

    fn metadata(labels: &str, annotations: &str) -> ObjectMeta {
        let yaml = format!("{{metadata: {{labels: {labels}, annotations: {annotations}}}}}");
        object::<Service>(&yaml).metadata
    }

    #[test]
    fn flux_is_told_of_what_it_manages_and_of_nothing_else() {
        let told = |labels| to_tell(&metadata(labels, "{}"));
        assert_eq!(told("{app: web}"), [""; 0]);
        assert_eq!(
            told("{kustomize.toolkit.fluxcd.io/name: apps}"),
            [KUSTOMIZE]
        );
        assert_eq!(told("{helm.toolkit.fluxcd.io/name: web}"), [HELM]);
        assert_eq!(
            told("{kustomize.toolkit.fluxcd.io/name: a, helm.toolkit.fluxcd.io/name: b}"),
            [KUSTOMIZE, HELM]
        );
    }

    /// Were it another one, an interval between the two would undo the hold.
    #[test]
    fn flux_is_told_by_the_patch_that_holds_and_by_no_other() {
        let metadata = "metadata: {name: web, uid: u1, resourceVersion: '5', labels: \
                        {kustomize.toolkit.fluxcd.io/name: apps}}";
        let of = |spec: &str| format!("{{{metadata}, spec: {spec}}}");
        let service: Service = object(&of("{selector: {app: web}, ports: [{port: 80}]}"));
        let ingress: Ingress = object(&of(
            "{defaultBackend: {service: {name: web, port: {number: 80}}}}",
        ));
        let route: HttpRoute = object(&format!(
            "{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, {metadata}, spec: \
             {{rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}}}"
        ));
        let objects: [&dyn Holdable; 3] = [&service, &ingress, &route];
        for object in objects {
            let plan = plan_of(object, held("entracte-w", &endpoints()));
            let patches = plan.edits.iter().filter_map(|edit| match edit {
                Edit::Patch { patch, .. } => Some(json!(patch)),
                _ => None,
            });
            let [patch] = &patches.collect::<Vec<_>>()[..] else {
                panic!("not one patch: {plan:?}");
            };
            let operations = patch.as_array().unwrap();
            let at = |path: &str| operations.iter().find(|one| one["path"] == path);
            let told = &at("/metadata/annotations").unwrap()["value"];
            assert_eq!(told[KUSTOMIZE], "disabled", "{patch}");
            assert!(told["entracte.dev/hold"].is_string(), "{patch}");
            let is_leaf = |one: &&serde_json::Value| {
                one["path"]
                    .as_str()
                    .is_some_and(|path| path.starts_with("/spec/"))
            };
            assert_eq!(operations.iter().filter(is_leaf).count(), 1, "{patch}");
        }
    }

    #[test]
    fn what_the_user_has_told_flux_is_theirs() {
        let labels = "{kustomize.toolkit.fluxcd.io/name: apps}";
        for value in ["disabled", "enabled"] {
            let annotations = format!("{{{KUSTOMIZE}: {value}}}");
            assert!(!watches(&metadata(labels, &annotations)), "{value}");
        }
        let taken_back = |told: &[String], annotations: &str| {
            let metadata = metadata(labels, annotations);
            let keys = taking_back(told, &metadata).map(|(key, _)| key.to_owned());
            keys.collect::<Vec<_>>()
        };
        let disabled = format!("{{{KUSTOMIZE}: disabled}}");
        let told = [KUSTOMIZE.to_owned()];
        assert_eq!(taken_back(&told, &disabled), told);
        assert_eq!(taken_back(&[], &disabled), [""; 0], "it was there before");
        let enabled = format!("{{{KUSTOMIZE}: enabled}}");
        assert_eq!(taken_back(&told, &enabled), [""; 0], "they changed it");
    }

    #[test]
    fn a_record_that_somebody_wrote_takes_nothing_else_away() {
        let metadata = metadata("{}", "{important: disabled}");
        let told = ["important".to_owned()];
        assert_eq!(taking_back(&told, &metadata).count(), 0);
    }
}
