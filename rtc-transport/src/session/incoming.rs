use bytes::Bytes;
use rtc_core::bwe::Ecn;
use rtc_core::rtp::extension::{AbsoluteCaptureTime, TransportSequence};
use rtc_core::time::Instant;
use rtc_core::{DataSize, Malformed, RtpPacket, Ssrc};

use crate::receiver::Arrival;
use crate::rtcp::{Bye, Compound, Fir, Nack, ReportBlock, RtcpPacket, Sdes, SdesType, SenderReport};

use super::Session;
use super::event::{Event, Queued, Received};

impl Session {
    pub(super) fn receive_rtp(&mut self, now: Instant, datagram: Bytes, ecn: Ecn) -> Result<Received, Malformed> {
        let size = DataSize::of(&datagram) + self.config.overhead;
        let packet = RtpPacket::parse(datagram)?;
        let ssrc = packet.ssrc();
        if self.is_ours(ssrc) {
            self.stats.collisions += 1;
            self.on_own_source(now, ssrc);
            return Ok(Received::Collision(ssrc));
        }
        let clock = self.config.clock_of(packet.payload_type());
        let Some(source) = self.sources.hear(now, ssrc) else {
            self.stats.refused += 1;
            return Ok(Received::TooManySources(ssrc));
        };
        source.on_media(now);
        let arrival = source.stream.on_packet(now, &packet, clock);
        let is_stray = matches!(arrival, Arrival::Probation | Arrival::Implausible);
        let captured = self.config.capture_time_id.and_then(|id| packet.read::<AbsoluteCaptureTime>(id));
        if let Some(Ok(captured)) = captured
            && !is_stray
        {
            source.stream.on_capture_time(now, packet.timestamp(), captured);
        }
        self.last_media = Some(ssrc);
        self.stats.rtp_received += 1;
        let number = self.config.transport_sequence_id.and_then(|id| packet.read::<TransportSequence>(id));
        if let Some(Ok(number)) = number {
            self.recorder.insert(now, number.seq(), now);
        }
        if let Some(recorder) = &mut self.stream_recorder
            && !is_stray
        {
            recorder.insert(now, ssrc, packet.seq(), now, ecn);
        }
        if let Some(budget) = &mut self.budget {
            budget.on_media(now, size);
        }
        Ok(Received::Rtp(packet, arrival))
    }

    pub(super) fn receive_rtcp(&mut self, now: Instant, datagram: Bytes) -> Result<Received, Malformed> {
        let size = DataSize::of(&datagram) + self.config.overhead;
        let compound = Compound::parse(datagram)?;
        self.scheduler.on_received(size);
        self.stats.rtcp_received += 1;
        for packet in compound.packets() {
            match packet {
                Ok(packet) => self.on_rtcp(now, packet),
                Err(_) => self.stats.malformed_rtcp += 1,
            }
        }
        Ok(Received::Rtcp)
    }

    fn on_rtcp(&mut self, now: Instant, packet: RtcpPacket) {
        match packet {
            RtcpPacket::SenderReport(report) => self.on_sender_report(now, &report),
            RtcpPacket::ReceiverReport(report) => {
                if self.is_ours(report.ssrc) {
                    self.stats.foreign += 1;
                    self.on_own_source(now, report.ssrc);
                    return;
                }
                self.hear_rtcp(now, report.ssrc);
                self.on_blocks(now, &report.blocks);
            }
            RtcpPacket::Sdes(sdes) => self.on_sdes(&sdes),
            RtcpPacket::Bye(bye) => self.on_bye(now, &bye),
            RtcpPacket::Nack(nack) => self.on_nack(nack),
            RtcpPacket::Pli(pli) => self.on_key_frame_request(pli.media),
            RtcpPacket::Fir(fir) => self.on_fir(&fir),
            RtcpPacket::TransportFeedback(feedback) => self.push(Queued::Feedback(feedback)),
            RtcpPacket::CongestionFeedback(feedback) => self.push(Queued::CongestionFeedback(feedback)),
            RtcpPacket::Remb(remb) => self.push_event(Event::MaxBitrate(remb)),
            RtcpPacket::LossNotification(notification) => {
                if self.is_ours(notification.media) {
                    self.push_event(Event::LossNotification(notification));
                } else {
                    self.stats.foreign += 1;
                }
            }
            RtcpPacket::App(app) => self.on_app(app),
            RtcpPacket::ExtendedReport(report) => self.on_extended_report(now, report),
            RtcpPacket::ReportingSources(sources) => self.on_reporting_sources(sources),
            RtcpPacket::Unknown(raw) => self.push_event(Event::Other(raw)),
        }
    }

    fn on_sender_report(&mut self, now: Instant, report: &SenderReport) {
        if self.is_ours(report.ssrc) {
            self.stats.foreign += 1;
            self.on_own_source(now, report.ssrc);
            return;
        }
        let sync = self.sources.hear(now, report.ssrc).and_then(|source| {
            source.stream.on_sender_report(now, report);
            source.stream.sync_point()
        });
        if let Some(sync) = sync {
            self.push_event(Event::Sync { ssrc: report.ssrc, sync });
        }
        self.on_blocks(now, &report.blocks);
    }

    fn on_blocks(&mut self, now: Instant, blocks: &[ReportBlock]) {
        let ntp = self.ntp(now);
        for block in blocks {
            match self.local(block.ssrc).map(|local| local.stream.on_report(now, ntp, *block)) {
                Some(view) => {
                    self.round_trip = view.round_trip.or(self.round_trip);
                    self.push_event(Event::Report(view));
                }
                None => self.stats.foreign += 1,
            }
        }
    }

    fn on_sdes(&mut self, sdes: &Sdes) {
        for chunk in &sdes.chunks {
            let Some(source) = self.sources.find_mut(chunk.source) else { continue };
            for item in &chunk.items {
                match item.kind {
                    SdesType::CNAME => source.set_cname(&item.text),
                    SdesType::REPORTING_GROUP => source.set_group(&item.text),
                    _ => {}
                }
            }
        }
    }

    fn on_bye(&mut self, now: Instant, bye: &Bye) {
        for ssrc in &bye.sources {
            if self.sources.remove(*ssrc) {
                self.forget(*ssrc);
                self.push_event(Event::Bye { ssrc: *ssrc, reason: bye.reason.clone() });
            } else {
                self.stats.foreign += 1;
            }
        }
        let members = self.membership().members;
        self.scheduler.on_departure(now, members);
    }

    fn on_nack(&mut self, nack: Nack) {
        if self.is_ours(nack.media) {
            self.push_event(Event::Retransmit(nack));
        } else {
            self.stats.foreign += 1;
        }
    }

    fn on_key_frame_request(&mut self, ssrc: Ssrc) {
        if self.is_ours(ssrc) {
            self.push_event(Event::KeyFrame { ssrc });
        } else {
            self.stats.foreign += 1;
        }
    }

    fn on_fir(&mut self, fir: &Fir) {
        for request in &fir.requests {
            let seen = Some((fir.sender, request.number));
            let repeated = match self.local(request.media) {
                // The same number again is the same request again (RFC 5104 §4.3.1.1).
                Some(local) => core::mem::replace(&mut local.last_fir, seen) == seen,
                None => false,
            };
            if !repeated {
                self.on_key_frame_request(request.media);
            }
        }
    }

    fn hear_rtcp(&mut self, now: Instant, ssrc: Ssrc) {
        // Without room it goes unheard, which costs nothing but a name.
        let _ = self.sources.hear(now, ssrc);
    }

    /// Keeps nothing of a source that is gone.
    pub(super) fn forget(&mut self, ssrc: Ssrc) {
        if let Some(recorder) = &mut self.stream_recorder {
            recorder.remove(ssrc);
        }
    }

    pub(super) fn is_ours(&self, ssrc: Ssrc) -> bool {
        self.senders.iter().any(|local| local.stream.ssrc() == ssrc)
    }
}
