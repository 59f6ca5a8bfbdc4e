//! The backends of an Ingress, each with what it stands under.

use std::fmt;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressRule};
use serde::{Deserialize, Serialize};

use super::Backend;
use crate::plan::route::{self, Leaf};

/// What names a backend within its Ingress, whatever is inserted before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
pub(in crate::plan) enum Place {
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
    const DEFAULT: Self = Self::Default { default: true };

    fn host(&self) -> Option<&str> {
        match self {
            Self::Path { host, .. } => host.as_deref(),
            Self::Default { .. } => None,
        }
    }

    fn path(&self) -> Option<&str> {
        match self {
            Self::Path { path, .. } => path.as_deref(),
            Self::Default { .. } => None,
        }
    }
}

impl route::Place for Place {
    fn is_like(&self, other: &Self) -> bool {
        self.clone().nth(0) == other.clone().nth(0)
    }

    fn occurrence(&self) -> usize {
        match self {
            Self::Path { occurrence, .. } => *occurrence,
            Self::Default { .. } => 0,
        }
    }

    fn nth(mut self, nth: usize) -> Self {
        if let Self::Path { occurrence, .. } = &mut self {
            *occurrence = nth;
        }
        self
    }

    /// By host and path, by path, by host.
    fn nearest<'p>(&self, relatives: &[&'p Self]) -> Option<&'p Self> {
        let same_host = |other: &Self| other.host() == self.host();
        let same_path = |other: &Self| other.path() == self.path();
        let find = |related: &dyn Fn(&Self) -> bool| {
            let mut paths = relatives.iter().filter(|other| ***other != Self::DEFAULT);
            paths.find(|other| related(other)).copied()
        };
        find(&|other| same_host(other) && same_path(other))
            .or_else(|| find(&same_path))
            .or_else(|| find(&same_host))
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

/// Every backend of `ingress`, the default one first.
pub(super) fn leaves(ingress: &Ingress) -> Vec<Leaf<Ingress>> {
    let Some(spec) = &ingress.spec else {
        return Vec::new();
    };
    let default = spec.default_backend.iter().map(|backend| Leaf {
        place: Place::DEFAULT,
        path: vec!["spec".to_owned(), "defaultBackend".to_owned()],
        stands: Backend {
            backend: backend.clone(),
        },
    });
    let rules = spec.rules.iter().flatten().enumerate();
    let paths = rules.flat_map(|(at, rule)| {
        let paths = rule.http.iter().flat_map(|http| &http.paths);
        paths
            .enumerate()
            .map(move |(within, path)| under_a_path((at, rule), (within, path)))
    });
    route::told_apart(default.chain(paths))
}

fn under_a_path(
    (at, rule): (usize, &IngressRule),
    (within, path): (usize, &HTTPIngressPath),
) -> Leaf<Ingress> {
    let (at, within) = (at.to_string(), within.to_string());
    let tokens = ["spec", "rules", &at, "http", "paths", &within, "backend"];
    Leaf {
        place: Place::Path {
            host: rule.host.clone(),
            path: path.path.clone(),
            path_type: path.path_type.clone(),
            occurrence: 0,
        },
        path: tokens.map(str::to_owned).into(),
        stands: Backend {
            backend: path.backend.clone(),
        },
    }
}
