use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, Ssrc};

use super::monitor::{Health, Monitor, PathStats};
use super::probe::{self, Probe};
use super::{PathManagerConfig, Quality};

mod address;
mod choice;

use address::{Allowance, Nonces, Rebinding};
use choice::{Choice, Hurry};

/// Answers and changes that wait to be polled at most.
const MAX_WAITING: usize = 64;

/// Name of a path, given by the integrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u16);

/// A way to the remote party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub id: PathId,
    /// Where packets are sent to: the remote party, or a relay that sends them on.
    pub remote: SocketAddr,
    /// What using it costs beside its quality, as delay: a relay that is paid for, a metered interface, the load of a node.
    pub bias: Duration,
}

/// A path to send over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub path: PathId,
    /// Where to.
    pub to: SocketAddr,
}

/// Over which paths a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routes {
    /// The path in use; `None` while there is no candidate.
    pub first: Option<Route>,
    /// Another one, for a copy: asked for, or because the first is doubted or about to be left.
    pub second: Option<Route>,
}

/// How many paths a packet is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// One, and a second only while the first is doubted or being left: video.
    AsNeeded,
    /// Two whenever there are: audio, which is small, and of which nothing is lost then when one path goes dark.
    Two,
}

/// A probe or an answer to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// The path to send it over.
    pub path: PathId,
    /// Where to.
    pub to: SocketAddr,
    /// An RTCP packet, not encrypted yet.
    pub datagram: [u8; probe::LEN],
}

/// Whose a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// A probe, which is done with.
    Probe,
    /// Something else, for the session.
    NotOurs,
}

/// Something the integrator may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathChange {
    /// Media go over another path from now on; a bandwidth estimator starts over.
    Switched {
        /// The path left.
        from: Option<PathId>,
        /// The path in use.
        to: PathId,
        /// Why.
        why: Why,
    },
    /// Nothing passes any more.
    Dark(PathId),
    /// The remote party's address on this path is another: its network address translation was bound anew.
    Rebound {
        /// The path.
        path: PathId,
        /// The address until now.
        from: SocketAddr,
        /// The new one, which has answered.
        to: SocketAddr,
    },
}

/// Why media go over another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There was none before.
    First,
    /// The old one went dark.
    Dark,
    /// The new one has cost less for long enough.
    Better,
    /// The old one was removed.
    Removed,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathView {
    /// As it was added, but for the address if that was bound anew.
    pub candidate: Candidate,
    /// Whether it works.
    pub health: Health,
    /// `None` until something was answered.
    pub quality: Option<Quality>,
    /// What it costs, bias included.
    pub cost: Option<Duration>,
    /// Counters.
    pub stats: PathStats,
}

/// Probes candidate paths and says over which to send: see the [module](super).
///
/// It is told of everything that arrived ([`handle`](Self::handle), [`on_received`](Self::on_received)), is polled for probes,
/// and asked for [`routes`](Self::routes) when media leave. What arrives twice is told apart by its RTP sequence number, by
/// the receiver's statistics and any play-out buffer.
#[derive(Debug)]
pub struct PathManager {
    config: PathManagerConfig,
    ssrc: Ssrc,
    paths: Vec<Path>,
    choice: Choice,
    answers: VecDeque<Outgoing>,
    changes: VecDeque<PathChange>,
    nonces: Nonces,
}

#[derive(Debug)]
struct Path {
    candidate: Candidate,
    monitor: Monitor,
    next_probe: Instant,
    /// Requests that arrived, modulo 2³².
    requests: u32,
    allowance: Allowance,
    rebinding: Option<Rebinding>,
    /// When it may be chosen for being better, having been dark.
    trusted_at: Instant,
}

impl PathManager {
    /// A manager without paths. `ssrc` is one of the session's own; nobody else may know `key`: from it come the nonces that
    /// prove that an answer came from where the request went.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: PathManagerConfig, ssrc: Ssrc, key: [u8; 16]) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            ssrc,
            paths: Vec::with_capacity(config.max_paths),
            choice: Choice::default(),
            answers: VecDeque::with_capacity(MAX_WAITING),
            changes: VecDeque::with_capacity(MAX_WAITING),
            nonces: Nonces::new(key),
            config,
        })
    }

    /// Takes a candidate, to be probed at once. One with a known name takes that one's place, with nothing known of it.
    ///
    /// # Errors
    /// [`ConfigError`] if there are [`max_paths`](PathManagerConfig::max_paths) already.
    pub fn add(&mut self, now: Instant, candidate: Candidate) -> Result<(), ConfigError> {
        let path = Path {
            candidate,
            monitor: Monitor::new(),
            next_probe: now,
            requests: 0,
            allowance: Allowance::new(now, self.config.max_answers),
            rebinding: None,
            trusted_at: now,
        };
        if let Some(known) = self.find(candidate.id) {
            *known = path;
        } else if self.paths.len() < self.config.max_paths {
            self.paths.push(path);
        } else {
            return Err(ConfigError::new("max_paths", "leaves no room for another path"));
        }
        self.choose(now);
        Ok(())
    }

    /// Gives up a path.
    pub fn remove(&mut self, now: Instant, path: PathId) {
        self.paths.retain(|known| known.candidate.id != path);
        self.answers.retain(|answer| answer.path != path);
        self.choose(now);
    }

    /// Changes what using a path costs beside its quality.
    pub fn set_bias(&mut self, path: PathId, bias: Duration) {
        if let Some(path) = self.find(path) {
            path.candidate.bias = bias;
        }
    }

    /// Takes a datagram that arrived over a path: plain RTCP, or SRTCP after it was authenticated.
    pub fn handle(&mut self, now: Instant, path: PathId, from: SocketAddr, datagram: &[u8]) -> Handled {
        let Some(probe) = Probe::parse(datagram) else { return Handled::NotOurs };
        if probe.is_answer {
            self.take_answer(now, path, from, probe);
        } else {
            self.answer(now, path, from, probe.nonce);
            self.on_received(now, path, from);
        }
        Handled::Probe
    }

    /// Takes note of where a packet of the remote party came from that was authenticated, or believed for another reason. If
    /// the address is new, it is asked whether it is the same party, before anything else goes there (as RFC 9000 §9.3 does).
    pub fn on_received(&mut self, now: Instant, path: PathId, from: SocketAddr) {
        let Some(path) = self.find(path) else { return };
        if path.candidate.remote == from {
            return;
        }
        if path.rebinding.as_ref().is_none_or(|rebinding| rebinding.is_over(now)) {
            path.rebinding = Some(Rebinding::new(now, from));
        }
    }

    /// Takes from transport-wide or other feedback that what left over this path at `sent` has arrived.
    pub fn on_acknowledged(&mut self, now: Instant, path: PathId, sent: Instant) {
        let probation = self.config.probation;
        if let Some(path) = self.find(path) {
            path.hears(now, probation, |monitor| monitor.prove(sent));
        }
    }

    /// Over which paths to send a packet now.
    #[must_use]
    pub fn routes(&self, now: Instant, copies: Copies) -> Routes {
        let Some(active) = self.active() else { return Routes::default() };
        let left = self.choice.left(now).and_then(|id| self.paths.iter().find(|path| path.candidate.id == id));
        let is_doubted = active.monitor.health(now) != Health::Works;
        let second = left.or_else(|| {
            let others = self.paths.iter().filter(|path| path.candidate.id != active.candidate.id);
            let working = others.filter(|path| path.works(now)).min_by_key(|path| self.cost(path));
            working.filter(|_| is_doubted || copies == Copies::Two)
        });
        Routes { first: Some(active.route()), second: second.map(Path::route) }
    }

    /// The next probe or answer to send.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Outgoing> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let hurry = self.hurry(now);
        let active = self.choice.active();
        let nonce = self.nonces.next();
        for path in &mut self.paths {
            if let Some(to) = path.rebinding.as_mut().and_then(|rebinding| rebinding.poll(now, nonce)) {
                return Some(path.request(self.ssrc, nonce, to));
            }
            if path.next_probe <= now {
                let is_active = Some(path.candidate.id) == active;
                let often = match hurry {
                    Hurry::None => false,
                    Hurry::Active => is_active,
                    Hurry::All => is_active || path.monitor.health(now) != Health::Dark,
                };
                path.next_probe = now + if often { self.config.active_interval } else { self.config.standby_interval };
                path.monitor.asked(now, nonce);
                return Some(path.request(self.ssrc, nonce, path.candidate.remote));
            }
        }
        None
    }

    /// The next thing to know.
    pub fn poll_change(&mut self) -> Option<PathChange> {
        self.changes.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and then poll.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let of_paths = |path: &Path| {
            let rebinding = path.rebinding.as_ref().and_then(Rebinding::poll_timeout);
            earliest([Some(path.next_probe), path.monitor.poll_timeout(now), rebinding])
        };
        earliest([earliest(self.paths.iter().map(of_paths)), self.choice.poll_timeout(&self.config)])
    }

    /// Lets time pass: finds paths dark, and chooses.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.paths.len() {
            let path = &mut self.paths[index];
            if path.monitor.expire(now) {
                let id = path.candidate.id;
                self.tell(PathChange::Dark(id));
            }
        }
        if self.hurry(now) == Hurry::All {
            for path in self.paths.iter_mut().filter(|path| path.monitor.health(now) != Health::Dark) {
                path.next_probe = path.next_probe.min(now + self.config.active_interval);
            }
        }
        self.choose(now);
    }

    /// What is known of each path, in the order they were added.
    pub fn views(&self, now: Instant) -> impl Iterator<Item = PathView> {
        self.paths.iter().map(move |path| PathView {
            candidate: path.candidate,
            health: path.monitor.health(now),
            quality: path.monitor.quality(),
            cost: path.monitor.quality().map(|_| self.cost(path)),
            stats: path.monitor.stats,
        })
    }
}

impl PathManager {
    fn active(&self) -> Option<&Path> {
        self.paths.iter().find(|path| Some(path.candidate.id) == self.choice.active())
    }

    fn find(&mut self, id: PathId) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.candidate.id == id)
    }

    /// Queues a change; the oldest gives way if nobody asks.
    fn tell(&mut self, change: PathChange) {
        if self.changes.len() == MAX_WAITING {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    fn answer(&mut self, now: Instant, id: PathId, from: SocketAddr, nonce: u64) {
        let (ssrc, has_room) = (self.ssrc, self.answers.len() < MAX_WAITING);
        let Some(path) = self.find(id) else { return };
        path.requests = path.requests.wrapping_add(1);
        if !(has_room && path.allowance.take(now)) {
            path.monitor.stats.refused += 1;
            return;
        }
        path.monitor.stats.answers += 1;
        let datagram = Probe { is_answer: true, ssrc, nonce, count: path.requests }.write();
        self.answers.push_back(Outgoing { path: id, to: from, datagram });
    }

    fn take_answer(&mut self, now: Instant, id: PathId, from: SocketAddr, probe: Probe) {
        let probation = self.config.probation;
        let Some(path) = self.find(id) else { return };
        if path.rebinding.as_ref().is_some_and(|rebinding| rebinding.is_proven_by(from, probe.nonce)) {
            let old = core::mem::replace(&mut path.candidate.remote, from);
            path.rebinding = None;
            path.next_probe = now;
            self.tell(PathChange::Rebound { path: id, from: old, to: from });
            return;
        }
        if path.candidate.remote == from {
            path.hears(now, probation, |monitor| monitor.answered(now, probe.nonce, probe.count));
        } else {
            path.monitor.stats.unasked += 1;
        }
        self.choose(now);
    }
}

impl Path {
    const fn route(&self) -> Route {
        Route { path: self.candidate.id, to: self.candidate.remote }
    }

    fn works(&self, now: Instant) -> bool {
        matches!(self.monitor.health(now), Health::Works | Health::Doubted)
    }

    fn request(&self, ssrc: Ssrc, nonce: u64, to: SocketAddr) -> Outgoing {
        let datagram = Probe { is_answer: false, ssrc, nonce, count: 0 }.write();
        Outgoing { path: self.candidate.id, to, datagram }
    }

    /// After it was dark it must work for a while before it is chosen for being better, each time for longer.
    fn hears(&mut self, now: Instant, probation: Duration, what: impl FnOnce(&mut Monitor)) {
        let was_dark = self.monitor.health(now) == Health::Dark;
        what(&mut self.monitor);
        if was_dark && self.monitor.health(now) != Health::Dark {
            let doublings = self.monitor.stats.outages.saturating_sub(1).min(5);
            self.trusted_at = now + probation * (1 << doublings);
        }
    }
}
