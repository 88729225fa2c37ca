//! Fan-out with keys of its own for each subscriber.

use core::time::Duration;

use rtc_core::testkit::naive::Filter;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::fanout::{Egress, EgressConfig, Fanout, TrackConfig};
use rtc_transport::srtp::{MasterKey, Profile, Protector, SrtpConfig, Unprotector};

use super::{library, unprotect_rtp};

const SOURCE: Ssrc = Ssrc(7);
const TRACK: Ssrc = Ssrc(100);

fn key(user: u8) -> MasterKey {
    MasterKey::new(Profile::AeadAes128Gcm, &[user; 16], &[user; 12]).unwrap()
}

fn packet(seq: u16) -> RtpPacket {
    let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), SOURCE);
    packet.build(&seq.to_be_bytes().repeat(100)).unwrap()
}

fn room(users: u8) -> (Fanout<Filter>, Vec<Unprotector>) {
    let (crypto, mut room, mut receivers) = (library(), Fanout::default(), Vec::new());
    for user in 0..users {
        let mut config = EgressConfig::default();
        config.pacer.rate = Bitrate::from_kbps(50_000);
        let protector = Protector::new(&*crypto, &key(user), SrtpConfig::default()).unwrap();
        let mut egress = Egress::new(config, Some(protector)).unwrap();
        let track = TrackConfig::video(TRACK).with_rtx(Ssrc(101), PayloadType::new(97));
        let track = egress.add_track(track, Filter::new(move |packet| packet.seq().0 % 5 != u16::from(user)));
        let subscriber = room.add(egress);
        assert!(room.route(SOURCE, subscriber, track));
        receivers.push(Unprotector::new(&*crypto, &key(user), SrtpConfig::default()).unwrap());
    }
    (room, receivers)
}

/// Each reads with its own key what its selector chose, without a gap, and what it asks for again.
#[test]
fn every_subscriber_reads_its_own_stream() {
    let (mut room, mut receivers) = room(4);
    let (mut now, mut buffer) = (Instant::from_millis(1), Vec::new());
    let mut received = vec![Vec::new(); 4];
    for seq in 65_500..65_700_u32 {
        now += Duration::from_millis(5);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        room.forward(now, &packet(seq as u16));
        for (user, (_, egress)) in room.iter_mut().enumerate() {
            while let Some(transmit) = egress.poll_transmit(now, &mut buffer) {
                for datagram in buffer.chunks(transmit.segment_size) {
                    let plain = unprotect_rtp(&mut receivers[user], datagram).unwrap();
                    received[user].push(RtpPacket::parse(plain.into()).unwrap());
                }
            }
        }
    }
    for (user, received) in received.iter().enumerate() {
        assert!((150..170).contains(&received.len()));
        assert!(received.iter().all(|packet| packet.ssrc() == TRACK));
        assert!(received.windows(2).all(|pair| pair[1].seq() == pair[0].seq().next()), "no gaps");
        let chosen = |packet: &RtpPacket| usize::from(u16::from_be_bytes([packet.payload()[0], packet.payload()[1]]));
        assert!(received.iter().all(|packet| chosen(packet) % 5 != user), "each its own choice");
    }
    let (_, egress) = room.iter_mut().next().unwrap();
    let lost = received[0].last().unwrap();
    now += Duration::from_millis(50);
    assert_eq!(egress.retransmit(now, TRACK, [lost.seq()]), 1);
    assert!(egress.poll_transmit(now, &mut buffer).is_some());
    let again = RtpPacket::parse(unprotect_rtp(&mut receivers[0], &buffer).unwrap().into()).unwrap();
    assert_eq!(again.ssrc(), Ssrc(101));
    assert_eq!(again.payload(), [&lost.seq().0.to_be_bytes()[..], lost.payload()].concat());
}

/// A selector that gives a number twice would give the key away; its packets are refused, and counted.
#[test]
fn a_number_given_twice_is_not_sent() {
    let (mut room, _) = room(1);
    let now = Instant::from_millis(1);
    for _ in 0..2 {
        room.forward(now, &packet(1));
    }
    let (_, egress) = room.iter_mut().next().unwrap();
    let mut buffer = Vec::new();
    assert_eq!(egress.poll_transmit(now, &mut buffer).map(|transmit| transmit.segments), Some(1));
    assert_eq!((egress.stats().sent, egress.stats().refused), (1, 1));
}
