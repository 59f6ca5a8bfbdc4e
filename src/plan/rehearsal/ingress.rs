//! The rehearsal of an Ingress.
//!
//! Its host is 128 random bits below `.invalid`, which no resolver knows (RFC 6761 section 6.4), and
//! its paths are exact ones with a `?` in them, which the path of no request has (RFC 3986 section
//! 3.3): nobody is answered over it, not even who can read it.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressSpec,
};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::{Rehearsable, Serving};
use crate::api::target::TargetKind;
use crate::plan::controllers::of_ingress_class;
use crate::plan::edit::Rehearsal;
use crate::plan::{ingress, route};

/// The annotation by which an Ingress named its class before there was a field for it, and which
/// some controllers still go by.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What the host of a rehearsal ends with.
const NOWHERE: &str = ".invalid";

impl From<Ingress> for Rehearsal {
    fn from(rehearsal: Ingress) -> Self {
        Self::Ingress(Box::new(rehearsal))
    }
}

impl Rehearsable for Ingress {
    const KIND: TargetKind = TargetKind::Ingress;

    const MOST: usize = usize::MAX;

    type Backend = IngressBackend;

    fn served_by(&self, controller_of: &dyn Fn(&str) -> Option<String>) -> Vec<Serving> {
        vec![controller(self, controller_of)]
    }

    fn originals(&self, bridges: &BTreeSet<String>) -> Vec<IngressBackend> {
        ingress::originals(self, bridges)
    }

    fn to_bridge(name: &str) -> IngressBackend {
        ingress::to_bridge(name)
    }

    fn leads_only_to(&self, bridge: &str) -> bool {
        route::leads_only_to(self, bridge)
    }

    fn known(&self) -> Vec<IngressBackend> {
        let rules = self.spec.iter().filter_map(|spec| spec.rules.as_ref());
        let paths = rules.flatten().filter_map(|rule| rule.http.as_ref());
        paths
            .flat_map(|http| &http.paths)
            .map(|path| path.backend.clone())
            .collect()
    }

    fn secret(&self) -> Option<&str> {
        let rules = self.spec.as_ref()?.rules.as_ref()?;
        rules.first()?.host.as_deref()?.strip_suffix(NOWHERE)
    }

    fn served_at(&self) -> Value {
        json!({ "class": class(self) })
    }

    fn annotations(&self) -> Vec<(&'static str, String)> {
        let annotations = self.metadata.annotations.as_ref();
        let class = annotations.and_then(|annotations| annotations.get(CLASS_ANNOTATION));
        let class = class.map(|class| (CLASS_ANNOTATION, class.clone()));
        class.into_iter().collect()
    }

    fn rehearsed(
        &self,
        metadata: ObjectMeta,
        secret: &str,
        backends: &[IngressBackend],
        _: &IngressBackend,
    ) -> Self {
        let paths = backends.iter().enumerate();
        let paths = paths.map(|(number, backend)| HTTPIngressPath {
            path: Some(format!("/.entracte/{number}?")),
            path_type: "Exact".to_owned(),
            backend: backend.clone(),
        });
        let theirs = self.spec.as_ref();
        let spec = IngressSpec {
            ingress_class_name: theirs.and_then(|spec| spec.ingress_class_name.clone()),
            rules: Some(vec![IngressRule {
                host: Some(format!("{secret}{NOWHERE}")),
                http: Some(HTTPIngressRuleValue {
                    paths: paths.collect(),
                }),
            }]),
            ..IngressSpec::default()
        };
        Self {
            metadata,
            spec: Some(spec),
            status: None,
        }
    }
}

/// The class of an Ingress.
fn class(ingress: &Ingress) -> Option<&str> {
    let field = ingress.spec.as_ref()?.ingress_class_name.as_deref();
    field.or_else(|| {
        let annotations = ingress.metadata.annotations.as_ref()?;
        annotations.get(CLASS_ANNOTATION).map(String::as_str)
    })
}

fn controller(ingress: &Ingress, controller_of: &dyn Fn(&str) -> Option<String>) -> Serving {
    let class = class(ingress).ok_or("the Ingress names no class")?;
    let controller = controller_of(class)
        .ok_or_else(|| format!("there is no IngressClass {class} that names its controller"))?;
    of_ingress_class(&controller).ok_or_else(|| {
        format!("nothing is known of {controller}, the controller of the IngressClass {class}")
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::edit::Edit;
    use crate::plan::rehearsal::{Demand, Need, UNREHEARSED, plan};
    use crate::plan::testing::object;

    fn demand(spec: &str, controller: Option<&str>) -> (bool, Option<String>) {
        let ingress: Ingress = object(&format!("{{metadata: {{name: web}}, spec: {spec}}}"));
        let served_by = ingress.served_by(&|_| controller.map(str::to_owned));
        let Demand { is_needed, missed } = Demand::of(&served_by);
        let said = missed.map(|reason| {
            assert_eq!(reason.word, UNREHEARSED);
            let (why, _) = reason.message.split_once(';').unwrap();
            why.to_owned()
        });
        (is_needed, said)
    }

    #[test]
    fn the_controller_of_its_class_says_whether_it_is_needed() {
        let spec = "{ingressClassName: c}";
        let missed = |why: &str| (false, Some(format!("no rehearsal is made: {why}")));
        for (spec, controller, expected) in [
            (spec, Some("projectcontour.io/x/y"), (true, None)),
            (spec, Some("traefik.io/ingress-controller"), (false, None)),
            (
                spec,
                Some("k8s.io/ingress-nginx"),
                missed("nobody has tried it with ingress-nginx"),
            ),
            (
                spec,
                Some("example.com/x"),
                missed("nothing is known of example.com/x, the controller of the IngressClass c"),
            ),
            (
                spec,
                None,
                missed("there is no IngressClass c that names its controller"),
            ),
            (
                "{}",
                Some("projectcontour.io"),
                missed("the Ingress names no class"),
            ),
        ] {
            assert_eq!(demand(spec, controller), expected);
        }
    }

    /// The rehearsal of a target, as it is made.
    fn made(target: &Ingress, secret: &str) -> Ingress {
        let bridges = BTreeSet::from(["entracte-w".to_owned()]);
        let need = Need::Stand {
            target,
            bridges: &bridges,
            originals: &target.originals(&bridges),
            secret,
        };
        let plan = plan("shop", "r", None, need, DateTime::UNIX_EPOCH);
        let [Edit::CreateRehearsal(Rehearsal::Ingress(made))] = &plan.edits[..] else {
            panic!("{plan:?}")
        };
        (**made).clone()
    }

    #[test]
    fn no_request_has_its_host_or_its_paths() {
        let secret = "0123456789abcdef0123456789abcdef";
        let web = object(
            "{metadata: {name: web}, spec: {ingressClassName: c, defaultBackend: {service: {name: x}}}}",
        );
        let made = made(&web, secret);
        assert_eq!(class(&made), Some("c"));
        let rules = made.spec.unwrap().rules.unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].host, Some(format!("{secret}.invalid")));
        let paths = &rules[0].http.as_ref().unwrap().paths;
        assert_eq!(paths.len(), 2);
        for path in paths {
            assert_eq!(path.path_type, "Exact");
            assert!(path.path.as_ref().unwrap().contains('?'), "{path:?}");
        }
    }

    #[test]
    fn the_class_of_an_old_ingress_is_in_an_annotation() {
        let old: Ingress = object(
            "{metadata: {name: web, annotations: {kubernetes.io/ingress.class: contour}}, spec: {}}",
        );
        assert_eq!(class(&old), Some("contour"));
        assert_eq!(class(&made(&old, "x")), Some("contour"));
    }
}
