//! A large room on one core: what comes is decrypted, the loudest are chosen, what goes is chosen, paced, kept, encrypted.
//! Without sockets, RTCP and bandwidth estimation.

use core::hint::black_box;
use core::time::Duration;

use bytes::BytesMut;
use indicatif::ProgressBar;
use rtc_core::svc::{Forward, LayerSelector};
use rtc_core::testkit::naive::TemporalSelector;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::fanout::{Egress, Fanout, Loudest, LoudestConfig, TrackConfig};
use rtc_transport::srtp::{AwsLc, MasterKey, Profile, Protector, SrtpConfig, Unprotector};

use super::forward;
use crate::Options;
use crate::cost::Meter;
use crate::report::{Metric, Report, Setting, Target};

const SCENARIO: &str = "room";
const USERS: u32 = 300;
/// Users with a camera and an open microphone.
const PUBLISHERS: u32 = 50;
/// Microphones that are heard.
const SLOTS: usize = 5;
/// Cameras each user watches.
const VIDEOS: u32 = 9;
/// How often what is queued is sent.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_SECOND: u32 = 100;
/// Seconds of the room's time that are measured, after one that is not; the best counts.
const SECONDS: u32 = 4;
/// 52 packets of 1200 bytes a second are 500 kb/s: 26 frames of two.
const VIDEO_PACKET: usize = 1_200;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 26);
/// Above what goes to a user: 4.5 Mb/s of video and 0.3 Mb/s of audio.
const RATE: Bitrate = Bitrate::from_kbps(8_000);
const OPUS: PayloadType = PayloadType::new(111);
/// The extension element of the audio level.
const LEVEL: u8 = 1;
/// The SSRC of the first slot.
const FIRST_SLOT: Ssrc = Ssrc(10);

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    if !options.wants_scenario(SCENARIO) || !options.wants_subject("ours") {
        return;
    }
    bar.inc_length(1);
    let input = format!(
        "{USERS} users, {PUBLISHERS} microphones of which {SLOTS} are forwarded, {VIDEOS} videos of 500 kb/s for each, \
         AES-128-GCM with keys of their own, polled each {} ms; user space of one core, without sockets",
        TICK.as_millis()
    );
    let setting = Setting { scenario: SCENARIO.into(), input, seeds: 1 };
    let mut room = Room::new();
    room.second(&mut Meter::default());
    let mut best: Option<(f64, u64, f64, f64)> = None;
    for _ in 0..SECONDS {
        let mut meter = Meter::default();
        let (packets, transmits) = room.second(&mut meter);
        let cost = meter.per(packets);
        let share = cost.nanos * packets as f64 / 1e7;
        let per_packet = |(share, packets, ..): (f64, u64, f64, f64)| share / packets as f64;
        if best.is_none_or(|best| share / (packets as f64) < per_packet(best)) {
            best = Some((share, packets, cost.allocations, packets as f64 / transmits as f64));
        }
    }
    bar.inc(1);
    let Some((share, packets, allocations, batch)) = best else { return };
    report.add_targeted(&setting, Metric("cpu", "% of a core"), share, Target::AtMost(70.0));
    report.add_targeted(&setting, Metric("out", "packets/s"), packets as f64, Target::AtLeast(214_000.0));
    report.add(&setting, "ours", Metric("cpu", "ns/packet"), share * 1e7 / packets as f64);
    report.add(&setting, "ours", Metric("batch", "packets"), batch);
    report.add(&setting, "ours", Metric("allocations", "per packet"), allocations);
}

/// A user whose camera and microphone are on, at both ends of the way to the room.
struct Publisher {
    protector: Protector,
    unprotector: Unprotector,
    loudness: u8,
    audio: u16,
    video: u16,
    frames: u32,
    next_frame: Instant,
}

struct Room {
    publishers: Vec<Publisher>,
    loudest: Loudest,
    fanout: Fanout<Box<dyn LayerSelector>>,
    buffer: Vec<u8>,
    pool: BytesMut,
    rng: Rng,
    now: Instant,
    ticks: u32,
}

impl Room {
    fn new() -> Self {
        let start = Instant::from_millis(1_000);
        let publishers = (0..PUBLISHERS).map(|publisher| Publisher::new(publisher, start)).collect();
        let mut config = LoudestConfig::default();
        (config.slots, config.first, config.level_id) = (SLOTS, FIRST_SLOT, LEVEL);
        let loudest = Loudest::new(config).expect("the settings are possible");
        let mut fanout: Fanout<Box<dyn LayerSelector>> = Fanout::default();
        for user in 0..USERS {
            let mut egress: Egress<Box<dyn LayerSelector>> = forward::egress(user as usize, RATE);
            let mut routes = Vec::new();
            for (slot, ssrc) in (1_000..).zip((0..SLOTS).map(|slot| loudest.ssrc(slot))) {
                let track = egress.add_track(TrackConfig::audio(Ssrc(slot)), Box::new(Same));
                routes.push((ssrc, track));
            }
            for video in 0..VIDEOS {
                let config =
                    TrackConfig::video(Ssrc(2_000 + video)).with_rtx(Ssrc(3_000 + video), PayloadType::new(97));
                let layers = [300, 500].map(Bitrate::from_kbps);
                let track = egress.add_track(config, Box::new(TemporalSelector::new(layers.into())));
                routes.push((camera((user + 5 * video) % PUBLISHERS), track));
            }
            let subscriber = fanout.add(egress);
            for (source, track) in routes {
                fanout.route(source, subscriber, track);
            }
        }
        Self {
            publishers,
            loudest,
            fanout,
            buffer: Vec::with_capacity(1 << 16),
            pool: BytesMut::with_capacity(1 << 20),
            rng: Rng::new(1),
            now: start,
            ticks: 0,
        }
    }

    /// Runs for a second of the room's time; returns packets and batches of them that left.
    fn second(&mut self, meter: &mut Meter) -> (u64, u64) {
        let (mut packets, mut transmits) = (0, 0);
        for _ in 0..TICKS_PER_SECOND {
            let arrivals = self.arrivals();
            meter.run(|| {
                for (publisher, datagram) in arrivals {
                    self.receive(publisher, datagram);
                }
                for (_, egress) in self.fanout.iter_mut() {
                    while let Some(transmit) = egress.poll_transmit(self.now, &mut self.buffer) {
                        black_box(&self.buffer);
                        packets += transmit.segments as u64;
                        transmits += 1;
                    }
                }
            });
            self.now += TICK;
            self.ticks += 1;
        }
        (packets, transmits)
    }

    /// What publishers sent since the last tick, encrypted by them.
    fn arrivals(&mut self) -> Vec<(usize, BytesMut)> {
        let mut arrivals = Vec::new();
        for (index, publisher) in self.publishers.iter_mut().enumerate() {
            let number = u32::try_from(index).unwrap_or(0);
            // A packet of audio each 20 ms: half of them in this tick, half in the next.
            if (self.ticks + number).is_multiple_of(2) {
                arrivals.push((index, publisher.audio(number, &mut self.rng, &mut self.pool)));
            }
            while publisher.next_frame <= self.now {
                publisher.next_frame += FRAME;
                for _ in 0..2 {
                    arrivals.push((index, publisher.video(number, &mut self.pool)));
                }
                publisher.frames += 1;
            }
        }
        arrivals
    }

    fn receive(&mut self, publisher: usize, mut datagram: BytesMut) {
        let Ok(len) = self.publishers[publisher].unprotector.unprotect_rtp(&mut datagram) else { return };
        datagram.truncate(len);
        let Ok(mut packet) = RtpPacket::parse(datagram.freeze()) else { return };
        if packet.payload_type() == OPUS && self.loudest.select(self.now, &mut packet).is_none() {
            return;
        }
        self.fanout.forward(self.now, &packet);
    }
}

impl Publisher {
    fn new(publisher: u32, start: Instant) -> Self {
        let mut key = [0xaa; 16];
        key[..4].copy_from_slice(&publisher.to_be_bytes());
        let master = MasterKey::new(Profile::AeadAes128Gcm, &key, &[2; 12]).expect("a key of 16 bytes");
        let config = SrtpConfig::default();
        Self {
            protector: Protector::new(&AwsLc, &master, config.clone()).expect("the library has the cipher"),
            unprotector: Unprotector::new(&AwsLc, &master, config).expect("the library has the cipher"),
            loudness: 60,
            audio: 0,
            video: 0,
            frames: 0,
            // Cameras are not in step.
            next_frame: start + FRAME * publisher / PUBLISHERS,
        }
    }

    /// 20 ms of about 32 kb/s. How loud they are changes now and then.
    fn audio(&mut self, number: u32, rng: &mut Rng, pool: &mut BytesMut) -> BytesMut {
        if rng.bool(0.02) {
            self.loudness = 20 + u8::try_from(rng.below(60)).unwrap_or(0);
        }
        let level = self.loudness + u8::try_from(rng.below(10)).unwrap_or(0);
        let payload = [0x33; 100];
        let size = 70 + usize::try_from(rng.below(20)).unwrap_or(0);
        let time = RtpTime(u32::from(self.audio).wrapping_mul(960));
        let packet = RtpPacket::builder(OPUS, SeqNum(self.audio), time, microphone(number))
            .extensions(&[(LEVEL, &[level]), (3, &[0, 0])])
            .build_in(pool, &payload[..size])
            .expect("short extensions fit");
        self.audio = self.audio.wrapping_add(1);
        self.protected(&packet)
    }

    fn video(&mut self, number: u32, pool: &mut BytesMut) -> BytesMut {
        let packet = forward::packet(pool, camera(number), self.video, self.frames, VIDEO_PACKET);
        self.video = self.video.wrapping_add(1);
        self.protected(&packet)
    }

    fn protected(&mut self, packet: &RtpPacket) -> BytesMut {
        let mut datagram = BytesMut::from(&packet.as_bytes()[..]);
        datagram.resize(packet.as_bytes().len() + self.protector.rtp_overhead(), 0);
        let protected = self.protector.protect_rtp(&mut datagram, packet.as_bytes().len());
        assert_eq!(protected, Ok(datagram.len()));
        datagram
    }
}

fn microphone(publisher: u32) -> Ssrc {
    Ssrc(100 + publisher)
}

fn camera(publisher: u32) -> Ssrc {
    Ssrc(200 + publisher)
}

/// Everything, under the numbers it came with: slots are numbered already.
struct Same;

impl LayerSelector for Same {
    fn set_target(&mut self, _: Instant, _: Bitrate) {}

    fn select(&mut self, _: Instant, packet: &RtpPacket) -> Forward {
        Forward::As { seq: packet.seq(), timestamp: packet.timestamp() }
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        None
    }
}
