//! RTCP on the wire.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rtc_core::time::NtpTime;
use rtc_core::{Bitrate, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::*;

fn ssrc() -> impl Strategy<Value = Ssrc> {
    any::<u32>().prop_map(Ssrc)
}

fn text() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

prop_compose! {
    fn block()(
        ssrc in ssrc(), fraction_lost: u8, lost in -0x80_0000..0x80_0000, highest_seq: u32, jitter: u32, last_sr: u32,
        delay_since_last_sr: u32,
    ) -> ReportBlock {
        ReportBlock { ssrc, fraction_lost, lost, highest_seq, jitter, last_sr, delay_since_last_sr }
    }
}

prop_compose! {
    fn sender_report()(
        ssrc in ssrc(), ntp: u64, rtp_time: u32, packets: u32, octets: u32, blocks in vec(block(), 0..4),
    ) -> SenderReport {
        SenderReport { ssrc, ntp: NtpTime::from_bits(ntp), rtp_time: RtpTime(rtp_time), packets, octets, blocks }
    }
}

fn sdes() -> impl Strategy<Value = Sdes> {
    let item = (1..=u8::MAX, text()).prop_map(|(kind, text)| SdesItem { kind: SdesType(kind), text });
    let chunk = (ssrc(), vec(item, 0..4)).prop_map(|(source, items)| SdesChunk { source, items });
    vec(chunk, 0..4).prop_map(|chunks| Sdes { chunks })
}

fn nack() -> impl Strategy<Value = Nack> {
    let pair = (any::<u16>(), any::<u16>()).prop_map(|(first, following)| NackPair { first: SeqNum(first), following });
    (ssrc(), ssrc(), vec(pair, 0..20)).prop_map(|(sender, media, pairs)| Nack { sender, media, pairs })
}

fn fir() -> impl Strategy<Value = Fir> {
    let request = (ssrc(), any::<u8>()).prop_map(|(media, number)| FirRequest { media, number });
    (ssrc(), vec(request, 0..5)).prop_map(|(sender, requests)| Fir { sender, requests })
}

/// Rates the wire can say without rounding.
fn remb() -> impl Strategy<Value = Remb> {
    (ssrc(), 0..1_u64 << 18, 0..46_u32, vec(ssrc(), 0..5)).prop_map(|(sender, mantissa, exponent, sources)| Remb {
        sender,
        bitrate: Bitrate::from_bps(mantissa << exponent),
        sources,
    })
}

fn words(range: core::ops::Range<usize>) -> impl Strategy<Value = Bytes> {
    (range, any::<u8>()).prop_map(|(words, fill)| vec![fill; 4 * words].into())
}

fn app() -> impl Strategy<Value = App> {
    (ssrc(), any::<[u8; 4]>(), 0..32_u8, words(0..10)).prop_map(|(ssrc, name, subtype, data)| App {
        ssrc,
        name,
        subtype,
        data,
    })
}

fn loss_notification() -> impl Strategy<Value = LossNotification> {
    (ssrc(), ssrc(), any::<u16>(), 0..0x8000_u16, any::<bool>()).prop_map(
        |(sender, media, decoded, delta, decodable)| {
            let last_decoded = SeqNum(decoded);
            LossNotification { sender, media, last_decoded, last_received: last_decoded + delta, decodable }
        },
    )
}

fn extended_report() -> impl Strategy<Value = ExtendedReport> {
    let delay = (ssrc(), any::<u32>(), any::<u32>()).prop_map(|(ssrc, last_rr, delay)| DelaySinceReport {
        ssrc,
        last_rr,
        delay,
    });
    let range = || (ssrc(), 0..16_u8, any::<u16>().prop_map(SeqNum), 0..300_u16);
    let runs = || {
        (range(), vec(any::<bool>(), 300), any::<bool>()).prop_map(|((ssrc, thinning, begin, len), bits, steady)| {
            let bit = |seq: SeqNum| steady || bits[usize::from(seq.0.wrapping_sub(begin.0))];
            RunLengths::new(ssrc, thinning, begin, begin + len, bit)
        })
    };
    let times = (range(), vec(any::<u32>(), 0..9)).prop_map(|((ssrc, thinning, begin, len), times)| ReceiptTimes {
        ssrc,
        thinning,
        begin,
        end: begin + len,
        times,
    });
    let block = prop_oneof![
        runs().prop_map(ExtendedBlock::Losses),
        runs().prop_map(ExtendedBlock::Duplicates),
        times.prop_map(ExtendedBlock::ReceiptTimes),
        summary().prop_map(ExtendedBlock::Summary),
        voip().prop_map(ExtendedBlock::Voip),
        any::<u64>().prop_map(|bits| ExtendedBlock::ReferenceTime(NtpTime::from_bits(bits))),
        vec(delay, 0..4).prop_map(ExtendedBlock::Delays),
        (8..=u8::MAX, any::<u8>(), words(0..6)).prop_map(|(kind, specific, content)| ExtendedBlock::Other {
            kind,
            specific,
            content
        }),
    ];
    (ssrc(), vec(block, 0..4)).prop_map(|(sender, blocks)| ExtendedReport { sender, blocks })
}

fn summary() -> impl Strategy<Value = StatisticsSummary> {
    let wide = any::<[u32; 4]>().prop_map(|[min, max, mean, deviation]| Spread { min, max, mean, deviation });
    let short = any::<[u8; 4]>().prop_map(|[min, max, mean, deviation]| Spread { min, max, mean, deviation });
    let hops = (prop_oneof![Just(HopField::TimeToLive), Just(HopField::HopLimit)], short);
    let range = (ssrc(), any::<u16>().prop_map(SeqNum), any::<u16>().prop_map(SeqNum));
    (range, option::of(any::<u32>()), option::of(any::<u32>()), option::of(wide), option::of(hops)).prop_map(
        |((ssrc, begin, end), lost, duplicates, jitter, hops)| StatisticsSummary {
            ssrc,
            begin,
            end,
            lost,
            duplicates,
            jitter,
            hops,
        },
    )
}

fn voip() -> impl Strategy<Value = VoipMetrics> {
    (ssrc(), any::<[u8; 11]>(), any::<[u16; 7]>(), any::<[i8; 2]>()).prop_map(|(ssrc, bytes, times, levels)| {
        let mut metrics = VoipMetrics { ssrc, ..VoipMetrics::default() };
        [metrics.loss_rate, metrics.discard_rate, metrics.burst_density, metrics.gap_density, ..] = bytes;
        let (factor, score) = (|byte: u8| if byte > 100 { 127 } else { byte }, |byte: u8| 10 + byte % 41);
        (metrics.r_factor, metrics.external_r_factor) = (factor(bytes[6]), factor(bytes[7]));
        (metrics.mos_listening, metrics.mos_conversational) = (score(bytes[8]), score(bytes[9]));
        [.., metrics.echo_return_loss, _, _, _, _, metrics.gap_threshold] = bytes;
        metrics.receiver_config = bytes[4];
        [metrics.burst_duration, metrics.gap_duration, metrics.round_trip, metrics.end_system_delay, ..] = times;
        [.., metrics.buffer_nominal, metrics.buffer_maximum, metrics.buffer_limit] = times;
        [metrics.signal_level, metrics.noise_level] = levels;
        metrics
    })
}

/// Packet types this crate does not know.
fn raw() -> impl Strategy<Value = Raw> {
    (prop_oneof![Just(208_u8), Just(213), Just(192)], 0..32_u8, 0..10_usize, any::<u8>())
        .prop_map(|(packet_type, count, words, fill)| Raw { packet_type, count, body: vec![fill; 4 * words].into() })
}

fn packet() -> impl Strategy<Value = RtcpPacket> {
    prop_oneof![
        sender_report().prop_map(RtcpPacket::SenderReport),
        (ssrc(), vec(block(), 0..4))
            .prop_map(|(ssrc, blocks)| RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks })),
        sdes().prop_map(RtcpPacket::Sdes),
        (vec(ssrc(), 0..4), text()).prop_map(|(sources, reason)| RtcpPacket::Bye(Bye { sources, reason })),
        nack().prop_map(RtcpPacket::Nack),
        (ssrc(), ssrc()).prop_map(|(sender, media)| RtcpPacket::Pli(Pli { sender, media })),
        fir().prop_map(RtcpPacket::Fir),
        remb().prop_map(RtcpPacket::Remb),
        app().prop_map(RtcpPacket::App),
        loss_notification().prop_map(RtcpPacket::LossNotification),
        extended_report().prop_map(RtcpPacket::ExtendedReport),
        (ssrc(), vec(ssrc(), 1..5))
            .prop_map(|(sender, sources)| RtcpPacket::ReportingSources(ReportingSources { sender, sources })),
        raw().prop_map(RtcpPacket::Unknown),
    ]
}

fn read_all(datagram: &[u8]) -> Option<Vec<RtcpPacket>> {
    let compound = Compound::parse(Bytes::copy_from_slice(datagram)).ok()?;
    let packets: Vec<_> = compound.packets().filter_map(Result::ok).collect();
    for packet in &packets {
        if let RtcpPacket::TransportFeedback(feedback) = packet {
            assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count()));
        }
        if let RtcpPacket::CongestionFeedback(feedback) = packet {
            assert!(feedback.streams().all(|stream| stream.metrics().count() == stream.len()));
        }
    }
    Some(packets)
}

fn any_packets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![framed(), framed_feedback(), framed_congestion_feedback()]
}

/// Bytes framed as packets of the types that are parsed, of any content.
pub(crate) fn framed() -> impl Strategy<Value = Vec<u8>> {
    let one = (any::<bool>(), 0..32_u8, prop_oneof![8 => 200..208_u8, 1 => Just(212)], vec(any::<u8>(), 0..64))
        .prop_map(|(padded, count, kind, body)| {
            let words = u8::try_from(body.len() / 4).unwrap();
            let mut packet = vec![0x80 | u8::from(padded) << 5 | count, kind, 0, words];
            packet.extend(&body[..4 * usize::from(words)]);
            packet
        });
    vec(one, 1..4).prop_map(|packets| packets.concat())
}

/// Congestion control feedback of any content, with lengths that are often right.
pub(crate) fn framed_congestion_feedback() -> impl Strategy<Value = Vec<u8>> {
    let block = (
        any::<[u8; 6]>(),
        0..6_u16,
        prop_oneof![4 => Just(0_u16), 1 => 0..3_u16, 1 => any::<u16>()],
        vec(any::<u16>(), 6),
    );
    let blocks = vec(block, 0..4);
    (any::<u32>(), blocks, any::<u32>()).prop_map(|(sender, blocks, timestamp)| {
        let mut body = sender.to_be_bytes().to_vec();
        for (head, count, lie, metrics) in blocks {
            body.extend(head);
            body.extend(count.wrapping_add(lie).to_be_bytes());
            let count = usize::from(count).next_multiple_of(2);
            body.extend(metrics.iter().take(count).flat_map(|metric| metric.to_be_bytes()));
        }
        body.extend(timestamp.to_be_bytes());
        let mut packet = vec![0x8b, 205, 0, u8::try_from(body.len() / 4).unwrap()];
        packet.extend(body);
        packet
    })
}

/// Transport-wide feedback of any content.
pub(crate) fn framed_feedback() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 10]>(), prop_oneof![0..40_u16, any::<u16>()], any::<u32>(), vec(any::<u16>(), 0..30)).prop_map(
        |(head, count, time, rest)| {
            let mut body = head.to_vec();
            body.extend(count.to_be_bytes());
            body.extend(time.to_be_bytes());
            body.extend(rest.iter().flat_map(|word| word.to_be_bytes()));
            body.resize(body.len().next_multiple_of(4), 0);
            let mut packet = vec![0x8f, 205, 0, u8::try_from(body.len() / 4).unwrap()];
            packet.extend(body);
            packet
        },
    )
}

proptest! {
    /// What is said of each number of a range is what is read.
    #[test]
    fn run_lengths_tell_what_they_were_told(
        begin: u16,
        thinning in 0..16_u8,
        pieces in vec((any::<bool>(), prop_oneof![8 => 1..20_usize, 2 => 15..400_usize, 1 => 16_000..17_000_usize]), 0..12),
    ) {
        let mut bits: Vec<bool> = pieces.into_iter().flat_map(|(bit, count)| core::iter::repeat_n(bit, count)).collect();
        bits.truncate(65_533);
        let (begin, len) = (SeqNum(begin), u16::try_from(bits.len()).unwrap());
        let bit = |seq: SeqNum| bits[usize::from(seq.0.wrapping_sub(begin.0))];
        let report = RunLengths::new(Ssrc(1), thinning, begin, begin + len, bit);
        let told: Vec<_> = report.iter().collect();
        let seqs = (0..len).map(|at| begin + at).filter(|seq| seq.0.is_multiple_of(1 << thinning));
        prop_assert_eq!(told, seqs.map(|seq| (seq, bit(seq))).collect::<Vec<_>>());
    }

    /// Whatever is in the chunks, no more is told than the range holds.
    #[test]
    fn run_lengths_of_anyone_are_bounded(specific: u8, content in vec(any::<[u8; 4]>(), 2..40)) {
        let content = content.concat();
        let head = [0x80, 207, 0, u8::try_from(2 + content.len() / 4).unwrap(), 0, 0, 0, 1, 1, specific];
        let words = u16::try_from(content.len() / 4).unwrap().to_be_bytes();
        let bytes = [&head[..], &words, &content].concat();
        let mut packets = Compound::parse(bytes.into()).unwrap().packets();
        let Some(Ok(RtcpPacket::ExtendedReport(report))) = packets.next() else { return Err(TestCaseError::fail("no report")) };
        let [ExtendedBlock::Losses(runs)] = &report.blocks[..] else { return Err(TestCaseError::fail("no runs")) };
        let (begin, range) = (runs.begin, runs.end.0.wrapping_sub(runs.begin.0));
        let told: Vec<_> = runs.iter().map(|(seq, _)| seq.0.wrapping_sub(begin.0)).collect();
        prop_assert!(told.iter().all(|at| *at < range) && told.is_sorted());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
        prop_assert_eq!(is_rtcp(&bytes), bytes.len() > 1 && bytes[0] & 0xc0 == 0x80 && bytes[1] & 0xe0 == 0xc0);
    }

    #[test]
    fn arbitrary_content_never_panics(datagram in any_packets()) {
        read_all(&datagram);
    }

    #[test]
    fn what_is_written_is_read(packets in vec(packet(), 1..5)) {
        let mut out = BytesMut::new();
        for packet in &packets {
            packet.write(&mut out).unwrap();
            prop_assert!(out.len().is_multiple_of(4));
        }
        prop_assert!(is_rtcp(&out));
        prop_assert_eq!(read_all(&out).unwrap(), packets);
    }

    #[test]
    fn what_is_read_is_written_and_read_again(datagram in any_packets()) {
        let Some(packets) = read_all(&datagram) else { return Ok(()) };
        for packet in packets {
            let mut out = BytesMut::new();
            if packet.write(&mut out).is_ok() {
                prop_assert_eq!(read_all(&out).unwrap(), vec![packet]);
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn a_cut_datagram_is_malformed_or_shorter(packets in vec(packet(), 1..4), cut in 1..40_usize) {
        let mut out = BytesMut::new();
        for packet in &packets {
            packet.write(&mut out).unwrap();
        }
        let kept = out.len().saturating_sub(cut);
        if let Some(read) = read_all(&out[..kept]) {
            prop_assert!(read.len() < packets.len());
            prop_assert_eq!(&read[..], &packets[..read.len()]);
        }
    }

    #[test]
    fn a_nack_asks_for_what_it_was_given(first: u16, gaps in vec(1..40_u16, 0..60)) {
        let seqs: Vec<SeqNum> = gaps.iter().scan(SeqNum(first), |seq, gap| { *seq = *seq + *gap; Some(*seq) }).collect();
        let nack = Nack::new(Ssrc(1), Ssrc(2), seqs.iter().copied());
        prop_assert_eq!(nack.lost().collect::<Vec<_>>(), seqs);
        prop_assert!(nack.pairs.windows(2).all(|pairs| pairs[1].first.distance_from(pairs[0].first) > 16));
    }

    #[test]
    fn a_rate_is_rounded_down_to_18_bits(bps: u64) {
        let remb = Remb { sender: Ssrc(1), bitrate: Bitrate::from_bps(bps), sources: Vec::new() };
        let mut out = BytesMut::new();
        RtcpPacket::Remb(remb).write(&mut out).unwrap();
        let read = read_all(&out).unwrap();
        let [RtcpPacket::Remb(read)] = &read[..] else { panic!("not one REMB: {read:?}") };
        prop_assert!(read.bitrate.as_bps() <= bps);
        prop_assert!(bps - read.bitrate.as_bps() <= bps >> 17);
    }
}
