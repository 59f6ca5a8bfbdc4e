//! Requests as clients send them, and what RBAC would call them.

use super::*;

fn parse(request: &str) -> RequestInfo {
    let (method, uri) = request.split_once(' ').unwrap();
    RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap())
}

/// The request; then verb, group, version, resource, namespace and name.
type Case = (
    &'static str,
    (&'static str, &'static str, &'static str, &'static str),
    (Option<&'static str>, Option<&'static str>),
);

fn check(cases: &[Case]) {
    for (request, (verb, group, version, resource), (namespace, name)) in cases {
        let info = parse(request);
        assert_eq!(info.verb.as_str(), *verb, "verb of {request}");
        assert_eq!(info.group, *group, "group of {request}");
        assert_eq!(info.version, *version, "version of {request}");
        assert_eq!(info.resource, *resource, "resource of {request}");
        assert_eq!(
            info.namespace.as_deref(),
            *namespace,
            "namespace of {request}"
        );
        assert_eq!(info.name.as_deref(), *name, "name of {request}");
    }
}

#[test]
fn a_verb_follows_from_method_name_and_watch() {
    let mw = ("entracte.dev", "v1alpha1", "maintenancewindows");
    let path = "/apis/entracte.dev/v1alpha1/namespaces/shop/maintenancewindows";
    for (method, rest, verb, name) in [
        ("GET", "/w", "get", Some("w")),
        ("HEAD", "/w", "get", Some("w")),
        ("GET", "", "list", None),
        ("GET", "?limit=500&resourceVersion=0", "list", None),
        ("GET", "?watch=true&timeoutSeconds=290", "watch", None),
        ("GET", "?allowWatchBookmarks=true&watch=1", "watch", None),
        ("GET", "?watch", "watch", None),
        ("GET", "?watch=0", "list", None),
        ("GET", "?watch=False", "list", None),
        ("POST", "?fieldManager=x", "create", None),
        ("PUT", "/w", "update", Some("w")),
        ("PATCH", "/w?fieldManager=x&force=true", "patch", Some("w")),
        ("DELETE", "/w", "delete", Some("w")),
        ("DELETE", "?labelSelector=a", "deletecollection", None),
        ("OPTIONS", "", "options", None),
    ] {
        let info = parse(&format!("{method} {path}{rest}"));
        assert_eq!(info.verb.as_str(), verb, "{method} {rest}");
        assert_eq!(info.name.as_deref(), name, "{method} {rest}");
        assert_eq!((&*info.group, &*info.version, &*info.resource), mw);
    }
}

#[test]
fn a_path_is_group_version_namespace_resource_and_name() {
    check(&[
        (
            "GET /api/v1/namespaces/shop/services/web",
            ("get", "", "v1", "services"),
            (Some("shop"), Some("web")),
        ),
        (
            "GET /api/v1/services?watch=1",
            ("watch", "", "v1", "services"),
            (None, None),
        ),
        (
            "GET /api/v1/nodes/node1",
            ("get", "", "v1", "nodes"),
            (None, Some("node1")),
        ),
        (
            "PATCH /apis/networking.k8s.io/v1/namespaces/shop/ingresses/web",
            ("patch", "networking.k8s.io", "v1", "ingresses"),
            (Some("shop"), Some("web")),
        ),
        (
            "PUT /apis/coordination.k8s.io/v1/namespaces/entracte/leases/controller",
            ("update", "coordination.k8s.io", "v1", "leases"),
            (Some("entracte"), Some("controller")),
        ),
        (
            "POST /apis/events.k8s.io/v1/namespaces/shop/events?",
            ("create", "events.k8s.io", "v1", "events"),
            (Some("shop"), None),
        ),
        (
            "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions/x.entracte.dev",
            (
                "get",
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
            ),
            (None, Some("x.entracte.dev")),
        ),
        (
            "GET /api/v1/watch/namespaces/shop/pods",
            ("watch", "", "v1", "pods"),
            (Some("shop"), None),
        ),
    ]);
}

#[test]
fn a_subresource_belongs_to_its_resource() {
    check(&[
        (
            "PATCH /apis/entracte.dev/v1alpha1/namespaces/shop/maintenancewindows/w/status",
            (
                "patch",
                "entracte.dev",
                "v1alpha1",
                "maintenancewindows/status",
            ),
            (Some("shop"), Some("w")),
        ),
        (
            "POST /api/v1/namespaces/shop/pods/web-1/eviction",
            ("create", "", "v1", "pods/eviction"),
            (Some("shop"), Some("web-1")),
        ),
        (
            "GET /api/v1/namespaces/shop/services/web/proxy/a/b",
            ("get", "", "v1", "services/proxy"),
            (Some("shop"), Some("web")),
        ),
    ]);
}

#[test]
fn a_namespace_is_a_resource_and_is_in_itself() {
    check(&[
        (
            "GET /api/v1/namespaces",
            ("list", "", "v1", "namespaces"),
            (None, None),
        ),
        (
            "DELETE /api/v1/namespaces/shop",
            ("delete", "", "v1", "namespaces"),
            (Some("shop"), Some("shop")),
        ),
        (
            "PUT /api/v1/namespaces/shop/finalize",
            ("update", "", "v1", "namespaces/finalize"),
            (Some("shop"), Some("shop")),
        ),
        (
            "PATCH /api/v1/namespaces/shop/status",
            ("patch", "", "v1", "namespaces/status"),
            (Some("shop"), Some("shop")),
        ),
    ]);
}

#[test]
fn any_other_path_is_no_resource() {
    check(&[
        ("GET /readyz", ("get", "", "", "/readyz"), (None, None)),
        (
            "GET /version?timeout=32s",
            ("get", "", "", "/version"),
            (None, None),
        ),
        ("GET /api", ("get", "", "", "/api"), (None, None)),
        ("GET /api/v1", ("get", "", "", "/api/v1"), (None, None)),
        (
            "GET /apis/apps/v1",
            ("get", "", "", "/apis/apps/v1"),
            (None, None),
        ),
        ("POST /", ("post", "", "", "/"), (None, None)),
    ]);
}

#[test]
fn a_write_changes_what_is_stored() {
    for (request, write) in [
        ("POST /api/v1/namespaces/shop/services", true),
        ("PUT /api/v1/namespaces/shop/services/web", true),
        ("PATCH /api/v1/namespaces/shop/services/web", true),
        ("DELETE /api/v1/namespaces/shop/services/web", true),
        ("DELETE /api/v1/namespaces/shop/services", true),
        ("GET /api/v1/namespaces/shop/services/web", false),
        ("GET /api/v1/services?watch=1", false),
        (
            "PATCH /api/v1/namespaces/shop/services/web?dryRun=All",
            false,
        ),
        (
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            false,
        ),
        (
            "POST /api/v1/namespaces/shop/serviceaccounts/x/token",
            false,
        ),
        ("POST /readyz", false),
    ] {
        assert_eq!(parse(request).is_write(), write, "{request}");
    }
}

#[test]
fn it_reads_as_one_line() {
    for (request, line) in [
        (
            "PATCH /apis/apps/v1/namespaces/shop/deployments/web/status",
            "patch apps/deployments/status shop/web",
        ),
        ("GET /api/v1/namespaces/shop/pods", "list pods shop/"),
        ("GET /api/v1/nodes/node1", "get nodes node1"),
        ("GET /readyz", "get /readyz"),
    ] {
        assert_eq!(parse(request).to_string(), line);
    }
}
