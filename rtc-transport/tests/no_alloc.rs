//! Once warm, media and transport-wide feedback pass without touching the heap, and no bytes make it grow by much.
//!
//! Reports, source descriptions and requests allocate, a few times a second at most: the `rtcp` crate speaks in `Vec`s.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use rtc_core::pacing::{Pacer, Priority};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Bitrate, DataSize, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};
use rtc_transport::rtcp::{Compound, RtcpPacket};
use rtc_transport::schedule::Profile;
use rtc_transport::session::{Event, Received, Session, SessionConfig};

const ROUNDS: u16 = 4_000;
const WARM: u16 = 2_000;

fn session(ssrc: Ssrc, by_stream: bool) -> Session {
    let mut config = SessionConfig::default();
    config.clocks = vec![(PayloadType::new(96), Frequency::KHZ_90)];
    config.transport_sequence_id = (!by_stream).then_some(3);
    config.congestion_feedback = by_stream;
    config.reduced_size = true;
    config.scheduler.profile = Profile::Avpf { report_interval: Duration::from_secs(3_600), point_to_point: true };
    Session::new(Instant::ZERO, NtpTime::from_bits(1 << 63), &[ssrc], config).unwrap()
}

struct Call {
    pacer: LeakyBucketPacer<RtpPacket>,
    alice: Session,
    bob: Session,
    pool: BytesMut,
    results: u64,
}

impl Call {
    fn new(by_stream: bool) -> Self {
        let mut config = PacerConfig::default();
        config.rate = Bitrate::from_kbps(3_000);
        Self {
            pacer: LeakyBucketPacer::new(config).unwrap(),
            alice: session(Ssrc(1), by_stream),
            bob: session(Ssrc(2), by_stream),
            pool: BytesMut::with_capacity(1 << 16),
            results: 0,
        }
    }

    /// Alice sends Bob a packet, of which every tenth is lost, and Bob sends Alice feedback.
    fn round(&mut self, seq: u16) {
        let now = Instant::from_millis(5 * u64::from(seq));
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(450 * u32::from(seq)), Ssrc(1))
            .extensions(&[(3, &[0, 0])])
            .build_in(&mut self.pool, &[7; 1_100])
            .unwrap();
        self.pacer.enqueue(now, Priority::Video, DataSize::of(packet.as_bytes()), packet);
        while let Some(packet) = self.pacer.poll(now) {
            let outgoing = self.alice.send_rtp(now, packet, None);
            assert!(outgoing.sent.is_some());
            if !seq.is_multiple_of(10) {
                self.bob_receives(now, outgoing.datagram);
            }
        }
        while let Some(datagram) = self.bob.poll_rtcp(now) {
            self.alice.receive(now, datagram).unwrap();
        }
        while let Some(event) = self.alice.poll_event() {
            if let Event::PacketResults(results) = event {
                self.results += results.len() as u64;
            }
        }
        assert!(self.alice.poll_timeout().is_some() && self.bob.poll_timeout().is_some());
    }

    fn bob_receives(&mut self, now: Instant, datagram: Bytes) {
        let received = self.bob.receive(now, datagram).unwrap();
        assert!(matches!(received, Received::Rtp(..)));
    }
}

#[test]
fn media_and_feedback_allocate_nothing_once_warm() {
    for by_stream in [false, true] {
        allocates_nothing(Call::new(by_stream));
    }
}

fn allocates_nothing(mut call: Call) {
    for seq in 0..WARM {
        call.round(seq);
    }
    let results = call.results;
    let allocations = measure(|| (WARM..ROUNDS).for_each(|seq| call.round(seq))).count_total;
    assert!(call.results - results > 1_900, "{} packets were reported on", call.results - results);
    assert_eq!(allocations, 0, "in {} rounds", ROUNDS - WARM);
}

/// RTCP of all kinds and any content takes no more memory than some times its size.
#[test]
fn hostile_rtcp_allocates_in_proportion_to_its_size() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let mut datagram = Vec::new();
        for _ in 0..=rng.below(2) {
            let words = rng.below(30);
            let kind = 200 + u8::try_from(rng.below(8)).unwrap();
            let count = u8::try_from(rng.below(32)).unwrap();
            datagram.extend([0x80 | count, kind, 0, u8::try_from(words).unwrap()]);
            for _ in 0..words {
                let word = if rng.bool(0.3) { u32::MAX } else { rng.next_u32() };
                datagram.extend(word.to_be_bytes());
            }
        }
        let len = datagram.len() as u64;
        let datagram = Bytes::from(datagram);
        let allocated = measure(|| {
            for packet in Compound::parse(datagram).unwrap().packets() {
                if let Ok(RtcpPacket::TransportFeedback(feedback)) = packet {
                    assert!(feedback.statuses().count() > 0);
                }
            }
        });
        let allocated = allocated.bytes_total;
        // The most dear: a word of SDES holds two empty items of 40 bytes each, in vectors that double.
        assert!(allocated <= 100 * len + 256, "{allocated} bytes for {len}");
    }
}

/// Every profile of SRTP, with every library of ciphers.
#[cfg(any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto"))]
#[test]
fn protection_allocates_nothing_once_a_stream_is_known() {
    use rtc_transport::srtp::*;
    let libraries: Vec<Box<dyn Crypto>> = vec![
        #[cfg(feature = "srtp-aws-lc")]
        Box::new(AwsLc),
        #[cfg(feature = "srtp-ring")]
        Box::new(Ring),
        #[cfg(feature = "srtp-rustcrypto")]
        Box::new(RustCrypto),
    ];
    let mut buffer = vec![0; 1_300];
    for (crypto, profile) in libraries.iter().flat_map(|crypto| Profile::ALL.map(|profile| (crypto, profile))) {
        let key = MasterKey::new(profile, &[7; 32][..profile.key_len()], &[1; 14][..profile.salt_len()]).unwrap();
        let mut alice = Protector::new(&**crypto, &key, SrtpConfig::default()).unwrap();
        let mut bob = Unprotector::new(&**crypto, &key, SrtpConfig::default()).unwrap();
        let mut pass = |seq: u16| {
            buffer[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
            buffer[2..4].copy_from_slice(&seq.to_be_bytes());
            let len = alice.protect_rtp(&mut buffer, 1_200).unwrap();
            assert_eq!(bob.unprotect_rtp(&mut buffer[..len]), Ok(1_200));
            buffer[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 7]);
            let len = alice.protect_rtcp(&mut buffer, 100).unwrap();
            assert_eq!(bob.unprotect_rtcp(&mut buffer[..len]), Ok(100));
        };
        (0..100).for_each(&mut pass);
        assert_eq!(measure(|| (100..200).for_each(&mut pass)).count_total, 0, "{profile:?}");
    }
}

/// One of two subscribers is asked for packets again now and then.
#[test]
fn fan_out_allocates_nothing_once_warm() {
    use rtc_core::testkit::naive::Filter;
    use rtc_transport::fanout::{Egress, EgressConfig, Fanout, TrackConfig};
    let (mut room, mut pool, mut buffer) = (Fanout::default(), BytesMut::with_capacity(1 << 16), Vec::new());
    for _ in 0..2 {
        let mut config = EgressConfig::default();
        config.pacer.rate = Bitrate::from_kbps(5_000);
        let mut egress = Egress::new(config, None).unwrap();
        let track = TrackConfig::video(Ssrc(10)).with_rtx(Ssrc(11), PayloadType::new(97));
        let track = egress.add_track(track, Filter::all());
        let subscriber = room.add(egress);
        room.route(Ssrc(1), subscriber, track);
    }
    let mut round = |seq: u16| {
        let now = Instant::from_millis(5 * u64::from(seq));
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), Ssrc(1));
        room.forward(now, &packet.build_in(&mut pool, &[7; 1_100]).unwrap());
        let mut sent = 0;
        for (nth, (_, egress)) in room.iter_mut().enumerate() {
            if nth == 0 && seq % 50 == 49 {
                egress.retransmit(now, Ssrc(10), [SeqNum(seq - 20), SeqNum(seq - 10)]);
            }
            while let Some(transmit) = egress.poll_transmit(now, &mut buffer) {
                sent += transmit.segments;
            }
        }
        sent
    };
    (0..WARM).for_each(|seq| {
        round(seq);
    });
    let mut sent = 0;
    let allocations = measure(|| sent = (WARM..ROUNDS).map(&mut round).sum()).count_total;
    // The buffers of what comes are the caller's: a pool hands the same ones out again, but for the history that keeps some.
    let pools = u64::from(ROUNDS - WARM) / 20;
    assert!(allocations <= pools, "{allocations} allocations");
    assert!(sent > 3_900, "{sent} packets left");
}
