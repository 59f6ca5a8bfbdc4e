//! Who may do what: the certificate of the API server, its tokens, and kubeconfigs.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use crate::network;

/// Somebody with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything.
    Admin,
    /// The controller's service account; what it may do stands in `deploy/`.
    Controller,
    /// The backend's service account; what it may do stands in `deploy/`.
    Backend,
}

impl User {
    const ALL: [Self; 3] = [Self::Admin, Self::Controller, Self::Backend];

    fn token(self) -> &'static str {
        match self {
            Self::Admin => "admin-token",
            Self::Controller => "controller-token",
            Self::Backend => "backend-token",
        }
    }

    /// The name by which the API server knows the user, as in RBAC.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Controller => "system:serviceaccount:entracte-system:entracte-controller",
            Self::Backend => "system:serviceaccount:entracte-system:entracte-backend",
        }
    }

    /// The groups that a service account's token carries; see `MakeGroupNames` in
    /// `k8s.io/apiserver/pkg/authentication/serviceaccount`.
    fn groups(self) -> &'static str {
        match self {
            Self::Admin => "system:masters",
            Self::Controller | Self::Backend => {
                "system:serviceaccounts,system:serviceaccounts:entracte-system"
            }
        }
    }

    fn kubeconfig(self) -> &'static str {
        match self {
            Self::Admin => "admin.kubeconfig",
            Self::Controller => "controller.kubeconfig",
            Self::Backend => "backend.kubeconfig",
        }
    }
}

/// Certificates, tokens or kubeconfigs could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A key or a certificate could not be made.
    #[error("cannot make a key for the API server: {0}")]
    Key(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The files that the API server and its clients are given.
#[derive(Debug)]
pub(super) struct Credentials {
    folder: PathBuf,
    certificate: String,
}

impl Credentials {
    /// Makes them all.
    pub(super) fn create(folder: &Path) -> Result<Self, CredentialsError> {
        let serving_key = KeyPair::generate()?;
        let names = [network::NODE, network::API_SERVICE].map(|address| address.to_string());
        let certificate = CertificateParams::new(names)?
            .self_signed(&serving_key)?
            .pem();
        let token_key = KeyPair::generate()?;
        let credentials = Self {
            folder: folder.to_owned(),
            certificate,
        };
        for (path, content) in [
            (credentials.serving_key(), serving_key.serialize_pem()),
            (
                credentials.serving_certificate(),
                credentials.certificate.clone(),
            ),
            (credentials.token_key(), token_key.serialize_pem()),
            (credentials.token_public_key(), token_key.public_key_pem()),
            (credentials.tokens(), tokens()),
        ] {
            write(&path, &content)?;
        }
        let server = format!("https://{}", super::API_SERVER);
        credentials.write_kubeconfig(User::Admin, &server)?;
        Ok(credentials)
    }

    pub(super) fn certificate_authority(&self) -> &str {
        &self.certificate
    }

    /// The private key of [`Self::serving_certificate`].
    pub(super) fn serving_key(&self) -> PathBuf {
        self.folder.join("apiserver.key")
    }

    /// Self-signed, so that it is its own authority.
    pub(super) fn serving_certificate(&self) -> PathBuf {
        self.folder.join("apiserver.crt")
    }

    /// Signs the tokens of service accounts.
    pub(super) fn token_key(&self) -> PathBuf {
        self.folder.join("service-accounts.key")
    }

    pub(super) fn token_public_key(&self) -> PathBuf {
        self.folder.join("service-accounts.pub")
    }

    /// The file for `--token-auth-file`.
    pub(super) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    pub(super) fn admin_kubeconfig(&self) -> PathBuf {
        self.folder.join(User::Admin.kubeconfig())
    }

    pub(super) fn write_kubeconfig(
        &self,
        user: User,
        server: &str,
    ) -> Result<PathBuf, CredentialsError> {
        let path = self.folder.join(user.kubeconfig());
        let mut cluster = json!({"server": server});
        if server.starts_with("https:") {
            cluster["certificate-authority"] = json!(self.serving_certificate());
        }
        // Every JSON document is a YAML document.
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": cluster}],
            "users": [{"name": "testbed", "user": {"token": user.token()}}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
            "current-context": "testbed",
        });
        write(&path, &content.to_string())?;
        Ok(path)
    }
}

fn tokens() -> String {
    User::ALL.iter().fold(String::new(), |mut lines, user| {
        let (token, name, groups) = (user.token(), user.name(), user.groups());
        let _ = writeln!(lines, "{token},{name},{name},\"{groups}\"");
        lines
    })
}

fn write(path: &Path, content: &str) -> Result<(), CredentialsError> {
    fs::write(path, content).map_err(|source| CredentialsError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_has_the_groups_of_its_namespace() {
        let line = "controller-token,\
                    system:serviceaccount:entracte-system:entracte-controller,\
                    system:serviceaccount:entracte-system:entracte-controller,\
                    \"system:serviceaccounts,system:serviceaccounts:entracte-system\"";
        assert_eq!(tokens().lines().nth(1), Some(line));
    }
}
