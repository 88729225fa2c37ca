//! A sender, a network that loses, delays and reorders, a server that leaves layers out, and a receiver that asks again.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use rtc_core::bwe::Ecn;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::netem::{Jitter, Loss, Netem, NetemConfig, Spikes};
use rtc_core::time::Instant;
use rtc_core::{DataSize, RtpPacket, SeqNum};
use rtc_jitter::{VideoCodec, VideoStats};

use crate::streams::{STEP, Sender, Sent, at, chain, ms, pictures};

/// A call of one way.
struct Scene {
    sender: Sender,
    frames: Vec<Sent>,
    network: NetemConfig,
    /// Time of a round trip; lost packets are asked for again when a later one comes, if set.
    repair: Option<Duration>,
    /// Whether a key frame that is asked for is sent, a round trip later.
    answers: bool,
    /// Highest temporal layer the server in between lets pass, by frame.
    layers: fn(usize) -> u8,
    seed: u64,
}

/// What was seen.
struct Seen {
    /// Which frames, and when they were shown.
    shown: Vec<(usize, Duration)>,
    requests: Vec<Duration>,
    stats: VideoStats,
}

impl Scene {
    fn new(sender: Sender, frames: Vec<Sent>) -> Self {
        let mut network = NetemConfig::default();
        network.delay = ms(20);
        Self { sender, frames, network, repair: None, answers: true, layers: |_| u8::MAX, seed: 1 }
    }

    fn run(&self) -> Seen {
        let mut sender = self.sender.clone();
        let (first_time, mut buffer) = (sender.time, sender.buffer());
        let round_trip = self.repair.unwrap_or_else(|| ms(40));
        buffer.set_round_trip(round_trip);
        let mut path = Netem::new(self.network.clone(), self.seed).unwrap();
        let mut sent: HashMap<u16, RtpPacket> = HashMap::new();
        let (mut again, mut newest): (BTreeMap<Instant, Vec<u16>>, Option<SeqNum>) = (BTreeMap::new(), None);
        let mut seen = Seen { shown: Vec::new(), requests: Vec::new(), stats: buffer.stats() };
        let (mut key_at, mut next_frame) = (None, 0);
        let end = at(33 * self.frames.len() as u64 + 1_000);
        for now in Ticks::every(ms(1)).starting_at(at(0)).take_while(|now| *now < end) {
            if now >= at(33 * next_frame as u64) && next_frame < self.frames.len() {
                let mut frame = self.frames[next_frame].clone();
                if key_at.is_some_and(|key_at| key_at <= now) && frame.temporal == 0 {
                    (frame.key, frame.needs, key_at) = (true, Vec::new(), None);
                    frame.pieces[0][0] = 0x30;
                }
                let seq = sender.seq;
                let packets = sender.send(&frame);
                if frame.temporal <= (self.layers)(next_frame) {
                    for packet in packets {
                        sent.insert(packet.seq().0, packet.clone());
                        path.send(now, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
                    }
                } else {
                    // The server numbers what it forwards without gaps.
                    sender.seq = seq;
                }
                next_frame += 1;
            }
            while let Some(delivery) = path.poll(now) {
                let seq = delivery.item.seq();
                let missed = newest.map_or(0, |newest: SeqNum| seq.distance_from(newest)).max(1) - 1;
                if let Some(repair) = self.repair {
                    let missing = (1..=missed.unsigned_abs()).map(|back| (seq - back).0);
                    again.entry(now + repair).or_default().extend(missing);
                }
                newest = newest.filter(|newest| !seq.is_newer_than(*newest)).or(Some(seq));
                buffer.insert(delivery.delivered, delivery.item);
            }
            while let Some(entry) = again.first_entry().filter(|entry| *entry.key() <= now) {
                for seq in entry.remove() {
                    buffer.insert_repaired(now, sent[&seq].clone());
                }
            }
            while let Playout::Ready(picture) = buffer.poll(now) {
                let index = picture.frame.timestamp.0.wrapping_sub(first_time) / STEP;
                seen.shown.push((index as usize, picture.render_at - at(0)));
            }
            if buffer.poll_key_frame_request(now).is_some() {
                seen.requests.push(now - at(0));
                key_at = key_at.or_else(|| self.answers.then_some(now + round_trip));
            }
        }
        seen.stats = buffer.stats();
        seen
    }
}

impl Seen {
    /// Percent of these frames that were shown.
    fn share(&self, frames: impl Fn(usize) -> bool, count: usize) -> f64 {
        let wanted = (0..count).filter(|index| frames(*index)).count();
        let shown = self.shown.iter().filter(|(index, _)| frames(*index)).count();
        100.0 * shown as f64 / wanted as f64
    }

    /// The longest time in which no new picture was shown.
    fn longest_freeze(&self) -> Duration {
        self.shown.windows(2).map(|pair| pair[1].1.saturating_sub(pair[0].1)).max().unwrap_or_default()
    }
}

fn vp8() -> Sender {
    Sender::new(VideoCodec::Vp8, false)
}

fn av1() -> Sender {
    Sender::new(VideoCodec::Av1, true)
}

#[test]
fn jitter_and_reordering_lose_no_picture_and_ask_for_no_key_frame() {
    for sender in [vp8(), av1(), Sender::new(VideoCodec::H264, false)] {
        let frames = if sender.codec == VideoCodec::H264 { chain(600, 1) } else { pictures(600, 1) };
        let mut scene = Scene::new(sender, frames);
        (scene.network.jitter, scene.network.reordering) = (Jitter::Uniform { max: ms(80) }, true);
        let seen = scene.run();
        assert_eq!(seen.stats.pictures_released, 600, "{:?}", seen.stats);
        assert_eq!(seen.requests, []);
        // Shown in step: as far apart as they were taken, but for the beginning.
        let settled: Vec<_> = seen.shown.windows(2).skip(90).map(|pair| pair[1].1.saturating_sub(pair[0].1)).collect();
        let uneven = settled.iter().filter(|step| **step > ms(45) || **step < ms(20)).count();
        assert!(uneven <= settled.len() / 50, "{uneven} of {}", settled.len());
    }
}

#[test]
fn what_is_sent_again_in_time_is_no_loss() {
    for sender in [vp8(), av1()] {
        let mut scene = Scene::new(sender, pictures(900, 2));
        scene.network.loss = Loss::bursts(0.02, 2.0).unwrap();
        scene.repair = Some(ms(60));
        let seen = scene.run();
        assert_eq!(seen.requests, [], "all that is missing may still come");
        assert!(seen.share(|_| true, 900) > 97.0, "{:?}", seen.stats);
        assert!(seen.longest_freeze() < ms(200), "{:?}", seen.longest_freeze());
    }
}

/// Without retransmissions, a lost frame of the highest layer costs that frame alone, and no key frame.
#[test]
fn loss_of_frames_that_nothing_needs_costs_nothing_else() {
    for sender in [vp8(), av1()] {
        let frames = pictures(400, 3);
        let mut scene = Scene::new(sender, frames);
        scene.layers = |index| if index % 8 == 1 { 1 } else { u8::MAX };
        let seen = scene.run();
        // Not lost but left out, with numbers that go on: the frame after it needs nothing of it.
        assert_eq!(seen.requests, []);
        assert_eq!(seen.share(|index| index % 8 != 1, 400), 100.0);
    }
}

#[test]
fn layers_a_server_leaves_out_are_not_taken_for_loss() {
    for sender in [vp8(), av1()] {
        let mut scene = Scene::new(sender, pictures(600, 4));
        // The server lets pass all layers, then the base alone, then two, then all.
        scene.layers = |index| match index / 100 {
            0 | 5 => 2,
            1 | 2 => 0,
            _ => 1,
        };
        let seen = scene.run();
        let forwarded = |index: usize| scene.frames[index].temporal <= (scene.layers)(index);
        assert_eq!(seen.share(forwarded, 600), 100.0, "{:?}", seen.stats);
        assert_eq!(seen.requests, []);
        assert_eq!(seen.stats.frames_dropped, 0);
    }
}

/// The base layer is lost for good: one request, one key frame, and the picture goes on.
#[test]
fn a_key_frame_is_asked_for_once_when_nothing_else_helps() {
    for sender in [vp8(), av1()] {
        let mut scene = Scene::new(sender, pictures(300, 5));
        scene.network.outages = vec![rtc_core::testkit::netem::Outage { from: ms(7_000 + 3_000), length: ms(400) }];
        let seen = scene.run();
        assert_eq!(seen.requests.len(), 1, "{:?}", seen.requests);
        // 400 ms of outage, a gap that may still be filled, a round trip, and the next frame of the base.
        assert!(seen.longest_freeze() < ms(400 + 70 + 40 + 133 + 100), "{:?}", seen.longest_freeze());
        assert_eq!(seen.stats.key_pictures_released, 2);
    }
}

#[test]
fn who_joins_without_a_key_frame_asks_soon_and_not_too_often() {
    for sender in [vp8(), av1()] {
        let mut frames = pictures(301, 6);
        frames.remove(0);
        let mut scene = Scene::new(sender, frames);
        scene.answers = false;
        let seen = scene.run();
        assert_eq!(seen.shown, []);
        // 11 s with a request each 300 ms.
        assert!(seen.requests.len() <= 37 && seen.requests.len() >= 30, "{}", seen.requests.len());
        assert!(seen.requests[0] < ms(200), "{:?}", seen.requests[0]);
        assert!(
            seen.stats.frames_buffered < 80 && seen.stats.packets_buffered < 2_048,
            "what cannot be decoded is not kept for ever: {:?}",
            seen.stats
        );
    }
}

#[test]
fn a_stall_is_followed_by_what_is_newest_in_time() {
    let mut scene = Scene::new(av1(), pictures(900, 7));
    scene.network.spikes = Some(Spikes { every: ms(5_000), shortest: ms(300), longest: ms(500) });
    let seen = scene.run();
    assert_eq!(seen.requests, []);
    assert!(seen.share(|_| true, 900) > 99.0, "{:?}", seen.stats);
    assert!(seen.longest_freeze() < ms(560), "{:?}", seen.longest_freeze());
}

/// What decoding takes is taken off the time a picture may wait, and it is shown when it was to be shown.
#[test]
fn decoding_time_moves_the_release_not_the_picture() {
    let mut sender = vp8();
    let mut buffer = sender.buffer();
    (0..20).for_each(|_| buffer.on_decoded(ms(25)));
    let mut ahead = Vec::new();
    for (frame, n) in pictures(60, 8).iter().zip(0..) {
        let now = at(33 * n);
        while let Some(due) = buffer.poll_timeout().filter(|due| *due <= now) {
            let Playout::Ready(picture) = buffer.poll(due) else { break };
            ahead.push(picture.render_at - due);
        }
        sender.send(frame).into_iter().for_each(|packet| _ = buffer.insert(now, packet));
    }
    assert!(ahead.len() > 50 && ahead.iter().all(|ahead| *ahead == ms(35)), "{ahead:?}");
}
