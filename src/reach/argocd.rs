//! Whether Argo CD tracks an object. PURE.
//!
//! It cannot be told to leave one object alone, and with self-heal undoes within a second what was
//! patched (Argo CD, user guide: resource tracking, automated sync).

use std::fmt;

use kube::core::ObjectMeta;

use crate::api::target::TargetKind;
use crate::plan::ownership;

/// The annotation by which Argo CD finds what is its own, unless it is told otherwise.
const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";

/// The label that its documentation proposes where labels are used instead. The one that it uses
/// without that, `app.kubernetes.io/instance`, says nothing: most Helm charts set it too.
const INSTANCE_LABEL: &str = "argocd.argoproj.io/instance";

/// The names under which it writes (`common.ArgoCDSSAManager`; the name of its binary).
const MANAGERS: [&str; 2] = ["argocd-controller", "argocd-application-controller"];

/// By what it is seen that Argo CD tracks an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// An annotation of this name.
    Annotation(&'static str),
    /// A label of this name.
    Label(&'static str),
    /// The field manager that wrote what a hold would patch.
    Manager(&'static str),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(name) => write!(f, "annotation {name}"),
            Self::Label(name) => write!(f, "label {name}"),
            Self::Manager(name) => write!(f, "field manager {name}"),
        }
    }
}

/// By what it is seen that Argo CD tracks an object of this kind; `None` where it does not seem to.
pub(super) fn sign(kind: TargetKind, metadata: &ObjectMeta) -> Option<Sign> {
    let annotations = metadata.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(TRACKING_ANNOTATION)) {
        return Some(Sign::Annotation(TRACKING_ANNOTATION));
    }
    let labels = metadata.labels.as_ref();
    if labels.is_some_and(|labels| labels.contains_key(INSTANCE_LABEL)) {
        return Some(Sign::Label(INSTANCE_LABEL));
    }
    let owners = ownership::owners(kind, metadata);
    let owns = |manager: &&str| {
        let mut owners = owners.iter();
        owners.any(|owner| owner.manager.as_deref() == Some(*manager))
    };
    MANAGERS.into_iter().find(owns).map(Sign::Manager)
}
