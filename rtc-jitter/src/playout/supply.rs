//! Where samples come from when more are needed.

use rtc_core::RtpPacket;
use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioDecoder;
use rtc_core::time::Instant;

use super::held::Origin;
use super::{AudioPlayout, INTERRUPTION, duration};
use crate::arrival::Nanos;
use crate::conceal::Concealer;
use crate::decide::{Front, Lead, Mode, Source, made_up, source};
use crate::intake::media_time;
use crate::store::{Entry, Head};

/// Packets asked for a copy of one piece: the nearest has it nearly always, unless its talker had just paused or the copy
/// begins a little before it. Each question may cost 0.2 ms.
const ASKED: usize = 3;

impl<D: AudioDecoder> AudioPlayout<D> {
    /// Makes sure that `len` samples are held.
    pub(super) fn fill(&mut self, now: Instant, len: usize) {
        while self.pending() < len {
            let lacking = len - self.pending();
            self.settle();
            match source(self.mode, self.front(now), self.intake.target(), self.conceal_limit) {
                Source::Packet => self.decode(now),
                Source::Repair if self.decode_copy() => {}
                Source::Repair => match (self.samples_too_early(now), made_up(self.mode, self.conceal_limit)) {
                    (0, _) => self.decode(now),
                    (early, Source::Silence) => self.rest(self.piece_of_gap(lacking).min(early)),
                    (early, _) => self.conceal(self.piece_of_gap(lacking).min(self.in_steps(early))),
                },
                Source::Concealment => self.conceal(self.in_steps(lacking)),
                Source::Silence => self.rest(lacking),
            }
        }
        self.settle();
    }

    /// Drops packets that are too far behind to be caught up with.
    pub(super) fn drop_backlog(&mut self, now: Instant) {
        let most = self.intake.target().saturating_add(self.max_backlog);
        while let Front::Packet { delay, .. } = self.front(now)
            && delay > most
        {
            self.intake.pop();
            self.intake.stats_mut().packets_skipped += 1;
        }
    }

    /// Decodes packets ahead of their time until `len` samples are held or one is missing.
    pub(super) fn decode_ahead(&mut self, now: Instant, len: usize) {
        while self.pending() < len && matches!(self.front(now), Front::Packet { lead: Lead::Continues, .. }) {
            self.decode(now);
        }
    }

    /// The packet at the front.
    fn front(&self, now: Instant) -> Front {
        let head = self.intake.head();
        let Some(entry) = head.entry() else {
            return Front::Nothing;
        };
        let heard = now + self.format.rate.duration_of(self.held.pending() as u64);
        let delay = self.intake.arrival().delay(heard, entry.media);
        let begins = self.samples(entry.ticks);
        let lead = match head {
            _ if !self.started => Lead::Pause,
            Head::After { .. } => Lead::Loss,
            _ if begins > self.decoded_to => Lead::Pause,
            _ => Lead::Continues,
        };
        Front::Packet { lead, gap: self.time(begins - self.position), delay }
    }

    /// Samples to be made up until the packet at the front, if it came next, would have as much delay as is aimed at: the rest of
    /// a gap is left out, which is less to conceal and takes delay back.
    fn samples_too_early(&self, now: Instant) -> usize {
        let Front::Packet { delay, .. } = self.front(now) else { return usize::MAX };
        let early = duration(self.intake.target().saturating_sub(delay));
        usize::try_from(self.format.rate.ticks_in(early)).unwrap_or(usize::MAX)
    }

    /// Samples between the end of what is held and the packet at the front; zero if there is none.
    fn gap(&self) -> usize {
        let begins = self.intake.head().entry().filter(|_| self.started).map(|entry| self.samples(entry.ticks));
        begins.map_or(0, |begins| usize::try_from(begins - self.position).unwrap_or(0))
    }

    /// As much of the gap as is to be made up at once: stops where a whole copy of the last missing packet would fit.
    fn piece_of_gap(&self, lacking: usize) -> usize {
        let gap = self.gap();
        let piece = if gap > self.ptime { gap - self.ptime } else { gap };
        piece.min(self.in_steps(lacking)).max(1)
    }

    /// Decoders conceal in steps of 2.5 ms: what is cut from a step is lost, and heard.
    fn in_steps(&self, samples: usize) -> usize {
        samples.next_multiple_of((self.format.rate / 400).max(1) as usize)
    }

    /// Counts what was made up as time of the gap before the packet at the front, now that there is one.
    fn settle(&mut self) {
        let settled = self.gap().min(self.owed);
        self.position += settled as i64;
        self.owed -= settled;
    }

    /// Decodes the packet at the front.
    fn decode(&mut self, now: Instant) {
        let Some(entry) = self.intake.pop() else {
            return;
        };
        let begins = self.samples(entry.ticks);
        if self.comfort_noise == Some(entry.packet.payload_type()) {
            self.pause(&entry, begins);
            return;
        }
        let overlap = if self.started { usize::try_from(self.position - begins).unwrap_or(0) } else { 0 };
        self.active = self.decoder_of(&entry.packet);
        let samples = self.decoders[self.active]
            .1
            .samples_in(entry.packet.payload())
            .filter(|samples| *samples <= self.max_packet);
        let Some(samples) = samples else {
            self.intake.stats_mut().packets_undecodable += 1;
            return;
        };
        if overlap > 0 && overlap >= samples {
            self.intake.stats_mut().packets_late += 1;
            return;
        }
        let continues = self.started && self.mode == Mode::Playing && self.position >= begins;
        if !continues {
            self.prepare_joint();
        }
        let from = self.held.pending();
        let Some(written) = self.append_decoded(&entry, samples) else {
            self.intake.stats_mut().packets_undecodable += 1;
            return;
        };
        self.held.cut(from, overlap);
        let first = if continues { from } else { self.join(from) };
        self.intake.stats_mut().packets_played += 1;
        self.stats.samples_decoded += written as u64;
        self.stats.samples_trimmed += overlap.min(written) as u64;
        self.count_emitted(now, &entry, first, self.held.pending() - first);
        if written > overlap {
            self.continue_from(begins + written as i64);
            self.ptime = written;
        }
    }

    /// The place of the decoder of this packet.
    fn decoder_of(&self, packet: &RtpPacket) -> usize {
        let payload_type = Some(packet.payload_type());
        self.decoders.iter().position(|(of, _)| *of == payload_type).unwrap_or(0)
    }

    /// The sender pauses from `begins` on, and describes its noise.
    fn pause(&mut self, entry: &Entry, begins: i64) {
        if self.started && begins < self.decoded_to {
            self.intake.stats_mut().packets_late += 1;
            return;
        }
        if self.noise.describe(entry.packet.payload()).is_err() {
            self.intake.stats_mut().packets_undecodable += 1;
            return;
        }
        self.intake.stats_mut().packets_played += 1;
        self.continue_from(if self.started { begins.max(self.position) } else { begins });
        (self.mode, self.pausing) = (Mode::Silent, true);
    }

    fn append_decoded(&mut self, entry: &Entry, samples: usize) -> Option<usize> {
        let decoder = &mut self.decoders[self.active].1;
        let mut decoded = None;
        self.held.append(Origin::Packet, samples, |out| {
            decoded = decoder.decode(entry.packet.payload(), out).ok().map(|written| written.min(samples));
            decoded.unwrap_or(0)
        });
        decoded
    }

    /// Decodes a copy of the oldest missing audio out of the nearest packet that has one; says whether there was any.
    fn decode_copy(&mut self) -> bool {
        let gap = self.gap();
        // Part of the missing packet may have been made up already; the rest of its copy still serves. Where more than one is
        // missing, the last one is asked for by itself: of that there may be a better copy, which comes whole.
        let played = self.ptime.saturating_sub(gap);
        let room = if gap > self.ptime { self.ptime.min(gap - self.ptime) } else { self.ptime };
        let room = room.min(self.max_packet);
        let begins = self.position - played as i64;
        let mut found = None;
        for entry in self.intake.waiting().take(ASKED) {
            if self.decoder_of(&entry.packet) != self.active {
                continue;
            }
            let Ok(offset) = usize::try_from(self.samples(entry.ticks) - begins) else {
                continue;
            };
            let payload = entry.packet.payload();
            let copied =
                self.decoders[self.active].1.decode_redundant(payload, offset, self.copy.as_mut().slice_mut(0, room));
            let useful = copied.unwrap_or(0).min(room).saturating_sub(played);
            if useful > 0 {
                found = Some((entry.arrival, useful, offset));
                break;
            }
        }
        let Some((arrival, useful, offset)) = found else {
            return false;
        };
        self.intake.learn_repair(arrival, self.time(begins));
        self.intake.learn_copies(arrival, offset.div_ceil(self.ptime.max(1)) as u64);
        let from = self.held.pending();
        let copy = self.copy.as_ref().slice(played, useful);
        let appended = self.held.append(Origin::Copy, useful, |mut out| out.copy_from(copy));
        if self.mode != Mode::Playing {
            self.prepare_joint();
            self.join(from);
        }
        self.stats.samples_redundant += appended as u64;
        self.continue_from(self.position + appended as i64);
        appended > 0
    }

    /// Makes `len` samples up.
    fn conceal(&mut self, len: usize) {
        let time = match self.mode {
            Mode::Concealing(time) => time,
            _ => {
                self.stats.concealment_events += 1;
                self.begin_concealment();
                0
            }
        };
        let from = self.held.pending();
        // A decoder makes it up ahead: once the next packet is decoded, it is too late to.
        let ahead = if self.makes_up { 0 } else { self.outgoing.as_ref().samples() };
        let limit = self.conceal_limit;
        let made = time.saturating_add(self.time(ahead as i64));
        let mut source =
            MadeUp { decoder: &mut self.decoders[self.active].1, concealer: &mut *self.concealer, own: self.makes_up };
        let outgoing = &mut self.outgoing;
        let len = self.held.append(Origin::Concealment, len, |mut out| {
            let old = out.copy_from(outgoing.as_ref().slice(0, ahead));
            let more = out.samples() - old;
            source.fill(out.slice_mut(old, more), made, limit);
            for plane in outgoing.as_mut().planes_mut() {
                plane[..ahead].copy_within(old.., 0);
            }
            let made = made.saturating_add(media_time(more as i64, out.rate()));
            source.fill(outgoing.as_mut().slice_mut(ahead - old, old), made, limit);
            out.samples()
        });
        self.mode = Mode::Concealing(time.saturating_add(self.time(len as i64)));
        self.owed += len;
        self.interrupted = self.interrupted.saturating_add(self.time(len as i64));
        self.stats.concealed_samples += len as u64;
        if self.level.is_quiet(self.held.next(from + len).slice(from, len)) {
            self.stats.silent_concealed_samples += len as u64;
        }
    }

    /// Adds `len` samples of silence, or of the noise that the sender described when it paused.
    fn rest(&mut self, len: usize) {
        if self.pausing {
            let noise = &mut self.noise;
            let len = self.held.append(Origin::Noise, len, |mut out| {
                out.silence();
                let len = out.samples();
                noise.add(out, |_| 1.0);
                len
            });
            self.stats.comfort_noise_samples += len as u64;
            self.owed = self.owed.saturating_add(len);
            return;
        }
        let origin = if self.ever_started { Origin::Silence } else { Origin::Nothing };
        let len = self.held.append(origin, len, |mut out| {
            out.silence();
            out.samples()
        });
        self.mode = Mode::Silent;
        if self.ever_started {
            self.stats.concealed_samples += len as u64;
            self.stats.silent_concealed_samples += len as u64;
            self.owed = self.owed.saturating_add(len);
            self.interrupted = self.interrupted.saturating_add(self.time(len as i64));
        } else {
            self.stats.samples_before_start += len as u64;
        }
    }

    /// Prepares what would go on if nothing were decoded next.
    fn prepare_joint(&mut self) {
        match self.mode {
            Mode::Silent => self.outgoing.as_mut().silence(),
            Mode::Playing => self.begin_concealment(),
            Mode::Concealing(_) => {}
        }
    }

    /// Has what was decoded, from `from` on, take over from what would have gone on without it; says where it begins now.
    fn join(&mut self, from: usize) -> usize {
        if self.makes_up && self.mode != Mode::Silent {
            let time = if let Mode::Concealing(time) = self.mode { time } else { 0 };
            let mut source =
                MadeUp { decoder: &mut self.decoders[self.active].1, concealer: &mut *self.concealer, own: true };
            source.fill(self.outgoing.as_mut(), time, self.conceal_limit);
        }
        let outgoing = self.outgoing.as_ref();
        let jump = self.joint.align(outgoing, self.held.next(usize::MAX).slice(from, usize::MAX));
        let mut longer = 0;
        if jump > 0 {
            self.held.cut(from, jump.unsigned_abs());
            self.stats.removed_samples_for_acceleration += jump.unsigned_abs() as u64;
        } else {
            longer = self.held.insert(from, outgoing.slice(0, jump.unsigned_abs()));
            self.stats.concealed_samples += longer as u64;
        }
        self.held.cross_fade(from + longer, outgoing.slice(longer, self.joint.overlap()));
        from + longer
    }

    fn begin_concealment(&mut self) {
        let (audio, _) = self.held.around();
        let last = |part: u32| {
            let len = (audio.rate() / part) as usize;
            audio.slice(audio.samples().saturating_sub(len), len)
        };
        // Ours fades by itself, to the noise behind the voice.
        self.conceal_limit = self.limits[usize::from(self.makes_up || self.level.is_quiet(last(100)))];
        if !self.makes_up && self.decoders[self.active].1.conceal(self.outgoing.as_mut()) > 0 {
            return;
        }
        self.makes_up = true;
        self.concealer.begin(last(25));
    }

    /// Real audio up to `position` is held.
    fn continue_from(&mut self, position: i64) {
        (self.position, self.decoded_to, self.pausing) = (position, position, false);
        if self.interrupted >= INTERRUPTION {
            self.stats.interruption_count += 1;
            self.stats.total_interruption_duration += duration(self.interrupted);
        }
        self.interrupted = 0;
        (self.mode, self.owed, self.started, self.ever_started) = (Mode::Playing, 0, true, true);
    }

    fn count_emitted(&mut self, now: Instant, entry: &Entry, from: usize, samples: usize) {
        let count = u32::try_from(samples).unwrap_or(u32::MAX);
        let heard = now + self.format.rate.duration_of(from as u64);
        self.stats.jitter_buffer_delay += heard.saturating_since(entry.arrival) * count;
        self.stats.jitter_buffer_target_delay += duration(self.intake.target()) * count;
        self.stats.jitter_buffer_minimum_delay += duration(self.intake.minimum()) * count;
        self.stats.jitter_buffer_emitted_count += u64::from(count);
    }
}

/// Where made-up audio comes from.
struct MadeUp<'a, D> {
    decoder: &'a mut D,
    concealer: &'a mut dyn Concealer,
    /// Whether it is the concealer who makes it up.
    own: bool,
}

impl<D: AudioDecoder> MadeUp<'_, D> {
    /// Fills all of `out`, which begins `time` after concealment began and has faded out at `limit`.
    fn fill(&mut self, mut out: AudioMut<'_>, time: Nanos, limit: Nanos) {
        let (len, rate) = (out.samples(), out.rate());
        if len == 0 {
            return;
        }
        if self.own {
            self.concealer.conceal(out.reborrow());
        } else {
            let written = self.decoder.conceal(out.reborrow());
            out.slice_mut(written, len).silence();
        }
        let fade = (limit / 2).max(1);
        if time.saturating_add(media_time(len as i64, rate)) > limit - fade {
            let (first, step) =
                (limit.saturating_sub(time) as f32 / fade as f32, 1e9 / (rate.as_hz() as f32 * fade as f32));
            for plane in out.planes_mut() {
                for (index, sample) in plane.iter_mut().enumerate() {
                    *sample *= (first - index as f32 * step).clamp(0.0, 1.0);
                }
            }
        }
    }
}
