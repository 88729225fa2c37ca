use core::cell::Cell;
use core::time::Duration;

use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::LeakyBucket;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::assert_caught;

const ONE_PACKET: DataSize = DataSize::from_bytes(1_200);

fn naive() -> LeakyBucket<usize> {
    LeakyBucket::new(Bitrate::ZERO, DataSize::from_bytes(500_000))
}

#[test]
fn leaky_bucket_keeps_the_laws() {
    laws::pacer(naive, ONE_PACKET);
}

#[test]
fn forwarded_they_hold_as_well() {
    laws::pacer(|| Box::new(naive()) as Box<dyn Pacer<usize>>, ONE_PACKET);
    laws::pacer(|| Box::leak(Box::new(naive())), ONE_PACKET);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Hurries,
    Dawdles,
    Drops,
    Refuses,
    Hoards,
    CountsOverflow,
    Miscounts,
    Repeats,
    StaleDeadline,
    LateDeadline,
    DeadlineStays,
    CountsPolls,
    TiresInTheEnd,
    IgnoresZero,
    SendsAtZero,
    StaysAtZero,
    IgnoresUrgency,
    Overtakes,
}

struct Faulty {
    inner: LeakyBucket<usize>,
    fault: Fault,
    rate: Bitrate,
    came: u64,
    polls: u64,
    overflowed: DataSize,
    last: Cell<Option<usize>>,
}

impl Pacer<usize> for Faulty {
    fn enqueue(&mut self, now: Instant, priority: Priority, size: DataSize, packet: usize) -> Enqueued {
        self.came += 1;
        match self.fault {
            Fault::Drops if self.came.is_multiple_of(50) => Enqueued::Accepted,
            Fault::Refuses if self.came.is_multiple_of(50) => Enqueued::Overflow,
            Fault::Overtakes if packet % 16 == 5 => self.inner.enqueue(now, Priority::Audio, size, packet),
            Fault::IgnoresUrgency => self.inner.enqueue(now, Priority::Video, size, packet),
            _ => {
                let taken = self.inner.enqueue(now, priority, size, packet);
                if taken == Enqueued::Overflow {
                    self.overflowed += size;
                }
                if self.fault == Fault::Hoards { Enqueued::Accepted } else { taken }
            }
        }
    }

    fn poll(&mut self, now: Instant) -> Option<usize> {
        self.polls += 1;
        match self.fault {
            Fault::Repeats if self.last.get().is_some() => self.last.get(),
            Fault::CountsPolls if self.polls.is_multiple_of(64) => {
                self.inner.set_rate(now, self.rate * 0.9);
                self.inner.poll(now)
            }
            Fault::SendsAtZero if self.rate == Bitrate::ZERO => {
                self.inner.set_rate(now, Bitrate::MAX);
                self.inner.poll(now)
            }
            _ => {
                self.last.set(self.inner.poll(now));
                self.last.get()
            }
        }
    }

    fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        self.rate = match self.fault {
            Fault::Hurries => rate * 1.5,
            Fault::Dawdles => rate * 0.2,
            Fault::TiresInTheEnd if now > Instant::from_millis(1_000_000) => rate * 0.9,
            Fault::IgnoresZero => rate.max(Bitrate::from_kbps(10)),
            Fault::StaysAtZero if self.came > 0 => Bitrate::ZERO,
            _ => rate,
        };
        self.inner.set_rate(now, self.rate);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.inner.poll_timeout()?;
        match self.fault {
            Fault::StaleDeadline => Some(deadline - Duration::from_millis(1)),
            Fault::LateDeadline => Some(deadline + Duration::from_millis(1)),
            Fault::DeadlineStays if self.polls > 0 => Some(Instant::ZERO),
            _ => Some(deadline),
        }
    }

    fn queued(&self) -> DataSize {
        match self.fault {
            Fault::Miscounts => DataSize::ZERO,
            Fault::CountsOverflow => self.inner.queued() + self.overflowed,
            _ => self.inner.queued(),
        }
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::Hurries, "the rate is kept"),
        (Fault::Dawdles, "what the rate can carry leaves in time"),
        (Fault::Drops, "what is queued is what came in and has not left"),
        (Fault::Miscounts, "what is queued is what came in and has not left"),
        (Fault::Refuses, "half a megabyte fits"),
        (Fault::Hoards, "memory is bounded"),
        (Fault::CountsOverflow, "a packet that overflows is not queued"),
        (Fault::Repeats, "each packet leaves once"),
        (Fault::StaleDeadline, "a deadline brings a packet"),
        (Fault::LateDeadline, "nothing leaves before its deadline"),
        (Fault::DeadlineStays, "after a poll the deadline lies in the future"),
        (Fault::CountsPolls, "extra polls change nothing"),
        (Fault::TiresInTheEnd, "the epoch is arbitrary"),
        (Fault::IgnoresZero, "at rate zero there is no deadline"),
        (Fault::SendsAtZero, "at rate zero nothing leaves"),
        (Fault::StaysAtZero, "a rate after zero sets packets free"),
        (Fault::IgnoresUrgency, "the most urgent packet leaves first"),
        (Fault::Overtakes, "packets of one priority leave once each and in the order they came"),
    ];
    for (fault, law) in breaches {
        let make = || Faulty {
            inner: naive(),
            fault,
            rate: Bitrate::ZERO,
            came: 0,
            polls: 0,
            overflowed: DataSize::ZERO,
            last: Cell::new(None),
        };
        assert_caught(law, || laws::pacer(make, ONE_PACKET));
    }
}
