//! What is taken from the operator or from under it: rights, room in a quota, a target, a
//! namespace.

use std::fmt::Debug;
use std::time::Duration;

use entracte::api::conditions::ConditionType;
use entracte_testbed::api_proxy::Verb;
use entracte_testbed::target::Kind;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ResourceQuota};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams, PropagationPolicy};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::crowd::Crowd;
use crate::objects::{api, eventually, is, merge, ours, status, why, windows};
use crate::scene::{APP, Scene, WINDOW, always};

/// With what the names of namespaces begin in which the operator is refused something.
pub(crate) const DENIED: &str = "denied";

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

const ROLE: &str = "entracte-controller";

pub(crate) async fn a_right_taken_away_in_the_window_is_named_and_waited_for(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, DENIED).await?;
    let original = scene.object(Kind::Service).await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;

    let roles = Api::<ClusterRole>::all(bench.client());
    let granted = roles.get(ROLE).await?.rules;
    let mut fewer = granted.clone();
    for rule in fewer.iter_mut().flatten() {
        if rule.resources == Some(vec!["services".to_owned()]) {
            rule.verbs.retain(|verb| verb != "patch");
        }
    }
    assert_ne!(fewer, granted);
    merge(&roles, ROLE, json!({ "rules": fewer })).await?;
    let refused = release_is_refused(&scene).await;
    merge(&roles, ROLE, json!({ "rules": granted })).await?;
    refused?;

    scene.released(WINDOW).await?;
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

async fn release_is_refused(scene: &Scene<'_>) -> Result {
    let Scene {
        bench, namespace, ..
    } = scene;
    // Until the API server has learned of it.
    sleep(Duration::from_secs(1)).await;
    scene.change(WINDOW, json!({"suspend": true})).await?;
    let said = status(bench, namespace, WINDOW, "the right is named", |status| {
        why(status, ConditionType::Ready).is_some_and(|(reason, _)| reason == "Forbidden")
    })
    .await?;
    let (_, message) = why(&said, ConditionType::Ready).unwrap_or_default();
    assert!(
        message.contains(r#"cannot patch resource "services""#),
        "{message}"
    );
    let mark = bench.proxy.mark();
    sleep(Duration::from_secs(10)).await;
    let mut tries = bench.writes_in(namespace, mark);
    // Our slices say before each that it is coming.
    tries.retain(|tried| tried.request.verb == Verb::Patch);
    // After 1 s, 2 s, 4 s and 8 s.
    assert!((1..=4).contains(&tries.len()), "{tries:?}");
    Ok(())
}

pub(crate) async fn a_quota_that_leaves_no_room_is_named_and_nothing_is_half_done(
    bench: &Bench,
) -> Result {
    for (kind, counted) in [
        (Kind::Ingress, "count/services"),
        (Kind::Service, "count/endpointslices.discovery.k8s.io"),
    ] {
        let scene = Scene::set(bench, DENIED).await?;
        let original = scene.object(kind).await?;
        let quotas = Api::<ResourceQuota>::namespaced(bench.client(), &scene.namespace);
        let quota = json!({"metadata": {"name": "full"}, "spec": {"hard": {counted: "1"}}});
        let quota = serde_json::from_value(quota)?;
        quotas.create(&PostParams::default(), &quota).await?;
        eventually("the quota is counted", async || {
            let used = quotas
                .get("full")
                .await?
                .status
                .and_then(|status| status.used);
            Ok(used
                .is_some_and(|used| used.contains_key(counted))
                .then_some(()))
        })
        .await?;

        scene.window(WINDOW, always(), &[kind]).await?;
        let what = "the quota is named";
        let said = status(bench, &scene.namespace, WINDOW, what, |status| {
            why(status, ConditionType::Ready).is_some_and(|(reason, _)| reason == "QuotaExceeded")
        })
        .await?;
        assert_eq!(is(&said, ConditionType::Held), Some(false));
        let (_, message) = why(&said, ConditionType::Ready).unwrap_or_default();
        assert!(message.contains("raise the ResourceQuota"), "{message}");
        sleep(Duration::from_secs(3)).await;
        assert_eq!(scene.object(kind).await?, original);
        let of_scene = format!(" {}/", scene.namespace);
        let mut left = ours(bench).await?;
        left.retain(|object| object.contains(&of_scene));
        assert_eq!(left, [""; 0], "{kind:?}");

        quotas.delete("full", &DeleteParams::default()).await?;
        scene.held(WINDOW).await?;
    }
    Ok(())
}

pub(crate) async fn a_namespace_goes_with_what_is_held_in_it(bench: &Bench) -> Result {
    let crowd = Crowd::set(bench, DENIED, &KINDS).await?;
    crowd.windows(WINDOW, &always()).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, WINDOW))
        .await?;
    let namespaces = Api::<Namespace>::all(bench.client());
    let mark = bench.proxy.mark();
    for member in &crowd.members {
        namespaces
            .delete(&member.namespace, &DeleteParams::default())
            .await?;
    }
    for member in &crowd.members {
        is_gone(&namespaces, &member.namespace).await?;
    }
    // Gone for half a minute, a namespace is known to be gone.
    sleep(Duration::from_secs(31)).await;
    let notices = Api::<ConfigMap>::namespaced(bench.client(), "entracte-system");
    for member in &crowd.members {
        let label = format!("entracte.dev/window-namespace={}", member.namespace);
        let of_member = ListParams::default().labels(&label);
        eventually("its notice is gone", async || {
            Ok(notices
                .list(&of_member)
                .await?
                .items
                .is_empty()
                .then_some(()))
        })
        .await?;
        let tries = bench.writes_in(&member.namespace, mark);
        assert!(tries.len() <= 4, "{tries:#?}");
    }
    Ok(())
}

/// Neither a window, nor what it holds, nor their namespace.
pub(crate) async fn nothing_waits_to_be_deleted_for_an_operator_that_is_gone(
    bench: &Bench,
) -> Result {
    let kinds = [Kind::Ingress, Kind::Service, Kind::HttpRoute];
    bench.cluster.install_gateway_api().await?;
    let crowd = Crowd::set(bench, "gone", &kinds).await?;
    crowd.windows(WINDOW, &always()).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, WINDOW))
        .await?;
    bench.operator().await.controller().kill().await?;
    let namespaces = Api::<Namespace>::all(bench.client());
    let delete = DeleteParams::default();
    for member in &crowd.members {
        let windows = windows(bench, &member.namespace);
        windows.delete(WINDOW, &delete).await?;
        is_gone(&windows, WINDOW).await?;
        let targets = api(bench, member.kind, &member.namespace);
        targets.delete(APP, &delete).await?;
        is_gone(&targets, APP).await?;
        namespaces.delete(&member.namespace, &delete).await?;
        is_gone(&namespaces, &member.namespace).await?;
    }
    Ok(())
}

async fn is_gone<K>(objects: &Api<K>, name: &str) -> Result
where
    K: Clone + Debug + DeserializeOwned,
{
    eventually("it is gone", async || {
        Ok(objects.get_opt(name).await?.is_none().then_some(()))
    })
    .await
}

pub(crate) async fn a_target_that_is_made_anew_in_the_window_is_held_anew(bench: &Bench) -> Result {
    for propagation in [PropagationPolicy::Background, PropagationPolicy::Orphan] {
        let mut crowd = Crowd::set(bench, "anew", &KINDS).await?;
        crowd.windows(WINDOW, &always()).await?;
        crowd
            .all("it is held", |it, view| view.is_led_by(it, WINDOW))
            .await?;
        crowd.make_anew(propagation).await?;
        crowd
            .all("it is held again", |it, view| view.is_led_by(it, WINDOW))
            .await?;
        bench.delete_windows().await?;
        crowd
            .all("it is as it was made", |it, view| view.is_as_before(it))
            .await?;
    }
    Ok(())
}
