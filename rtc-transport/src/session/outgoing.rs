use bytes::{Bytes, BytesMut};
use rtc_core::time::Instant;
use rtc_core::{SeqNum, Ssrc};

use crate::rtcp::{BLOCK_LEN, Bye, LossNotification, MAX_COUNT, Nack, Pli, ReceiverReport, RtcpPacket};
use crate::schedule::Slot;

use super::Session;
use super::groups::REPORTING_LEN;

/// Most packets to ask for that wait: what a few datagrams can say.
const MAX_RETRANSMISSIONS: usize = 1_024;
/// Most key frames to ask for that wait.
const MAX_KEY_FRAMES: usize = 64;

const HEADER_LEN: usize = 4;
const SENDER_REPORT_LEN: usize = 28;
const RECEIVER_REPORT_LEN: usize = 8;
/// A PLI, or a NACK without pairs.
const FEEDBACK_LEN: usize = 12;
const PAIR_LEN: usize = 4;
const NOTIFICATION_LEN: usize = 20;

/// What we ask the remote party for, until the next chance to.
#[derive(Debug, Default)]
pub(super) struct Requests {
    retransmissions: Vec<(Ssrc, SeqNum)>,
    key_frames: Vec<Ssrc>,
    /// What we could decode, one of each stream.
    notifications: Vec<LossNotification>,
    /// Former SSRCs of ours to say goodbye for.
    goodbyes: Vec<Ssrc>,
    /// Why we leave.
    reason: Bytes,
}

impl Requests {
    /// False if there is no room.
    pub(super) fn retransmission(&mut self, ssrc: Ssrc, seq: SeqNum) -> bool {
        let room = self.retransmissions.len() < MAX_RETRANSMISSIONS;
        if room {
            self.retransmissions.push((ssrc, seq));
        }
        room
    }

    /// False if there is no room.
    pub(super) fn key_frame(&mut self, ssrc: Ssrc) -> bool {
        if self.key_frames.contains(&ssrc) {
            return true;
        }
        let room = self.key_frames.len() < MAX_KEY_FRAMES;
        if room {
            self.key_frames.push(ssrc);
        }
        room
    }

    /// The newest of a stream counts. False if there is no room.
    pub(super) fn notification(&mut self, notification: LossNotification) -> bool {
        self.notifications.retain(|waiting| waiting.media != notification.media);
        let room = self.notifications.len() < MAX_KEY_FRAMES;
        if room {
            self.notifications.push(notification);
        }
        room
    }

    /// As many as a goodbye can name; more are not missed, as who had them goes on to use them.
    pub(super) fn goodbye(&mut self, ssrc: Ssrc) {
        if self.goodbyes.len() < MAX_COUNT {
            self.goodbyes.push(ssrc);
        }
    }

    /// Keeps as much of the reason as a goodbye can tell.
    pub(super) fn set_reason(&mut self, reason: &str) {
        let end = reason.floor_char_boundary(255);
        self.reason = Bytes::copy_from_slice(&reason.as_bytes()[..end]);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.retransmissions.is_empty()
            && self.key_frames.is_empty()
            && self.notifications.is_empty()
            && self.goodbyes.is_empty()
    }

    /// The request for packets of the first stream, in `limit` pairs; what does not fit waits on.
    fn take_nack(&mut self, sender: Ssrc, limit: usize) -> Option<Nack> {
        let (media, _) = *self.retransmissions.first()?;
        let lost = self.retransmissions.extract_if(.., |(ssrc, _)| *ssrc == media).map(|(_, seq)| seq);
        let mut nack = Nack::new(sender, media, lost);
        if nack.pairs.len() > limit {
            let rest = Nack { pairs: nack.pairs.split_off(limit), ..nack };
            self.retransmissions.extend(rest.lost().map(|seq| (media, seq)));
        }
        Some(nack)
    }
}

impl Session {
    pub(super) fn build(&mut self, now: Instant, slot: Slot) -> Bytes {
        let mut out = core::mem::take(&mut self.pool);
        out.clear();
        match slot {
            Slot::Report => {
                self.write_report(now, &mut out);
                self.reports = [self.reports[1], now];
                self.write_feedback(now, &mut out);
            }
            Slot::Feedback => {
                // The first of all is compound in any case (RFC 5506 §4).
                if !self.config.reduced_size || self.stats.rtcp_sent == 0 {
                    self.write_minimal_report(now, &mut out);
                }
                self.write_feedback(now, &mut out);
                if out.is_empty() {
                    self.write_minimal_report(now, &mut out);
                }
            }
            Slot::Bye => {
                self.write_minimal_report(now, &mut out);
                let former = core::mem::take(&mut self.requests.goodbyes);
                let sources =
                    self.senders.iter().map(|local| local.stream.ssrc()).chain(former).take(MAX_COUNT).collect();
                put(&mut out, &RtcpPacket::Bye(Bye { sources, reason: core::mem::take(&mut self.requests.reason) }));
            }
        }
        debug_assert!(out.len() <= self.config.max_rtcp_size, "{slot:?} of {} bytes", out.len());
        let datagram = out.split().freeze();
        self.pool = out;
        datagram
    }

    /// Asks for another chance if something did not fit.
    pub(super) fn request_rest(&mut self, now: Instant) {
        if !self.requests.is_empty() || self.has_messages() {
            self.request_feedback(now);
        }
    }

    /// A full compound packet (RFC 3550 §6.1): reports of all who send, with blocks on all who are heard, as far as there is
    /// room; those left out get their turn the next time.
    fn write_report(&mut self, now: Instant, out: &mut BytesMut) {
        let chunk = self.description_len();
        let grouped = if self.config.reporting_group.is_some() { REPORTING_LEN } else { 0 };
        let since = self.reports[0];
        let first_sends = self.senders[0].stream.sent_since(since);
        let first_len = if first_sends { SENDER_REPORT_LEN } else { RECEIVER_REPORT_LEN };
        let mut room = self.config.max_rtcp_size - out.len() - HEADER_LEN - first_len - chunk;
        let extended = self.extended_report(now, first_sends, room / 2);
        let extended = extended.map(RtcpPacket::ExtendedReport);
        if let Some(packet) = &extended {
            // Written to see its size; what is kept free for it stays so.
            let start = out.len();
            put(out, packet);
            room -= out.len() - start;
            out.truncate(start);
        }
        // Many streams of ours must not leave those of others unreported: half is theirs.
        let kept = (BLOCK_LEN * self.sources.with_news().min(MAX_COUNT)).min(room / 2);
        room -= kept;
        let mut others = Vec::new();
        for _ in 1..self.senders.len() {
            let turn = self.turn % (self.senders.len() - 1) + 1;
            let other = &self.senders[turn].stream;
            if other.sent_since(since) {
                let Some(left) = room.checked_sub(SENDER_REPORT_LEN + chunk + grouped) else { break };
                room = left;
                others.push(other.report(now, self.ntp(now)));
            }
            self.turn = turn;
        }
        room += kept;
        let blocks = self.sources.take_reports(now, MAX_COUNT.min(room / BLOCK_LEN));
        let first = &self.senders[0].stream;
        if first_sends {
            let mut report = first.report(now, self.ntp(now));
            report.blocks = blocks;
            put(out, &RtcpPacket::SenderReport(report));
        } else {
            put(out, &RtcpPacket::ReceiverReport(ReceiverReport { ssrc: first.ssrc(), blocks }));
        }
        let named: Vec<_> = core::iter::once(first.ssrc()).chain(others.iter().map(|report| report.ssrc)).collect();
        for report in others {
            put(out, &RtcpPacket::SenderReport(report));
        }
        put(out, &RtcpPacket::Sdes(self.describe(named.iter().copied())));
        self.write_reporting_sources(&named[1..], out);
        if let Some(packet) = &extended {
            put(out, packet);
        }
    }

    /// What must be in front of feedback (RFC 4585 §3.1): a report without blocks, and the canonical name.
    fn write_minimal_report(&self, now: Instant, out: &mut BytesMut) {
        let first = &self.senders[0].stream;
        if first.sent_since(self.reports[0]) {
            put(out, &RtcpPacket::SenderReport(first.report(now, self.ntp(now))));
        } else {
            put(out, &RtcpPacket::ReceiverReport(ReceiverReport { ssrc: first.ssrc(), blocks: Vec::new() }));
        }
        put(out, &RtcpPacket::Sdes(self.describe([first.ssrc()])));
    }

    /// Feedback that waits, the most urgent first, as far as there is room.
    fn write_feedback(&mut self, now: Instant, out: &mut BytesMut) {
        let sender = self.senders[0].stream.ssrc();
        let max = self.config.max_rtcp_size;
        while max - out.len() >= FEEDBACK_LEN
            && let Some(media) = self.requests.key_frames.pop()
        {
            put(out, &RtcpPacket::Pli(Pli { sender, media }));
        }
        while max - out.len() >= FEEDBACK_LEN + PAIR_LEN
            && let limit = (max - out.len() - FEEDBACK_LEN) / PAIR_LEN
            && let Some(nack) = self.requests.take_nack(sender, limit.min(Nack::MAX_PAIRS))
        {
            put(out, &RtcpPacket::Nack(nack));
        }
        while max - out.len() >= NOTIFICATION_LEN
            && let Some(notification) = self.requests.notifications.pop()
        {
            put(out, &RtcpPacket::LossNotification(LossNotification { sender, ..notification }));
        }
        self.write_messages(out);
        let media = self.last_media.unwrap_or_default();
        while let Some(feedback) = self.recorder.poll(now, sender, media, max - out.len()) {
            put(out, &RtcpPacket::TransportFeedback(feedback));
        }
        let ntp = self.ntp(now);
        while let Some(recorder) = &mut self.stream_recorder
            && let Some(feedback) = recorder.poll(now, ntp, sender, max - out.len())
        {
            put(out, &RtcpPacket::CongestionFeedback(feedback));
        }
        if max - out.len() >= HEADER_LEN + 4 * self.requests.goodbyes.len() && !self.requests.goodbyes.is_empty() {
            let sources = core::mem::take(&mut self.requests.goodbyes);
            put(out, &RtcpPacket::Bye(Bye { sources, reason: Bytes::new() }));
        }
    }
}

/// Appends a packet that was kept within the limits of its format.
pub(super) fn put(out: &mut BytesMut, packet: &RtcpPacket) {
    let written = packet.write(out);
    debug_assert!(written.is_ok(), "{written:?} in {packet:?}");
}
