use alloc::vec::Vec;
use core::time::Duration;

use rtc_core::rtp::extension::AbsoluteCaptureTime;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{ConfigError, Frequency, RtpTime, Ssrc};

use super::{NtpMapping, ReportOutcome};
use crate::arrival::{Nanos, nanos};

const MILLI: Nanos = 1_000_000;
/// What was played, as far back as the middle of it is taken: while audio is stretched its media time stands still for a
/// period.
const REMEMBERED: usize = 9;
/// Most streams of a group.
const MAX_STREAMS: usize = 64;

/// Settings of lip sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncConfig {
    /// How much audio is behind video where delay is added to audio. Default 20 ms: people are used to sound that comes late,
    /// as it does from a distance, and late pictures move it towards being early.
    pub audio_behind: Duration,
    /// How much audio may be behind video before delay is added to video. Default 60 ms: half of what people notice
    /// (ITU-R BT.1359: 125 ms).
    pub most_audio_behind: Duration,
    /// Changes below this are left alone. Default 10 ms: a change costs audio a cut or a repeated period.
    pub step: Duration,
    /// Most delay added to a stream. Default 2 s: what is further apart is rather a mistake.
    pub max_added: Duration,
    /// A stream that played nothing for this long has no say. Default 1 s.
    pub stall: Duration,
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            audio_behind: Duration::from_millis(20),
            most_audio_behind: Duration::from_millis(60),
            step: Duration::from_millis(10),
            max_added: Duration::from_secs(2),
            stall: Duration::from_secs(1),
        }
    }
}

impl SyncConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if self.audio_behind > self.most_audio_behind {
            return Err(ConfigError::new("audio_behind", "must not exceed most_audio_behind"));
        }
        Ok(())
    }
}

/// Whether a stream is heard or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Heard.
    Audio,
    /// Seen.
    Video,
}

/// What a stream plays: its media time, when, and with what delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Its media time: [`Pulled::timestamp`](crate::Pulled::timestamp), or the picture's.
    pub timestamp: RtpTime,
    /// When it is heard or seen: the moment of the pull, later by what the device takes, or
    /// [`TimedFrame::render_at`](crate::TimedFrame::render_at).
    pub at: Instant,
    /// The buffer's `current_delay()`.
    pub delay: Duration,
    /// The buffer's `minimum_delay()`.
    pub minimum: Duration,
}

/// Streams of one sender (one CNAME, RFC 3550 §6.5.1) that are kept in step.
///
/// For each stream it knows how long media takes from the sender's wall clock until it is played, and how long it would take
/// with no more delay than its network needs. Delay is added to a stream only where others need more than it does, and never
/// more than that; so what a group adds is the least that keeps it in step, and is taken away as soon as the others need less.
/// Added delay follows from what is needed, not from what it leads to: there is no loop that could oscillate.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::time::{Instant, NtpTime};
/// use rtc_core::{Frequency, RtpTime, Ssrc};
/// use rtc_jitter::{MediaKind, Played, SyncConfig, SyncGroup};
///
/// # fn main() -> Result<(), rtc_core::ConfigError> {
/// let (voice, face) = (Ssrc(1), Ssrc(2));
/// let mut group = SyncGroup::new(SyncConfig::default())?;
/// group.add(voice, MediaKind::Audio, Frequency::KHZ_48)?;
/// group.add(face, MediaKind::Video, Frequency::KHZ_90)?;
/// // Both sender reports name the same moment.
/// let ntp = NtpTime::from_bits(1 << 32);
/// group.on_report(voice, ntp, RtpTime(0));
/// group.on_report(face, ntp, RtpTime(0));
/// // What belongs together is heard at 1.05 s and seen at 1.15 s: sound is 100 ms early.
/// let millis = Duration::from_millis;
/// let heard = Played { timestamp: RtpTime(0), at: Instant::from_millis(1_050), delay: millis(40), minimum: millis(40) };
/// let seen = Played { timestamp: RtpTime(0), at: Instant::from_millis(1_150), delay: millis(90), minimum: millis(90) };
/// group.on_played(voice, heard);
/// group.on_played(face, seen);
/// assert_eq!(group.offset_nanos(voice, face).map(|nanos| nanos / 1_000_000), Some(100));
/// // 100 ms more for audio, and 20 ms to be on the safe side.
/// assert_eq!(group.poll_min_delay(), Some((voice, millis(160))));
/// assert_eq!(group.poll_min_delay(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SyncGroup {
    config: SyncConfig,
    members: Vec<Member>,
    /// What times are counted from: one moment here, and one of the sender's clock.
    origin: Option<(Instant, NtpTime)>,
    newest: Instant,
}

#[derive(Debug)]
struct Member {
    ssrc: Ssrc,
    kind: MediaKind,
    reports: NtpMapping,
    captures: NtpMapping,
    has_captures: bool,
    /// What was played last, the newest at `newest`.
    played: [Option<Played>; REMEMBERED],
    newest: usize,
    /// The least delay asked for.
    asked: Nanos,
}

/// How long media takes: from the sender's wall clock to here, up to a constant of the group.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// With no delay in the buffer.
    base: Nanos,
    /// With the delay its network needs.
    needed: Nanos,
    /// As it is.
    now: Nanos,
}

impl SyncGroup {
    /// A group without streams.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other.
    pub fn new(config: SyncConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config, members: Vec::new(), origin: None, newest: Instant::ZERO })
    }

    /// Adds a stream with this clock of its timestamps; one of the same SSRC begins anew.
    ///
    /// # Errors
    /// [`ConfigError`] for more than 64 streams.
    pub fn add(&mut self, ssrc: Ssrc, kind: MediaKind, clock: Frequency) -> Result<(), ConfigError> {
        self.remove(ssrc);
        if self.members.len() == MAX_STREAMS {
            return Err(ConfigError::new("streams", "must be 64 at most"));
        }
        self.members.push(Member {
            ssrc,
            kind,
            reports: NtpMapping::new(clock),
            captures: NtpMapping::new(clock),
            has_captures: false,
            played: [None; REMEMBERED],
            newest: 0,
            asked: 0,
        });
        Ok(())
    }

    /// Takes a stream out. Delay added to others for its sake is taken away again.
    pub fn remove(&mut self, ssrc: Ssrc) {
        self.members.retain(|member| member.ssrc != ssrc);
    }

    /// Takes the two times of a sender report.
    pub fn on_report(&mut self, ssrc: Ssrc, ntp: NtpTime, timestamp: RtpTime) -> ReportOutcome {
        self.member(ssrc).map_or(ReportOutcome::Unknown, |member| member.reports.on_report(ntp, timestamp))
    }

    /// Takes a packet's absolute capture time. Where all streams have it, it is believed rather than sender reports: behind a
    /// mixer those tell of the mixer only.
    pub fn on_capture_time(&mut self, ssrc: Ssrc, timestamp: RtpTime, time: AbsoluteCaptureTime) -> ReportOutcome {
        let Some(member) = self.member(ssrc) else {
            return ReportOutcome::Unknown;
        };
        member.has_captures = true;
        member.captures.on_report(time.captured, timestamp)
    }

    /// Takes note of what a stream plays. Each pull and each picture may be told; one in 100 ms is enough.
    pub fn on_played(&mut self, ssrc: Ssrc, played: Played) {
        self.newest = self.newest.max(played.at);
        if let Some(member) = self.member(ssrc) {
            member.newest = (member.newest + 1) % REMEMBERED;
            member.played[member.newest] = Some(played);
        }
    }

    /// The next stream whose least delay is to be changed, and to what: for `set_min_delay` of its buffer.
    pub fn poll_min_delay(&mut self) -> Option<(Ssrc, Duration)> {
        self.origin = self.current_origin();
        let (audio, video) = self.goals(self.most_needed(MediaKind::Audio), self.most_needed(MediaKind::Video));
        let (step, max_added) = (nanos(self.config.step), nanos(self.config.max_added));
        for index in 0..self.members.len() {
            let Some(way) = self.way(&self.members[index]) else { continue };
            let member = &mut self.members[index];
            let goal = if member.kind == MediaKind::Audio { audio } else { video };
            let added = (goal.unwrap_or(way.needed) - way.needed).clamp(0, max_added);
            // Whole milliseconds: timestamps are not finer.
            let asked = if added == 0 { 0 } else { (way.needed + added - way.base + MILLI / 2).max(0) / MILLI * MILLI };
            if (asked - member.asked).abs() >= step || (asked == 0 && member.asked != 0) {
                member.asked = asked;
                return Some((member.ssrc, Duration::from_nanos(asked.unsigned_abs())));
            }
        }
        None
    }

    /// How much the picture is behind the sound, as they are played now, in nanoseconds: positive if sound is early (as in
    /// ITU-R BT.1359). `None` while reports or media are missing.
    #[must_use]
    pub fn offset_nanos(&self, audio: Ssrc, video: Ssrc) -> Option<i64> {
        let now = |ssrc| Some(self.way(self.members.iter().find(|member| member.ssrc == ssrc)?)?.now);
        Some(now(video)? - now(audio)?)
    }

    /// Where audio and video are to be: as far as they need, further only for the sake of the other.
    fn goals(&self, audio: Option<Nanos>, video: Option<Nanos>) -> (Option<Nanos>, Option<Nanos>) {
        let (Some(heard), Some(seen)) = (audio, video) else {
            return (audio, video);
        };
        let behind = heard - seen;
        let goal_audio = heard + (nanos(self.config.audio_behind) - behind).max(0);
        let goal_video = seen + (behind - nanos(self.config.most_audio_behind)).max(0);
        (Some(goal_audio), Some(goal_video))
    }

    /// How long what needs longest of this kind takes.
    fn most_needed(&self, kind: MediaKind) -> Option<Nanos> {
        let of_kind = self.members.iter().filter(|member| member.kind == kind);
        of_kind.filter_map(|member| Some(self.way(member)?.needed)).max()
    }

    fn current_origin(&self) -> Option<(Instant, NtpTime)> {
        self.origin.or_else(|| self.members.iter().find_map(|member| member.origin(self)))
    }

    fn way(&self, member: &Member) -> Option<Way> {
        let origin = self.current_origin()?;
        let newest = member.newest().filter(|played| self.newest - played.at <= self.config.stall)?;
        let mut bases = [0; REMEMBERED];
        let (mut known, mut minimum) = (0, newest.minimum);
        for played in member.played.iter().flatten() {
            bases[known] = member.took(self, origin, played)?.checked_sub(nanos(played.delay))?;
            known += 1;
            // At the end of a stall a buffer needs much for a moment: not to be followed.
            minimum = minimum.min(played.minimum);
        }
        let base = *bases[..known].select_nth_unstable(known / 2).1;
        let needed = base.checked_add(nanos(minimum))?;
        Some(Way { base, needed, now: member.took(self, origin, &newest)? })
    }

    fn member(&mut self, ssrc: Ssrc) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.ssrc == ssrc)
    }
}

impl Member {
    fn newest(&self) -> Option<Played> {
        self.played[self.newest]
    }

    /// A moment here, and one of the sender's wall clock, to count from.
    fn origin(&self, group: &SyncGroup) -> Option<(Instant, NtpTime)> {
        let newest = self.newest()?;
        Some((newest.at, self.captured(group, newest.timestamp)?))
    }

    /// How long it took from the sender's wall clock, counted from the origin, until this was played.
    fn took(&self, group: &SyncGroup, (here, there): (Instant, NtpTime), played: &Played) -> Option<Nanos> {
        let captured = self.captured(group, played.timestamp)?;
        played.at.nanos_since(here).checked_sub(captured.nanos_since(there))
    }

    /// When media of this time was captured, on the sender's wall clock.
    fn captured(&self, group: &SyncGroup, timestamp: RtpTime) -> Option<NtpTime> {
        let all_have_captures = group.members.iter().all(|member| member.has_captures);
        if all_have_captures { self.captures.ntp_at(timestamp) } else { self.reports.ntp_at(timestamp) }
    }
}

#[cfg(test)]
mod tests;
