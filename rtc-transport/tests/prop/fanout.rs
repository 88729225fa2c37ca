use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::testkit::naive::Filter;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::fanout::{Egress, EgressConfig, TrackConfig, TrackId};

#[derive(Debug, Clone)]
enum Op {
    /// A packet for a track, so much after the one before, of so many bytes.
    Push {
        track: usize,
        step: u16,
        size: usize,
    },
    /// Everything that is due is sent.
    Poll,
    Wait(u64),
    Request(usize, Vec<u16>),
}

fn op() -> impl Strategy<Value = Op> {
    let sizes = prop_oneof![Just(100), Just(200), 0..1_200_usize];
    prop_oneof![
        6 => (0..3_usize, prop_oneof![4 => Just(1), 1 => 0..40_u16], sizes)
            .prop_map(|(track, step, size)| Op::Push { track, step, size }),
        2 => Just(Op::Poll),
        2 => (0..60_u64).prop_map(Op::Wait),
        1 => (0..4_usize, vec(any::<u16>().prop_map(|seq| seq % 64), 1..5)).prop_map(|(track, seqs)| Op::Request(track, seqs)),
    ]
}

fn ssrc(track: usize) -> Ssrc {
    Ssrc(10 + u32::try_from(track).unwrap())
}

fn rtx(track: usize) -> Ssrc {
    Ssrc(20 + u32::try_from(track).unwrap())
}

fn egress(rate: u64) -> (Egress<Filter>, [TrackId; 3]) {
    let mut config = EgressConfig::default();
    config.pacer.rate = Bitrate::from_kbps(rate);
    config.pacer.max_queue = DataSize::from_bytes(20_000);
    config.history = DataSize::from_bytes(5_000);
    config.max_segments = 5;
    let mut egress = Egress::new(config, None).unwrap();
    let tracks = [0, 1, 2].map(|track| {
        let config = TrackConfig::video(ssrc(track)).with_rtx(rtx(track), PayloadType::new(97));
        egress.add_track(config, Filter::new(|packet| packet.payload().len() % 7 != 3))
    });
    (egress, tracks)
}

/// Sends what is due; returns how many packets of media and how many retransmissions.
fn sent(egress: &mut Egress<Filter>, now: Instant) -> (u64, u64) {
    let (mut buffer, mut media, mut again) = (Vec::new(), 0, 0);
    while let Some(transmit) = egress.poll_transmit(now, &mut buffer) {
        let datagrams: Vec<_> = buffer.chunks(transmit.segment_size).collect();
        assert_eq!(datagrams.len(), transmit.segments);
        assert!((1..=5).contains(&transmit.segments) && buffer.len() <= 65_000);
        for datagram in datagrams {
            let packet = RtpPacket::parse(datagram.to_vec().into()).unwrap();
            let is_again = (0..3).any(|track| packet.ssrc() == rtx(track));
            assert!(is_again || (0..3).any(|track| packet.ssrc() == ssrc(track)));
            *if is_again { &mut again } else { &mut media } += 1;
        }
    }
    (media, again)
}

proptest! {
    /// Every packet is accounted for, and every transmit is a run of one size.
    #[test]
    fn packets_are_accounted_for(ops in vec(op(), 1..150), rate in 100..5_000_u64) {
        let (mut egress, tracks) = egress(rate);
        let (mut now, mut seqs, mut total, mut offered) = (Instant::from_millis(5), [0_u16; 3], (0, 0), 0);
        for op in ops {
            match op {
                Op::Push { track, step, size } => {
                    seqs[track] = seqs[track].wrapping_add(step);
                    let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seqs[track]), RtpTime(0), ssrc(track));
                    egress.push(now, tracks[track], &packet.build(&vec![1; size]).unwrap());
                    offered += 1;
                }
                Op::Poll => {
                    let (media, again) = sent(&mut egress, now);
                    total = (total.0 + media, total.1 + again);
                }
                Op::Wait(millis) => now += Duration::from_millis(millis),
                Op::Request(track, asked) => {
                    egress.retransmit(now, ssrc(track), asked.into_iter().map(SeqNum));
                }
            }
        }
        // The pacer speeds up so that nothing waits longer than half a second.
        let (media, again) = sent(&mut egress, now + Duration::from_secs(1));
        total = (total.0 + media, total.1 + again);
        let stats = egress.stats();
        prop_assert_eq!((stats.sent, stats.resent), total);
        prop_assert_eq!(stats.offered, offered);
        prop_assert_eq!(stats.offered, stats.unselected + stats.overflowed + stats.sent + stats.refused);
        let lost = stats.unknown + stats.too_soon + stats.resend_overflowed + stats.resend_refused;
        prop_assert_eq!(stats.requested, lost + stats.resent);
        prop_assert_eq!((egress.queued(), egress.poll_timeout()), (DataSize::ZERO, None));
    }
}
