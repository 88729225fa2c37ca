//! Paths: anything may arrive, every probe is accounted for, and routes are what looking at all of them finds.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::Ssrc;
use rtc_core::time::Instant;
use rtc_transport::path::{
    Candidate, Copies, Handled, Health, NodeId, NodeRoute, Outgoing, PathId, PathManager, PathManagerConfig, Quality,
    RouteMap, RouteMapConfig,
};

#[derive(Debug, Clone)]
enum Op {
    Add(u16),
    Remove(u16),
    Wait(u64),
    Bytes(u16, u8, Vec<u8>),
    /// A request of the other end arrives, from its usual address or another.
    Asked(u16, u8, u64),
    /// The answer to one of the last requests arrives.
    Answer(usize, u32),
    Acknowledged(u16, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (0..6_u16).prop_map(Op::Add),
        1 => (0..6_u16).prop_map(Op::Remove),
        4 => (0..700_u64).prop_map(Op::Wait),
        1 => (0..6_u16, 0..3_u8, vec(any::<u8>(), 0..40)).prop_map(|(path, from, bytes)| Op::Bytes(path, from, bytes)),
        2 => (0..6_u16, 0..3_u8, any::<u64>()).prop_map(|(path, from, nonce)| Op::Asked(path, from, nonce)),
        4 => (0..8_usize, any::<u32>()).prop_map(|(back, count)| Op::Answer(back, count)),
        1 => (0..6_u16, any::<u64>()).prop_map(|(path, sent)| Op::Acknowledged(path, sent)),
    ]
}

fn address(path: u16, host: u8) -> SocketAddr {
    ([10, 0, u8::try_from(path).unwrap(), host], 5_004).into()
}

fn probe(subtype: u8, nonce: u64, count: u32) -> Vec<u8> {
    let mut bytes = vec![0x80 | subtype, 204, 0, 5, 0, 0, 0, 9];
    bytes.extend(b"PATH");
    bytes.extend(nonce.to_be_bytes());
    bytes.extend(count.to_be_bytes());
    bytes
}

struct Run {
    manager: PathManager,
    now: Instant,
    asked: Vec<Outgoing>,
    answers: u64,
}

impl Run {
    fn new() -> Self {
        let manager = PathManager::new(PathManagerConfig::default(), Ssrc(1), [7; 16]).unwrap();
        Self { manager, now: Instant::from_millis(1), asked: vec![], answers: 0 }
    }

    fn step(&mut self, op: Op) {
        let Self { manager, now, .. } = self;
        match op {
            Op::Add(id) => {
                let candidate = Candidate { id: PathId(id), remote: address(id, 0), bias: Duration::ZERO };
                manager.add(*now, candidate).unwrap();
            }
            Op::Remove(id) => manager.remove(*now, PathId(id)),
            Op::Wait(millis) => *now += Duration::from_millis(millis),
            Op::Bytes(id, host, bytes) => {
                let ours = bytes.len() == 24 && bytes[8..12] == *b"PATH";
                assert!(ours || manager.handle(*now, PathId(id), address(id, host), &bytes) == Handled::NotOurs);
            }
            Op::Asked(id, host, nonce) => {
                manager.handle(*now, PathId(id), address(id, host), &probe(0, nonce, 0));
            }
            Op::Answer(back, count) => {
                if let Some(asked) = self.asked.len().checked_sub(back + 1).map(|index| self.asked[index]) {
                    let nonce = u64::from_be_bytes(asked.datagram[12..20].try_into().unwrap());
                    manager.handle(*now, asked.path, asked.to, &probe(1, nonce, count));
                }
            }
            Op::Acknowledged(id, sent) => {
                manager.on_acknowledged(*now, PathId(id), Instant::from_millis(sent % 100_000))
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.manager.handle_timeout(self.now);
        let mut polled = 0;
        while let Some(outgoing) = self.manager.poll_transmit(self.now) {
            polled += 1;
            assert!(polled <= 100, "no end of probes");
            if outgoing.datagram[0] & 1 == 0 { self.asked.push(outgoing) } else { self.answers += 1 }
        }
        let next = self.manager.poll_timeout(self.now);
        assert!(next.is_none_or(|at| at > self.now), "{next:?} at {:?} {:?}", self.now, self.manager);
        self.check();
    }

    fn check(&self) {
        let views: Vec<_> = self.manager.views(self.now).collect();
        for copies in [Copies::AsNeeded, Copies::Two] {
            let routes = self.manager.routes(self.now, copies);
            assert_eq!(routes.first.is_some(), !views.is_empty());
            assert!(routes.second.is_none_or(|second| Some(second.path) != routes.first.map(|first| first.path)));
            let health = |id| views.iter().find(|view| view.candidate.id == id).map(|view| view.health);
            let works = |health| matches!(health, Health::Works | Health::Doubted);
            if let Some(first) = routes.first
                && views.iter().any(|view| works(view.health))
            {
                assert_ne!(health(first.path), Some(Health::Dark), "dark, though others work");
            }
        }
        for view in &views {
            assert!(view.stats.sent >= view.stats.answered + view.stats.lost);
            if let Some(quality) = view.quality {
                assert!((0.0..=1.0).contains(&quality.loss) && (0.0..=1.0).contains(&quality.reverse_loss));
            }
        }
    }
}

/// All ways from `at` to `to` that visit no node twice.
fn all_routes(
    links: &[(u32, u32, Duration)],
    path: &mut Vec<u32>,
    to: u32,
    cost: Duration,
    found: &mut Vec<(Vec<u32>, Duration)>,
) {
    let at = *path.last().unwrap();
    if at == to {
        found.push((path.clone(), cost));
        return;
    }
    for (_, next, link) in links.iter().filter(|(from, ..)| *from == at) {
        if !path.contains(next) && path.len() <= 4 {
            let passing = if path.len() == 1 { Duration::ZERO } else { Duration::from_millis(2) };
            path.push(*next);
            all_routes(links, path, to, cost + *link + passing, found);
            path.pop();
        }
    }
}

proptest! {
    #[test]
    fn any_use_keeps_a_path_that_works(ops in vec(op(), 0..150)) {
        let mut run = Run::new();
        for op in ops {
            run.step(op);
        }
        run.step(Op::Wait(3_000));
        run.step(Op::Wait(999));
        let stats = run.manager.views(run.now).map(|view| view.stats);
        let due = run.asked.iter().rev().take_while(|_| true).count() as u64;
        let (sent, answers) = stats.fold((0, 0), |(sent, answers), stats| (sent + stats.sent, answers + stats.answers));
        prop_assert!(sent <= due && answers <= run.answers);
    }

    #[test]
    fn what_is_no_probe_is_left_alone(bytes in vec(any::<u8>(), 0..100)) {
        let mut run = Run::new();
        run.step(Op::Add(0));
        prop_assume!(bytes.len() != 24 || bytes[8..12] != *b"PATH");
        prop_assert_eq!(run.manager.handle(run.now, PathId(0), address(0, 0), &bytes), Handled::NotOurs);
    }

    #[test]
    fn routes_are_the_cheapest_of_all(links in vec((0..7_u32, 0..7_u32, 1..200_u64), 0..30)) {
        let now = Instant::from_millis(5);
        let mut map = RouteMap::new(RouteMapConfig::default()).unwrap();
        let mut known = HashSet::new();
        let links: Vec<_> = links.into_iter().filter(|(from, to, _)| from != to && known.insert((*from, *to))).collect();
        for (from, to, ms) in &links {
            let quality = Quality { round_trip: Duration::from_millis(2 * ms), ..Quality::default() };
            prop_assert!(map.set_link(now, NodeId(*from), NodeId(*to), quality));
        }
        let links: Vec<_> = links.iter().map(|(from, to, ms)| (*from, *to, Duration::from_millis(*ms))).collect();
        let mut found = vec![];
        all_routes(&links, &mut vec![0], 6, Duration::ZERO, &mut found);
        let cheapest = found.iter().map(|(_, cost)| *cost).min();
        let best = map.best(now, NodeId(0), NodeId(6));
        prop_assert_eq!(best.as_ref().map(|route| route.cost), cheapest);
        let Some(best) = best else { return Ok(()) };
        prop_assert_eq!(map.cost_of(now, &best.nodes), Some(best.cost));
        prop_assert_eq!(map.better(now, &best), None);
        let between: Vec<u32> = best.nodes[1..best.nodes.len() - 1].iter().map(|node| node.0).collect();
        let apart = found.iter().filter(|(nodes, _)| {
            nodes.iter().all(|node| !between.contains(node)) && !(between.is_empty() && nodes.len() == 2)
        });
        let other = map.disjoint(now, &best);
        prop_assert_eq!(other.as_ref().map(|route| route.cost), apart.map(|(_, cost)| *cost).min());
        let gone = NodeRoute { nodes: vec![NodeId(0), NodeId(77), NodeId(6)], cost: Duration::ZERO };
        prop_assert_eq!(map.better(now, &gone), Some(best));
        prop_assert_eq!(map.best(now + Duration::from_secs(11), NodeId(0), NodeId(6)), None);
    }
}
