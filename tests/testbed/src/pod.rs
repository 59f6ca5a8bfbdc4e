//! The Pod object of a process. There is no kubelet: we write its status.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::{
    api::core::v1::{Pod, PodSpec},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{cluster::NODE_NAME, network};

/// What a Pod object says of its process.
#[derive(Clone, Debug)]
pub struct PodTemplate {
    /// The labels, by which Services select the pod.
    pub labels: BTreeMap<String, String>,
    /// The rest. The pod is put on our node whatever it says; its image is never run.
    pub spec: PodSpec,
}

/// The Pod object of one process.
#[derive(Clone, Debug)]
pub struct PodObject {
    api: Api<Pod>,
    name: String,
    containers: Vec<String>,
    addresses: Vec<IpAddr>,
    started: Timestamp,
}

impl PodObject {
    /// Creates the object on our node; it runs and is not ready. It has one address, or one of each
    /// family.
    pub async fn create(
        client: &Client,
        namespace: &str,
        name: &str,
        template: PodTemplate,
        addresses: Vec<IpAddr>,
    ) -> kube::Result<Self> {
        let pod = Self {
            api: Api::namespaced(client.clone(), namespace),
            name: name.to_owned(),
            containers: template
                .spec
                .containers
                .iter()
                .map(|c| c.name.clone())
                .collect(),
            addresses,
            started: Timestamp::now(),
        };
        let labels = Some(template.labels);
        let object = Pod {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels,
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                node_name: Some(NODE_NAME.to_owned()),
                ..template.spec
            }),
            status: None,
        };
        pod.api.create(&PostParams::default(), &object).await?;
        pod.set_ready(false).await?;
        Ok(pod)
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pod's addresses, the first of which is the one that the pod is known by.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Writes the condition `Ready`, as the kubelet does after a readiness probe.
    pub async fn set_ready(&self, ready: bool) -> kube::Result<()> {
        let patch = Patch::Merge(json!({ "status": self.status(ready) }));
        self.api
            .patch_status(&self.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Marks the object as being deleted, as `kubectl delete` does; it stays until
    /// [`PodObject::delete_now`]. Its endpoints are terminating from here on.
    pub async fn begin_deletion(&self) -> kube::Result<()> {
        self.api
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Removes the object, as the kubelet does when the process is gone.
    pub async fn delete_now(&self) -> kube::Result<()> {
        match self
            .api
            .delete(&self.name, &DeleteParams::default().grace_period(0))
            .await
        {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            result => result.map(|_| ()),
        }
    }

    fn status(&self, ready: bool) -> Value {
        let condition = |type_: &str, is_true: bool, since: Timestamp| {
            let status = if is_true { "True" } else { "False" };
            json!({"type": type_, "status": status, "lastTransitionTime": since})
        };
        let container = |name: &String| {
            json!({
                "name": name,
                "ready": ready,
                "started": true,
                "restartCount": 0,
                "image": "",
                "imageID": "",
                "state": {"running": {"startedAt": self.started}},
            })
        };
        let now = Timestamp::now();
        json!({
            "phase": "Running",
            "hostIP": network::NODE,
            "hostIPs": [{"ip": network::NODE}],
            "podIP": self.addresses[0],
            "podIPs": self.addresses.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
            "startTime": self.started,
            "conditions": [
                condition("PodScheduled", true, self.started),
                condition("Initialized", true, self.started),
                condition("ContainersReady", ready, now),
                condition("Ready", ready, now),
            ],
            "containerStatuses": self.containers.iter().map(container).collect::<Vec<_>>(),
        })
    }
}
