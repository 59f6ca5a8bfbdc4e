//! Step 0, continued: the users' own pages. Touches the cluster: reads the ConfigMaps that windows
//! name, and no others.
//!
//! Each is asked for by its name, again and again, and not watched: to watch one by its name the
//! right to watch all of the cluster's would be needed, and each watch costs a connection. What is
//! asked for is its metadata, from the API server's memory; the whole of it only where that shows
//! that it changed. Windows without a page of their own cause no request.

use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, GetParams};
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::apply::{Error, within_patience};
use super::memory::Memory;
use super::observe::Observed;
use super::page::{self, Flaw};
use crate::api::names;
use crate::coverage::stage;
use crate::notice::Page;
use crate::schedule::{PageRef, Window};

/// How often the page of a window is looked at that answers, or is about to.
const SOON: Duration = Duration::from_secs(3);
/// How often that of any other, so that a slip is found in time.
const LATER: Duration = Duration::from_secs(10);
/// However many there are, no more of either kind are looked at in a second than 25.
const EACH: Duration = Duration::from_millis(40);
/// How often it is seen what is due.
const TICK: Duration = Duration::from_millis(500);
/// How many are asked for at once.
const AT_ONCE: usize = 8;

/// What was last read. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    /// By the name of the ConfigMap.
    known: Arc<Memory<String, Known>>,
    /// What came of the page of a window, by its uid.
    tried: Arc<Memory<String, Tried>>,
    /// Something is wanted that nobody has read yet.
    news: Arc<Notify>,
}

/// A page that was tried with what a window says.
#[derive(Debug, Clone)]
struct Tried {
    page: Arc<Page>,
    /// The generation of the window.
    generation: i64,
    flaw: Option<Flaw>,
}

/// One ConfigMap.
#[derive(Debug, Clone, Default)]
struct Known {
    /// What windows want of it, and what came of that; `None` where it was not read yet.
    wanted: BTreeMap<PageRef, Option<Result<Arc<Page>, Flaw>>>,
    /// Whether one of the windows answers, or is about to.
    soon: bool,
    /// When it was last looked at.
    looked: Option<Instant>,
    /// Its resourceVersion then; `None` where it was not there.
    version: Option<String>,
}

/// What windows of one namespace want of a ConfigMap.
#[derive(Debug, Default)]
struct Wanted<'w> {
    pages: Vec<&'w PageRef>,
    soon: bool,
}

impl Known {
    fn take_note(&mut self, wanted: &Wanted<'_>) {
        self.soon = wanted.soon;
        let mut read = mem::take(&mut self.wanted);
        let pages = wanted.pages.iter().copied();
        let kept = pages.map(|page| (page.clone(), read.remove(page).flatten()));
        self.wanted = kept.collect();
    }

    fn is_read(&self) -> bool {
        self.wanted.values().all(Option::is_some)
    }

    fn is_due(&self, pause: Duration) -> bool {
        !self.is_read() || self.looked.is_none_or(|looked| looked.elapsed() >= pause)
    }
}

/// What a look has shown.
enum Seen {
    AsBefore,
    Now(Option<Box<ConfigMap>>),
}

impl Pages {
    /// What came of the page of a window; `None` where it has none, or nobody has read it yet.
    pub(super) fn of_window(&self, window: &Window) -> Option<Result<Arc<Page>, Flaw>> {
        let of = window.told.page.as_ref()?;
        let read = self.of(&window.namespace, of)?;
        Some(
            read.and_then(|page| match self.flaw_for(&page, window, of) {
                None => Ok(page),
                Some(flaw) => Err(flaw),
            }),
        )
    }

    /// It is tried once: that takes a while, and neither of the two changes often.
    fn flaw_for(&self, page: &Arc<Page>, window: &Window, of: &PageRef) -> Option<Flaw> {
        let generation = window.generation;
        let known = self.tried.of(&window.namespace, &window.uid);
        if let Some(known) =
            known.filter(|it| Arc::ptr_eq(&it.page, page) && it.generation == generation)
        {
            return known.flaw;
        }
        let flaw = page::flaw_for(page, window, of);
        let tried = Tried {
            page: Arc::clone(page),
            generation,
            flaw: flaw.clone(),
        };
        self.tried.change(&window.namespace, |all| {
            all.insert(window.uid.clone(), tried)
        });
        flaw
    }

    /// What came of a page; `None` where nobody has read it yet.
    fn of(&self, namespace: &str, page: &PageRef) -> Option<Result<Arc<Page>, Flaw>> {
        let known = self.known.of(namespace, &page.config_map)?;
        known.wanted.get(page)?.clone()
    }

    /// Takes note of which pages the windows of a namespace need now.
    pub(super) fn want(&self, observed: &Observed, now: DateTime<Utc>) {
        let windows = observed.windows.iter();
        let of_windows = windows.filter_map(|window| {
            let answers = stage(window, now).needs_backend() || is_told_of(observed, window);
            let page = window.told.page.as_ref()?;
            (answers || is_to_come(window, now)).then_some((page, answers))
        });
        let mut wanted: BTreeMap<&str, Wanted<'_>> = BTreeMap::new();
        for (page, answers) in of_windows {
            let of_object = wanted.entry(&page.config_map).or_default();
            of_object.pages.push(page);
            of_object.soon |= answers;
        }
        let has_page = |uid: &String| {
            let mut windows = observed.windows.iter();
            windows.any(|window| window.uid == *uid && window.told.page.is_some())
        };
        self.tried.keep(&observed.namespace, has_page);
        if !self.take_note(&observed.namespace, &wanted) {
            self.news.notify_one();
        }
    }

    /// Whether all of it was read already.
    fn take_note(&self, namespace: &str, wanted: &BTreeMap<&str, Wanted<'_>>) -> bool {
        let is_wanted = |name: &String| wanted.contains_key(name.as_str());
        self.known.keep(namespace, is_wanted);
        if wanted.is_empty() {
            return true;
        }
        self.known.change(namespace, |known| {
            let mut all_read = true;
            for (name, wanted) in wanted {
                let known = known.entry((*name).to_owned()).or_default();
                known.take_note(wanted);
                all_read &= known.is_read();
            }
            all_read
        })
    }

    /// Reads for ever what is wanted, and says for which namespace something has changed.
    pub(super) async fn follow(self, client: Client, changed: impl Fn(&str)) {
        loop {
            let due = self.due();
            let mut looks = stream::iter(due)
                .map(|(namespace, name, version)| {
                    let client = client.clone();
                    async move {
                        let seen = look(client, &namespace, &name, version.as_deref()).await;
                        (seen, namespace, name)
                    }
                })
                .buffer_unordered(AT_ONCE);
            while let Some((seen, namespace, name)) = looks.next().await {
                if self.record(&namespace, &name, seen) {
                    changed(&namespace);
                }
            }
            // Not to be told of anything is what a tick is for.
            let _ = timeout(TICK, self.news.notified()).await;
        }
    }

    pub(super) fn keep_namespaces(&self, namespaces: &HashSet<String>) {
        self.known.keep_namespaces(namespaces);
        self.tried.keep_namespaces(namespaces);
    }

    /// Namespace, name, and the resourceVersion that need not be read again.
    fn due(&self) -> Vec<(String, String, Option<String>)> {
        let all = self.known.all();
        let soon = all.iter().filter(|(_, _, known)| known.soon).count();
        let pause = |least: Duration, many: usize| {
            let many = u32::try_from(many).unwrap_or(u32::MAX);
            least.max(EACH.saturating_mul(many))
        };
        let (often, seldom) = (pause(SOON, soon), pause(LATER, all.len() - soon));
        let due = all.into_iter().filter(|(_, _, known)| {
            let pause = if known.soon { often } else { seldom };
            known.is_due(pause)
        });
        due.map(|(namespace, name, known)| {
            let version = known.version.clone().filter(|_| known.is_read());
            (namespace, name, version)
        })
        .collect()
    }

    /// What the object says of each page that is wanted of it. One that is wanted meanwhile is read by
    /// the next look, for it is not known.
    fn read(
        &self,
        namespace: &str,
        name: &str,
        seen: &Seen,
    ) -> Option<BTreeMap<PageRef, Result<Arc<Page>, Flaw>>> {
        let Seen::Now(object) = seen else {
            return None;
        };
        let wanted = self
            .known
            .of(namespace, &name.to_owned())?
            .wanted
            .into_keys();
        let read = wanted.map(|of| {
            let read = page::read(object.as_deref(), &of);
            (of, read)
        });
        Some(read.collect())
    }

    /// Whether that is news.
    fn record(&self, namespace: &str, name: &str, seen: Result<Seen, Error>) -> bool {
        // A template is tried for a while: not while others wait to see what is known.
        let read = seen
            .as_ref()
            .ok()
            .and_then(|seen| self.read(namespace, name, seen));
        self.known.change(namespace, |known| {
            let Some(known) = known.get_mut(name) else {
                // Nobody wants it any more.
                return false;
            };
            known.looked = Some(Instant::now());
            let before = known.wanted.clone();
            match seen {
                Ok(Seen::AsBefore) => return false,
                Ok(Seen::Now(object)) => {
                    known.version = object.as_deref().and_then(ResourceExt::resource_version);
                    let mut read = read.unwrap_or_default();
                    for (wanted, result) in &mut known.wanted {
                        *result = read.remove(wanted);
                    }
                }
                Err(error) => {
                    for read in known.wanted.values_mut() {
                        let flaw = Flaw::unread(read.take(), error.to_string());
                        *read = Some(Err(flaw));
                    }
                    known.version = None;
                }
            }
            known.wanted != before
        })
    }
}

/// Whether a notice speaks of the window that is not on its way out.
fn is_told_of(observed: &Observed, window: &Window) -> bool {
    let standing = observed.notice_of(&window.uid);
    standing.is_some_and(|standing| {
        names::instant(&standing.object.metadata, names::LINGER_ANNOTATION).is_none()
    })
}

fn is_to_come(window: &Window, now: DateTime<Utc>) -> bool {
    !window.suspended && !window.deleting && window.next(now).is_some()
}

/// Reads a ConfigMap, unless it is still of this `version`.
async fn look(
    client: Client,
    namespace: &str,
    name: &str,
    version: Option<&str>,
) -> Result<Seen, Error> {
    let api = Api::<ConfigMap>::namespaced(client, namespace);
    let action = format!("read ConfigMap {name}");
    if version.is_some() {
        let any = GetParams::any();
        let metadata = api.get_metadata_opt_with(name, &any);
        let metadata = within_patience(&action, metadata).await?;
        if metadata.and_then(|it| it.resource_version()).as_deref() == version {
            return Ok(Seen::AsBefore);
        }
    }
    let object = within_patience(&action, api.get_opt(name)).await?;
    Ok(Seen::Now(object.map(Box::new)))
}

#[cfg(test)]
mod tests;
