//! A backup that was made while a window was on, and is restored where nobody knows of it.
//!
//! As Velero does it: of an object's metadata it keeps name, labels and annotations, and drops
//! owners (`resetMetadata` in its `pkg/restore/restore.go`); of a Service it drops the addresses; it
//! restores Services first, then kinds by their names, and labels all of it.

use std::net::SocketAddr;

use chrono::{TimeDelta, Utc};
use entracte_testbed::app::{APP_HEADER, SERVICE_PORT};
use entracte_testbed::cluster::gateway_resource;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use entracte::api::MaintenanceWindow;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, ours};
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{APP, Scene, WINDOW, always, once};

const KINDS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::HttpRoute];

/// What Velero writes on all that it restores.
const RESTORED: &str = "velero.io/restore-name";

/// How often each way is tried once nothing of ours is left: an address that nobody has would not
/// answer.
const TRIES: usize = 10;

/// Once where a controller looks on, and once where it is started afterwards and the window is in the
/// backup too, long over.
pub(crate) async fn a_backup_from_mid_window_serves_in_a_new_cluster(bench: &Bench) -> Result {
    let mut backups = Vec::new();
    for prefix in ["lost", "moved"] {
        backups.push(Backup::of_a_held_app(bench, prefix).await?);
    }
    bench.operator().await.controller().kill().await?;
    for backup in &backups {
        backup.lose_the_cluster().await?;
    }
    let [looked_at, found] = &backups[..] else {
        return Err("not two backups".into());
    };
    found.restore().await?;
    found.restore_the_window().await?;
    bench.operator().await.controller().start().await?;
    looked_at.restore().await?;
    for backup in &backups {
        backup.serves().await?;
    }
    Ok(())
}

struct Backup<'b> {
    scene: Scene<'b>,
    /// What the user had written, by kind.
    originals: Vec<Value>,
    /// What is restored, in its order.
    objects: Vec<(ApiResource, DynamicObject)>,
}

impl<'b> Backup<'b> {
    async fn of_a_held_app(bench: &'b Bench, prefix: &str) -> Result<Self> {
        let scene = Scene::set_behind(bench, prefix, BEHIND_A_GATEWAY).await?;
        let mut originals = Vec::new();
        for kind in KINDS {
            originals.push(written(&api(bench, kind, &scene.namespace).get(APP).await?));
        }
        scene.window(WINDOW, always(), &KINDS).await?;
        scene.held(WINDOW).await?;
        let mut objects = Vec::new();
        for resource in resources() {
            let all = Self::api(&scene, &resource)
                .list(&ListParams::default())
                .await?;
            objects.extend(
                all.into_iter()
                    .map(|object| (resource.clone(), kept(object))),
            );
        }
        Ok(Self {
            scene,
            originals,
            objects,
        })
    }

    fn api(scene: &Scene<'_>, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(scene.bench.client(), &scene.namespace, resource)
    }

    /// Everything but the pods goes, and the window with it.
    async fn lose_the_cluster(&self) -> Result {
        let Scene {
            bench, namespace, ..
        } = &self.scene;
        let windows = Api::<MaintenanceWindow>::namespaced(bench.client(), namespace);
        windows.delete(WINDOW, &DeleteParams::default()).await?;
        for (resource, object) in &self.objects {
            let objects = Self::api(&self.scene, resource);
            match objects
                .delete(&object.name_any(), &DeleteParams::default())
                .await
            {
                // What its owner took with it.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                result => drop(result?),
            }
        }
        for resource in resources() {
            let objects = Self::api(&self.scene, &resource);
            eventually(&format!("no {} is left", resource.plural), async || {
                let left = objects.list(&ListParams::default()).await?;
                Ok(left.items.is_empty().then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    async fn restore(&self) -> Result {
        for (resource, object) in &self.objects {
            let objects = Self::api(&self.scene, resource);
            objects.create(&PostParams::default(), object).await?;
        }
        Ok(())
    }

    async fn restore_the_window(&self) -> Result {
        let over = Utc::now() - TimeDelta::hours(1);
        let occurrence = Occurrence {
            start: over - TimeDelta::hours(1),
            end: over,
        };
        self.scene.window(WINDOW, once(occurrence), &KINDS).await
    }

    /// The app answers on every way, the user's objects are as they were, and nothing of ours is
    /// left.
    async fn serves(&self) -> Result {
        let Scene {
            bench,
            namespace,
            app,
        } = &self.scene;
        for (kind, original) in KINDS.into_iter().zip(&self.originals) {
            let objects = api(bench, kind, namespace);
            eventually(
                &format!("{kind:?} of {namespace} is as it was"),
                async || {
                    let object = objects.get(APP).await?;
                    Ok((written(&object) == *original).then_some(()))
                },
            )
            .await?;
        }
        eventually(
            &format!("nothing of ours is left in {namespace}"),
            async || {
                let of_scene = format!(" {namespace}/");
                let left = ours(bench).await?;
                Ok((!left.iter().any(|object| object.contains(&of_scene))).then_some(()))
            },
        )
        .await?;
        let service = Api::<Service>::namespaced(bench.client(), namespace)
            .get(APP)
            .await?;
        let address = service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .ok_or("no ClusterIP")?;
        let cluster_ip = SocketAddr::new(address.parse()?, SERVICE_PORT);
        let ways = [
            cluster_ip,
            app.address(Kind::Ingress)?,
            app.address(Kind::HttpRoute)?,
        ];
        for way in ways {
            let asked = async || {
                let answer = request::get(way, &app.host(), "/").await;
                answer.is_ok_and(|answer| answer.headers().contains_key(APP_HEADER))
            };
            eventually(&format!("the app answers at {way}"), async || {
                Ok(asked().await.then_some(()))
            })
            .await?;
            for _ in 0..TRIES {
                assert!(asked().await, "it answers at {way} each time");
            }
        }
        Ok(())
    }
}

/// In the order in which they are restored.
fn resources() -> [ApiResource; 4] {
    [
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<EndpointSlice>(&()),
        gateway_resource("HTTPRoute"),
        ApiResource::erase::<Ingress>(&()),
    ]
}

/// What is kept of an object. Our slices lead to where the backend was in the old cluster.
fn kept(object: DynamicObject) -> DynamicObject {
    let mut kept = DynamicObject {
        types: object.types,
        metadata: kube::core::ObjectMeta {
            name: object.metadata.name,
            labels: object.metadata.labels,
            annotations: object.metadata.annotations,
            ..kube::core::ObjectMeta::default()
        },
        data: object.data,
    };
    kept.labels_mut()
        .insert(RESTORED.to_owned(), "after-the-fire".to_owned());
    if let Some(fields) = kept.data.as_object_mut() {
        fields.remove("status");
    }
    without_addresses(&mut kept.data);
    let endpoints = kept.data.get_mut("endpoints").and_then(Value::as_array_mut);
    for (endpoint, last) in endpoints.into_iter().flatten().zip(1..) {
        endpoint["addresses"] = json!([format!("10.244.255.{last}")]);
    }
    kept
}

/// Without what the API server chooses for a Service.
fn without_addresses(data: &mut Value) {
    if let Some(spec) = data.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !["clusterIP", "clusterIPs"].contains(&field.as_str()));
    }
}

/// What the user has written of an object, and nobody chose anew.
fn written(object: &DynamicObject) -> Value {
    let mut labels = object.labels().clone();
    labels.remove(RESTORED);
    let mut data = object.data.clone();
    without_addresses(&mut data);
    json!({"labels": labels, "annotations": object.annotations(), "spec": data["spec"]})
}
