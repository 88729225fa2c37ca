//! What feedback on single packets costs: time to make, read and match it, and bandwidth.

use core::hint::black_box;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::bwe::{Ecn, SentPacket};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::feedback::{CongestionRecorder, FeedbackRecorder, HistoryConfig, RecorderConfig, SendHistory};
use rtc_transport::rtcp::{Compound, RtcpPacket};
use rtc_transport::session::{Session, SessionConfig};

use crate::cost::Meter;
use crate::report::{Metric, Report, Setting, Target};
use crate::{Options, cost::Cost};

const MEDIA: Ssrc = Ssrc(1);
const REPORTER: Ssrc = Ssrc(2);
const INTERVAL: Duration = Duration::from_millis(50);
/// Every so many packets one is lost.
const LOST: u64 = 50;
/// Sessions that report in turn between two readings of the clock, which takes as long as a few packets.
const SESSIONS: usize = 8;
/// Times they do, and rounds of which the best counts.
const FEEDBACKS: u64 = 100;
const ROUNDS: u32 = 15;
/// Media of the share measured, 1200 bytes on the wire each 9.6 ms.
const GAP: Duration = Duration::from_micros(9_600);
const SECONDS: u64 = 20;

/// Name, packets in a feedback, whether the target is for it.
const COSTS: [(&str, u64, bool); 2] = [("10 Mb/s", 52, true), ("1 Mb/s", 5, false)];

pub(super) fn run(options: &Options, report: &mut Report) {
    for (format, by_stream) in [("twcc", false), ("rfc8888", true)] {
        let name = format!("feedback-{format}");
        if !options.wants_scenario(&name) || !options.wants_subject("ours") {
            continue;
        }
        for (rate, packets, judged) in COSTS {
            let words =
                format!("{rate} of 1200-byte packets, 2 % lost, feedback each 50 ms: made, written, read, matched");
            let setting = Setting { scenario: format!("{name} {rate}"), input: words, seeds: 1 };
            let cost = cost(by_stream, packets);
            let metric = Metric("cpu", "ns/reported packet");
            let target = judged.then_some(Target::AtMost(15.0));
            report.add_judged(&setting, "ours", metric, cost.nanos, target);
            report.add(&setting, "ours", Metric("allocations", "per reported packet"), cost.allocations);
        }
        for (kind, reduced_size) in [("reduced-size", true), ("compound", false)] {
            let words = format!("all RTCP of the receiver of 1 Mb/s, {kind}, headers below included");
            let setting = Setting { scenario: format!("{name} {kind}"), input: words, seeds: 1 };
            let percent = 100.0 * share(by_stream, reduced_size);
            report.add_targeted(&setting, Metric("share of media", "%"), percent, Target::AtMost(2.0));
        }
    }
}

/// Sender and receiver of one stream.
struct Ends {
    wide: FeedbackRecorder,
    by_stream: Option<CongestionRecorder>,
    history: SendHistory,
    pool: BytesMut,
    next: u64,
}

impl Ends {
    fn new(by_stream: bool) -> Self {
        let config = RecorderConfig::default();
        Self {
            wide: FeedbackRecorder::new(config.clone()).expect("defaults are good"),
            by_stream: by_stream.then(|| CongestionRecorder::new(config, 1).expect("defaults are good")),
            history: SendHistory::new(&HistoryConfig::default()).expect("defaults are good"),
            pool: BytesMut::with_capacity(1 << 16),
            next: 1,
        }
    }

    /// Sends so many packets within an interval that begins at `now`.
    fn send(&mut self, now: Instant, packets: u64) {
        for index in 0..packets {
            let at = now + INTERVAL.mul_f64(index as f64 / packets as f64);
            let (id, seq) = (self.next, SeqNum(u16::try_from(self.next & 0xffff).unwrap_or(0)));
            self.next += 1;
            let packet = SentPacket { id, sent: at, size: DataSize::from_bytes(1_200), probe: None };
            match &mut self.by_stream {
                Some(recorder) => {
                    self.history.on_sent_of(packet, MEDIA, seq);
                    if !id.is_multiple_of(LOST) {
                        recorder.insert(at, MEDIA, seq, at, Ecn::NotEct);
                    }
                }
                None => {
                    self.history.on_sent(packet);
                    if !id.is_multiple_of(LOST) {
                        self.wide.insert(at, seq, at);
                    }
                }
            }
        }
    }

    /// Makes feedback, writes it, reads it, and matches it; how many packets it told of.
    fn report(&mut self, now: Instant) -> u64 {
        let mut told = 0;
        while let Some(packet) = self.poll(now) {
            packet.write(&mut self.pool).expect("feedback fits its format");
            let datagram = black_box(self.pool.split().freeze());
            for packet in Compound::parse(datagram).expect("what is written is read").packets() {
                let results = match packet {
                    Ok(RtcpPacket::TransportFeedback(feedback)) => self.history.on_feedback(&feedback),
                    Ok(RtcpPacket::CongestionFeedback(feedback)) => self.history.on_congestion_feedback(&feedback),
                    _ => &[],
                };
                told += black_box(results).len() as u64;
            }
        }
        told
    }

    fn poll(&mut self, now: Instant) -> Option<RtcpPacket> {
        match &mut self.by_stream {
            Some(recorder) => {
                let ntp = NtpTime::from_bits(1 << 40) + (now - Instant::ZERO);
                recorder.poll(now, ntp, REPORTER, 1_200).map(RtcpPacket::CongestionFeedback)
            }
            None => self.wide.poll(now, REPORTER, MEDIA, 1_200).map(RtcpPacket::TransportFeedback),
        }
    }
}

fn cost(by_stream: bool, packets: u64) -> Cost {
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| Ends::new(by_stream)).collect();
    let mut now = Instant::from_millis(1_000);
    let mut best = Cost { nanos: f64::INFINITY, allocations: 0.0 };
    for _ in 0..ROUNDS {
        let (mut meter, mut told) = (Meter::default(), 0);
        for _ in 0..FEEDBACKS {
            sessions.iter_mut().for_each(|ends| ends.send(now, packets));
            now += INTERVAL;
            told += meter.run(|| sessions.iter_mut().map(|ends| ends.report(now)).sum::<u64>());
        }
        let cost = meter.per(told);
        best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
    }
    best
}

/// The part of the bandwidth of media that the receiver's RTCP takes.
fn share(by_stream: bool, reduced_size: bool) -> f64 {
    let mut config = SessionConfig::default();
    config.transport_sequence_id = (!by_stream).then_some(3);
    config.congestion_feedback = by_stream;
    config.reduced_size = reduced_size;
    // As RFC 7022 advises.
    config.cname = Bytes::from_static(b"0123456789abcdef");
    let mut session =
        Session::new(Instant::ZERO, NtpTime::from_bits(1 << 40), &[REPORTER], config).expect("settings are good");
    let (mut now, mut media, mut feedback) = (Instant::ZERO, 0, 0);
    for sequence in 0..u16::MAX {
        if now >= Instant::from_millis(1_000 * SECONDS) {
            break;
        }
        let seq = SeqNum(sequence);
        let number = sequence.to_be_bytes();
        let extensions: [(u8, &[u8]); 1] = [(3, &number)];
        let packet = RtpPacket::builder(PayloadType::new(96), seq, RtpTime(0), MEDIA).extensions(&extensions);
        let packet = packet.build(&[0; 1_152]).expect("an extension fits").into_bytes();
        media += packet.len() + 28;
        if !u64::from(sequence).is_multiple_of(LOST) {
            session.receive(now, packet).expect("it is RTP");
        }
        let next = now + GAP;
        while let Some(due) = session.poll_timeout().filter(|due| *due <= next) {
            while let Some(datagram) = session.poll_rtcp(due.max(now)) {
                feedback += datagram.len() + 28;
            }
        }
        now = next;
    }
    feedback as f64 / media as f64
}
