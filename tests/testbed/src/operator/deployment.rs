//! What a Deployment of `deploy/` says of its pods: the testbed runs just that.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, EnvVar},
};
use kube::Api;

use super::{InstallError, NAMESPACE};
use crate::{cluster::Cluster, pod::PodTemplate};

/// What the pods of a Deployment run.
#[derive(Clone, Debug)]
pub(super) struct PodRecipe {
    /// The Deployment, by which its pods are named.
    pub(super) deployment: String,
    /// What their objects say.
    pub(super) template: PodTemplate,
    /// What their only container is called with.
    pub(super) arguments: Vec<String>,
    /// The environment of their only container.
    pub(super) environment: BTreeMap<String, String>,
}

impl PodRecipe {
    /// Reads an installed Deployment.
    pub(super) async fn read(cluster: &Cluster, deployment: &str) -> Result<Self, InstallError> {
        let api: Api<Deployment> = Api::namespaced(cluster.client().clone(), NAMESPACE);
        let template = api.get(deployment).await?.spec.map(|spec| spec.template);
        let (metadata, spec) = template
            .map(|template| (template.metadata, template.spec))
            .unwrap_or_default();
        let template = PodTemplate {
            labels: metadata
                .and_then(|metadata| metadata.labels)
                .unwrap_or_default(),
            spec: spec.unwrap_or_default(),
        };
        let [container] = template.spec.containers.as_slice() else {
            return Err(InstallError::Containers(deployment.to_owned()));
        };
        Ok(Self {
            deployment: deployment.to_owned(),
            arguments: container.args.clone().unwrap_or_default(),
            environment: environment(container)?,
            template,
        })
    }
}

fn environment(container: &Container) -> Result<BTreeMap<String, String>, InstallError> {
    let variables = container.env.iter().flatten();
    variables
        .map(|variable| match value(variable) {
            Some(value) => Ok((variable.name.clone(), value)),
            None => Err(InstallError::Environment(variable.name.clone())),
        })
        .collect()
}

/// A kubelet knows more sources than the literal and the namespace; `deploy/` uses these.
fn value(variable: &EnvVar) -> Option<String> {
    let Some(source) = &variable.value_from else {
        return Some(variable.value.clone().unwrap_or_default());
    };
    let field = source.field_ref.as_ref()?;
    (field.field_path == "metadata.namespace").then(|| NAMESPACE.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn container_with(env: &Value) -> Container {
        serde_json::from_value(json!({"name": "backend", "env": env})).unwrap()
    }

    #[test]
    fn the_namespace_comes_from_the_pod() {
        let field = json!({"fieldRef": {"fieldPath": "metadata.namespace"}});
        let container = container_with(&json!([{"name": "POD_NAMESPACE", "valueFrom": field}]));
        assert_eq!(
            environment(&container).unwrap()["POD_NAMESPACE"],
            "entracte-system"
        );
    }

    #[test]
    fn a_source_that_the_testbed_does_not_know_is_refused_by_name() {
        let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        let container = container_with(&json!([{"name": "TOKEN", "valueFrom": secret}]));
        let error = environment(&container).unwrap_err().to_string();
        assert!(error.contains("TOKEN"), "{error}");
    }
}
