//! The certificate that TLS is spoken with: from files, or made at the start.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::TlsArgs;

/// How often the files are looked at: who mounts a Secret sees them change without a signal.
const LOOK: Duration = Duration::from_secs(1);

/// The names of the files in a mounted Secret of type `kubernetes.io/tls`.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The name in the certificate that is made at the start: nobody can check it anyway.
const NAME: &str = "entracte-backend";

/// Why TLS cannot be spoken with a certificate.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}: check that the Secret is mounted, and who may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error(
        "{path} is no PEM of what it should hold: {source}: see that tls.crt has the chain, and tls.key its key"
    )]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate and the key do not belong together, or are of a kind that TLS does not know.
    #[error(
        "the certificate cannot be used: {0}: see that the key is that of the first certificate"
    )]
    Unusable(#[from] rustls::Error),
    /// No certificate can be made.
    #[error("no certificate can be made: {0}: mount one, and name its folder with --tls-folder")]
    Make(#[from] rcgen::Error),
}

/// What new connections speak TLS with.
pub(super) type Config = watch::Receiver<Arc<ServerConfig>>;

/// A certificate and its key, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// They may be there or not.
    are_optional: bool,
}

/// What the files hold.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate, kept as its files have it.
#[derive(Debug)]
pub(super) struct Tls {
    followed: Option<(Files, Option<Pair>)>,
    config: watch::Sender<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files that `args` name; where they name none, or a folder without a pair that fits,
    /// makes a certificate that is signed by nobody: proxies that speak HTTPS to their upstreams rarely
    /// check, and a Secret with a slip in it is no reason to answer nobody.
    pub(super) fn new(args: &TlsArgs) -> Result<Self, Error> {
        let mut tls = Self {
            followed: Files::of(args).map(|files| (files, None)),
            config: watch::Sender::new(Arc::new(made()?)),
        };
        match tls.look() {
            Err(error) if args.tls_folder.is_some() => {
                warn!(%error, "the pod makes a certificate of its own; looking again every second");
            }
            looked => looked?,
        }
        Ok(tls)
    }

    /// What new connections speak TLS with.
    pub(super) fn config(&self) -> Config {
        self.config.subscribe()
    }

    /// Keeps the certificate as the files have it, for ever. One that cannot be used is logged, and
    /// the last one stays.
    pub(super) async fn follow(mut self) -> Infallible {
        let mut said = None;
        loop {
            sleep(LOOK).await;
            let error = self.look().err().map(|error| error.to_string());
            if let Some(error) = error.as_ref().filter(|_| error != said) {
                warn!(
                    error,
                    "the certificate stays as it was; trying again every second"
                );
            }
            said = error;
        }
    }

    fn look(&mut self) -> Result<(), Error> {
        let Some((files, known)) = &mut self.followed else {
            return Ok(());
        };
        let pair = files.read()?.filter(|pair| known.as_ref() != Some(pair));
        if let Some(pair) = pair {
            self.config.send_replace(Arc::new(pair.config(files)?));
            *known = Some(pair);
            info!(path = %files.certificate.display(), "a new certificate");
        }
        Ok(())
    }
}

impl Files {
    fn of(args: &TlsArgs) -> Option<Self> {
        let of_folder = |folder: &PathBuf| Self {
            certificate: folder.join(CERTIFICATE),
            key: folder.join(KEY),
            are_optional: true,
        };
        args.tls_folder.as_ref().map(of_folder).or_else(|| {
            Some(Self {
                certificate: args.tls_cert.clone()?,
                key: args.tls_key.clone()?,
                are_optional: false,
            })
        })
    }

    fn read(&self) -> Result<Option<Pair>, Error> {
        if self.are_optional && !self.certificate.exists() && !self.key.exists() {
            return Ok(None);
        }
        Ok(Some(Pair {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        }))
    }
}

impl Pair {
    fn config(&self, files: &Files) -> Result<ServerConfig, Error> {
        let wrong = |path: &PathBuf| {
            let path = path.clone();
            move |source| Error::Pem { path, source }
        };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(wrong(&files.key))?;
        config(chain, key)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn made() -> Result<ServerConfig, Error> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    config(vec![cert.into()], key.into())
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    fn written(folder: &Path, certificate: &str, key: &str) {
        fs::write(folder.join(CERTIFICATE), certificate).unwrap();
        fs::write(folder.join(KEY), key).unwrap();
    }

    fn pems() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn of_folder(folder: &Path) -> TlsArgs {
        TlsArgs {
            tls_folder: Some(folder.to_owned()),
            ..TlsArgs::default()
        }
    }

    fn error(args: &TlsArgs) -> String {
        Tls::new(args).unwrap_err().to_string()
    }

    #[test]
    fn without_files_there_is_a_certificate_all_the_same() {
        assert!(Tls::new(&TlsArgs::default()).is_ok());
    }

    #[test]
    fn files_may_have_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pems();
        written(folder.path(), &certificate, &key);
        let args = TlsArgs {
            tls_folder: None,
            tls_cert: Some(folder.path().join(CERTIFICATE)),
            tls_key: Some(folder.path().join(KEY)),
        };
        let of_args = Files::of(&args).unwrap();
        let of_folder = Files::of(&of_folder(folder.path())).unwrap();
        assert_eq!(of_args.read().unwrap(), of_folder.read().unwrap());
        assert!(Tls::new(&args).is_ok());
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let args = TlsArgs {
            tls_folder: None,
            tls_cert: Some(folder.path().join(CERTIFICATE)),
            tls_key: Some(folder.path().join(KEY)),
        };
        let absent = error(&args);
        assert!(
            absent.starts_with("cannot read ") && absent.contains("tls.crt: "),
            "{absent}"
        );

        let ((certificate, key), (_, other)) = (pems(), pems());
        written(folder.path(), &certificate, "no key");
        let no_key = error(&args);
        assert!(
            no_key.contains("tls.key is no PEM of what it should hold: "),
            "{no_key}"
        );

        written(folder.path(), "", &key);
        assert!(error(&args).starts_with("the certificate cannot be used: "));
        written(folder.path(), &certificate, &other);
        assert!(error(&args).starts_with("the certificate cannot be used: "));
    }

    #[test]
    fn only_a_pair_that_is_new_and_fits_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let ((certificate, key), (new, new_key)) = (pems(), pems());
        written(folder.path(), &certificate, &key);
        let mut tls = Tls::new(&of_folder(folder.path())).unwrap();
        let mut config = tls.config();
        config.mark_unchanged();

        tls.look().unwrap();
        assert!(!config.has_changed().unwrap());
        written(folder.path(), &new, &key);
        tls.look().unwrap_err();
        assert!(!config.has_changed().unwrap());
        written(folder.path(), &new, &new_key);
        tls.look().unwrap();
        assert!(config.has_changed().unwrap());
    }

    #[test]
    fn a_secret_that_does_not_fit_keeps_nobody_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let ((certificate, key), (_, other)) = (pems(), pems());
        written(folder.path(), &certificate, &other);
        let mut tls = Tls::new(&of_folder(folder.path())).unwrap();
        let mut config = tls.config();
        config.mark_unchanged();
        tls.look().unwrap_err();
        assert!(!config.has_changed().unwrap());
        written(folder.path(), &certificate, &key);
        tls.look().unwrap();
        assert!(config.has_changed().unwrap());
    }

    #[test]
    fn a_secret_may_be_mounted_later_and_half_of_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut tls = Tls::new(&of_folder(folder.path())).unwrap();
        let mut config = tls.config();
        config.mark_unchanged();
        tls.look().unwrap();

        let (certificate, key) = pems();
        fs::write(folder.path().join(CERTIFICATE), &certificate).unwrap();
        tls.look().unwrap_err();
        assert!(!config.has_changed().unwrap());
        fs::write(folder.path().join(KEY), &key).unwrap();
        tls.look().unwrap();
        assert!(config.has_changed().unwrap());
    }
}
