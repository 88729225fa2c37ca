//! `rtc-interceptor`: its requests for lost packets and its answers to them, in the format of RFC 4588.

use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, SeqNum, Ssrc};
use rtc_interceptor::{
    AttributedPacket, BoxedInterceptor, Interceptor as _, NackGeneratorBuilder, NackResponderBuilder, Packet,
    RTCPFeedback, StreamInfo, TaggedPacket,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};

use super::interceptor::{VERSION, ours, theirs};
use crate::subject::{MakeRetransmission, Recovery, Subject};

const MEDIA: Ssrc = Ssrc(7);
/// SSRC and payload type of what is sent again.
const RETRANSMISSION: (u32, u8) = (8, 97);

pub(super) fn retransmission() -> Subject<MakeRetransmission> {
    Subject::peer("rtc-interceptor NACK", VERSION, Box::new(|| Box::new(Nack::new())))
}

/// Both ends, with their defaults: it asks each 100 ms for all that is missing.
struct Nack {
    generator: BoxedInterceptor,
    responder: BoxedInterceptor,
    /// When the generator wants to be called next.
    due: Option<Instant>,
    epoch: std::time::Instant,
}

impl Nack {
    #[expect(clippy::disallowed_methods, reason = "only differences to it are used")]
    fn new() -> Self {
        let stream = StreamInfo {
            ssrc: MEDIA.0,
            ssrc_rtx: Some(RETRANSMISSION.0),
            payload_type_rtx: Some(RETRANSMISSION.1),
            rtcp_feedback: vec![RTCPFeedback { typ: "nack".into(), parameter: String::new() }],
            ..Default::default()
        };
        let mut generator: BoxedInterceptor = Box::new(NackGeneratorBuilder::new().build());
        let mut responder: BoxedInterceptor = Box::new(NackResponderBuilder::new().build());
        generator.bind_remote_stream(&stream);
        responder.bind_local_stream(&stream);
        Self { generator, responder, due: None, epoch: std::time::Instant::now() }
    }

    fn tagged(&self, now: Instant, packet: Packet) -> TaggedPacket {
        let now = now.to_std(self.epoch).unwrap_or(self.epoch);
        TaggedPacket { now, transport: Default::default(), message: AttributedPacket::new(packet) }
    }
}

// None of their calls has an error to give.
impl Recovery for Nack {
    fn send(&mut self, now: Instant, packet: &RtpPacket, out: &mut Vec<RtpPacket>) {
        let Some(rtp) = theirs(packet) else { return };
        let message = self.tagged(now, Packet::Rtp(rtp));
        let _ = self.responder.handle_write(message);
        self.drain(out);
    }

    fn receive(&mut self, now: Instant, packet: &RtpPacket, here: &mut Vec<SeqNum>) {
        let Some(mut rtp) = theirs(packet) else { return };
        if packet.payload_type() == PayloadType::new(RETRANSMISSION.1) {
            // RFC 4588 §4: the original number goes first.
            let Some((number, _)) = packet.payload().split_first_chunk() else { return };
            (rtp.header.ssrc, rtp.header.sequence_number) = (MEDIA.0, u16::from_be_bytes(*number));
        }
        here.push(SeqNum(rtp.header.sequence_number));
        let message = self.tagged(now, Packet::Rtp(rtp));
        let _ = self.generator.handle_read(message);
        while self.generator.poll_read().is_some() {}
        self.due = self.generator.poll_timeout().map(|due| Instant::from_std(due, self.epoch));
    }

    fn requests(&mut self, now: Instant) -> Vec<SeqNum> {
        let _ = self.generator.handle_timeout(now.to_std(self.epoch).unwrap_or(self.epoch));
        self.due = self.generator.poll_timeout().map(|due| Instant::from_std(due, self.epoch));
        let mut lost = Vec::new();
        while let Some(TaggedPacket { message, .. }) = self.generator.poll_write() {
            let Packet::Rtcp(packets) = message.packet else { continue };
            for packet in &packets {
                let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>() else { continue };
                lost.extend(nack.nacks.iter().flat_map(|pair| pair.packet_list()).map(SeqNum));
            }
        }
        lost
    }

    fn answer(&mut self, now: Instant, requests: &[SeqNum], out: &mut Vec<RtpPacket>) {
        let lost: Vec<_> = requests.iter().map(|seq| seq.0).collect();
        let nacks = nack_pairs_from_sequence_numbers(&lost);
        let nack = TransportLayerNack { sender_ssrc: 1, media_ssrc: MEDIA.0, nacks };
        let message = self.tagged(now, Packet::Rtcp(vec![Box::new(nack)]));
        let _ = self.responder.handle_read(message);
        while self.responder.poll_read().is_some() {}
        self.drain(out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

impl Nack {
    /// What the responder has to send.
    fn drain(&mut self, out: &mut Vec<RtpPacket>) {
        while let Some(TaggedPacket { message, .. }) = self.responder.poll_write() {
            if let Packet::Rtp(packet) = message.packet {
                out.extend(ours(&packet).ok());
            }
        }
    }
}
