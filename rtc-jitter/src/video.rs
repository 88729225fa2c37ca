use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use bytes::Bytes;
use rtc_core::codec::EncodedFrame;
use rtc_core::jitter::{Inserted, JitterBuffer, Playout};
use rtc_core::svc::LayerId;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, RtpPacket, Ssrc};

use crate::arrival::Nanos;
use crate::intake::media_time;
use crate::intake::stream::{Candidate, Stream, is_plausible};

mod assembly;
mod config;
mod depacketize;
mod freeze;
mod packet;
mod queue;
mod references;
mod request;
mod stats;
mod targets;
mod timing;

use assembly::{Assembly, Piece, Place};
pub use config::{VideoCodec, VideoConfig};
use depacketize::Depacketizer;
use freeze::Freezes;
use packet::{Reader, Unread};
use queue::{Decodable, Frame, MAX_LAYERS, Queue, Wanted};
use references::References;
use request::KeyRequests;
pub use stats::VideoStats;
use timing::Timing;

/// The clock of video (RFC 3551 §5).
const CLOCK: Frequency = Frequency::KHZ_90;
/// How long a picture whose end is not known waits for further layers when its time has come.
const GATHER: Duration = Duration::from_millis(10);

/// A picture to be decoded now, and when to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedFrame {
    /// The picture: the layers of it that can be decoded, and the highest of them.
    pub frame: EncodedFrame,
    /// When to show it: later than now by the time decoding takes and [`VideoConfig::render_time`].
    pub render_at: Instant,
}

/// Video jitter buffer: packets in, pictures out, each when it can be decoded and is about to be needed.
///
/// A picture comes out once, after all the pictures it needs. What cannot be decoded is passed over, as soon as something newer
/// can be and its time has come. [`Playout::Missing`] never comes: there is nothing a decoder could do about it.
///
/// Frames are put together in memory that is used again when the frames before are dropped: nothing is allocated in the long run
/// while no more than 32 frames of up to 64 KB are held, here and by the decoder. A frame of one packet shares the packet's memory,
/// where the codec has it as it is.
///
/// ```
/// use rtc_core::jitter::{JitterBuffer, Playout};
/// use rtc_core::time::Instant;
/// use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
/// use rtc_jitter::{VideoCodec, VideoConfig, VideoJitterBuffer};
///
/// # fn main() -> Result<(), rtc_core::ConfigError> {
/// let mut buffer = VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8))?;
/// // A key frame of two packets (RFC 7741), the second of which comes first.
/// let packet = |seq, payload: &[u8]| {
///     RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), Ssrc(1)).marker(seq == 8).build(payload)
/// };
/// buffer.insert(Instant::from_millis(20), packet(8, &[0x00, 3, 4])?);
/// assert_eq!(buffer.poll_timeout(), None);
/// buffer.insert(Instant::from_millis(25), packet(7, &[0x10, 0x00, 2])?);
/// // Sleep until the deadline, or the next packet.
/// let Some(due) = buffer.poll_timeout() else { panic!("a whole key frame is here") };
/// let Playout::Ready(picture) = buffer.poll(due) else { panic!("it is due") };
/// assert!(picture.frame.key && picture.render_at > due);
/// assert_eq!(&picture.frame.payload[..], [0x00, 2, 3, 4]);
/// // To be asked now and then, and sent on as PLI: nothing is amiss.
/// assert_eq!(buffer.poll_key_frame_request(due), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct VideoJitterBuffer {
    config: VideoConfig,
    reader: Reader,
    assembly: Assembly,
    depacketizer: Depacketizer,
    queue: Queue,
    references: References,
    timing: Timing,
    requests: KeyRequests,
    freezes: Freezes,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    ssrc: Ssrc,
    /// The picture to be released next.
    next: Option<Next>,
    /// Packets of the frame being put together.
    taken: Vec<RtpPacket>,
    stats: VideoStats,
}

/// A picture that can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Next {
    frames: Range<usize>,
    wanted: Wanted,
    media: Nanos,
    /// Not before this moment, as more of it may come.
    gathered: Instant,
}

impl VideoJitterBuffer {
    /// An empty buffer.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other or are out of range.
    pub fn new(config: VideoConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            reader: Reader::new(config.codec, config.dependency_descriptor),
            assembly: Assembly::new(config.capacity),
            depacketizer: Depacketizer::new(config.codec),
            queue: Queue::new(config.max_frames),
            references: References::default(),
            timing: Timing::new(&config)?,
            requests: KeyRequests::new(config.round_trip, config.key_frame_interval),
            freezes: Freezes::default(),
            stream: None,
            candidate: None,
            ssrc: Ssrc(0),
            next: None,
            taken: Vec::with_capacity(config.capacity),
            stats: VideoStats::default(),
            config,
        })
    }

    /// Takes a packet brought back by retransmission or redundancy: late on purpose, so that its lateness counts as jitter
    /// only within [`DelayConfig::repair_delay`](crate::DelayConfig::repair_delay).
    pub fn insert_repaired(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.stats.packets_repaired += 1;
        self.insert_from(now, packet, true)
    }

    /// Says how long decoding a picture took, so that the next ones are given to the decoder that much before they are shown.
    pub fn on_decoded(&mut self, took: Duration) {
        self.timing.on_decoded(took);
    }

    /// Sets the least delay to aim at, from the fastest recent picture to the screen: for lip sync, or at the user's wish.
    pub fn set_min_delay(&mut self, min_delay: Duration) {
        self.timing.set_min_delay(min_delay);
    }

    /// Changes [`DelayConfig::repair_delay`](crate::DelayConfig::repair_delay), which follows the round-trip time.
    pub fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.timing.set_repair_delay(repair_delay);
    }

    /// Changes [`VideoConfig::round_trip`].
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.requests.set_round_trip(round_trip);
    }

    /// Follows no decode target of the dependency descriptor with higher layers than these, each by itself; what is above is not handed
    /// out. `None`, as at first, for the highest there is. Another target is switched to where the descriptors allow it: at once
    /// downwards, upwards at the next switch point, for which a key frame may have to be asked.
    pub fn set_max_layer(&mut self, layer: Option<LayerId>) {
        self.references.targets.set_limit(layer);
    }

    /// The decode target that is followed, and its highest layers: the highest that is sent, within
    /// [`set_max_layer`](Self::set_max_layer), and of which nothing needed is missing. `None` without dependency descriptor, or while
    /// there is none.
    #[must_use]
    pub fn decode_target(&self) -> Option<(usize, LayerId)> {
        let target = self.references.targets.followed()?;
        Some((target, self.references.targets.layer(target)))
    }

    /// The stream to ask a key frame of, if nothing that is here or may still come can be decoded without one. Whoever calls this
    /// is expected to ask.
    pub fn poll_key_frame_request(&mut self, now: Instant) -> Option<Ssrc> {
        let is_due = self.requests.poll(now);
        self.stats.key_frame_requests += u64::from(is_due);
        is_due.then_some(self.ssrc)
    }

    /// When [`poll_key_frame_request`](Self::poll_key_frame_request) will have a request.
    #[must_use]
    pub fn key_frame_timeout(&self) -> Option<Instant> {
        self.requests.timeout()
    }

    /// The delay the network and the decoder need, from the fastest recent picture to the screen: the target without
    /// [`set_min_delay`](Self::set_min_delay).
    #[must_use]
    pub fn minimum_delay(&self) -> Duration {
        duration(self.timing.minimum())
    }

    /// The delay the picture released last is shown with, over the fastest recent picture; more than aimed at if it came late.
    #[must_use]
    pub fn current_delay(&self) -> Duration {
        duration(self.timing.current())
    }

    /// What became of packets and frames.
    #[must_use]
    pub fn stats(&self) -> VideoStats {
        let (packets_buffered, frames_buffered) = (self.assembly.held() as u64, self.queue.len() as u64);
        VideoStats { packets_buffered, frames_buffered, ..self.stats }
    }

    fn insert_from(&mut self, now: Instant, packet: RtpPacket, is_repaired: bool) -> Inserted {
        self.stats.packets_received += 1;
        if !self.belongs(now, &packet) && !self.restarts(now, &packet, is_repaired) {
            self.stats.packets_foreign += 1;
            return Inserted::Foreign;
        }
        let Some(stream) = &mut self.stream else {
            return Inserted::Foreign;
        };
        self.candidate = None;
        let (seq, ticks) = stream.unwrap(&packet);
        if !is_repaired {
            self.timing.observe_packet(now, media_time(ticks, CLOCK));
        }
        match self.assembly.place(seq) {
            Place::Free => {}
            Place::Taken => {
                self.stats.packets_duplicate += 1;
                return Inserted::Duplicate;
            }
            Place::Passed => {
                self.stats.packets_late += 1;
                return Inserted::Late;
            }
        }
        let mut dropped = if packet.payload().is_empty() {
            self.stats.packets_padding += 1;
            self.assembly.put_padding(seq)
        } else {
            let told = match self.reader.read(seq, &packet) {
                Ok(told) => Some(told),
                Err(Unread::Unknown) => None,
                Err(Unread::Malformed) => {
                    self.stats.packets_malformed += 1;
                    return Inserted::Foreign;
                }
            };
            self.assembly.put(Piece { seq, ticks, packet, told, arrival: now, is_repaired })
        };
        self.stats.packets_overflowed += dropped;
        if self.reader.has_templates_of(seq) {
            self.read_again(now);
        }
        for beside in self.assembly.around(seq).into_iter().flatten() {
            self.complete(now, beside);
        }
        dropped += self.make_room(now);
        self.look(now);
        if dropped > 0 { Inserted::Overflow } else { Inserted::Accepted }
    }

    /// Reads the packets that had to wait for templates.
    fn read_again(&mut self, now: Instant) {
        for seq in self.assembly.numbers() {
            let unread = self.assembly.piece(seq).filter(|piece| piece.told.is_none());
            let Some(packet) = unread.map(|piece| piece.packet.clone()) else { continue };
            let told = self.reader.read(seq, &packet).ok();
            if let Some(piece) = self.assembly.piece_mut(seq) {
                piece.told = told;
            }
            self.complete(now, seq);
        }
    }

    /// Puts the frame around packet `seq` together if all of it is here.
    fn complete(&mut self, now: Instant, seq: u64) {
        let Some((first, last)) = self.assembly.whole_frame(seq) else {
            return;
        };
        let Some(head) = self.assembly.piece(first) else {
            return;
        };
        let Some(told) = head.told else { return };
        let (ticks, mut about, mut first_arrival) = (head.ticks, told.about, head.arrival);
        let (mut ends_picture, mut is_repaired) = (false, false);
        let taken = &mut self.taken;
        taken.clear();
        self.assembly.take(first, last, |piece| {
            if let Some(told) = piece.told {
                about.key |= told.about.key;
                about.is_discardable &= told.about.is_discardable;
            }
            first_arrival = first_arrival.min(piece.arrival);
            is_repaired |= piece.is_repaired;
            ends_picture = piece.packet.marker();
            taken.push(piece.packet);
        });
        let media = media_time(ticks, CLOCK);
        let payload = self.depacketizer.frame(taken).ok();
        self.stats.packets_assembled += taken.len() as u64;
        self.stats.frames_assembled += 1;
        taken.clear();
        if is_repaired {
            self.timing.observe_repair(now, media);
        } else {
            self.timing.observe_frame(now, media);
        }
        if about.key {
            self.requests.on_key();
        }
        self.queue.put(Frame { first, last, ticks, media, first_arrival, arrival: now, about, payload, ends_picture });
    }

    /// Drops the oldest frames while there are too many, and those that waited too long; says how many were too many.
    fn make_room(&mut self, now: Instant) -> u64 {
        let max_size = usize::try_from(self.config.max_size.as_bytes()).unwrap_or(usize::MAX);
        let mut dropped = 0;
        while self.queue.len() > self.config.max_frames || self.queue.bytes() > max_size {
            dropped += 1;
            self.stats.frames_overflowed += 1;
            self.drop_front();
        }
        let stale = self.next_picture().map_or(self.queue.len(), |(next, _)| next.start);
        for _ in 0..stale {
            if self.queue.front().is_none_or(|frame| now - frame.arrival <= self.config.max_wait) {
                break;
            }
            self.stats.frames_dropped += 1;
            self.drop_front();
        }
        dropped
    }

    fn drop_front(&mut self) {
        let whole_to = self.assembly.whole_to();
        let Some(frame) = self.queue.pop() else {
            return;
        };
        if whole_to.is_none_or(|end| frame.first > end) {
            self.references.leave_gap();
        }
        self.references.leave_out(&frame.about);
        self.stats.packets_abandoned += self.assembly.pass(frame.last);
    }

    /// The first picture that can be decoded: of the decode target followed, or else whatever there is.
    fn next_picture(&self) -> Option<(Range<usize>, Wanted)> {
        let whole_to = self.assembly.whole_to();
        let of = |wanted| Some((self.queue.next_picture(&self.references, whole_to, wanted)?, wanted));
        of(Wanted::Followed).or_else(|| of(Wanted::All))
    }

    /// Looks for the picture to be released next.
    fn look(&mut self, now: Instant) {
        self.next = self.next_picture().and_then(|(frames, wanted)| {
            let last = self.queue.get(frames.end - 1)?;
            let is_ended =
                last.ends_picture || self.assembly.next_ticks(last.last).is_some_and(|ticks| ticks != last.ticks);
            let gathered = if is_ended { Instant::ZERO } else { last.arrival + GATHER };
            Some(Next { frames, wanted, media: last.media, gathered })
        });
        // What is missing may be on its way, and so may templates.
        let is_open = self.assembly.has_holes() || self.reader.lacks_templates();
        let mut waiting = self.queue.range(0..self.queue.len());
        let is_broken = waiting.any(|frame| self.references.is_broken_at(&frame.about));
        let is_unfinished = self.assembly.held() > 0 && is_open;
        let waits = is_broken || is_unfinished;
        let is_stuck = (waits && self.next.is_none()) || self.references.targets.are_all_broken();
        self.requests.update(now, is_stuck, is_open);
    }

    fn release(&mut self, now: Instant, next: &Next) -> TimedFrame {
        let whole_to = self.assembly.whole_to();
        let Range { start, end } = next.frames.clone();
        let is_known = self.queue.get(start).is_some_and(|first| {
            whole_to.is_some_and(|end| first.first <= end) || self.references.is_followed_by(&first.about)
        });
        let skipped = self.queue.skipped_before(start);
        let mut decodable = Decodable::new(&self.references, whole_to, skipped, next.wanted);
        let mut released = [false; MAX_LAYERS];
        for (frame, released) in self.queue.range(start..end).zip(&mut released) {
            *released = decodable.admits(frame);
        }
        let is_released =
            |index: usize| index >= start && released.get(index - start).is_some_and(|released| *released);
        let layers = self.queue.range(start..end).enumerate().filter(|(index, _)| is_released(start + index));
        let payload =
            self.depacketizer.join(layers.clone().map(|(_, frame)| frame.payload.clone().unwrap_or_default()));
        let key = layers.clone().next().is_some_and(|(_, frame)| frame.about.key);
        let layer = layers.clone().map(|(_, frame)| frame.about.layer).last().unwrap_or_default();
        let ticks = self.queue.get(start).map_or(0, |frame| frame.ticks);
        let timestamp = self.stream.as_ref().map(|stream| stream.timestamp(ticks)).unwrap_or_default();
        let arrived = layers.map(|(_, frame)| frame.first_arrival).min().unwrap_or(now);
        self.count(now, next.media, arrived, key);
        let render_at = self.timing.release(now, next.media);
        if let Some(frozen) = self.freezes.show(render_at) {
            self.stats.freeze_count += 1;
            self.stats.total_freezes_duration += frozen;
        }
        if !is_known {
            self.references.leave_gap();
        }
        for index in 0..end {
            let Some(frame) = self.queue.pop() else { break };
            if is_released(index) {
                self.stats.frames_released += 1;
                self.references.release(&frame.about);
            } else {
                self.stats.frames_dropped += 1;
                self.references.leave_out(&frame.about);
            }
            self.stats.packets_abandoned += self.assembly.pass(frame.last);
        }
        let frame = EncodedFrame { timestamp, key, layer, payload, user_data: Bytes::new() };
        TimedFrame { frame, render_at }
    }

    fn count(&mut self, now: Instant, media: Nanos, arrived: Instant, key: bool) {
        self.stats.pictures_released += 1;
        self.stats.key_pictures_released += u64::from(key);
        // A deadline is met within the millisecond timers have.
        self.stats.pictures_late += u64::from(now > self.timing.due(media) + Duration::from_millis(1));
        self.stats.jitter_buffer_delay += now - arrived;
        self.stats.jitter_buffer_target_delay += duration(self.timing.target());
        self.stats.jitter_buffer_minimum_delay += duration(self.timing.minimum());
    }

    fn due(&self, next: &Next) -> Instant {
        self.timing.due(next.media).max(next.gathered)
    }

    fn belongs(&self, now: Instant, packet: &RtpPacket) -> bool {
        let Some(stream) = &self.stream else {
            return false;
        };
        let media = media_time(stream.ticks(packet.timestamp()), CLOCK);
        stream.continues_with(packet, self.assembly.capacity() as u64) && is_plausible(self.timing.lateness(now, media))
    }

    /// Whether a packet that does not belong is the first of a new stream; then the new stream begins.
    fn restarts(&mut self, now: Instant, packet: &RtpPacket, is_repaired: bool) -> bool {
        if self.stream.is_some() {
            if is_repaired {
                return false;
            }
            let candidate = Candidate::after(self.candidate.take(), now, packet, CLOCK);
            if candidate.packets() < self.config.restart_after {
                self.candidate = Some(candidate);
                return false;
            }
            self.stats.restarts += 1;
        }
        self.stats.packets_flushed += self.assembly.clear();
        self.stats.frames_flushed += self.queue.len() as u64;
        while self.queue.pop().is_some() {}
        self.reader = Reader::new(self.config.codec, self.config.dependency_descriptor);
        self.references.restart();
        self.freezes.restart();
        self.timing.restart();
        self.next = None;
        self.ssrc = packet.ssrc();
        self.stream = Some(Stream::starting_with(packet));
        true
    }
}

impl JitterBuffer for VideoJitterBuffer {
    type Output = TimedFrame;

    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.insert_from(now, packet, false)
    }

    fn poll(&mut self, now: Instant) -> Playout<TimedFrame> {
        let Some(next) = self.next.take() else {
            return Playout::Empty;
        };
        if self.due(&next) > now {
            self.next = Some(next);
            return Playout::Empty;
        }
        let frame = self.release(now, &next);
        self.look(now);
        Playout::Ready(frame)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next.as_ref().map(|next| self.due(next))
    }

    fn target_delay(&self) -> Duration {
        duration(self.timing.target())
    }
}

fn duration(time: Nanos) -> Duration {
    Duration::from_nanos(time.max(0).unsigned_abs())
}
