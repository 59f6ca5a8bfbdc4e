//! The objects of an app, as a user writes them.

use std::net::IpAddr;

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use kube::{
    Api,
    api::{DynamicObject, PostParams},
};
use serde_json::json;

use super::{App, AppError, PORT, SERVICE_PORT};
use crate::cluster::{Cluster, GATEWAYS, Proxy, gateway_resource};

pub(super) async fn create_service(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<IpAddr, AppError> {
    let api: Api<Service> = Api::namespaced(cluster.client().clone(), namespace);
    let service = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": PORT}],
        },
    }));
    let service = service.map_err(kube::Error::SerdeError)?;
    let created = api.create(&PostParams::default(), &service).await?;
    let address = created.spec.and_then(|spec| spec.cluster_ip);
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| AppError::NoClusterIp(name.to_owned()))
}

pub(super) async fn create_ingress(app: &App, proxy: Proxy) -> Result<(), AppError> {
    let api: Api<Ingress> = Api::namespaced(app.cluster.client().clone(), &app.namespace);
    let backend = json!({"service": {"name": app.name, "port": {"name": "http"}}});
    let ingress = serde_json::from_value(json!({
        "metadata": {"name": app.name, "labels": {"app": app.name}},
        "spec": {
            "ingressClassName": proxy.name(),
            "rules": [{
                "host": app.host(),
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }],
        },
    }));
    let ingress = ingress.map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &ingress).await?;
    Ok(())
}

pub(super) async fn create_http_route(app: &App, proxy: Proxy) -> Result<(), AppError> {
    let client = app.cluster.client().clone();
    let resource = gateway_resource("HTTPRoute");
    let api: Api<DynamicObject> = Api::namespaced_with(client, &app.namespace, &resource);
    let route = serde_json::from_value(json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": app.name, "labels": {"app": app.name}},
        "spec": {
            "parentRefs": [{"name": proxy.name(), "namespace": GATEWAYS}],
            "hostnames": [app.host()],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": app.name, "port": SERVICE_PORT}],
            }],
        },
    }));
    let route = route.map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &route).await?;
    Ok(())
}
