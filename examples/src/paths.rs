//! Audio over several paths, in virtual time: what arrives when one goes dark.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::netem::{Duplex, NetemConfig};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, DataSize, Ssrc};
use rtc_transport::path::{
    Candidate, Copies, Handled, Outgoing, PathChange, PathId, PathManager, PathManagerConfig, Route,
};

/// Opus at 48 kb/s, 20 ms each, with RTP header.
const INTERVAL_MS: u64 = 20;
const SIZE: DataSize = DataSize::from_bytes(132);

/// A conversation's audio from the near end to the far end.
#[derive(Debug, Clone)]
pub struct Journey {
    /// The paths: there, and back.
    pub paths: Vec<(NetemConfig, NetemConfig)>,
    /// Whether audio goes over two paths.
    pub copies: Copies,
    /// Settings of both ends.
    pub config: PathManagerConfig,
    /// For how long.
    pub length: Duration,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// When each packet left, and when it arrived first.
    pub packets: Vec<(Instant, Option<Instant>)>,
    /// What the near end's manager told, and when.
    pub changes: Vec<(Instant, PathChange)>,
    /// Packets sent, copies included.
    pub sent: u64,
    /// Probes and answers sent by both ends.
    pub probes: u64,
}

impl Outcome {
    /// How long after `dark` a packet arrived that left then or later.
    #[must_use]
    pub fn restored(&self, dark: Instant) -> Option<Duration> {
        let later = self.packets.iter().filter(|(left, _)| *left >= dark);
        later.filter_map(|(_, arrived)| *arrived).min().map(|arrived| arrived - dark)
    }

    /// Packets that never arrived.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.packets.iter().filter(|(_, arrived)| arrived.is_none()).count()
    }

    /// When media went over another path than before.
    pub fn switches(&self) -> impl Iterator<Item = Instant> {
        let switches =
            self.changes.iter().filter(|(_, change)| matches!(change, PathChange::Switched { from: Some(_), .. }));
        switches.map(|(at, _)| *at)
    }
}

#[derive(Debug, Clone, Copy)]
enum Packet {
    Media(usize),
    Probe([u8; 24]),
}

struct World {
    paths: Vec<Duplex<Packet>>,
    near: PathManager,
    far: PathManager,
    outcome: Outcome,
}

/// Runs a journey; the same seed, the same outcome.
///
/// # Errors
/// [`ConfigError`] for networks or settings out of their range.
pub fn travel(journey: &Journey, seed: u64) -> Result<Outcome, ConfigError> {
    let mut world = World {
        paths: Vec::new(),
        near: PathManager::new(journey.config.clone(), Ssrc(1), [1; 16])?,
        far: PathManager::new(journey.config.clone(), Ssrc(2), [2; 16])?,
        outcome: Outcome::default(),
    };
    let start = Instant::ZERO;
    for ((there, back), number) in journey.paths.iter().zip(0_u16..) {
        let (id, bias) = (PathId(number), Duration::ZERO);
        world.paths.push(Duplex::new(there.clone(), back.clone(), seed * 100 + u64::from(number))?);
        world.near.add(start, Candidate { id, remote: address(id, Side::Far), bias })?;
        world.far.add(start, Candidate { id, remote: address(id, Side::Near), bias })?;
    }
    for now in Ticks::every(Duration::from_millis(1)).take_while(|now| *now <= start + journey.length) {
        world.receive(now);
        world.probe(now);
        if now.as_millis() % INTERVAL_MS == 0 {
            world.speak(now, journey.copies);
        }
    }
    Ok(world.outcome)
}

#[derive(Clone, Copy)]
enum Side {
    Near,
    Far,
}

fn address(path: PathId, side: Side) -> SocketAddr {
    let [high, low] = path.0.to_be_bytes();
    (Ipv4Addr::new(10, high, low, side as u8 + 1), 5_004).into()
}

impl World {
    fn receive(&mut self, now: Instant) {
        for (path, number) in self.paths.iter_mut().zip(0_u16..) {
            let id = PathId(number);
            while let Some(delivery) = path.forward.poll(now) {
                match delivery.item {
                    Packet::Media(index) => {
                        self.far.on_received(now, id, address(id, Side::Near));
                        self.outcome.packets[index].1.get_or_insert(now);
                    }
                    Packet::Probe(datagram) => {
                        let handled = self.far.handle(now, id, address(id, Side::Near), &datagram);
                        debug_assert_eq!(handled, Handled::Probe);
                    }
                }
            }
            while let Some(delivery) = path.reverse.poll(now) {
                if let Packet::Probe(datagram) = delivery.item {
                    self.near.handle(now, id, address(id, Side::Far), &datagram);
                }
            }
        }
    }

    fn probe(&mut self, now: Instant) {
        for side in [Side::Near, Side::Far] {
            let manager = match side {
                Side::Near => &mut self.near,
                Side::Far => &mut self.far,
            };
            if manager.poll_timeout(now).is_some_and(|at| at <= now) {
                manager.handle_timeout(now);
            }
            while let Some(Outgoing { path, datagram, .. }) = manager.poll_transmit(now) {
                let path = &mut self.paths[usize::from(path.0)];
                let link = match side {
                    Side::Near => &mut path.forward,
                    Side::Far => &mut path.reverse,
                };
                link.send(now, DataSize::of(&datagram), Ecn::NotEct, Packet::Probe(datagram));
                self.outcome.probes += 1;
            }
        }
        while let Some(change) = self.near.poll_change() {
            self.outcome.changes.push((now, change));
        }
        while self.far.poll_change().is_some() {}
    }

    fn speak(&mut self, now: Instant, copies: Copies) {
        let index = self.outcome.packets.len();
        self.outcome.packets.push((now, None));
        let routes = self.near.routes(now, copies);
        for Route { path, .. } in [routes.first, routes.second].into_iter().flatten() {
            self.paths[usize::from(path.0)].forward.send(now, SIZE, Ecn::NotEct, Packet::Media(index));
            self.outcome.sent += 1;
        }
    }
}
