//! What a request asks of the Kubernetes API, in the terms in which RBAC is written.
//!
//! The rules are those of `RequestInfoFactory.NewRequestInfo`, in
//! `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`.

#[cfg(test)]
mod tests;

use std::fmt;

use http::{Method, Uri};

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads all objects, of a namespace or of the cluster.
    List,
    /// Follows the changes of objects.
    Watch,
    /// Makes an object, or posts to a subresource.
    Create,
    /// Replaces an object.
    Update,
    /// Changes an object; server-side apply too.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes all objects that are selected.
    DeleteCollection,
    /// The method, in lower case, of a request for a path that is no resource, or one that the
    /// API server has no verb for.
    Method(String),
}

impl Verb {
    /// As it stands in the rules of a Role.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Method(method) => method,
        }
    }

    fn of_resource(method: &Method, named: bool, watched: bool) -> Self {
        match *method {
            Method::GET | Method::HEAD if named => Self::Get,
            Method::GET | Method::HEAD if watched => Self::Watch,
            Method::GET | Method::HEAD => Self::List,
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::PATCH => Self::Patch,
            Method::DELETE if named => Self::Delete,
            Method::DELETE => Self::DeleteCollection,
            _ => Self::of_path(method),
        }
    }

    fn of_path(method: &Method) -> Self {
        Self::Method(method.as_str().to_ascii_lowercase())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a request asks for, as RBAC sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// What is done.
    pub verb: Verb,
    /// The API group; empty for the core group and for a path that is no resource.
    pub group: String,
    /// The version in that group; empty for a path that is no resource.
    pub version: String,
    /// The resource as a Role names it, with its subresource: `services`,
    /// `maintenancewindows/status`. A path that is no resource stands here as it is: `/readyz`.
    pub resource: String,
    /// The namespace, if the request is for one; for a Namespace its own name.
    pub namespace: Option<String>,
    /// The name of the object, if the request is for one.
    pub name: Option<String>,
    /// Whether the API server is asked to store nothing.
    pub dry_run: bool,
}

/// Subresources of a Namespace, which look like resources in it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Groups whose objects are questions that are created, answered and not stored.
const GROUPS_OF_QUESTIONS: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

impl RequestInfo {
    /// Reads method, path and query.
    pub fn parse(method: &Method, uri: &Uri) -> Self {
        let parts: Vec<&str> = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                Self::of_resource(method, uri, "", version, rest)
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                Self::of_resource(method, uri, group, version, rest)
            }
            _ => Self::of_path(method, uri),
        }
    }

    /// Whether it changes what is stored, if the API server grants it.
    pub fn is_write(&self) -> bool {
        let writes = matches!(
            self.verb,
            Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection
        );
        let stores = !GROUPS_OF_QUESTIONS.contains(&self.group.as_str())
            && self.resource != "serviceaccounts/token";
        writes && stores && !self.dry_run
    }

    fn of_path(method: &Method, uri: &Uri) -> Self {
        Self {
            verb: Verb::of_path(method),
            group: String::new(),
            version: String::new(),
            resource: uri.path().to_owned(),
            namespace: None,
            name: None,
            dry_run: false,
        }
    }

    fn of_resource(method: &Method, uri: &Uri, group: &str, version: &str, rest: &[&str]) -> Self {
        let (watched, rest) = match rest {
            // The form before `?watch`, deprecated and still served.
            ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
            _ => (false, rest),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, inside, ..] if !NAMESPACE_SUBRESOURCES.contains(inside) => {
                (Some(*namespace), &rest[2..])
            }
            ["namespaces", namespace, ..] => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let (resource, name) = match rest {
            [resource, name, subresource, ..] => (format!("{resource}/{subresource}"), Some(*name)),
            [resource, name] => ((*resource).to_owned(), Some(*name)),
            _ => (rest.concat(), None),
        };
        let verb = if watched {
            Verb::Watch
        } else {
            let watched = parameter(uri, "watch").is_some_and(is_true);
            Verb::of_resource(method, name.is_some(), watched)
        };
        Self {
            verb,
            group: group.to_owned(),
            version: version.to_owned(),
            resource,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            dry_run: parameter(uri, "dryRun").is_some_and(|value| !value.is_empty()),
        }
    }
}

impl fmt::Display for RequestInfo {
    /// `patch apps/deployments/status shop/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.verb)?;
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        f.write_str(&self.resource)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (Some(namespace), None) => write!(f, " {namespace}/"),
            (None, Some(name)) => write!(f, " {name}"),
            (None, None) => Ok(()),
        }
    }
}

/// The value of a query parameter, the first one if it is repeated.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// As `Convert_Slice_string_To_bool` of `k8s.io/apimachinery/pkg/runtime/conversion.go` has it:
/// a parameter that is there is true unless it says that it is not.
fn is_true(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}
