//! Users' messages that belong to a moment of a stream.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rtc_core::time::Instant;
use rtc_core::{RtpTime, SeqNum, Ssrc};

use crate::rtcp::{App, RtcpPacket, TimedMessage};

use super::Session;
use super::event::Event;
use super::outgoing::put;

/// Most messages that wait to be sent.
const MAX_WAITING: usize = 16;
/// What may be sent at once, in bytes: two of the longest, three times each.
const BURST: f64 = 2_600.0;

/// Messages on their way out.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Each with the times it is still to be sent.
    waiting: VecDeque<(TimedMessage, u8)>,
    /// What was accepted and not yet leaked out at the rate allowed, in bytes, and when that was so.
    level: (f64, Instant),
    next_number: u16,
}

/// Which messages of a source were heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    newest: Option<SeqNum>,
    /// Bit `i` is set if number `newest - i` was heard.
    seen: u64,
}

impl Heard {
    /// Whether this is the first time the number is heard.
    fn insert(&mut self, number: SeqNum) -> bool {
        let ahead = self.newest.map_or(i16::MAX, |newest| number.distance_from(newest));
        let behind = i32::from(ahead).unsigned_abs();
        if (-63..=0).contains(&ahead) {
            let is_new = self.seen >> behind & 1 == 0;
            self.seen |= 1 << behind;
            return is_new;
        }
        // Far behind: the sender began anew.
        self.seen = if ahead > 0 { self.seen.checked_shl(behind).unwrap_or(0) | 1 } else { 1 };
        self.newest = Some(number);
        true
    }
}

impl Session {
    /// Sends a message that belongs to the moment `rtp_time` of our stream `ssrc`, with the RTCP that leaves next, and once
    /// more with each of the [`message_repeats`](super::SessionConfig::message_repeats) datagrams after that.
    ///
    /// Returns when it will first leave; `None`, counted in [`SessionStats::messages_refused`], if it is longer than
    /// [`TimedMessage::MAX_LEN`], if the stream is not ours, or if more was sent than
    /// [`message_bandwidth`](super::SessionConfig::message_bandwidth) allows.
    ///
    /// [`SessionStats::messages_refused`]: super::SessionStats::messages_refused
    pub fn send_message(&mut self, now: Instant, ssrc: Ssrc, rtp_time: RtpTime, text: &[u8]) -> Option<Instant> {
        let ssrc = self.current(ssrc);
        if !self.is_ours(ssrc) || text.len() > TimedMessage::MAX_LEN || !self.may_send(now, text.len()) {
            self.stats.messages_refused += 1;
            return None;
        }
        let number = self.messages.next_number;
        self.messages.next_number = number.wrapping_add(1);
        let message = TimedMessage { ssrc, rtp_time, number, text: Bytes::copy_from_slice(text) };
        self.messages.waiting.push_back((message, self.config.message_repeats.saturating_add(1)));
        Some(self.request_feedback(now))
    }

    /// Whether a message may be sent without taking more than its share of bandwidth; counts it if so.
    fn may_send(&mut self, now: Instant, len: usize) -> bool {
        let (level, at) = self.messages.level;
        let rate = self.config.message_bandwidth.as_bps_f64() / 8.0;
        let left = (level - rate * (now - at).as_secs_f64()).max(0.0);
        let cost = (20 + len.next_multiple_of(4)) as f64 * (1.0 + f64::from(self.config.message_repeats));
        let may = self.messages.waiting.len() < MAX_WAITING && (left == 0.0 || left + cost <= BURST);
        self.messages.level = (if may { left + cost } else { left }, now.max(at));
        may
    }

    /// Messages that wait, as far as there is room.
    pub(super) fn write_messages(&mut self, out: &mut BytesMut) {
        for _ in 0..self.messages.waiting.len() {
            let Some((message, times)) = self.messages.waiting.pop_front() else { break };
            if out.len() + message.packet_len() > self.config.max_rtcp_size {
                self.messages.waiting.push_front((message, times));
                break;
            }
            if let Ok(app) = message.to_app() {
                put(out, &RtcpPacket::App(app));
            }
            if times > 1 {
                self.messages.waiting.push_back((message, times - 1));
            }
        }
    }

    /// Whether a message is still to be sent.
    pub(super) fn has_messages(&self) -> bool {
        !self.messages.waiting.is_empty()
    }

    pub(super) fn on_app(&mut self, app: App) {
        let message = match TimedMessage::from_app(&app) {
            None => return self.push_event(Event::App(app)),
            Some(Err(_)) => {
                self.stats.malformed_rtcp += 1;
                return;
            }
            Some(Ok(message)) => message,
        };
        // From nobody known, there is no telling when it is about, nor whether it came before.
        let Some(source) = self.sources.find_mut(message.ssrc) else {
            self.stats.foreign += 1;
            return;
        };
        if source.messages.insert(SeqNum(message.number)) {
            let ntp = source.stream.sender_time(message.rtp_time);
            self.push_event(Event::Message { message, ntp });
        } else {
            self.stats.messages_repeated += 1;
        }
    }
}
