use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpTime};

/// Interarrival jitter (RFC 3550 §6.4.1 and A.8), in integers as A.8 gives them.
#[derive(Debug, Clone, Default)]
pub(super) struct Jitter {
    /// Clock of the last packet, and its arrival less its timestamp in ticks of it.
    last: Option<(Frequency, u32)>,
    /// 16 times the jitter.
    scaled: u64,
}

impl Jitter {
    /// Takes a packet's arrival. A change of clock (RFC 7160) begins anew with the jitter known so far.
    pub(super) fn update(&mut self, arrival: Instant, timestamp: RtpTime, clock: Frequency) {
        #[expect(clippy::cast_possible_truncation, reason = "differences are taken modulo 2^32, as of timestamps")]
        let ticks = clock.ticks_in(arrival - Instant::ZERO) as u32;
        let transit = ticks.wrapping_sub(timestamp.0);
        if let Some((_, last)) = self.last.filter(|(same, _)| *same == clock) {
            let difference = u64::from(transit.wrapping_sub(last).cast_signed().unsigned_abs());
            self.scaled = self.scaled + difference - ((self.scaled + 8) >> 4);
        }
        self.last = Some((clock, transit));
    }

    /// The jitter in ticks.
    pub(super) fn ticks(&self) -> u32 {
        u32::try_from(self.scaled >> 4).unwrap_or(u32::MAX)
    }

    /// The clock ticks are of.
    pub(super) fn clock(&self) -> Option<Frequency> {
        self.last.map(|(clock, _)| clock)
    }
}
