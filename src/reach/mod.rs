//! Windows × the objects of their namespace → what each window reaches now.
//!
//! PURE. A window names objects or selects them, and a route (an Ingress or HTTPRoute) is held
//! itself or by the Services behind it. Nothing of that is remembered: it is found anew from the
//! objects as they are, so that a set follows labels, and Services follow their routes, at every
//! change. Two windows that reach one object by different ways are two windows that cover it.
//!
//! # Guarantees
//!
//! - What Entracte made is never selected.
//! - A route whose Services cannot all be held is held by none of them.
//! - A route that changes from one way of being held to the other is held by the first until the
//!   second holds.

mod argocd;
mod said;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kube::core::ObjectMeta;

use crate::api::names;
use crate::api::target::HoldMode;
use crate::plan::holdable::{Behind, Surroundings};
use crate::plan::{Holdable, Reason};
use crate::schedule::{TargetRef, Targeted, Which, Window};

pub use said::idle;

/// The objects of one namespace, as far as it matters to what reaches them.
pub type Objects<'a> = BTreeMap<&'a TargetRef, Seen<'a>>;

/// A Service or a route.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The object.
    pub object: &'a dyn Holdable,
    /// The Services behind it.
    pub behind: Behind,
    /// Whether a Service bears the hold key, or a route leads to a bridge.
    pub is_held: bool,
    /// Whether it answers from the backend and from nothing else.
    pub answers_alone: bool,
    /// The uid of the window that answers for a Service, where that is known.
    pub led_by: Option<&'a str>,
}

impl<'a> Seen<'a> {
    /// An object, and what was read beside it.
    pub fn of(object: &'a dyn Holdable, around: &Surroundings) -> Self {
        Self {
            behind: object.behind(around),
            is_held: object.is_held(around),
            answers_alone: object.answers_alone(around),
            led_by: None,
            object,
        }
    }
}

/// What a window reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// What is held while the window is on.
    pub holds: BTreeSet<TargetRef>,
    /// The objects that the window names, in its order, and then those that it selects.
    pub lines: Vec<Line>,
    /// The entries that select nothing.
    pub idle: Vec<Targeted>,
    /// Whether it holds a route by patching it, or may have to at any moment.
    pub needs_bridge: bool,
}

/// An object that a window names or selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The object.
    pub target: TargetRef,
    /// Whether the window gives its name.
    pub is_named: bool,
    /// What is held.
    pub by: By,
}

/// What is held, so that an object answers from the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The object.
    Itself,
    /// The Services behind it.
    Services(ByServices),
}

/// The Services that are held in place of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByServices {
    /// Their names. None where they cannot be held.
    pub services: BTreeSet<String>,
    /// Why they are, and not the route.
    pub why: Why,
    /// Which of them answer for other routes too.
    pub shared: Vec<Shared>,
    /// Why they cannot be held.
    pub but: Option<Reason>,
}

/// Why Services are held in place of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The window says so.
    Asked,
    /// The window leaves it open, and Argo CD would undo a patch of the route.
    ArgoCd(argocd::Sign),
}

/// A Service that answers for several routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its name.
    pub service: String,
    /// The first few of the other routes.
    pub with: Vec<TargetRef>,
    /// How many more there are.
    pub more: usize,
}

/// How many of the routes that share a Service are named.
const MOST_NAMED: usize = 3;

/// What each of `windows` reaches among `objects`, in the order of `windows`.
pub fn reach(windows: &[Window], objects: &Objects<'_>) -> Vec<Reach> {
    if windows.is_empty() {
        return Vec::new();
    }
    let namespace = Namespace {
        objects,
        leading_to: leading_to(objects),
    };
    let reached = windows.iter().map(|window| namespace.reach(window));
    reached.collect()
}

/// The routes that lead to each Service.
fn leading_to<'a>(objects: &'a Objects<'_>) -> HashMap<&'a str, Vec<&'a TargetRef>> {
    let mut leading_to: HashMap<&str, Vec<_>> = HashMap::new();
    let routes = objects
        .iter()
        .filter(|(target, seen)| target.kind.is_route() && !names::is_ours(seen.object.metadata()));
    for (route, seen) in routes {
        for service in &seen.behind.services {
            leading_to.entry(service).or_default().push(*route);
        }
    }
    leading_to
}

/// Objects, and which of them lead to which.
struct Namespace<'a> {
    objects: &'a Objects<'a>,
    leading_to: HashMap<&'a str, Vec<&'a TargetRef>>,
}

impl Namespace<'_> {
    fn reach(&self, window: &Window) -> Reach {
        let mut entries: Vec<&Targeted> = window.targets.iter().collect();
        entries.sort_by_key(|entry| rank(&entry.which));
        let mut reach = Reach::default();
        let mut known = HashSet::new();
        for entry in entries {
            let selected = self.selected(entry);
            if selected.is_empty() {
                reach.idle.push(entry.clone());
            }
            reach.needs_bridge |= may_come_to_patch(entry);
            for target in selected {
                if known.insert(target.clone()) {
                    let line = self.line(entry, target);
                    self.hold(window, &line, &mut reach);
                    reach.lines.push(line);
                }
            }
        }
        reach
    }

    /// What an entry names, whether it is there or not, or selects.
    fn selected(&self, entry: &Targeted) -> Vec<TargetRef> {
        let matches = |metadata: &ObjectMeta| match &entry.which {
            Which::Name(_) => false,
            Which::Selector(selector) => selector.matches(metadata.labels.as_ref()),
            Which::All => true,
        };
        if let Which::Name(name) = &entry.which {
            return vec![TargetRef {
                kind: entry.kind,
                name: name.clone(),
            }];
        }
        let of_kind = self
            .objects
            .iter()
            .filter(|(target, _)| target.kind == entry.kind);
        of_kind
            .map(|(target, seen)| (target, seen.object.metadata()))
            .filter(|(_, metadata)| !names::is_ours(metadata) && matches(metadata))
            .map(|(target, _)| (*target).clone())
            .collect()
    }

    fn route(&self, target: &TargetRef) -> Option<&Seen<'_>> {
        let seen = self.objects.get(target)?;
        target.kind.is_route().then_some(seen)
    }

    fn service(&self, name: &str) -> Option<&Seen<'_>> {
        self.objects.get(&TargetRef::service(name))
    }

    fn line(&self, entry: &Targeted, target: TargetRef) -> Line {
        let by = match self.route(&target) {
            Some(route) => match why_services(entry.hold, route.object) {
                Some(why) => By::Services(self.by_services(&target, &route.behind, why)),
                None => By::Itself,
            },
            // A Service, or nothing.
            None => By::Itself,
        };
        Line {
            target,
            is_named: matches!(entry.which, Which::Name(_)),
            by,
        }
    }

    fn by_services(&self, route: &TargetRef, behind: &Behind, why: Why) -> ByServices {
        let but = behind.but.clone().or_else(|| {
            let mut services = behind.services.iter();
            services.find_map(|service| {
                let reason = self.unfit(service)?;
                Some(said::unfit(route.kind, service, &reason))
            })
        });
        let services = if but.is_some() {
            BTreeSet::new()
        } else {
            behind.services.clone()
        };
        ByServices {
            shared: services
                .iter()
                .filter_map(|service| self.shared(service, route))
                .collect(),
            services,
            why,
            but,
        }
    }

    /// A Service that is not there is held when it appears.
    fn unfit(&self, service: &str) -> Option<Reason> {
        self.service(service)?.object.unfit()
    }

    fn shared(&self, service: &str, but: &TargetRef) -> Option<Shared> {
        let all = self.leading_to.get(service)?;
        let others = all.iter().filter(|route| **route != but);
        let with: Vec<TargetRef> = others
            .take(MOST_NAMED)
            .map(|route| (*route).clone())
            .collect();
        let others = all.len().saturating_sub(1);
        (!with.is_empty()).then(|| Shared {
            service: service.to_owned(),
            more: others.saturating_sub(with.len()),
            with,
        })
    }

    /// What a line holds, and while a route changes from one way of being held to the other, what
    /// held it so far: released first, the app would be reached in between.
    fn hold(&self, window: &Window, line: &Line, reach: &mut Reach) {
        match &line.by {
            By::Itself => {
                reach.holds.insert(line.target.clone());
                reach.needs_bridge |= line.target.kind.is_route();
                reach.holds.extend(self.held_so_far(window, &line.target));
            }
            By::Services(by) => {
                let route = self.route(&line.target);
                let are_held = || by.services.iter().all(|name| self.reaches_no_app(name));
                if route.is_some_and(|route| route.is_held) && by.but.is_none() && !are_held() {
                    reach.holds.insert(line.target.clone());
                    reach.needs_bridge = true;
                }
                reach
                    .holds
                    .extend(by.services.iter().map(|name| TargetRef::service(name)));
            }
        }
    }

    /// The Services behind a route that is to be patched, and is not yet, which this window holds: those
    /// of another window are its own affair.
    fn held_so_far(&self, window: &Window, route: &TargetRef) -> Vec<TargetRef> {
        let Some(route) = self.route(route).filter(|route| !route.is_held) else {
            return Vec::new();
        };
        let is_held = |name: &&String| {
            let seen = self.service(name);
            seen.is_some_and(|seen| seen.is_held && seen.led_by.is_none_or(|it| it == window.uid))
        };
        let services = route.behind.services.iter().filter(is_held);
        let held: Vec<TargetRef> = services.map(|name| TargetRef::service(name)).collect();
        if held.is_empty() || route.object.unfit().is_some() {
            return Vec::new();
        }
        held
    }

    fn reaches_no_app(&self, service: &str) -> bool {
        let seen = self.service(service);
        seen.is_none_or(|seen| seen.answers_alone)
    }
}

/// The entry that says most about an object decides how it is held.
fn rank(which: &Which) -> u8 {
    match which {
        Which::Name(_) => 0,
        Which::Selector(_) => 1,
        Which::All => 2,
    }
}

/// Whether an entry may select a route at any moment that is held by patching it. The bridge has to
/// stand before.
fn may_come_to_patch(entry: &Targeted) -> bool {
    entry.kind.is_route()
        && entry.hold != Some(HoldMode::Services)
        && !matches!(entry.which, Which::Name(_))
}

/// Why a route is held by its Services, or `None` where it is patched.
fn why_services(hold: Option<HoldMode>, route: &dyn Holdable) -> Option<Why> {
    match hold {
        Some(HoldMode::Route) => None,
        Some(HoldMode::Services) => Some(Why::Asked),
        None => argocd::sign(route.kind(), route.metadata()).map(Why::ArgoCd),
    }
}
