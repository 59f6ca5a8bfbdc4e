//! What tools send: the requests of kubectl, Helm, Argo CD and Flux, by the real kubectl.
//!
//! | tool | what it sends |
//! |---|---|
//! | kubectl | client-side apply: a strategic merge of what changed since its last one |
//! | Argo CD | the same, as its own field manager; with `ServerSideApply=true`, by force |
//! | Helm 3 | a strategic merge of what differs from the chart |
//! | Helm 4 | server-side apply, not by force |
//! | Flux | server-side apply by force, unless the object tells it to look away |

use std::fs;
use std::process::Output;

use entracte_testbed::target::Kind;
use serde_json::{Value, json};

use crate::Result;
use crate::bench::Bench;
use crate::objects::api;
use crate::scene::WINDOW;

/// Who writes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Kubectl,
    KubectlReplace,
    KubectlPatch,
    ArgoCd,
    ArgoCdServerSide,
    Helm3,
    Helm4,
    Flux,
}

impl Tool {
    pub(crate) const ALL: [Self; 8] = [
        Self::Kubectl,
        Self::KubectlReplace,
        Self::KubectlPatch,
        Self::ArgoCd,
        Self::ArgoCdServerSide,
        Self::Helm3,
        Self::Helm4,
        Self::Flux,
    ];

    /// A name for an object that it writes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl",
            Self::KubectlReplace => "replace",
            Self::KubectlPatch => "patch",
            Self::ArgoCd => "argocd",
            Self::ArgoCdServerSide => "argocd-ssa",
            Self::Helm3 => "helm-3",
            Self::Helm4 => "helm-4",
            Self::Flux => "flux",
        }
    }

    /// Whether it replaces maps that are atomic to whoever applies server-side, such as selectors.
    pub(crate) fn writes_as_a_whole(self) -> bool {
        self.applies_server_side() || self == Self::KubectlReplace
    }

    pub(crate) fn applies_server_side(self) -> bool {
        matches!(self, Self::ArgoCdServerSide | Self::Helm4 | Self::Flux)
    }

    /// How its apply is said to kubectl, where it is one.
    pub(crate) fn apply(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Kubectl => Some(&[]),
            Self::ArgoCd => Some(&["--field-manager=argocd-controller"]),
            Self::ArgoCdServerSide => Some(&[
                "--server-side",
                "--force-conflicts",
                "--field-manager=argocd-controller",
            ]),
            Self::Helm4 => Some(&["--server-side", "--field-manager=helm"]),
            Self::Flux => Some(&[
                "--server-side",
                "--force-conflicts",
                "--field-manager=kustomize-controller",
            ]),
            Self::KubectlReplace | Self::KubectlPatch | Self::Helm3 => None,
        }
    }
}

/// One object that a tool writes.
#[derive(Clone)]
pub(crate) struct Written<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) namespace: String,
    pub(crate) kind: Kind,
    pub(crate) tool: Tool,
}

impl Written<'_> {
    /// Creates the object as the tool does.
    pub(crate) async fn install(&self, leads_to: &str) -> Result<Value> {
        match self.tool.apply() {
            Some(_) => self.write(leads_to).await,
            None if self.tool == Tool::Helm3 => {
                let file = self.file(leads_to)?;
                self.kubectl(&["create", "--field-manager=helm", "-f", &file])
                    .await
            }
            None => {
                let file = self.file(leads_to)?;
                self.kubectl(&["create", "-f", &file]).await
            }
        }
    }

    /// Writes the object as the tool does, and returns what the API server made of it.
    pub(crate) async fn write(&self, leads_to: &str) -> Result<Value> {
        let file = self.file(leads_to)?;
        let name = self.tool.name();
        let patch = self.patch(leads_to).to_string();
        let kind = self.kind.as_str();
        match (self.tool, self.tool.apply()) {
            (_, Some(how)) => {
                let apply = [&["apply", "-f", &file], how].concat();
                self.kubectl(&apply).await
            }
            (Tool::KubectlReplace, _) => self.kubectl(&["replace", "-f", &file]).await,
            (Tool::Helm3, _) => {
                let manager = "--field-manager=helm";
                // Of a kind that the API server knows by its CRD alone, a plain merge.
                let how = match self.kind {
                    Kind::HttpRoute => "--type=merge",
                    Kind::Service | Kind::Ingress => "--type=strategic",
                };
                let merge = ["patch", kind, name, how, manager, "-p", &patch];
                self.kubectl(&merge).await
            }
            _ => {
                let merge = ["patch", kind, name, "--type=merge", "-p", &patch];
                self.kubectl(&merge).await
            }
        }
    }

    /// What `kubectl diff` shows before the tool applies.
    pub(crate) async fn diff(&self, leads_to: &str) -> Result<String> {
        let how = self.tool.apply().unwrap_or_default();
        let file = self.file(leads_to)?;
        let arguments = [&["diff", "-n", &self.namespace, "-f", &file], how].concat();
        let output = self.bench.cluster.kubectl(&arguments).await?;
        // 1: there is a difference.
        if output.status.code().is_none_or(|code| code > 1) {
            return Err(said(&arguments, &output).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The object as it is.
    pub(crate) async fn read(&self) -> Result<Value> {
        let objects = api(self.bench, self.kind, &self.namespace);
        Ok(json!(objects.get(self.tool.name()).await?))
    }

    /// Whether `object` is held.
    pub(crate) fn is_held(&self, object: &Value) -> bool {
        match self.kind {
            Kind::Service => object["spec"]["selector"]["entracte.dev/hold"].is_string(),
            Kind::Ingress | Kind::HttpRoute => {
                self.leads_to(object) == format!("entracte-{WINDOW}")
            }
        }
    }

    /// Where `object` leads to.
    pub(crate) fn leads_to<'v>(&self, object: &'v Value) -> &'v str {
        leads_to(self.kind, object)
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [arguments, &["-n", &self.namespace, "-o", "json"]].concat();
        let output = self.bench.cluster.kubectl(&arguments).await?;
        if !output.status.success() {
            return Err(said(&arguments, &output).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn file(&self, leads_to: &str) -> Result<String> {
        let Self {
            namespace, kind, ..
        } = self;
        let name = format!("{namespace}-{kind:?}-{}-{leads_to}.json", self.tool.name());
        let path = self.bench.cluster.run().data().join(name);
        let version = match self.kind {
            Kind::Service => "v1",
            Kind::Ingress => "networking.k8s.io/v1",
            Kind::HttpRoute => "gateway.networking.k8s.io/v1",
        };
        let mut manifest = json!({"apiVersion": version, "kind": self.kind.as_str()});
        manifest["metadata"] = json!({"name": self.tool.name()});
        manifest["spec"] = self.patch(leads_to)["spec"].clone();
        if *kind == Kind::Service {
            manifest["spec"]["ports"] = json!([{"name": "http", "port": 80}]);
        }
        fs::write(&path, manifest.to_string())?;
        Ok(path.display().to_string())
    }

    /// The leaf that leads to an app, alone.
    fn patch(&self, leads_to: &str) -> Value {
        match self.kind {
            Kind::Service => json!({"spec": {"selector": {"app": leads_to}}}),
            Kind::Ingress => json!({"spec": {"rules": [{"host": "web.test", "http": {"paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": {"service": {"name": leads_to, "port": {"number": 80}}},
            }]}}]}}),
            Kind::HttpRoute => json!({"spec": {"rules": [{"backendRefs": [{
                "name": leads_to,
                "port": 80,
            }]}]}}),
        }
    }
}

/// The app of the selector, or the Service of the only rule.
pub(crate) fn leads_to(kind: Kind, object: &Value) -> &str {
    let spec = &object["spec"];
    let name = match kind {
        Kind::Service => &spec["selector"]["app"],
        Kind::Ingress => &spec["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"],
        Kind::HttpRoute => &spec["rules"][0]["backendRefs"][0]["name"],
    };
    name.as_str().unwrap_or_default()
}

fn said(arguments: &[&str], output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    format!("`kubectl {}`: {error}", arguments.join(" "))
}
