//! The short form of repair packets, over voice: regular but for pauses, packets of another length, markers and extensions.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcDecoderStats, RlcEncoder, RlcEncoderConfig};

use crate::packets::{MEDIA, SSRC, media_of, shifted};
use crate::rlc::check_accounts;

/// What happens from one packet to the next.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Nothing.
    On,
    /// So many packets' time passes in silence, and a talkspurt may begin with a marker.
    Pause(u16, bool),
    /// Packets are so many ticks long from here on.
    Length(u16),
    /// A packet of another kind, such as a tone (RFC 4733).
    Other,
}

/// A packet of voice: what comes before it, its payload, whether it arrives, and how much later than it would.
type Voice = (Turn, usize, bool, usize);

fn turn() -> impl Strategy<Value = Turn> {
    let lengths = prop::sample::select(vec![160_u16, 480, 960, 960, 1_920, 2_880, 5_760]);
    prop_oneof![
        60 => Just(Turn::On),
        1 => (1_u16..400, any::<bool>()).prop_map(|(time, marker)| Turn::Pause(time, marker)),
        1 => lengths.prop_map(Turn::Length),
        1 => Just(Turn::Other),
    ]
}

fn voice(most: usize) -> impl Strategy<Value = Vec<Voice>> {
    (0.0..1.0_f64, 1_usize..90).prop_flat_map(move |(arrives, longest)| {
        let len = prop_oneof![3 => Just(longest), 1 => 1_usize..=longest];
        let late = prop_oneof![4 => Just(0_usize), 1 => 1_usize..20];
        vec((turn(), len, proptest::bool::weighted(arrives), late), 1..most)
    })
}

fn packets(voice: &[Voice]) -> Vec<RtpPacket> {
    let (mut timestamp, mut step) = (0_u32, 960_u16);
    let packet = |(seq, (turn, len, ..)): (u16, &Voice)| {
        let (mut marker, mut other) = (false, false);
        match *turn {
            Turn::On => {}
            Turn::Pause(time, begins) => {
                (timestamp, marker) = (timestamp + u32::from(time) * u32::from(step), begins);
            }
            Turn::Length(ticks) => step = ticks,
            Turn::Other => other = true,
        }
        let packet = media_of(seq, timestamp, *len);
        timestamp += u32::from(step);
        let builder = packet.to_builder().marker(marker);
        let builder = if other { builder.raw_extension(0xbede, &[]) } else { builder };
        builder.build(packet.payload()).unwrap()
    };
    (0..).zip(voice).map(packet).collect()
}

fn encoder(config: impl FnOnce(&mut RlcEncoderConfig)) -> RlcEncoder {
    let mut settings = RlcEncoderConfig::default();
    (settings.short, settings.window) = (Some(MEDIA), 64);
    config(&mut settings);
    RlcEncoder::new(settings).unwrap()
}

fn decoder(short: Option<PayloadType>) -> RlcDecoder {
    let mut config = RlcDecoderConfig::default();
    config.short = short;
    RlcDecoder::new(config).unwrap()
}

/// The stream and, after each packet, repair packets over what of the newest is lost.
fn sent(
    voice: &[Voice],
    packets: &[RtpPacket],
    mut encoder: RlcEncoder,
    repairs: usize,
    span: u16,
) -> Vec<Vec<RtpPacket>> {
    let each = |(at, packet): (usize, &RtpPacket)| {
        encoder.protect(packet);
        let missing = (0..=at).rev().take(span.into()).filter(|at| !voice[*at].2);
        let missing: Vec<_> = missing.map(|at| packets[at].seq()).collect();
        let repairs = (0..repairs).filter_map(|_| encoder.repair_over(missing.iter().copied()));
        core::iter::once(packet.clone()).chain(repairs).collect()
    };
    packets.iter().enumerate().map(each).collect()
}

/// Gives the decoder what arrives of it, and takes what it recovers.
fn receive(voice: &[Voice], sent: &[Vec<RtpPacket>], decoder: &mut RlcDecoder) -> Vec<RtpPacket> {
    let mut arrivals = Vec::new();
    for (at, packets) in sent.iter().enumerate() {
        let (_, _, arrives, late) = voice[at];
        arrivals.extend(packets.iter().enumerate().filter(|(nth, _)| arrives || *nth > 0).map(|(nth, packet)| {
            // Each comes late by itself, as jitter has it.
            let late = if (at + nth).is_multiple_of(3) { late } else { 0 };
            (at + late, packet)
        }));
    }
    arrivals.sort_by_key(|(at, _)| *at);
    let mut recovered = Vec::new();
    for (_, packet) in arrivals {
        match packet.payload_type() == MEDIA {
            true => decoder.insert_source(packet),
            false => decoder.insert_repair(packet).unwrap(),
        }
        recovered.extend(core::iter::from_fn(|| decoder.poll_recovered()));
        check_accounts(&decoder.stats(), decoder);
    }
    recovered
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever pauses, changes, losses and disorder there are.
    #[test]
    fn what_the_short_form_recovers_equals_the_original(
        voice in voice(200), repairs in 1_usize..3, span in 1_u16..70, seqs: u16, ticks: u32,
    ) {
        let packets = packets(&voice);
        let sent = sent(&voice, &packets, encoder(|_| ()), repairs, span);
        let mut near = decoder(Some(MEDIA));
        let recovered = receive(&voice, &sent, &mut near);
        let mut seen = BTreeSet::new();
        for packet in &recovered {
            prop_assert_eq!(packet, &packets[usize::from(packet.seq().0)]);
            prop_assert!(seen.insert(packet.seq().0), "once");
        }
        prop_assert_eq!(near.stats().corrupt, 0);

        let far: Vec<_> = packets.iter().map(|packet| shifted(packet, seqs, ticks)).collect();
        let mut other = decoder(Some(MEDIA));
        let moved = receive(&voice, &self::sent(&voice, &far, encoder(|_| ()), repairs, span), &mut other);
        prop_assert_eq!(near.stats(), other.stats());
        prop_assert!(recovered.iter().map(|packet| shifted(packet, seqs, ticks)).eq(moved));
    }

    /// Where nothing is out of order, so that what is not named has arrived, both forms say the same, and the short one less.
    #[test]
    fn the_short_form_says_the_same_in_less(voice in voice(200), repairs in 1_usize..3, span in 1_u16..60) {
        let voice: Vec<Voice> = voice.into_iter().map(|(turn, len, arrives, _)| (turn, len, arrives, 0)).collect();
        let packets = packets(&voice);
        let short = sent(&voice, &packets, encoder(|_| ()), repairs, span);
        let full = sent(&voice, &packets, encoder(|config| config.short = None), repairs, span);
        for (short, full) in short.iter().flatten().zip(full.iter().flatten()) {
            prop_assert!(short == full || short.payload().len() < full.payload().len());
        }
        let (mut one, mut other) = (decoder(Some(MEDIA)), decoder(None));
        let recovered = [receive(&voice, &short, &mut one), receive(&voice, &full, &mut other)];
        if one.stats().unplaced == 0 {
            prop_assert_eq!(&recovered[0], &recovered[1]);
            // All counters but that of bytes.
            let count = |decoder: &RlcDecoder| RlcDecoderStats { repair_bytes: 0, ..decoder.stats() };
            prop_assert_eq!(count(&one), count(&other));
        }
    }

    /// Without extensions, what is recovered is the packet without its own; with the full form as well.
    #[test]
    fn extensions_are_left_out_where_both_ends_do(
        voice in voice(120), repairs in 1_usize..3, span in 1_u16..60, short: bool, value: [u8; 2], padding in 0_u8..4,
    ) {
        let plain = packets(&voice);
        let extended = |packet: &RtpPacket, value: &[u8]| {
            packet.to_builder().extensions(&[(5, value)]).padding(padding).build(packet.payload()).unwrap()
        };
        let before: Vec<_> = plain.iter().map(|packet| extended(packet, &[0; 2])).collect();
        let encoder = encoder(|config| {
            config.extensions = false;
            config.short = short.then_some(MEDIA);
        });
        let mut sent = sent(&voice, &before, encoder, repairs, span);
        // On the way, the extension changes; what is not padded may as well be without.
        for (at, packets) in sent.iter_mut().enumerate() {
            packets[0] = if at % 3 == 0 && padding == 0 { plain[at].clone() } else { extended(&plain[at], &value) };
        }
        let mut config = RlcDecoderConfig::default();
        (config.extensions, config.short) = (false, Some(MEDIA));
        let mut decoder = RlcDecoder::new(config).unwrap();
        for packet in receive(&voice, &sent, &mut decoder) {
            let plain = &plain[usize::from(packet.seq().0)];
            prop_assert_eq!(packet.raw_extension(), None);
            prop_assert_eq!(packet, plain.to_builder().extensions(&[]).padding(padding).build(plain.payload()).unwrap());
        }
        prop_assert_eq!(decoder.stats().corrupt, 0);
    }

    /// In the short form there is no telling what was made up; but it does no harm, and whatever comes of it is a packet.
    #[test]
    fn arbitrary_repair_packets_of_the_short_form_never_panic_and_are_accounted_for(
        inserts in vec((0u16..300, vec(any::<u8>(), 0..60), 0u8..4), 0..150),
    ) {
        let mut decoder = decoder(Some(MEDIA));
        let mut polled = 0;
        for (seq, mut payload, kind) in inserts {
            match (kind, &mut payload[..]) {
                (0, _) => decoder.insert_source(&media_of(seq, 960 * u32::from(seq), 40)),
                (_, payload) => {
                    if let [first, ..] = payload && *first < 0x40 {
                        *first |= 0x40;
                    }
                    if let [first, _, _, _, b0, b1, ssrc @ ..] = payload && *first & 0xa7 == 0x20 && ssrc.len() >= 4 {
                        [*b0, *b1] = seq.to_be_bytes();
                        ssrc[..4].copy_from_slice(&SSRC.0.to_be_bytes());
                    }
                    let repair = RtpPacket::builder(PayloadType::new(126), SeqNum(seq), RtpTime(960 * u32::from(seq)), SSRC);
                    let _ = decoder.insert_repair(&repair.build(payload).unwrap());
                }
            }
            for packet in core::iter::from_fn(|| decoder.poll_recovered()) {
                prop_assert_eq!((packet.payload_type(), packet.marker()), (MEDIA, false));
                polled += 1;
            }
            check_accounts(&decoder.stats(), &decoder);
        }
        prop_assert!(polled <= decoder.stats().recovered);
    }
}

fn steady(count: u16) -> Vec<RtpPacket> {
    (0..count).map(|seq| media_of(seq, 960 * u32::from(seq), 80)).collect()
}

/// Packets of 80 bytes, three lost: what the short form takes, and who takes it.
#[test]
fn the_short_form_is_taken_by_who_expects_it() {
    let packets = steady(50);
    let mut encoder = encoder(|config| config.window = 11);
    packets.iter().for_each(|packet| encoder.protect(packet));
    let repairs: Vec<_> = core::iter::from_fn(|| encoder.repair()).take(3).collect();
    // A byte; 20 bytes of full form.
    assert!(repairs.iter().all(|repair| repair.payload().len() == 80 + 1));
    let mut taking = decoder(Some(MEDIA));
    // Which packets are covered must be told by one that is known.
    taking.insert_repair(&repairs[0]).unwrap();
    assert_eq!((taking.stats().unplaced, taking.held()), (1, 0));
    let mut other = decoder(Some(PayloadType::new(1)));
    for packet in packets.iter().filter(|packet| !(44..47).contains(&packet.seq().0)) {
        taking.insert_source(packet);
        other.insert_source(packet);
    }
    for repair in &repairs {
        taking.insert_repair(repair).unwrap();
        other.insert_repair(repair).unwrap();
        assert!(decoder(None).insert_repair(repair).is_err());
    }
    let recovered: Vec<_> = core::iter::from_fn(|| taking.poll_recovered()).collect();
    assert_eq!(recovered, packets[44..47]);
    // Media of another payload type than told contradicts it.
    assert_eq!((other.stats().corrupt, other.held()), (3, 0));
}

/// All from the first to the last packet missing where that is shorter; a mask where one is given up, or longer than those missing.
#[test]
fn what_arrived_is_covered_where_that_is_free() {
    let sizes = |odd: &RtpPacket, give_up: Option<u16>| {
        let mut packets = steady(50);
        packets[43] = odd.clone();
        let mut encoder = encoder(|_| ());
        packets.iter().for_each(|packet| encoder.protect(packet));
        if let Some(seq) = give_up {
            encoder.acknowledge(SeqNum(seq));
        }
        let missing = [40, 42, 46].map(SeqNum);
        let mut decoder = decoder(Some(MEDIA));
        packets
            .iter()
            .filter(|packet| !missing.contains(&packet.seq()))
            .for_each(|packet| decoder.insert_source(packet));
        let repairs: Vec<_> = (0..3).filter_map(|_| encoder.repair_over(missing)).collect();
        repairs.iter().for_each(|repair| decoder.insert_repair(repair).unwrap());
        let recovered: Vec<_> = core::iter::from_fn(|| decoder.poll_recovered().map(|packet| packet.seq())).collect();
        assert_eq!(recovered, missing);
        repairs[0].payload().len() - 80
    };
    let like_all = media_of(43, 960 * 43, 80);
    assert_eq!(sizes(&like_all, None), 1);
    assert_eq!(sizes(&like_all, Some(41)), 5);
    // One byte longer than those missing, and its length to be told.
    assert_eq!(sizes(&media_of(43, 960 * 43, 81), None), 3);
    assert_eq!(sizes(&media_of(43, 960 * 43, 90), None), 5);
    // The marker is not in the short form, but nobody misses this packet.
    assert_eq!(sizes(&like_all.to_builder().marker(true).build(like_all.payload()).unwrap(), None), 5);
}

/// At the beginning and after a pause the first number goes along, and the source: nothing need be known, and nothing is mistaken.
#[test]
fn numbers_go_along_until_the_stream_is_steady() {
    let mut packets = steady(120);
    for packet in &mut packets[60..] {
        *packet = shifted(packet, 0, 48_000);
    }
    let mut encoder = encoder(|config| config.window = 1);
    let mut alone = decoder(Some(MEDIA));
    for (place, packet) in packets.iter().enumerate() {
        encoder.protect(packet);
        let repair = encoder.repair().unwrap();
        let settled = (33..60).contains(&place) || place >= 60 + 33;
        assert_eq!(repair.payload().len(), 80 + if settled { 1 } else { 10 }, "{place}");
        alone.insert_repair(&repair).unwrap();
        // Nothing else is known of the stream: it goes on from what is recovered.
        assert_eq!(alone.poll_recovered().as_ref(), Some(packet), "{place}");
    }
    // Another stream with the same numbers: only what tells its source can be mistaken for nothing else.
    let mut foreign = decoder(Some(MEDIA));
    packets.iter().for_each(|packet| foreign.insert_source(&of_another_source(packet)));
    let mut encoder = self::encoder(|_| ());
    packets[..20].iter().for_each(|packet| encoder.protect(packet));
    foreign.insert_repair(&encoder.repair().unwrap()).unwrap();
    assert_eq!(foreign.stats().unplaced, 1);
}

/// A sender that begins anew with other numbers: what it says in the short form is not taken for what was before.
#[test]
fn what_began_anew_is_not_placed_among_what_was_before() {
    let old = steady(100);
    for (seqs, ticks) in [(20_000, 77_777_777), (300, 1 << 30), (100, 3 << 30)] {
        let new: Vec<_> = steady(100).iter().map(|packet| of_another_source(&shifted(packet, seqs, ticks))).collect();
        let mut encoder = encoder(|_| ());
        let mut decoder = decoder(Some(MEDIA));
        old.iter().for_each(|packet| decoder.insert_source(packet));
        for packet in &new {
            encoder.protect(packet);
            decoder.insert_repair(&encoder.repair_over([packet.seq()]).unwrap()).unwrap();
        }
        assert_eq!((decoder.stats().unplaced, decoder.poll_recovered()), (100, None));
        // Two packets of it, and it is followed.
        new[70..72].iter().for_each(|packet| decoder.insert_source(packet));
        decoder.insert_repair(&encoder.repair_over([SeqNum(seqs) + 80]).unwrap()).unwrap();
        assert_eq!(decoder.poll_recovered().as_ref(), Some(&new[80]));
    }
}

/// As on a path that delays some: a packet behind a pause is there before a repair packet of before it.
#[test]
fn what_is_behind_a_pause_tells_nothing_of_before_it() {
    let mut packets = steady(60);
    packets[50..].iter_mut().for_each(|packet| *packet = shifted(packet, 0, 5 * 960));
    let mut encoder = encoder(|_| ());
    packets[..50].iter().for_each(|packet| encoder.protect(packet));
    let repair = encoder.repair_over([SeqNum(47)]).unwrap();
    assert_eq!(repair.payload().len(), 80 + 1);
    for known in [20..46, 46..47, 5..15] {
        let mut decoder = decoder(Some(MEDIA));
        packets[50..60].iter().rev().for_each(|packet| decoder.insert_source(packet));
        packets[known.clone()].iter().for_each(|packet| decoder.insert_source(packet));
        decoder.insert_repair(&repair).unwrap();
        let near = known.end > 15;
        assert_eq!(decoder.poll_recovered().as_ref(), near.then_some(&packets[47]), "{known:?}");
        // Too far back to tell.
        assert_eq!(decoder.stats().unplaced, u64::from(!near), "{known:?}");
    }
}

fn of_another_source(packet: &RtpPacket) -> RtpPacket {
    let mut packet = packet.clone();
    packet.rewrite(|header| header.set_ssrc(Ssrc(9)));
    packet
}
