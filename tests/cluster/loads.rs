//! Load on every path while its target is flipped again and again: nobody gets anything but the app
//! or the maintenance page, and nobody stays on the page when the proxy has left it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte_testbed::app::{App, Routes};
use entracte_testbed::cluster::Proxy;
use entracte_testbed::load::{Class, Counts, Load, Options, Report};
use entracte_testbed::target::Kind;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::objects::eventually;
use crate::scene::{Scene, WINDOW, always, named, sources};

/// From the page to the app and back.
const ROUNDS: usize = 25;

/// A path has flipped when no new connection has led to where it led before for this long.
const QUIET: Duration = Duration::from_millis(300);

/// How long after the proxy switched back a client may still get the page.
const STAYS_WITHIN: TimeDelta = TimeDelta::seconds(2);

/// How long the clients of a watched round have to come to the page: most of them do.
const COMES: Duration = Duration::from_millis(2500);

/// How long it is watched afterwards whether each has left: longer than the pause of any of them.
const WATCHED: Duration = Duration::from_millis(4200);

/// How many pods each app has.
const PODS: usize = 2;

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Anew for each request.
    New,
    /// A few busy connections.
    Kept,
    /// Many connections that are idle for four seconds between two requests: longer than one may stay.
    Idle,
}

/// A way to an app, and the clients on it.
struct Path {
    name: &'static str,
    clients: Vec<(Habit, Load)>,
}

/// A release, and when it was over: the next hold, or the end.
struct Release {
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What the clients of one habit saw on one path.
struct Seen {
    path: &'static str,
    habit: Habit,
    report: Report,
    /// The longest time that one of them got the page after the proxy had switched back.
    stayed: TimeDelta,
}

pub(crate) async fn fifty_flips_show_nobody_anything_but_the_app_and_the_page(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "loads", both_behind(Proxy::Traefik)).await?;
    let behind_envoy = app(&scene, "envoy", both_behind(Proxy::Contour)).await?;
    let direct = app(&scene, "direct", Routes::default()).await?;
    let ways = [
        ("Ingress, Envoy", &behind_envoy, Kind::Ingress),
        ("Ingress, Traefik", &scene.app, Kind::Ingress),
        ("HTTPRoute, Traefik", &scene.app, Kind::HttpRoute),
        ("HTTPRoute, Envoy", &behind_envoy, Kind::HttpRoute),
        ("Service, ClusterIP", &direct, Kind::Service),
    ];
    let targets = ways.map(|(_, app, kind)| named(kind, app.name()));
    scene
        .window_over(WINDOW, always(), targets.to_vec())
        .await?;
    scene.held(WINDOW).await?;

    let sources = sources().await?;
    let mut paths = Vec::new();
    for (name, app, kind) in ways {
        paths.push(Path::open(name, app.address(kind)?, &app.host(), &sources));
    }
    let mut releases = flip_again_and_again(&scene, &paths).await?;
    // One more, while the window goes on for the first.
    let stays = paths.remove(0);
    let only_that = json!({ "targets": targets[..1] });
    let last = release(&scene, &paths, only_that, true).await?;
    let mut seen = stays.close(&releases).await?;
    for seen in &seen {
        let app = seen.report.count(Class::App, last.at..);
        assert_eq!(app, 0, "{seen}: it was not to be released");
    }
    releases.push(last);
    for path in paths {
        seen.extend(path.close(&releases).await?);
    }
    println!("{} flips of each path, and a last one:", 2 * ROUNDS);
    for seen in &seen {
        println!("{seen}");
    }
    for seen in &seen {
        seen.check();
    }
    Ok(())
}

fn both_behind(proxy: Proxy) -> Routes {
    Routes {
        ingress: proxy,
        http_route: Some(proxy),
    }
}

async fn app(scene: &Scene<'_>, name: &str, routes: Routes) -> Result<App> {
    let cluster = &scene.bench.cluster;
    Ok(App::create_behind(cluster, &scene.namespace, name, PODS, routes).await?)
}

/// Ends as it began, with every target held.
///
/// In every fourth round all clients come anew to the page, as those do that were started in the
/// maintenance, and it is watched whether each leaves. In the others the clients of a ClusterIP stay
/// with the app, for nothing cuts the connections that they have.
async fn flip_again_and_again(scene: &Scene<'_>, paths: &[Path]) -> Result<Vec<Release>> {
    let mut releases = Vec::new();
    all_answer(paths, Class::Maintenance).await?;
    for round in 0..ROUNDS {
        let watched = round % 4 == 0;
        let change = json!({ "suspend": true });
        releases.push(release(scene, paths, change, watched).await?);
        scene.change(WINDOW, json!({ "suspend": false })).await?;
        all_answer(paths, Class::Maintenance).await?;
    }
    Ok(releases)
}

/// Waits until all of these paths are back.
async fn release(
    scene: &Scene<'_>,
    paths: &[Path],
    change: Value,
    watched: bool,
) -> Result<Release> {
    if watched {
        paths.iter().for_each(Path::start_anew);
        sleep(COMES).await;
    }
    let at = Utc::now();
    scene.change(WINDOW, change).await?;
    all_answer(paths, Class::App).await?;
    if watched {
        sleep(WATCHED).await;
    }
    Ok(Release {
        at,
        until: Utc::now(),
    })
}

/// Waits until every path leads there.
async fn all_answer(paths: &[Path], who: Class) -> Result {
    try_join_all(paths.iter().map(|path| path.answers(who))).await?;
    Ok(())
}

impl Habit {
    const ALL: [Self; 3] = [Self::New, Self::Kept, Self::Idle];

    fn options(self, options: Options) -> Options {
        let (workers, per_second) = match self {
            Self::New => (4, 50),
            Self::Kept => (4, 40),
            Self::Idle => (40, 10),
        };
        Options {
            workers,
            per_second,
            keep_alive: self != Self::New,
            ..options
        }
    }
}

impl Path {
    fn open(name: &'static str, address: SocketAddr, host: &str, sources: &[IpAddr]) -> Self {
        let clients = Habit::ALL.map(|habit| {
            let options = Options {
                sources: sources.to_vec(),
                ..Options::new(address, host)
            };
            (habit, Load::start(habit.options(options)))
        });
        Self {
            name,
            clients: clients.into(),
        }
    }

    fn start_anew(&self) {
        for (_, load) in &self.clients {
            load.start_anew();
        }
    }

    /// Waits until new connections lead there, and nowhere else any more.
    async fn answers(&self, who: Class) -> Result {
        let what = format!("{}: {who:?} alone answers", self.name);
        let (mut last, mut since) = (self.new_connections(), None);
        eventually(&what, async || {
            let now = self.new_connections();
            let there = of(now, who) - of(last, who);
            if now.total() - last.total() > there {
                since = None;
            } else if there > 0 {
                since.get_or_insert_with(Instant::now);
            }
            last = now;
            Ok(since.filter(|since| since.elapsed() >= QUIET).map(drop))
        })
        .await
    }

    fn new_connections(&self) -> Counts {
        let (_, load) = &self.clients[0];
        load.snapshot().counts
    }

    async fn close(self, releases: &[Release]) -> Result<Vec<Seen>> {
        let mut reports = Vec::new();
        for (habit, load) in self.clients {
            reports.push((habit, load.stop().await));
        }
        let new = reports[0].1.clone();
        let mut seen = Vec::new();
        for (habit, report) in reports {
            seen.push(Seen {
                path: self.name,
                habit,
                stayed: longest_stay(&report, &new, releases)?,
                report,
            });
        }
        Ok(seen)
    }
}

fn of(counts: Counts, class: Class) -> u64 {
    match class {
        Class::App => counts.app,
        Class::Maintenance => counts.maintenance,
        Class::Other => counts.other,
    }
}

/// From when the app first answered a new connection, which is when the proxy switched back.
fn longest_stay(report: &Report, new: &Report, releases: &[Release]) -> Result<TimeDelta> {
    let mut longest = TimeDelta::zero();
    for &Release { at, until } in releases {
        let flip = new.flip_at(at, Some(until), Class::App);
        let back = flip
            .ok_or("a release that no new connection saw")?
            .first_new;
        if let Some(last) = report.last(Class::Maintenance, at..until) {
            longest = longest.max(last.wall - back.wall);
        }
    }
    Ok(longest)
}

impl Seen {
    fn check(&self) {
        let who = format!("{}, {:?}", self.path, self.habit);
        let others: Vec<_> = self.report.others().take(5).collect();
        assert_eq!(others, [], "{who}");
        for class in [Class::App, Class::Maintenance] {
            assert!(self.report.count(class, ..) > 0, "{who}: {class:?}");
        }
        let stayed = self.stayed.num_milliseconds();
        assert!(self.stayed <= STAYS_WITHIN, "{who}: {stayed} ms");
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            app,
            maintenance,
            other,
        } = self.report.counts();
        let habit = format!("{:?}", self.habit);
        write!(
            f,
            "{:<20}{habit:<5}: the app {app:>5}, the page {maintenance:>5}, others {other}, \
             retried {}, on the page for {:>4} ms after the proxy",
            self.path,
            self.report.retried,
            self.stayed.num_milliseconds(),
        )
    }
}
