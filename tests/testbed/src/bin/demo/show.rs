//! The window as it goes: what clients see, and what `kubectl get mw` says.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte_testbed::{
    load::{Class, Counts, Flip, Report},
    target::{Target, To},
    verdict::{Occurrence, SETTLES_WITHIN},
};
use tokio::time::sleep;

use crate::{
    stage::{Client, Stage, StageError},
    story::Story,
};

/// How often the clients are looked at.
const POLL: Duration = Duration::from_millis(50);

/// How often their answers are told, and how long before the start that begins.
const PERIOD: TimeDelta = TimeDelta::seconds(1);
const OVERTURE: TimeDelta = TimeDelta::seconds(5);

/// When `kubectl get mw` is shown: before the start, and twice after it, the second time with what
/// `curl` gets. Never close to a flip, which it would keep from the processor.
const BEFORE: TimeDelta = TimeDelta::seconds(3);
const BEGUN: TimeDelta = TimeDelta::milliseconds(1_500);
const HALFWAY: TimeDelta = TimeDelta::milliseconds(5_500);

/// The release has settled when no old answer has come for this long.
const QUIET: TimeDelta = TimeDelta::seconds(2);

/// The width of what is told of one target's clients.
const WIDTH: usize = 40;

/// The running show.
pub(crate) struct Show<'a> {
    story: &'a mut Story,
    occurrence: Occurrence,
    audience: [Watched; 2],
    /// When answers are told next.
    next: DateTime<Utc>,
    /// Whether a maintenance answer was shown with its headers.
    quoted: bool,
}

impl<'a> Show<'a> {
    pub(crate) fn new(story: &'a mut Story, occurrence: Occurrence, clients: [Client; 2]) -> Self {
        Self {
            story,
            occurrence,
            audience: clients.map(Watched::new),
            next: occurrence.start - OVERTURE + PERIOD,
            quoted: false,
        }
    }

    /// From now until the apps alone have answered for a while.
    pub(crate) async fn run(&mut self, stage: &Stage) -> Result<(), StageError> {
        let Occurrence { start, end } = self.occurrence;
        self.open(start - OVERTURE).await;
        self.watch_until(start - BEFORE).await;
        stage.get_windows(self.story, &[]).await?;
        self.watch_until(start + BEGUN).await;
        stage.get_windows(self.story, &[]).await?;
        self.watch_until(start + HALFWAY).await;
        // With the reason, if something is not held.
        stage.get_windows(self.story, &["--output", "wide"]).await?;
        stage.ask_with_curl(self.story).await?;
        self.watch_until(end + QUIET).await;
        self.watch_until_settled().await;
        stage.get_windows(self.story, &[]).await
    }

    /// Waits for a whole second, and counts answers from then on.
    async fn open(&mut self, instant: DateTime<Utc>) {
        self.story.gap();
        self.story
            .line("What clients get, second by second; T is the start of the window:");
        sleep((instant - Utc::now()).to_std().unwrap_or_default()).await;
        for watched in &mut self.audience {
            watched.new_answers();
        }
        while self.next < Utc::now() + PERIOD / 2 {
            self.next += PERIOD;
        }
    }

    /// Lets the clients stop, and says what each of them saw.
    pub(crate) async fn stop(self) -> Vec<(Target, Report)> {
        let mut seen = Vec::new();
        for Watched {
            client: Client { target, load },
            ..
        } in self.audience
        {
            seen.push((target, load.stop().await));
        }
        seen
    }

    async fn watch_until(&mut self, instant: DateTime<Utc>) {
        loop {
            let now = Utc::now();
            self.look(now);
            if now >= instant {
                return;
            }
            let left = instant.min(self.next) - now;
            sleep(left.to_std().unwrap_or_default().min(POLL)).await;
        }
    }

    /// Ends in any case when an old answer is a fault.
    async fn watch_until_settled(&mut self) {
        let end = self.occurrence.end;
        loop {
            let now = Utc::now();
            let settled = self
                .audience
                .iter()
                .all(|watched| watched.is_settled(end, now));
            if settled || now > end + SETTLES_WITHIN + QUIET {
                return;
            }
            self.watch_until(now + TimeDelta::milliseconds(500)).await;
        }
    }

    fn look(&mut self, now: DateTime<Utc>) {
        if now >= self.next {
            self.tell_answers();
            while self.next <= now {
                self.next += PERIOD;
            }
        }
        for index in 0..self.audience.len() {
            if let Some(flip) = self.audience[index].next_flip(self.occurrence, now) {
                self.tell_flip(index, flip);
            }
        }
    }

    /// That the first new answer came, and what it was if it is the first of its kind.
    fn tell_flip(&mut self, index: usize, flip: Flip) {
        let Self {
            story,
            occurrence,
            audience,
            quoted,
            ..
        } = self;
        let Client { target, load } = &audience[index].client;
        let at = occurrence.clock(flip.first_new.wall, 3);
        let now = match flip.to {
            Class::Maintenance => "clients now get 503 from the maintenance backend",
            _ => "clients get the app again",
        };
        let news = story.answer(flip.to, &format!("{target}: {now}"));
        story.line(format!("{at:<10} {news}"));
        if let (false, Some(head)) = (*quoted, load.snapshot().last_maintenance) {
            story.quote(&head);
            *quoted = true;
        }
    }

    /// What has been answered since this was told last.
    fn tell_answers(&mut self) {
        let Self {
            story,
            occurrence,
            audience,
            next,
            ..
        } = self;
        let mut line = format!("{:<10}", occurrence.clock(*next, 1));
        let mut wrong = Vec::new();
        for watched in audience {
            let new = watched.new_answers();
            line += &cell(story, &watched.client.target, new);
            let reason = watched.client.load.snapshot().last_other;
            wrong.extend(reason.filter(|_| new.other > 0));
        }
        story.line(line.trim_end());
        for reason in wrong {
            story.wrong(&format!("           {reason}"));
        }
    }
}

/// `Ingress/web 52 app, 98 maintenance`, painted and padded.
fn cell(story: &Story, target: &Target, counts: Counts) -> String {
    let answers = [
        (Class::App, counts.app, "app"),
        (Class::Maintenance, counts.maintenance, "maintenance"),
        (Class::Other, counts.other, "OTHER"),
    ];
    let mut plain = format!(" {target}");
    let mut painted = plain.clone();
    for (class, count, name) in answers.into_iter().filter(|(_, count, _)| *count > 0) {
        let text = format!(" {count:>4} {name}");
        painted += &story.answer(class, &text);
        plain += &text;
    }
    let padding = WIDTH.saturating_sub(plain.len());
    painted + &" ".repeat(padding)
}

/// Clients, and how much of what they saw was told.
struct Watched {
    client: Client,
    told: Counts,
    /// The next flip to tell of.
    next: Option<To>,
}

impl Watched {
    fn new(client: Client) -> Self {
        Self {
            told: client.load.snapshot().counts,
            client,
            next: Some(To::Hold),
        }
    }

    fn new_answers(&mut self) -> Counts {
        let counts = self.client.load.snapshot().counts;
        let told = std::mem::replace(&mut self.told, counts);
        Counts {
            app: counts.app - told.app,
            maintenance: counts.maintenance - told.maintenance,
            other: counts.other - told.other,
        }
    }

    /// The flip that is due, once it is seen.
    fn next_flip(&mut self, occurrence: Occurrence, now: DateTime<Utc>) -> Option<Flip> {
        let to = self.next?;
        let at = occurrence.instant(to);
        if now < at {
            return None;
        }
        let flip = self.client.load.report().flip_at(at, None, to.class())?;
        self.next = (to == To::Hold).then_some(To::Release);
        Some(flip)
    }

    /// Whether the app was back at `end` or after it, and nothing else came lately.
    fn is_settled(&self, end: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let flip = self
            .client
            .load
            .report()
            .flip_at(end, None, To::Release.class());
        flip.is_some_and(|flip| flip.last_old.is_none_or(|old| old.wall < now - QUIET))
    }
}
