use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::{ConfigError, RtpPacket, SeqNum, Ssrc};

use super::equation::{Equation, Solution, Span};
use super::outlook::Outlook;
use super::part::Partial;
use super::stats::DecoderStats;
use super::stream::Stream;
use super::window::Entry;
use super::{MAX_PARTS, Members, RTP_LEN};
use crate::POOL_LEN;
use crate::continuity::Run;

/// Sizes of a [`Solver`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Sequence numbers remembered of each stream, a power of two.
    pub(crate) window: usize,
    /// Equations held; the oldest goes first.
    pub(crate) held: usize,
    /// Streams told apart.
    pub(crate) streams: usize,
}

/// Remembers packets of media and equations between them, and solves those with one unknown, one after the other, until none
/// is left.
#[derive(Debug)]
pub(crate) struct Solver {
    limits: Limits,
    streams: Vec<Stream>,
    /// Whether the streams are those there were at first, and no others.
    closed: bool,
    held: VecDeque<Equation>,
    /// Lists of spans to be used again.
    spare: Vec<Vec<Span>>,
    ready: VecDeque<RtpPacket>,
    pool: BytesMut,
    pub(crate) stats: DecoderStats,
}

/// What a solution came to.
enum Learnt {
    Whole(RtpPacket),
    Part,
    /// No valid packet, or more parts than can be kept.
    Nothing,
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !(64..=8_192).contains(&self.window) || !self.window.is_power_of_two() {
            return Err(ConfigError::new("window", "must be a power of two from 64 to 8192"));
        }
        match self.held {
            0 => Err(ConfigError::new("max_repairs", "must not be zero")),
            _ => Ok(()),
        }
    }
}

impl Solver {
    /// Of these sources only; of any, as many as the limits say, if there are none here.
    pub(crate) fn new(limits: Limits, sources: &[Ssrc]) -> Self {
        let mut streams = Vec::with_capacity(limits.streams);
        streams.extend(sources.iter().map(|ssrc| Stream::new(Some(*ssrc), limits.window)));
        Self {
            limits,
            streams,
            closed: !sources.is_empty(),
            held: VecDeque::with_capacity(limits.held + MAX_PARTS),
            spare: Vec::new(),
            ready: VecDeque::with_capacity(limits.window),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: DecoderStats::default(),
        }
    }

    /// Takes note of a packet of media, and recovers what can be with it.
    pub(crate) fn insert_source(&mut self, packet: &RtpPacket) {
        self.stats.sources += 1;
        let Some(stream) = self.stream_for(packet.ssrc()) else {
            self.stats.strays += 1;
            return;
        };
        let seq = packet.seq();
        self.streams[stream].used = self.stats.sources;
        match self.streams[stream].follow(seq) {
            Run::Same => {}
            Run::New => self.forget(stream, packet.ssrc()),
            Run::Stray => {
                self.stats.strays += 1;
                return;
            }
        }
        self.advance(stream, seq);
        let window = &mut self.streams[stream].window;
        if !window.reaches(seq) {
            self.stats.old += 1;
        } else if window.has(seq) {
            self.came_again(packet);
        } else {
            self.stats.kept += 1;
            window.insert(packet.clone());
            self.settle(stream, seq);
            self.recover();
        }
    }

    /// The stream of this source for a repair packet that names it; `None` if there is no room for another.
    pub(crate) fn stream_of(&mut self, ssrc: Ssrc) -> Option<usize> {
        self.find(ssrc).or_else(|| self.open(Some(ssrc)))
    }

    /// The only stream, of whatever source, for a repair packet that names none.
    pub(crate) fn only_stream(&mut self) -> usize {
        if self.streams.is_empty() {
            self.open(None);
        }
        0
    }

    /// Lets the windows reach these packets; false if they cannot have them.
    pub(crate) fn reach(&mut self, spans: &[Span]) -> bool {
        for span in spans {
            if self.streams[span.stream].is_near(span.base, span.last()) {
                self.advance(span.stream, span.last());
            }
        }
        let reached = |span: &Span| {
            let window = &self.streams[span.stream].window;
            window.reaches(span.base) && window.reaches(span.last())
        };
        if !spans.iter().all(reached) {
            return false;
        }
        for span in spans {
            let stream = &mut self.streams[span.stream];
            if let Some(newest) = stream.window.newest() {
                stream.lag.learn(newest, span.base);
            }
        }
        true
    }

    /// An empty list for further spans of an equation, which comes back when the equation is spent.
    pub(crate) fn spare_spans(&mut self) -> Vec<Span> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a list back that went into no equation.
    pub(crate) fn give_back(&mut self, mut spans: Vec<Span>) {
        if spans.capacity() > 0 {
            spans.clear();
            self.spare.push(spans);
        }
    }

    /// Holds an equation between packets that the windows reach, unless all of them are known.
    pub(crate) fn hold(&mut self, mut equation: Equation) {
        equation.count(&self.streams);
        if equation.unknown == 0 {
            self.stats.unused += 1;
            self.recycle(equation);
        } else {
            self.held.push_back(equation);
        }
    }

    /// Recovers what can be, and gives up the oldest of too many equations.
    pub(crate) fn solve(&mut self) {
        self.recover();
        while self.held.len() > self.limits.held {
            if let Some(oldest) = self.held.pop_front() {
                self.recycle(oldest);
            }
            self.stats.overflowed += 1;
        }
    }

    /// Takes a packet that a repair packet carries as it was sent.
    pub(crate) fn insert_original(&mut self, packet: RtpPacket) {
        let seq = packet.seq();
        let span = |stream| Span { stream, base: seq, members: Members::Run { step: 1, count: 1 } };
        let Some(stream) = self.stream_of(packet.ssrc()).filter(|stream| self.reach(&[span(*stream)])) else {
            self.stats.expired += 1;
            return;
        };
        let window = &mut self.streams[stream].window;
        if window.has(seq) {
            self.stats.unused += 1;
            return;
        }
        window.insert(packet.clone());
        self.stats.solved += 1;
        self.stats.recovered += 1;
        self.emit(packet);
        self.settle(stream, seq);
        self.recover();
    }

    /// The next recovered packet.
    pub(crate) fn poll(&mut self) -> Option<RtpPacket> {
        self.ready.pop_front()
    }

    /// How many equations are held.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn find(&self, ssrc: Ssrc) -> Option<usize> {
        self.streams.iter().position(|stream| stream.ssrc == Some(ssrc))
    }

    pub(crate) fn outlook(&self, stream: usize, seq: SeqNum) -> Outlook {
        let Some((window, lag)) = self.streams.get(stream).map(|stream| (&stream.window, &stream.lag)) else {
            return Outlook::None;
        };
        if window.has(seq) {
            return Outlook::Here;
        }
        let protecting = self.held.iter().filter(|equation| equation.protects(stream, seq));
        if let Some(least) = protecting.map(|equation| equation.unknown).min() {
            return Outlook::Held { lacking: least.saturating_sub(1) };
        }
        match window.newest() {
            Some(newest) if lag.expects(newest, seq) => Outlook::Expected,
            _ => Outlook::None,
        }
    }

    /// What is recovered of the packet if it is its beginning only.
    pub(crate) fn partial(&self, stream: usize, seq: SeqNum) -> Option<Partial> {
        let stream = self.streams.get(stream)?;
        match stream.window.get(seq) {
            Some(Entry::Part(_, part)) => part.beginning(seq, stream.ssrc?),
            _ => None,
        }
    }

    /// The stream of a packet of media. Where any source may come, one that has no stream yet takes a new one or, if there is
    /// none left, that of the source silent for the longest time.
    fn stream_for(&mut self, ssrc: Ssrc) -> Option<usize> {
        if let Some(stream) = self.find(ssrc) {
            return Some(stream);
        }
        if self.closed {
            return None;
        }
        if let Some(unnamed) = self.streams.iter().position(|stream| stream.ssrc.is_none()) {
            self.streams[unnamed].ssrc = Some(ssrc);
            return Some(unnamed);
        }
        self.open(Some(ssrc)).or_else(|| {
            let silent = (0..self.streams.len()).min_by_key(|stream| self.streams[*stream].used)?;
            self.forget(silent, ssrc);
            Some(silent)
        })
    }

    fn open(&mut self, ssrc: Option<Ssrc>) -> Option<usize> {
        if self.closed || self.streams.len() >= self.limits.streams {
            return None;
        }
        self.streams.push(Stream::new(ssrc, self.limits.window));
        Some(self.streams.len() - 1)
    }

    /// The stream started anew, from this source.
    fn forget(&mut self, stream: usize, ssrc: Ssrc) {
        self.stats.forgotten += self.drop_held(|equation, _| equation.spans().any(|span| span.stream == stream));
        self.streams[stream].restart(Some(ssrc));
    }

    /// Lets the window reach up to `seq`, and go of what is held for packets it then no longer reaches.
    fn advance(&mut self, stream: usize, seq: SeqNum) {
        if self.streams[stream].window.advance(seq) {
            let gone =
                |span: &Span, streams: &[Stream]| span.stream == stream && !streams[stream].window.reaches(span.base);
            self.stats.expired += self.drop_held(|equation, streams| equation.spans().any(|span| gone(span, streams)));
        }
    }

    /// The packet came though it is there; if it was recovered and not yet polled, it no longer needs to be.
    fn came_again(&mut self, packet: &RtpPacket) {
        self.stats.duplicates += 1;
        let same = |ready: &RtpPacket| (ready.ssrc(), ready.seq()) == (packet.ssrc(), packet.seq());
        if let Some(at) = self.ready.iter().position(same) {
            self.ready.remove(at);
            self.stats.late += 1;
        }
    }

    /// Counts anew what is unknown where the packet is protected, of which more is known now.
    fn settle(&mut self, stream: usize, seq: SeqNum) {
        for equation in self.held.iter_mut().filter(|equation| equation.protects(stream, seq)) {
            equation.count(&self.streams);
        }
        self.stats.unused += self.drop_held(|equation, _| equation.unknown == 0);
    }

    /// Recovers what can be, and what can be with that.
    fn recover(&mut self) {
        while let Some(at) = self.held.iter().position(|equation| equation.unknown == 1) {
            let Some(equation) = self.held.remove(at) else { return };
            let solution = equation.solve(&self.streams, &mut self.pool);
            let ssrc = equation.ssrc;
            self.recycle(equation);
            let Some(solution) = solution else {
                self.stats.corrupt += 1;
                continue;
            };
            let (stream, seq) = (solution.stream, solution.seq);
            match self.learn(solution, ssrc) {
                Learnt::Whole(packet) => {
                    self.stats.solved += 1;
                    self.stats.recovered += 1;
                    self.streams[stream].window.insert(packet.clone());
                    self.emit(packet);
                }
                Learnt::Part => self.stats.solved += 1,
                Learnt::Nothing => self.stats.corrupt += 1,
            }
            self.settle(stream, seq);
        }
    }

    fn learn(&mut self, mut solution: Solution, fallback: Ssrc) -> Learnt {
        let Solution { stream, seq, recovery, start, .. } = solution;
        let Stream { ssrc, window, .. } = &mut self.streams[stream];
        let ssrc = ssrc.unwrap_or(fallback);
        let bytes = match recovery {
            Some(recovery) if recovery.len() + RTP_LEN <= solution.bytes.len() => {
                // Beyond its end there are the zeros it was padded with, or else something was damaged.
                if solution.bytes[RTP_LEN + recovery.len()..].iter().any(|byte| *byte != 0) {
                    return Learnt::Nothing;
                }
                solution.bytes[..RTP_LEN].copy_from_slice(&recovery.rtp_header(seq, ssrc));
                solution.bytes.truncate(RTP_LEN + recovery.len());
                solution.bytes.freeze()
            }
            _ => {
                let Some(part) = window.part_mut(seq) else { return Learnt::Nothing };
                if !part.add(recovery, start, solution.bytes.freeze().slice(RTP_LEN..)) {
                    return Learnt::Nothing;
                }
                let Some(bytes) = part.assemble(seq, ssrc, &mut self.pool) else { return Learnt::Part };
                bytes
            }
        };
        match RtpPacket::parse(bytes) {
            Ok(packet) => Learnt::Whole(packet),
            Err(_) => {
                window.remove(seq);
                Learnt::Nothing
            }
        }
    }

    fn emit(&mut self, packet: RtpPacket) {
        if self.ready.len() == self.limits.window {
            self.ready.pop_front();
            self.stats.unpolled += 1;
        }
        self.ready.push_back(packet);
    }

    /// Lets go of the equations of which this is true; how many they were.
    fn drop_held(&mut self, gone: impl Fn(&Equation, &[Stream]) -> bool) -> u64 {
        let before = self.held.len();
        let mut at = 0;
        while at < self.held.len() {
            if gone(&self.held[at], &self.streams) {
                let equation = self.held.remove(at);
                equation.into_iter().for_each(|equation| self.recycle(equation));
            } else {
                at += 1;
            }
        }
        (before - self.held.len()) as u64
    }

    fn recycle(&mut self, equation: Equation) {
        self.give_back(equation.others);
    }
}
