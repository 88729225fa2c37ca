//! Wall clock and media clock of a stream, side by side.

use core::time::Duration;

use rtc_core::rtp::extension::ClockOffset;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Frequency, RtpTime};

/// One moment on a sender's wall clock and on its media clock (RFC 3550 §6.4.1), to play streams of one sender in step.
///
/// ```
/// use rtc_core::time::{Instant, NtpTime};
/// use rtc_core::{Frequency, RtpTime};
/// use rtc_transport::sync::SyncPoint;
///
/// let ntp = NtpTime::from_bits(7 << 32);
/// let sync = SyncPoint { ntp, rtp_time: RtpTime(u32::MAX), at: Instant::ZERO };
/// let second_later = sync.ntp_at(RtpTime(47_999), Frequency::KHZ_48);
/// assert_eq!(second_later, NtpTime::from_bits(8 << 32));
/// assert_eq!(sync.rtp_at(second_later, Frequency::KHZ_48), RtpTime(47_999));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncPoint {
    /// The moment on the sender's wall clock.
    pub ntp: NtpTime,
    /// The moment on the media clock.
    pub rtp_time: RtpTime,
    /// When the report that told so arrived here.
    pub at: Instant,
}

/// One moment on a capturer's wall clock and on a stream's media clock, as an absolute capture time tells it: to play streams
/// that come through a mixer or a forwarder in step, whoever captured them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapturePoint {
    /// The moment, on the capturer's clock.
    pub sync: SyncPoint,
    /// What to add to the clock of the sender's reports to get the capturer's, if the sender said so.
    pub clock_offset: Option<ClockOffset>,
}

impl CapturePoint {
    /// The same moment on the clock of the sender's reports; `None` while it is not known how the two differ.
    #[must_use]
    pub fn on_sender_clock(&self) -> Option<SyncPoint> {
        let ahead = self.clock_offset?.as_nanos();
        let away = Duration::from_nanos(ahead.unsigned_abs());
        let ntp = if ahead < 0 { self.sync.ntp + away } else { self.sync.ntp - away };
        Some(SyncPoint { ntp, ..self.sync })
    }
}

impl SyncPoint {
    /// The sender's wall-clock time of media of `rtp_time`, less than half a cycle away.
    #[must_use]
    pub fn ntp_at(&self, rtp_time: RtpTime, clock: Frequency) -> NtpTime {
        let ticks = rtp_time.distance_from(self.rtp_time);
        let away = clock.duration_of(u64::from(ticks.unsigned_abs()));
        if ticks < 0 { self.ntp - away } else { self.ntp + away }
    }

    /// The media time of the sender's wall-clock time `ntp`, rounded to the nearest tick.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "media time wraps")]
    pub fn rtp_at(&self, ntp: NtpTime, clock: Frequency) -> RtpTime {
        let nanos = i128::from(ntp.nanos_since(self.ntp));
        let ticks = (nanos * i128::from(clock.as_hz()) + 500_000_000).div_euclid(1_000_000_000);
        self.rtp_time + ticks as u32
    }
}
