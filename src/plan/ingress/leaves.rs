//! The backends of an Ingress, each with what it stands under.

use std::fmt;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use serde::{Deserialize, Serialize};

/// What names a backend within its Ingress, whatever is inserted before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
pub(super) enum Place {
    /// `spec.rules[].http.paths[]`
    #[serde(rename_all = "camelCase")]
    Path {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        path_type: String,
        /// How many equal ones stand before it: duplicates are allowed.
        #[serde(default, skip_serializing_if = "is_zero")]
        occurrence: usize,
    },
    /// `spec.defaultBackend`
    Default {
        /// Always true: it makes the record read well.
        default: bool,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(occurrence: &usize) -> bool {
    *occurrence == 0
}

impl Place {
    pub(super) const DEFAULT: Self = Self::Default { default: true };

    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Self::Path { host, .. } => host.as_deref(),
            Self::Default { .. } => None,
        }
    }

    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Path { path, .. } => path.as_deref(),
            Self::Default { .. } => None,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Path {
                    host,
                    path,
                    path_type,
                    ..
                },
                Self::Path {
                    host: h,
                    path: p,
                    path_type: t,
                    ..
                },
            ) => host == h && path == p && path_type == t,
            (Self::Default { .. }, Self::Default { .. }) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { .. } => f.write_str("the default backend"),
            Self::Path { host, path, .. } => write!(
                f,
                "the backend of {}{}",
                host.as_deref().unwrap_or("*"),
                path.as_deref().unwrap_or("/")
            ),
        }
    }
}

/// One backend.
#[derive(Debug, Clone)]
pub(super) struct Leaf<'a> {
    pub(super) place: Place,
    /// Rule and path, for the patch; `None` for the default backend.
    pub(super) index: Option<(usize, usize)>,
    pub(super) backend: &'a IngressBackend,
}

impl<'a> Leaf<'a> {
    pub(super) fn service(&self) -> Option<&'a str> {
        self.backend
            .service
            .as_ref()
            .map(|service| service.name.as_str())
    }
}

/// Every backend of `ingress`, the default one first.
pub(super) fn leaves(ingress: &Ingress) -> Vec<Leaf<'_>> {
    let Some(spec) = &ingress.spec else {
        return Vec::new();
    };
    let mut leaves: Vec<Leaf<'_>> = Vec::new();
    if let Some(backend) = &spec.default_backend {
        leaves.push(Leaf {
            place: Place::DEFAULT,
            index: None,
            backend,
        });
    }
    for (rule_index, rule) in spec.rules.iter().flatten().enumerate() {
        for (path_index, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
            let mut place = Place::Path {
                host: rule.host.clone(),
                path: path.path.clone(),
                path_type: path.path_type.clone(),
                occurrence: 0,
            };
            let before = leaves
                .iter()
                .filter(|leaf| leaf.place.is_like(&place))
                .count();
            if let Place::Path { occurrence, .. } = &mut place {
                *occurrence = before;
            }
            let index = Some((rule_index, path_index));
            leaves.push(Leaf {
                place,
                index,
                backend: &path.backend,
            });
        }
    }
    leaves
}
