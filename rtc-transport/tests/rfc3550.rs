//! RFC 3550, clause by clause.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Bitrate, DataSize, Fault, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::receiver::{Arrival, ReceiveStream, ReceiverConfig};
use rtc_transport::rtcp::{
    Bye, Compound, ReceiverReport, ReportBlock, RtcpPacket, Sdes, SdesChunk, SdesItem, SdesType, SenderReport,
};
use rtc_transport::schedule::{Membership, Profile, RtcpScheduler, SchedulerConfig, Slot};
use rtc_transport::sender::SendStream;

const CLOCK: Frequency = Frequency::KHZ_8;

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn packet(seq: u16, timestamp: u32) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(0), SeqNum(seq), RtpTime(timestamp), Ssrc(7)).build(&[0; 160]).unwrap()
}

fn stream(min_sequential: u16) -> ReceiveStream {
    let mut config = ReceiverConfig::default();
    config.min_sequential = min_sequential;
    ReceiveStream::new(Ssrc(7), config).unwrap()
}

/// Packets of 20 ms, each arriving at its time.
fn receive(stream: &mut ReceiveStream, seqs: impl IntoIterator<Item = u16>) -> Vec<Arrival> {
    let arrive = |seq: u16| stream.on_packet(ms(20 * u64::from(seq)), &packet(seq, 160 * u32::from(seq)), Some(CLOCK));
    seqs.into_iter().map(arrive).collect()
}

#[test]
fn rfc3550_a1_two_in_order_end_probation() {
    let mut stream = stream(2);
    assert_eq!(receive(&mut stream, [10, 12, 13]), [Arrival::Probation, Arrival::Probation, Arrival::Newest]);
    assert!(stream.is_valid());
    assert_eq!(stream.stats().received(), 1, "packets of the probation do not count");
}

#[test]
fn rfc3550_a1_min_sequential_of_one_believes_the_first() {
    assert_eq!(receive(&mut stream(1), [10]), [Arrival::Newest]);
    assert_eq!(receive(&mut stream(0), [10]), [Arrival::Newest]);
}

#[test]
fn rfc3550_a1_a_gap_below_max_dropout_is_loss() {
    let mut stream = stream(1);
    assert_eq!(receive(&mut stream, [0, 2_999]), [Arrival::Newest; 2]);
    assert_eq!(stream.lost(), 2_998);
}

#[test]
fn rfc3550_a1_a_larger_jump_is_implausible_until_it_repeats() {
    let mut stream = stream(1);
    let arrivals = receive(&mut stream, [0, 1, 3_001, 2, 9_000, 3, 9_001, 9_002]);
    use Arrival::{Implausible, Newest, Restarted};
    assert_eq!(arrivals, [Newest, Newest, Implausible, Newest, Implausible, Newest, Restarted, Newest]);
    assert_eq!(stream.lost(), 0, "counts begin anew");
    assert_eq!(stream.stats().restarts, 1);
}

#[test]
fn rfc3550_a1_a_step_back_below_max_misorder_is_reordering() {
    let mut stream = stream(1);
    let arrivals = receive(&mut stream, [200, 300, 201, 201, 300, 200, 199]);
    use Arrival::{Duplicate, Implausible, Late, Newest};
    assert_eq!(arrivals, [Newest, Newest, Late, Duplicate, Duplicate, Implausible, Implausible]);
}

#[test]
fn rfc3550_a1_cycles_are_counted() {
    let mut stream = stream(1);
    receive(&mut stream, [65_534, 65_535, 0, 1]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.highest_seq, block.lost), (0x1_0001, 0));
    receive(&mut stream, [65_535]);
    assert_eq!(stream.take_report(ms(0)).unwrap().highest_seq, 0x1_0001);
}

#[test]
fn rfc3550_a3_fraction_is_of_the_interval_and_loss_is_of_all() {
    let mut stream = stream(1);
    receive(&mut stream, [0, 1, 2, 3]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.lost), (0, 0));
    receive(&mut stream, [7]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.lost), (192, 3), "three of four");
    receive(&mut stream, [8, 9, 11, 12]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.lost), (51, 4), "one of five, rounded down");
}

#[test]
fn rfc3550_a3_duplicates_make_loss_negative_and_fraction_zero() {
    let mut stream = stream(1);
    receive(&mut stream, [0, 1, 1, 1, 3]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.fraction_lost, block.lost), (0, -1));
}

#[test]
fn rfc3550_a3_loss_is_clamped_to_24_bits() {
    let mut stream = stream(1);
    let leaps = (0..3_000_u32).map(|step| u16::try_from(step * 2_999 % 65_536).unwrap());
    receive(&mut stream, leaps);
    assert!(stream.lost() > 0x7f_ffff, "{}", stream.lost());
    assert_eq!(stream.take_report(ms(0)).unwrap().lost, 0x7f_ffff);
}

#[test]
fn rfc3550_a8_jitter_moves_by_a_sixteenth() {
    let mut stream = stream(1);
    stream.on_packet(ms(0), &packet(0, 0), Some(CLOCK));
    // 10 ms late: D is 80 ticks; J is 80, scaled by 16; then (0 - (80 + 8 >> 4)) twice.
    stream.on_packet(ms(30), &packet(1, 160), Some(CLOCK));
    assert_eq!(stream.take_report(ms(30)).unwrap().jitter, 80 >> 4);
    stream.on_packet(ms(50), &packet(2, 320), Some(CLOCK));
    stream.on_packet(ms(70), &packet(3, 480), Some(CLOCK));
    assert_eq!(stream.take_report(ms(70)).unwrap().jitter, (80 - 5 - 5) >> 4);
    assert_eq!(stream.jitter(), CLOCK.duration_of(4));
}

#[test]
fn rfc3550_a8_constant_difference_converges_to_itself() {
    let mut stream = stream(1);
    for seq in 0..2_000_u16 {
        let late = if seq % 2 == 0 { 0 } else { 8 };
        stream.on_packet(ms(20 * u64::from(seq) + late), &packet(seq, 160 * u32::from(seq)), Some(CLOCK));
    }
    // 64 ticks, less one that the rounding of A.8 keeps.
    assert_eq!(stream.take_report(ms(0)).unwrap().jitter, 63);
}

#[test]
fn rfc3550_s6_4_a_silent_source_is_not_reported() {
    let mut stream = stream(1);
    assert_eq!(stream.take_report(ms(0)), None);
    receive(&mut stream, [0]);
    assert!(stream.take_report(ms(0)).is_some());
    assert_eq!(stream.take_report(ms(0)), None);
}

/// What is written, checked to be read as the same.
fn written(packet: &RtcpPacket) -> Bytes {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    let datagram = out.freeze();
    let read: Vec<_> = Compound::parse(datagram.clone()).unwrap().packets().collect();
    assert_eq!(read, [Ok(packet.clone())]);
    datagram
}

fn fault(datagram: &[u8]) -> Option<Fault> {
    Compound::parse(Bytes::copy_from_slice(datagram)).err().map(|malformed| malformed.fault())
}

#[test]
fn rfc3550_a2_lengths_add_up_to_the_datagram() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    assert_eq!(fault(&report), None);
    assert_eq!(fault(&[&report[..], &report].concat()), None);
    assert_eq!(fault(&report[..7]), Some(Fault::Truncated));
    assert_eq!(fault(&[&report[..], &[0x80]].concat()), Some(Fault::Truncated));
    assert_eq!(fault(&[]), Some(Fault::Truncated));
}

#[test]
fn rfc3550_a2_every_packet_is_of_version_2() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    assert_eq!(fault(&[&report[..], &[0x40, 201, 0, 0]].concat()), Some(Fault::Version));
}

#[test]
fn rfc3550_s6_4_1_padding_is_taken_off() {
    let padded = [0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
    let read: Vec<_> = Compound::parse(Bytes::copy_from_slice(&padded)).unwrap().packets().collect();
    assert_eq!(read, [Ok(RtcpPacket::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), blocks: vec![] }))]);
    for count in [0, 9] {
        let impossible = [0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, count];
        assert_eq!(fault(&impossible), Some(Fault::Padding));
    }
}

#[test]
fn rfc3550_s6_4_1_report_on_the_wire() {
    let block = ReportBlock {
        ssrc: Ssrc(0x0a0b_0c0d),
        fraction_lost: 0x80,
        lost: -2,
        highest_seq: 0x0001_0203,
        jitter: 4,
        last_sr: 5,
        delay_since_last_sr: 6,
    };
    let report = SenderReport { packets: 7, octets: 8, blocks: vec![block], ..sender_report(NtpTime::from_bits(9)) };
    let bytes = [
        0x81, 200, 0, 12, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 160, 0, 0, 0, 7, 0, 0, 0, 8, // sender info
        10, 11, 12, 13, 0x80, 0xff, 0xff, 0xfe, 0, 1, 2, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
    ];
    assert_eq!(written(&RtcpPacket::SenderReport(report)), &bytes[..]);
}

#[test]
fn rfc3550_s6_4_1_no_more_than_31_blocks() {
    let block = ReportBlock {
        ssrc: Ssrc(1),
        fraction_lost: 0,
        lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr: 0,
        delay_since_last_sr: 0,
    };
    let report = |count| RtcpPacket::ReceiverReport(ReceiverReport { ssrc: Ssrc(7), blocks: vec![block; count] });
    assert_eq!(written(&report(31)).len(), 8 + 31 * 24);
    let mut out = BytesMut::from(&b"kept"[..]);
    assert!(report(32).write(&mut out).is_err());
    assert_eq!(&out[..], b"kept");
}

#[test]
fn rfc3550_s6_5_chunks_end_with_nulls_up_to_a_word() {
    let item = |kind, text: &'static [u8]| SdesItem { kind, text: Bytes::from_static(text) };
    let chunks = vec![
        SdesChunk { source: Ssrc(1), items: vec![item(SdesType::CNAME, b"ab")] },
        SdesChunk { source: Ssrc(2), items: vec![item(SdesType::RTP_STREAM_ID, b"c"), item(SdesType::MID, b"")] },
        SdesChunk { source: Ssrc(3), items: vec![] },
    ];
    let bytes = [
        0x83, 202, 0, 9, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0, // a whole word of nulls
        0, 0, 0, 2, 12, 1, b'c', 15, 0, 0, 0, 0, // item and terminator share words
        0, 0, 0, 3, 0, 0, 0, 0,
    ];
    let mut expected = bytes.to_vec();
    expected[3] = u8::try_from(expected.len() / 4 - 1).unwrap();
    assert_eq!(written(&RtcpPacket::Sdes(Sdes { chunks })), expected);
}

#[test]
fn rfc3550_s6_6_reason_is_filled_with_nulls_and_not_with_padding() {
    let bye = |sources, reason: &'static [u8]| RtcpPacket::Bye(Bye { sources, reason: Bytes::from_static(reason) });
    let bytes = [0x81, 203, 0, 3, 0, 0, 0, 1, 4, b'g', b'o', b'n', b'e', 0, 0, 0];
    assert_eq!(written(&bye(vec![Ssrc(1)], b"gone")), &bytes[..]);
    assert_eq!(written(&bye(vec![], b"")), &[0x80, 203, 0, 0][..]);
}

fn sender_report(ntp: NtpTime) -> SenderReport {
    SenderReport { ssrc: Ssrc(7), ntp, rtp_time: RtpTime(160), packets: 1, octets: 160, blocks: Vec::new() }
}

/// The example of figure 2: LSR 46853.125 s, DLSR 5.250 s, A 46864.500 s, so a round trip of 6.125 s.
#[test]
fn rfc3550_s6_4_1_figure_2_round_trip() {
    let mut stream = stream(1);
    receive(&mut stream, [0]);
    stream.on_sender_report(ms(1_000), &sender_report(NtpTime::from_bits(0xb44d_b705_2000_0000)));
    let block = stream.take_report(ms(6_250)).unwrap();
    assert_eq!((block.last_sr, block.delay_since_last_sr), (0xb705_2000, 0x0005_4000));
    let now = NtpTime::from_bits(0xb44d_b710_8000_0000);
    assert_eq!(block.round_trip(now), Some(Duration::from_millis(6_125)));
}

#[test]
fn rfc3550_s6_4_1_no_sender_report_no_round_trip() {
    let mut stream = stream(1);
    receive(&mut stream, [0]);
    let block = stream.take_report(ms(0)).unwrap();
    assert_eq!((block.last_sr, block.delay_since_last_sr), (0, 0));
    assert_eq!(block.round_trip(NtpTime::from_bits(1 << 40)), None);
}

#[test]
fn rfc3550_s6_4_1_round_trip_wraps_and_is_never_negative() {
    let block = |last_sr, delay_since_last_sr| ReportBlock {
        ssrc: Ssrc(1),
        fraction_lost: 0,
        lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr,
        delay_since_last_sr,
    };
    let now = NtpTime::from_bits(0x0000_0000_8000_0000);
    assert_eq!(block(0xffff_8000, 0x4000).round_trip(now), Some(Duration::from_millis(750)));
    assert_eq!(block(0x8000, 1).round_trip(now), Some(Duration::ZERO), "rounding");
    assert_eq!(block(0x8000, 2).round_trip(now), None);
}

#[test]
fn rfc3550_s6_4_1_sender_counts_packets_and_payload() {
    let mut stream = SendStream::new(Ssrc(7));
    let padded = packet(1, 160).to_builder().padding(20).build(&[0; 100]).unwrap();
    stream.on_packet(ms(0), &packet(0, 0), Some(CLOCK));
    stream.on_packet(ms(20), &padded, Some(CLOCK));
    let report = stream.report(ms(30), NtpTime::from_bits(99));
    assert_eq!((report.packets, report.octets), (2, 260), "neither header nor padding");
    assert_eq!(report.ntp, NtpTime::from_bits(99));
    assert_eq!(report.rtp_time, RtpTime(160 + 80), "the time of the report, not of the last packet");
}

#[test]
fn rfc3550_s6_4_1_timestamp_is_that_of_capture_if_told() {
    let mut stream = SendStream::new(Ssrc(7));
    stream.set_media_time(ms(5), RtpTime(160));
    stream.on_packet(ms(50), &packet(0, 160), Some(CLOCK));
    assert_eq!(stream.report(ms(50), NtpTime::default()).rtp_time, RtpTime(160 + 45 * 8));
}

const RTCP_OF_64_KBPS: Bitrate = Bitrate::from_bps(3_200);

fn avp(bandwidth: Bitrate, seed: u64) -> SchedulerConfig {
    let mut config = SchedulerConfig::default();
    config.bandwidth = bandwidth;
    config.profile = Profile::Avp { minimum_interval: Duration::from_secs(5) };
    config.seed = seed;
    config
}

fn members(members: u32, senders: u32, we_sent: bool) -> Membership {
    Membership { members, senders, we_sent }
}

fn scheduler(config: SchedulerConfig, membership: Membership) -> RtcpScheduler {
    RtcpScheduler::new(Instant::ZERO, config, membership).unwrap()
}

#[test]
fn rfc3550_s6_3_1_senders_have_a_quarter_while_they_are_few() {
    // 128 bytes at 3200 b/s take 0.32 s.
    let scheduler = scheduler(avp(RTCP_OF_64_KBPS, 0), members(1, 0, false));
    let interval = |membership| scheduler.mean_interval(membership).as_secs_f64();
    assert!((interval(members(100, 10, true)) - 10.0 * 0.32 / 0.25).abs() < 1e-6);
    assert!((interval(members(100, 10, false)) - 90.0 * 0.32 / 0.75).abs() < 1e-6);
    assert!((interval(members(100, 26, true)) - 100.0 * 0.32).abs() < 1e-6, "over a quarter: all share all");
    assert!((interval(members(100, 26, false)) - 100.0 * 0.32).abs() < 1e-6);
}

#[test]
fn rfc3550_a7_intervals_are_half_to_one_and_a_half_of_the_mean() {
    let two = members(2, 0, false);
    let e = core::f64::consts::E;
    let (mut lowest, mut highest) = (f64::MAX, 0.0_f64);
    for seed in 0..2_000 {
        let first = scheduler(avp(RTCP_OF_64_KBPS, seed), two).poll_timeout().unwrap().as_secs_f64();
        (lowest, highest) = (lowest.min(first), highest.max(first));
    }
    // Half of the five seconds before the first report (§6.2).
    let (low, high) = (2.5 * 0.5 / (e - 1.5), 2.5 * 1.5 / (e - 1.5));
    assert!((low..low * 1.01).contains(&lowest) && (high * 0.99..high).contains(&highest), "{lowest} {highest}");
}

/// Polls at each deadline until something is granted.
fn next_slot(scheduler: &mut RtcpScheduler, membership: Membership) -> (Instant, Slot) {
    for _ in 0..1_000 {
        let now = scheduler.poll_timeout().unwrap();
        if let Some(slot) = scheduler.handle_timeout(now, membership) {
            return (now, slot);
        }
        assert!(scheduler.poll_timeout().unwrap() > now, "nothing granted, so the deadline is later");
    }
    panic!("nothing is ever granted");
}

#[test]
fn rfc3550_s6_2_later_intervals_average_the_minimum() {
    let two = members(2, 1, true);
    let mut scheduler = scheduler(avp(Bitrate::from_kbps(100), 3), two);
    let reports = 3_000;
    let mut last = Instant::ZERO;
    for _ in 0..reports {
        let (now, slot) = next_slot(&mut scheduler, two);
        assert_eq!(slot, Slot::Report);
        scheduler.on_sent(now, DataSize::from_bytes(100), two);
        last = now;
    }
    let mean = last.as_secs_f64() / f64::from(reports);
    // Reconsideration draws two times and takes the later, which the divisor e - 3/2 makes up for in large groups; in small
    // ones the interval stays within this of the 5 s intended.
    assert!((4.0..5.5).contains(&mean), "{mean}");
}

#[test]
fn rfc3550_s6_3_6_more_members_push_the_report_back() {
    let mut scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(2, 0, false));
    let now = scheduler.poll_timeout().unwrap();
    assert_eq!(scheduler.handle_timeout(now, members(1_000, 0, false)), None);
    // 1000 × 128 bytes in three quarters of 3200 b/s: 427 s, half of it over e - 1.5 at least.
    assert!(scheduler.poll_timeout().unwrap() - Instant::ZERO > Duration::from_secs(170));
}

#[test]
fn rfc3550_s6_3_3_average_size_moves_by_a_sixteenth() {
    let mut scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(2, 0, false));
    scheduler.on_received(DataSize::from_bytes(128 + 160));
    assert_eq!(scheduler.average_size(), DataSize::from_bytes(138));
}

#[test]
fn rfc3550_s6_3_4_departures_bring_the_report_nearer() {
    let mut scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(1_000, 0, false));
    let next = scheduler.poll_timeout().unwrap();
    let now = ms(20_000);
    scheduler.on_departure(now, 250);
    let expected = now + (next - now) / 4;
    assert!(scheduler.poll_timeout().unwrap().nanos_since(expected).abs() < 1_000);
    scheduler.on_departure(now, 300);
    assert!(scheduler.poll_timeout().unwrap().nanos_since(expected).abs() < 1_000, "joining changes nothing");
}

#[test]
fn rfc3550_s6_3_5_members_time_out_after_five_intervals() {
    let scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(2, 0, false));
    assert_eq!(scheduler.timeout(members(2, 0, false)), Duration::from_secs(25));
    let crowd = scheduler.timeout(members(1_000, 1_000, true)).as_secs_f64();
    assert!((crowd - 5.0 * 320.0).abs() < 1e-6);
}

#[test]
fn rfc3550_s6_3_7_goodbye_is_at_once_among_fifty() {
    let mut scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(50, 0, false));
    scheduler.leave(ms(100), DataSize::from_bytes(60), 50);
    assert_eq!(scheduler.poll_timeout(), Some(ms(100)));
    assert_eq!(scheduler.handle_timeout(ms(100), members(50, 0, false)), Some(Slot::Bye));
    scheduler.on_sent(ms(100), DataSize::from_bytes(60), members(50, 0, false));
    assert_eq!((scheduler.poll_timeout(), scheduler.handle_timeout(ms(9_999), members(50, 0, false))), (None, None));
}

#[test]
fn rfc3550_s6_3_7_goodbye_waits_among_more() {
    let mut scheduler = scheduler(avp(RTCP_OF_64_KBPS, 1), members(51, 0, false));
    scheduler.leave(ms(100), DataSize::from_bytes(60), 51);
    let first = scheduler.poll_timeout().unwrap();
    assert!(first - ms(100) > Duration::from_secs(1), "half of 2.5 s over e - 1.5");
    for members in (1..51).rev() {
        scheduler.on_departure(ms(200), members);
    }
    // 51 leavers of 60 bytes in 3200 b/s of which receivers have three quarters: 10.2 s.
    let (now, slot) = next_slot(&mut scheduler, members(1, 0, false));
    assert_eq!(slot, Slot::Bye);
    assert!(now - ms(100) > Duration::from_millis(4_100), "{now}");
}

/// The purpose of it all: RTCP of any number of members takes its share of bandwidth and no more (§6.2).
#[test]
fn rfc3550_s6_2_rtcp_keeps_to_its_share_whatever_the_number_of_members() {
    for count in [10, 50, 200] {
        let membership = members(count, 0, false);
        let mut all: Vec<_> =
            (0..count).map(|seed| scheduler(avp(RTCP_OF_64_KBPS, u64::from(seed)), membership)).collect();
        let end = Instant::from_millis(2_000_000);
        let mut sent = 0_u64;
        for scheduler in &mut all {
            loop {
                let (now, _) = next_slot(scheduler, membership);
                if now > end {
                    break;
                }
                scheduler.on_sent(now, DataSize::from_bytes(128), membership);
                sent += 128;
            }
        }
        let used = sent as f64 * 8.0 / 2_000.0;
        let interval = (f64::from(count) * 0.32 / 0.75).max(5.0);
        let share = f64::from(count) * 128.0 * 8.0 / interval;
        assert!((0.85..1.2).contains(&(used / share)), "{count} members use {used} of {share} b/s");
    }
}
