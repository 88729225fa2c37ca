use core::cell::Cell;
use core::time::Duration;

use rtc_core::jitter::{Inserted, JitterBuffer, Playout};
use rtc_core::testkit::laws::{self, Stream};
use rtc_core::testkit::naive::FixedDelay;
use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpPacket, RtpTime, Ssrc};

use crate::assert_caught;

fn naive() -> FixedDelay {
    FixedDelay::new(Frequency::KHZ_48, 960, Duration::from_millis(40))
}

#[test]
fn fixed_delay_keeps_the_laws() {
    laws::jitter_buffer(naive, &Stream::audio(), RtpPacket::timestamp);
}

#[test]
fn forwarded_they_hold_as_well() {
    let make = || Box::new(naive()) as Box<dyn JitterBuffer<Output = RtpPacket>>;
    laws::jitter_buffer(make, &Stream::audio(), RtpPacket::timestamp);
    let make = || Box::leak(Box::new(naive()));
    laws::jitter_buffer(make, &Stream::audio(), RtpPacket::timestamp);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    PlaysTwice,
    PlaysEarly,
    NeverEnds,
    LateDeadline,
    StaleDeadline,
    DeadlineStays,
    DeadlineFar,
    LosesPackets,
    CountsPolls,
    CountsRuns,
    ForgetsToWrap,
    TiresInTheEnd,
    RefusesFirst,
    TakesTwice,
    HearsStrangers,
    HoardsPackets,
    WaitsForever,
}

struct Faulty {
    inner: FixedDelay,
    fault: Fault,
    run: u64,
    polls: u32,
    empty: u64,
    last: Option<RtpPacket>,
}

impl JitterBuffer for Faulty {
    type Output = RtpPacket;

    fn insert(&mut self, now: Instant, mut packet: RtpPacket) -> Inserted {
        let ssrc = packet.ssrc();
        match self.fault {
            Fault::HearsStrangers => {
                packet.rewrite(|header| header.set_ssrc(Ssrc(0)));
                self.inner.insert(now, packet)
            }
            Fault::HoardsPackets => match self.inner.insert(now, packet) {
                Inserted::Duplicate => Inserted::Duplicate,
                _ if ssrc == Ssrc(0x5eed) => Inserted::Accepted,
                other => other,
            },
            Fault::TakesTwice => match self.inner.insert(now, packet) {
                Inserted::Duplicate => Inserted::Accepted,
                other => other,
            },
            Fault::RefusesFirst if packet.seq().0 == 1_000 && self.last.is_none() => {
                self.last = Some(packet.clone());
                self.inner.insert(now, packet);
                Inserted::Late
            }
            Fault::ForgetsToWrap if packet.seq().0 < 10 => Inserted::Late,
            Fault::TiresInTheEnd if now > Instant::from_millis(1_000_000) => Inserted::Late,
            Fault::CountsRuns if self.run > 2 && packet.seq().0 == 1_020 => Inserted::Late,
            Fault::CountsPolls if self.empty > 2_000 => Inserted::Late,
            _ => self.inner.insert(now, packet),
        }
    }

    fn poll(&mut self, now: Instant) -> Playout<RtpPacket> {
        self.polls += 1;
        let playout = match self.fault {
            Fault::PlaysTwice if self.polls.is_multiple_of(50) => {
                self.last.clone().map_or(Playout::Empty, Playout::Ready)
            }
            Fault::PlaysEarly => self.inner.poll(now + Duration::from_millis(5)),
            Fault::NeverEnds if self.polls > 50 => {
                Playout::Missing { timestamp: RtpTime(70_000) + self.polls * 960, next: None }
            }
            Fault::LosesPackets if self.polls.is_multiple_of(41) => match self.inner.poll(now) {
                Playout::Ready(packet) => Playout::Missing { timestamp: packet.timestamp(), next: None },
                other => other,
            },
            _ => self.inner.poll(now),
        };
        match &playout {
            Playout::Ready(packet) => self.last = Some(packet.clone()),
            _ => self.empty += 1,
        }
        playout
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.inner.poll_timeout()?;
        match self.fault {
            Fault::LateDeadline => Some(deadline + Duration::from_micros(500)),
            Fault::StaleDeadline => Some(deadline - Duration::from_millis(1)),
            Fault::DeadlineStays if self.empty > 0 => Some(Instant::ZERO),
            Fault::DeadlineFar => Some(deadline + Duration::from_secs(100)),
            _ => Some(deadline),
        }
    }

    fn target_delay(&self) -> Duration {
        if self.fault == Fault::WaitsForever { Duration::MAX } else { self.inner.target_delay() }
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::PlaysTwice, "units come once and in order"),
        (Fault::PlaysEarly, "nothing comes before its deadline"),
        (Fault::LateDeadline, "nothing comes before its deadline"),
        (Fault::StaleDeadline, "a deadline brings something"),
        (Fault::DeadlineStays, "after a poll the deadline lies in the future"),
        (Fault::DeadlineFar, "all that is buffered is played within a minute"),
        (Fault::NeverEnds, "polling at one moment comes to an end"),
        (Fault::LosesPackets, "a perfect network loses nothing"),
        (Fault::CountsPolls, "extra polls change nothing"),
        (Fault::CountsRuns, "the same arrivals give the same play-out"),
        (Fault::ForgetsToWrap, "numbers that wrap change nothing"),
        (Fault::TiresInTheEnd, "the epoch is arbitrary"),
        (Fault::RefusesFirst, "the first packet is accepted"),
        (Fault::TakesTwice, "a packet that is buffered is a duplicate"),
        (Fault::HearsStrangers, "a packet of another source is foreign"),
        (Fault::HoardsPackets, "memory is bounded"),
        (Fault::WaitsForever, "the target delay is one a person would wait for"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            Faulty { inner: naive(), fault, run: runs.get(), polls: 0, empty: 0, last: None }
        };
        assert_caught(law, || laws::jitter_buffer(make, &Stream::audio(), RtpPacket::timestamp));
    }
}
