//! What a packet costs that goes from one to many: rewritten, kept, paced, encrypted. Without sockets.

use core::hint::black_box;
use core::time::Duration;

use bytes::BytesMut;
use indicatif::ProgressBar;
use rtc_core::testkit::naive::TemporalSelector;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::fanout::{Egress, EgressConfig, Fanout, TrackConfig};
use rtc_transport::srtp::{Aead, AwsLc, Crypto, MasterKey, Profile, Protector, SrtpConfig};

use crate::cost::{Cost, Meter};
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{Forwarder, MakeForwarder, Sink, Subject};
use crate::{Options, peers};

/// Bytes of an ingress packet: 12 of header, 8 of extension, the rest payload.
const PACKET: usize = 1_200;
const SUBSCRIBERS: usize = 50;
/// Packets between two readings of the clock: frames of five, 33 ms apart.
const FRAMES: u32 = 20;
const PACKETS_PER_FRAME: u32 = 5;
const ROUNDS: u32 = 125;
/// What a subscriber's share is above, so that the pacer has packets leave in the tick they came in.
const RATE: Bitrate = Bitrate::from_kbps(20_000);

/// Scenario and the most nanoseconds a packet may take of ours.
const SCENARIO: &str = "forward";
const TARGET: f64 = 300.0;

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    if !options.wants_scenario(SCENARIO) {
        return;
    }
    let mut subjects = vec![Subject::ours(ours())];
    subjects.extend(peers::forwarders());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    bar.inc_length(subjects.len() as u64);
    let input = format!(
        "{PACKET} bytes of VP8 to {SUBSCRIBERS} subscribers with AES-128-GCM keys of their own, in frames of \
         {PACKETS_PER_FRAME} that come together; per packet that leaves, without sockets"
    );
    let setting = Setting { scenario: SCENARIO.into(), input, seeds: 1 };
    let bound = options.wants_subject("bound").then(cost_of_encryption);
    for subject in &subjects {
        bar.inc(1);
        let Some(make) = report.admit(subject) else { continue };
        let mut forwarder = match make(SUBSCRIBERS) {
            Ok(forwarder) => forwarder,
            Err(why) => {
                report.note(&subject.name, &why);
                continue;
            }
        };
        let cost = cost_of_forwarding(&mut *forwarder);
        let target = (subject.name == "ours").then_some(Target::AtMost(TARGET));
        report.add_judged(&setting, &subject.name, Metric("cpu", "ns/packet"), cost.nanos, target);
        report.add(&setting, &subject.name, Metric("allocations", "per unit"), cost.allocations);
        if let Some(bound) = bound {
            report.add(&setting, &subject.name, Metric("of the cipher", "times"), cost.nanos / bound.nanos);
        }
    }
    if let Some(bound) = bound {
        report.add_cost(&setting, "bound", "ns/packet", bound, true);
    }
}

/// Makes ours: a [`Fanout`], polled when all that came together is forwarded.
pub(super) fn ours() -> MakeForwarder {
    Box::new(|subscribers| Ok(Box::new(Ours::new(subscribers))))
}

/// A packet of a VP8 stream of two temporal layers (RFC 7741 §4.2), with a number for transport-wide feedback.
pub(super) fn packet(pool: &mut BytesMut, ssrc: Ssrc, number: u16, frame: u32, size: usize) -> RtpPacket {
    let mut payload = [0x5a; PACKET];
    let layer = u8::from(frame % 2 == 1);
    payload[..3].copy_from_slice(&[0x80, 0x20, layer << 6]);
    RtpPacket::builder(PayloadType::new(96), SeqNum(number), RtpTime(frame.wrapping_mul(3_000)), ssrc)
        .extensions(&[(3, &[0, 0])])
        .build_in(pool, &payload[..size - 20])
        .expect("a short extension fits")
}

fn cost_of_forwarding(forwarder: &mut dyn Forwarder) -> Cost {
    let mut best = Cost { nanos: f64::INFINITY, allocations: 0.0 };
    let (mut pool, mut number, mut frame) = (BytesMut::with_capacity(1 << 20), 0_u16, 0_u32);
    for _ in 0..ROUNDS {
        let mut meter = Meter::default();
        for _ in 0..FRAMES {
            let now = Instant::from_millis(1_000) + Duration::from_millis(33) * frame;
            let packets: Vec<_> = (0..PACKETS_PER_FRAME)
                .map(|_| {
                    number = number.wrapping_add(1);
                    packet(&mut pool, Ssrc(7), number, frame, PACKET)
                })
                .collect();
            let mut bytes = 0;
            meter.run(|| forwarder.forward(now, &packets, &mut |_, contents, _| bytes += black_box(contents).len()));
            let expected = SUBSCRIBERS * packets.len() * PACKET;
            assert!(bytes * 10 > 9 * expected, "{bytes} bytes of {expected} left");
            frame += 1;
        }
        let cost = meter.per(u64::from(FRAMES * PACKETS_PER_FRAME) * SUBSCRIBERS as u64);
        best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
    }
    best
}

/// Encryption of a payload alone, under keys as many as subscribers: nobody forwards for less.
fn cost_of_encryption() -> Cost {
    let keys: Vec<Box<dyn Aead>> =
        (0..SUBSCRIBERS).map(|n| AwsLc.gcm(&[u8::try_from(n).unwrap_or(0); 16]).expect("a key of 16 bytes")).collect();
    let (mut data, header) = (vec![0x5a; PACKET - 20], [7; 20]);
    let mut number = 0_u64;
    crate::cost::measure(ROUNDS, || {
        for _ in 0..400 {
            for key in &keys {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&number.to_be_bytes());
                black_box(key.seal(nonce, &header, black_box(&mut data))).expect("it is short enough");
            }
            number += 1;
        }
        400 * keys.len() as u64
    })
}

/// An [`Egress`] with keys of its own, whose pacer releases at `rate` and is polled each 10 ms at least.
pub(super) fn egress<S: rtc_core::svc::LayerSelector>(key: usize, rate: Bitrate) -> Egress<S> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    let master = MasterKey::new(Profile::AeadAes128Gcm, &bytes, &[1; 12]).expect("a key of 16 bytes");
    let protector = Protector::new(&AwsLc, &master, SrtpConfig::default()).expect("the library has the cipher");
    let mut config = EgressConfig::default();
    config.transport_sequence_id = Some(3);
    config.pacer.rate = rate;
    // What leaks out between two polls must fit.
    config.pacer.burst = Duration::from_millis(15);
    Egress::new(config, Some(protector)).expect("the settings are possible")
}

struct Ours {
    room: Fanout<TemporalSelector>,
    buffer: Vec<u8>,
}

impl Ours {
    fn new(subscribers: usize) -> Self {
        let mut room = Fanout::default();
        for subscriber in 0..subscribers {
            let mut egress = egress(subscriber, RATE);
            let track = TrackConfig::video(Ssrc(100)).with_rtx(Ssrc(101), PayloadType::new(97));
            let layers = [500, 1_500].map(Bitrate::from_kbps);
            let track = egress.add_track(track, TemporalSelector::new(layers.into()));
            let subscriber = room.add(egress);
            room.route(Ssrc(7), subscriber, track);
        }
        Self { room, buffer: Vec::with_capacity(1 << 16) }
    }
}

impl Forwarder for Ours {
    fn forward(&mut self, now: Instant, packets: &[RtpPacket], sink: &mut Sink<'_>) {
        self.room.forward_all(now, packets);
        for (subscriber, (_, egress)) in self.room.iter_mut().enumerate() {
            while let Some(transmit) = egress.poll_transmit(now, &mut self.buffer) {
                sink(subscriber, &self.buffer, transmit.segment_size);
            }
        }
    }
}
