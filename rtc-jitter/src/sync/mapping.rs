use rtc_core::time::NtpTime;
use rtc_core::{Frequency, RtpTime};

use crate::arrival::Nanos;
use crate::intake::media_time;

/// Reports remembered.
const REPORTS: usize = 20;
/// Most a report may be off the line through those before: more is a mistake, or another line.
const TOLERANCE: Nanos = 100_000_000;
/// Reports in a row that are off the line but agree with each other, until they are the line.
const NEW_LINE: u32 = 3;
/// Shortest time between reports that tells the speed of clocks: 10 ms of error in 10 s are 1000 ppm.
const MIN_SPAN: Nanos = 10_000_000_000;
/// Most two clocks differ in speed: quartz is within 100 ppm, so more is an error of measurement.
const MAX_SKEW: f64 = 500e-6;

/// Media time to the sender's wall clock, learnt from sender reports (RFC 3550 §6.4.1).
///
/// A line through the last 20 reports: its slope is the median of the slopes between them (Theil 1950, Sen 1968), its height
/// the median of what the reports are above it. So up to a quarter of the reports may be wrong by any amount without effect.
#[derive(Debug, Clone)]
pub struct NtpMapping {
    clock: Frequency,
    reports: [Point; REPORTS],
    count: usize,
    /// What the other points are counted from.
    origin: Option<(NtpTime, RtpTime)>,
    suspect: Option<(Point, u32)>,
    /// Speed of the wall clock against the media clock, less one.
    skew: f64,
    /// What reports are above the line through the origin with that slope.
    height: Nanos,
}

/// A report, counted from the first.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    media: Nanos,
    wall: Nanos,
}

impl Point {
    /// What the wall clock is ahead of the media clock.
    fn lead(self) -> Nanos {
        self.wall - self.media
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReportOutcome {
    /// It belongs to the line.
    Used,
    /// It repeats the newest, or is older: it was overtaken on its way.
    Reordered,
    /// It is off the line: a mistake, unless those that follow agree with it.
    Rejected,
    /// As those before it, it is off the line: the sender's clock was set, or its timestamps jumped, and a new line begins.
    Restarted,
    /// No stream of the group has this SSRC.
    Unknown,
}

impl NtpMapping {
    /// Nothing is known yet of this media clock.
    #[must_use]
    pub fn new(clock: Frequency) -> Self {
        Self {
            clock,
            reports: [Point::default(); REPORTS],
            count: 0,
            origin: None,
            suspect: None,
            skew: 0.0,
            height: 0,
        }
    }

    /// Takes a sender report's pair of times.
    pub fn on_report(&mut self, ntp: NtpTime, timestamp: RtpTime) -> ReportOutcome {
        let Some(newest) = self.newest() else {
            self.restart(ntp, timestamp);
            return ReportOutcome::Used;
        };
        let Some(point) = self.point(ntp, timestamp) else {
            return ReportOutcome::Rejected;
        };
        if self.is_on_line(point) {
            if point.media <= newest.media || point.wall <= newest.wall {
                return ReportOutcome::Reordered;
            }
            self.suspect = None;
            self.reports[self.count % REPORTS] = point;
            self.count += 1;
            self.fit();
            return ReportOutcome::Used;
        }
        let before = self.suspect.filter(|(before, _)| {
            point.media > before.media && point.wall > before.wall && (point.lead() - before.lead()).abs() <= TOLERANCE
        });
        let agreeing = before.map_or(0, |(_, agreeing)| agreeing) + 1;
        if agreeing >= NEW_LINE {
            self.restart(ntp, timestamp);
            return ReportOutcome::Restarted;
        }
        self.suspect = Some((point, agreeing));
        ReportOutcome::Rejected
    }

    /// The sender's wall-clock time of media of this timestamp, less than half a cycle from the first report; `None` before that.
    #[must_use]
    pub fn ntp_at(&self, timestamp: RtpTime) -> Option<NtpTime> {
        let (origin, _) = self.origin?;
        let wall = self.wall_at(self.media(timestamp)?);
        let distance = core::time::Duration::from_nanos(wall.unsigned_abs());
        Some(if wall < 0 { origin - distance } else { origin + distance })
    }

    /// How much faster the sender's wall clock runs than its media clock, in parts per million; zero until reports span 10 s.
    #[must_use]
    pub fn skew_ppm(&self) -> f64 {
        self.skew * 1e6
    }

    fn restart(&mut self, ntp: NtpTime, timestamp: RtpTime) {
        *self = Self { origin: Some((ntp, timestamp)), count: 1, ..Self::new(self.clock) };
    }

    fn newest(&self) -> Option<Point> {
        Some(self.reports[self.count.checked_sub(1)? % REPORTS])
    }

    fn point(&self, ntp: NtpTime, timestamp: RtpTime) -> Option<Point> {
        let (origin, _) = self.origin?;
        Some(Point { media: self.media(timestamp)?, wall: ntp.nanos_since(origin) })
    }

    /// Time since the first report of the line, nearest to the newest.
    fn media(&self, timestamp: RtpTime) -> Option<Nanos> {
        let (_, first) = self.origin?;
        let newest = self.newest().unwrap_or_default().media;
        let ticks = i128::from(newest) * i128::from(self.clock.as_hz()) / 1_000_000_000;
        let ticks = i64::try_from(ticks).ok()?;
        let [.., a, b, c, d] = ticks.to_be_bytes();
        let near = first + u32::from_be_bytes([a, b, c, d]);
        Some(media_time(ticks + i64::from(timestamp.distance_from(near)), self.clock))
    }

    fn wall_at(&self, media: Nanos) -> Nanos {
        #[expect(clippy::cast_possible_truncation, reason = "a small part of a time")]
        let gained = (media as f64 * self.skew) as Nanos;
        media + gained + self.height
    }

    fn is_on_line(&self, point: Point) -> bool {
        (point.wall - self.wall_at(point.media)).abs() <= TOLERANCE
    }

    fn fit(&mut self) {
        let points = &self.reports[..self.count.min(REPORTS)];
        let mut slopes = [0.0; REPORTS * (REPORTS - 1) / 2];
        let mut known = 0;
        for (index, one) in points.iter().enumerate() {
            for other in &points[..index] {
                let span = one.media - other.media;
                if span.abs() >= MIN_SPAN {
                    slopes[known] = (one.lead() - other.lead()) as f64 / span as f64;
                    known += 1;
                }
            }
        }
        self.skew = median(&mut slopes[..known], f64::total_cmp).unwrap_or(0.0).clamp(-MAX_SKEW, MAX_SKEW);
        let mut heights = [0; REPORTS];
        self.height = 0;
        for (height, point) in heights.iter_mut().zip(points) {
            *height = point.wall - self.wall_at(point.media);
        }
        self.height = median(&mut heights[..points.len()], Nanos::cmp).unwrap_or(0);
    }
}

/// The middle value, the upper of two.
fn median<T: Copy>(values: &mut [T], order: impl FnMut(&T, &T) -> core::cmp::Ordering) -> Option<T> {
    let middle = values.len() / 2;
    if values.is_empty() { None } else { Some(*values.select_nth_unstable_by(middle, order).1) }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use rtc_core::testkit::rng::Rng;

    use super::*;

    const START: u64 = u64::MAX - (20 << 32);

    /// A report `seconds` after the first, of a media clock that gains `ppm`; both clocks wrap within the first minute.
    fn report(seconds: f64, ppm: f64, error_ms: i64) -> (NtpTime, RtpTime) {
        let at = Duration::from_secs_f64(seconds + 1.0);
        let error = Duration::from_millis(error_ms.unsigned_abs());
        let ntp = NtpTime::from_bits(START) + at;
        let ticks = wrapped((seconds + 1.0) * 90_000.0 * (1.0 + ppm / 1e6));
        (if error_ms < 0 { ntp - error } else { ntp + error }, RtpTime(u32::MAX - 2_000_000) + ticks)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wraps as timestamps do")]
    fn wrapped(ticks: f64) -> u32 {
        ticks.rem_euclid(4_294_967_296.0) as u32
    }

    fn error_ms(mapping: &NtpMapping, seconds: f64, ppm: f64) -> f64 {
        let (ntp, timestamp) = report(seconds, ppm, 0);
        mapping.ntp_at(timestamp).unwrap().nanos_since(ntp) as f64 / 1e6
    }

    #[test]
    fn one_report_is_enough_to_begin_with() {
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        assert_eq!(mapping.ntp_at(RtpTime(0)), None);
        let (ntp, timestamp) = report(0.0, 0.0, 0);
        assert_eq!(mapping.on_report(ntp, timestamp), ReportOutcome::Used);
        assert!(error_ms(&mapping, -0.5, 0.0).abs() < 0.1);
        assert!(error_ms(&mapping, 4.0, 0.0).abs() < 0.1);
    }

    #[test]
    fn noise_and_clock_speed_are_told_apart() {
        let mut rng = Rng::new(1);
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        for n in 0..40 {
            let noise = i64::try_from(rng.below(11)).unwrap() - 5;
            let (ntp, timestamp) = report(f64::from(n) * 5.0, 100.0, noise);
            assert_eq!(mapping.on_report(ntp, timestamp), ReportOutcome::Used);
        }
        // Noise of 3 ms over 20 reports in 95 s leaves 25 ppm of doubt to the best of estimates.
        assert!((mapping.skew_ppm() + 100.0).abs() < 75.0, "{}", mapping.skew_ppm());
        assert!(error_ms(&mapping, 200.0, 100.0).abs() < 4.0, "{}", error_ms(&mapping, 200.0, 100.0));
    }

    #[test]
    fn a_quarter_of_wrong_reports_changes_nothing() {
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        for n in 0..40 {
            // Off by less than is rejected, always to the same side.
            let wrong = if n % 4 == 3 { 90 } else { 0 };
            let (ntp, timestamp) = report(f64::from(n), 0.0, wrong);
            mapping.on_report(ntp, timestamp);
        }
        assert!(error_ms(&mapping, 41.0, 0.0).abs() < 1.0);
    }

    #[test]
    fn reports_that_were_overtaken_are_left_out() {
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        for seconds in [0.0, 5.0, 10.0] {
            let (ntp, timestamp) = report(seconds, 0.0, 0);
            mapping.on_report(ntp, timestamp);
        }
        for seconds in [5.0, 7.0, 10.0] {
            let (ntp, timestamp) = report(seconds, 0.0, 0);
            assert_eq!(mapping.on_report(ntp, timestamp), ReportOutcome::Reordered);
        }
    }

    #[test]
    fn a_wrong_report_is_rejected_and_a_clock_that_was_set_is_followed() {
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        let mut tell = |seconds, error| {
            let (ntp, timestamp) = report(seconds, 0.0, error);
            (mapping.on_report(ntp, timestamp), mapping.clone())
        };
        tell(0.0, 0);
        tell(1.0, 0);
        assert_eq!(tell(2.0, 700).0, ReportOutcome::Rejected);
        assert_eq!(tell(3.0, 0).0, ReportOutcome::Used);
        assert_eq!(tell(4.0, 700).0, ReportOutcome::Rejected);
        assert_eq!(tell(5.0, 710).0, ReportOutcome::Rejected);
        let (outcome, mapping) = tell(6.0, 705);
        assert_eq!(outcome, ReportOutcome::Restarted);
        assert!((error_ms(&mapping, 7.0, 0.0) - 705.0).abs() < 1.0);
    }

    #[test]
    fn two_days_and_several_wraps() {
        let mut mapping = NtpMapping::new(Frequency::KHZ_90);
        for n in 0..36_000 {
            // Timestamps of 90 kHz wrap each 13 hours.
            let seconds = f64::from(n) * 5.0;
            let ntp = NtpTime::from_bits(START) + Duration::from_secs_f64(seconds);
            assert_eq!(mapping.on_report(ntp, RtpTime(wrapped(seconds * 90_000.0))), ReportOutcome::Used, "{n}");
        }
        assert!(mapping.skew_ppm().abs() < 0.1);
    }
}
