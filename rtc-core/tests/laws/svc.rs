use core::cell::Cell;
use std::collections::HashSet;

use rtc_core::svc::{Forward, LayerSelector};
use rtc_core::testkit::laws::{self, Stream};
use rtc_core::testkit::naive::{Filter, TemporalSelector};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, RtpPacket, RtpTime, SeqNum, Ssrc};

use crate::assert_caught;

/// Every other frame of [`Stream::video`], 3000 ticks each, is of the upper layer.
fn is_base(first: RtpTime, packet: &RtpPacket) -> bool {
    packet.timestamp().distance_from(first) / 3_000 % 2 == 0
}

fn base_only() -> Filter {
    let mut first = None;
    Filter::new(move |packet| is_base(*first.get_or_insert_with(|| packet.timestamp()), packet))
}

#[test]
fn the_naive_keep_the_laws() {
    laws::layer_selector(Filter::all, &Stream::video());
    laws::layer_selector(base_only, &Stream::video());
    let temporal = || TemporalSelector::new([100, 500, 2_000].map(Bitrate::from_kbps).into());
    laws::layer_selector(temporal, &Stream::video());
}

#[test]
fn forwarded_they_hold_as_well() {
    laws::layer_selector(|| Box::new(base_only()) as Box<dyn LayerSelector>, &Stream::video());
    laws::layer_selector(|| Box::leak(Box::new(base_only())), &Stream::video());
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CountsRuns,
    LeavesGaps,
    TurnsBack,
    ReusesNumbers,
    Renumbers,
    Reorders,
    SplitsFrames,
    ForgetsToWrap,
    TiresInTheEnd,
    AsksOthers,
    AsksForEver,
}

struct Faulty {
    inner: Filter,
    fault: Fault,
    run: u32,
    packets: u32,
    highest: Option<SeqNum>,
    seen: HashSet<SeqNum>,
}

impl LayerSelector for Faulty {
    fn set_target(&mut self, now: Instant, rate: Bitrate) {
        self.inner.set_target(now, rate);
    }

    fn select(&mut self, now: Instant, packet: &RtpPacket) -> Forward {
        self.packets += 1;
        let drops = match self.fault {
            Fault::CountsRuns => self.run > 4 && self.packets == 20,
            Fault::LeavesGaps => packet.seq().0.is_multiple_of(16),
            Fault::ForgetsToWrap => packet.seq().0 < 10,
            Fault::TiresInTheEnd => now > Instant::from_millis(1_000_000),
            _ => false,
        };
        let Forward::As { seq, timestamp } = self.inner.select(now, packet) else { return Forward::Drop };
        if drops {
            return Forward::Drop;
        }
        let next = self.highest.map_or(seq, SeqNum::next);
        let is_old = self.highest.is_some_and(|highest| !seq.is_newer_than(highest));
        self.highest = Some(if is_old { self.highest.unwrap_or(seq) } else { seq });
        let (seq, timestamp) = match self.fault {
            Fault::TurnsBack if self.packets == 30 => (seq, timestamp - 9_000),
            Fault::ReusesNumbers if is_old => (next - 1, timestamp),
            Fault::Renumbers if !self.seen.insert(packet.seq()) => (seq + 30_000, timestamp),
            Fault::Reorders if is_old => (seq + 20_000, timestamp),
            Fault::SplitsFrames if is_old => (seq, timestamp + 1),
            _ => (seq, timestamp),
        };
        Forward::As { seq, timestamp }
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        match self.fault {
            Fault::AsksOthers => Some(Ssrc(0)),
            Fault::AsksForEver => Some(Ssrc(0x5eed)),
            _ => self.inner.poll_keyframe_request(),
        }
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::CountsRuns, "the same packets are forwarded alike"),
        (Fault::LeavesGaps, "what is forwarded of a stream without gaps has none"),
        (Fault::TurnsBack, "time does not go back"),
        (Fault::ReusesNumbers, "no number is given to two packets"),
        (Fault::Renumbers, "a packet that comes again keeps its numbers"),
        (Fault::SplitsFrames, "packets of one frame keep one timestamp"),
        (Fault::ForgetsToWrap, "numbers that wrap change nothing"),
        (Fault::TiresInTheEnd, "the epoch is arbitrary"),
        (Fault::AsksOthers, "key frames are asked of a stream there is"),
        (Fault::AsksForEver, "polling for key frame requests comes to an end"),
        (Fault::Reorders, "the order is kept"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            Faulty { inner: Filter::all(), fault, run: runs.get(), packets: 0, highest: None, seen: HashSet::new() }
        };
        assert_caught(law, || laws::layer_selector(make, &Stream::video()));
    }
    assert_caught("with plenty of rate something is forwarded", || {
        laws::layer_selector(Filter::none, &Stream::video());
    });
}
