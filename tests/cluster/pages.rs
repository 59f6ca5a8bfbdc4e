//! The user's own page, its edits, and what becomes of one that cannot be shown.

use std::time::Duration;

use chrono::TimeDelta;
use entracte::api::conditions::ConditionType;
use entracte_testbed::request;
use entracte_testbed::verdict::Occurrence;
use http::header::CONTENT_SECURITY_POLICY;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::denials::DENIED;
use crate::objects::{eventually, is, merge, status, windows};
use crate::scene::{Scene, WINDOW, always, once, soon};

const PAGE: &str = "shop-page";

const KEY: &str = "index.html";

/// What browsers say that they take, in short.
const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// "Within seconds".
const SHOWS_WITHIN: Duration = Duration::from_secs(10);

/// An app with a window that names a page, whether that is there or not.
struct Stage<'b> {
    scene: Scene<'b>,
    pages: Api<ConfigMap>,
}

impl<'b> Stage<'b> {
    async fn set(bench: &'b Bench, prefix: &str) -> Result<Self> {
        let scene = Scene::set(bench, prefix).await?;
        let pages = Api::namespaced(bench.client(), &scene.namespace);
        Ok(Self { scene, pages })
    }

    /// Applies the window, with its page from the first moment.
    async fn window(&self, schedule: Value, render: &str) -> Result {
        let window = serde_json::from_value(json!({
            "apiVersion": "entracte.dev/v1alpha1",
            "kind": "MaintenanceWindow",
            "metadata": {"name": WINDOW},
            "spec": {
                "schedule": schedule,
                "targets": [{"kind": "Service", "name": "web"}],
                "response": {
                    "message": "Tom & Jerry are at work.",
                    "page": {"configMapKeyRef": {"name": PAGE, "key": KEY}, "render": render},
                },
            },
        }))?;
        let windows = windows(self.scene.bench, &self.scene.namespace);
        windows.create(&PostParams::default(), &window).await?;
        Ok(())
    }

    async fn write(&self, html: &str) -> Result {
        let object = json!({"metadata": {"name": PAGE}, "data": {KEY: html}});
        let object = serde_json::from_value(object)?;
        self.pages.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    async fn edit(&self, data: Value) -> Result {
        merge(&self.pages, PAGE, json!({"data": data})).await?;
        Ok(())
    }

    /// What a client gets from the backend that takes this, and whether our policy is in the head;
    /// `None` where the app answers: kube-proxy follows a hold a moment later.
    async fn ask(&self, accept: &str) -> Result<Option<(String, bool)>> {
        let app = &self.scene.app;
        let answer = request::get_as(app.service_address(), &app.host(), "/", accept).await?;
        if answer.status() != 503 {
            return Ok(None);
        }
        let has_policy = answer.headers().contains_key(CONTENT_SECURITY_POLICY);
        let body = String::from_utf8(answer.into_body().to_vec())?;
        Ok(Some((body, has_policy)))
    }

    async fn shows(&self, html: &str) -> Result {
        eventually(&format!("browsers get {html}"), async || {
            let shown = self.ask(BROWSER).await?;
            Ok(shown.filter(|(body, has_policy)| body == html && !has_policy))
        })
        .await?;
        Ok(())
    }

    async fn shows_ours(&self) -> Result {
        eventually("browsers get our page", async || {
            let shown = self.ask(BROWSER).await?;
            let words = "Tom &amp; Jerry are at work.";
            Ok(shown.filter(|(body, has_policy)| body.contains(words) && *has_policy))
        })
        .await?;
        Ok(())
    }

    /// Waits until the status says just this of the page, and nothing where it is as it should be.
    async fn is_warned(&self, sentence: Option<&str>) -> Result {
        let expected: Vec<String> = sentence
            .map(|sentence| format!("ConfigMap {PAGE}: {sentence}; until then our page is shown"))
            .into_iter()
            .collect();
        let what = format!("the warnings are {expected:?}");
        let Scene {
            bench, namespace, ..
        } = &self.scene;
        let said = status(bench, namespace, WINDOW, &what, |status| {
            status.warnings == expected && is(status, ConditionType::Accepted).is_some()
        })
        .await?;
        assert_eq!(is(&said, ConditionType::Ready), Some(true), "{said:?}");
        Ok(())
    }

    /// Waits until the status says that the page may not be read, and what is shown.
    async fn is_named_unread(&self) -> Result {
        let Scene {
            bench, namespace, ..
        } = &self.scene;
        let forbidden = "not allowed to read ConfigMap shop-page";
        let shown = "until then the page is as it was read last";
        status(bench, namespace, WINDOW, "the right is named", |status| {
            let mut warnings = status.warnings.iter();
            warnings.any(|warning| warning.contains(forbidden) && warning.contains(shown))
        })
        .await?;
        Ok(())
    }
}

const NOT_THERE: &str =
    "there is no such ConfigMap in the namespace: create it with the key index.html";

const NO_KEY: &str = "it has no key index.html: add it, or name in spec.response.page the one that \
                      it has: page.html";

const BROKEN: &str = "the key index.html: line 2: `end` is undefined, for it is not always known: \
                      write {% if … %} and {% endif %} around it, or | default(\"…\") behind it";

pub(crate) async fn a_window_shows_its_own_page_to_browsers_and_an_edit_within_seconds(
    bench: &Bench,
) -> Result {
    let stage = Stage::set(bench, "page").await?;
    stage
        .write("<h1>{{ window.name }}</h1>{{ message }}")
        .await?;
    stage.window(always(), "Template").await?;
    stage.scene.held(WINDOW).await?;
    stage
        .shows("<h1>db-upgrade</h1>Tom &amp; Jerry are at work.")
        .await?;
    stage.is_warned(None).await?;
    let (body, _) = stage.ask("application/json").await?.ok_or("not held")?;
    let problem: Value = serde_json::from_str(&body)?;
    assert_eq!(problem["detail"], "Tom & Jerry are at work.");

    let edited = Instant::now();
    stage.edit(json!({KEY: "<h1>{{ retry_after }}"})).await?;
    stage.shows("<h1>30").await?;
    assert!(edited.elapsed() < SHOWS_WITHIN, "{:?}", edited.elapsed());

    let page = json!({"render": "Verbatim"});
    stage
        .scene
        .change(WINDOW, json!({"response": {"page": page}}))
        .await?;
    stage.shows("<h1>{{ retry_after }}").await?;
    stage
        .scene
        .change(WINDOW, json!({"response": {"page": null}}))
        .await?;
    stage.shows_ours().await
}

pub(crate) async fn a_page_that_cannot_be_shown_is_named_and_ours_is_shown(
    bench: &Bench,
) -> Result {
    let stage = Stage::set(bench, "no-page").await?;
    stage.window(always(), "Template").await?;
    stage.scene.held(WINDOW).await?;
    stage.is_warned(Some(NOT_THERE)).await?;
    stage.shows_ours().await?;

    stage.write("<h1>Back soon</h1>").await?;
    stage.shows("<h1>Back soon</h1>").await?;
    stage.is_warned(None).await?;

    stage.edit(json!({KEY: "<p>\n{{ end }}"})).await?;
    stage.is_warned(Some(BROKEN)).await?;
    stage.shows_ours().await?;

    stage.edit(json!({KEY: null, "page.html": ""})).await?;
    stage.is_warned(Some(NO_KEY)).await?;
    stage.edit(json!({KEY: "<h1>Back soon</h1>"})).await?;
    stage.shows("<h1>Back soon</h1>").await?;

    stage.pages.delete(PAGE, &DeleteParams::default()).await?;
    stage.is_warned(Some(NOT_THERE)).await?;
    stage.shows_ours().await
}

pub(crate) async fn what_is_wrong_with_a_page_is_named_before_the_start(bench: &Bench) -> Result {
    let stage = Stage::set(bench, "page-to-come").await?;
    let tomorrow = soon(60).start + TimeDelta::days(1);
    let occurrence = Occurrence {
        start: tomorrow,
        end: tomorrow + TimeDelta::hours(1),
    };
    stage.window(once(occurrence), "Template").await?;
    stage.is_warned(Some(NOT_THERE)).await?;
    stage.write("<p>\n{{ end }}").await?;
    stage.is_warned(Some(BROKEN)).await?;
    let good = json!({KEY: "<p>{% if end %}{{ end }}{% endif %}"});
    stage.edit(good).await?;
    stage.is_warned(None).await
}

/// Neither a right that is taken away nor a controller that starts anew takes a page away.
pub(crate) async fn a_page_stays_while_nobody_can_read_it(bench: &Bench) -> Result {
    let stage = Stage::set(bench, DENIED).await?;
    stage.write("<h1>Back soon</h1>").await?;
    stage.window(always(), "Verbatim").await?;
    stage.scene.held(WINDOW).await?;
    stage.shows("<h1>Back soon</h1>").await?;

    let roles = Api::<ClusterRole>::all(bench.client());
    let role = "entracte-controller";
    let granted = roles.get(role).await?.rules;
    let mut fewer = granted.clone();
    for rule in fewer.iter_mut().flatten() {
        if rule.resources == Some(vec!["configmaps".to_owned()]) {
            rule.resources = Some(vec!["configmaps/status".to_owned()]);
        }
    }
    assert_ne!(fewer, granted);
    merge(&roles, role, json!({ "rules": fewer })).await?;
    let stays = stays(&stage).await;
    merge(&roles, role, json!({ "rules": granted })).await?;
    stays?;
    stage.is_warned(None).await
}

async fn stays(stage: &Stage<'_>) -> Result {
    // It is looked at in that time.
    sleep(Duration::from_secs(5)).await;
    stage.shows("<h1>Back soon</h1>").await?;
    stage.is_named_unread().await?;
    let bench = stage.scene.bench;
    bench.operator().await.controller().kill().await?;
    bench.operator().await.controller().start().await?;
    stage.is_named_unread().await?;
    stage.shows("<h1>Back soon</h1>").await
}
