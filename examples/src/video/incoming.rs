use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::fec::FecDecoder;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};
use rtc_fec::nack::{NackConfig, NackGenerator};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig};
use rtc_fec::rtx::{Received, RtxPayloadType, RtxReceiver, RtxReceiverConfig};

use super::TRANSPORT_SEQUENCE;

/// One stream of media that arrives: as the network brought it, sent again, or recovered.
#[derive(Debug)]
pub(super) struct IncomingStream {
    rtx_type: RtxPayloadType,
    repair_type: PayloadType,
    rtx: RtxReceiver,
    rlc: RlcDecoder,
    nack: NackGenerator,
    /// Packets of media, and whether they came late on purpose.
    ready: VecDeque<(RtpPacket, bool)>,
}

impl IncomingStream {
    /// `withhold` is how long repair that nobody has to ask for may take; requests end at `deadline`.
    pub(super) fn new(
        ssrc: Ssrc,
        rtx_type: RtxPayloadType,
        repair_type: PayloadType,
        deadline: Duration,
    ) -> Result<Self, ConfigError> {
        let mut rtx = RtxReceiverConfig::default();
        (rtx.payload_types, rtx.ssrc) = (vec![rtx_type], Some(ssrc));
        let mut rlc = RlcDecoderConfig::default();
        rlc.payload_type = repair_type;
        let mut nack = NackConfig::default();
        nack.deadline = deadline;
        Ok(Self {
            rtx_type,
            repair_type,
            rtx: RtxReceiver::new(rtx)?,
            rlc: RlcDecoder::new(rlc)?,
            nack: NackGenerator::new(nack)?,
            ready: VecDeque::new(),
        })
    }

    /// Whether packets of this type are of this stream, or repair it.
    pub(super) fn takes(&self, payload_type: PayloadType) -> bool {
        [self.rtx_type.original, self.rtx_type.rtx, self.repair_type].contains(&payload_type)
    }

    /// Takes a packet as the network brought it.
    pub(super) fn receive(&mut self, now: Instant, packet: RtpPacket) -> Result<(), Malformed> {
        if packet.payload_type() == self.repair_type {
            self.rlc.insert_repair(&packet)?;
        } else if packet.payload_type() == self.rtx_type.rtx {
            if let Received::Original(original) = self.rtx.receive(&packet)? {
                self.take(now, original, true);
            }
        } else {
            self.nack.insert(now, packet.seq());
            self.take(now, packet, false);
        }
        while let Some(recovered) = self.rlc.poll_recovered() {
            self.nack.on_recovered(now, recovered.seq());
            self.ready.push_back((recovered, true));
        }
        Ok(())
    }

    /// The next packet of media, and whether it came late on purpose.
    pub(super) fn poll(&mut self) -> Option<(RtpPacket, bool)> {
        self.ready.pop_front()
    }

    /// What to ask the sender for now: what repair packets will not bring.
    pub(super) fn poll_nack(&mut self, now: Instant) -> impl Iterator<Item = SeqNum> {
        let rlc = &self.rlc;
        self.nack.poll_unless(now, |seq| rlc.outlook(seq).may_come())
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.nack.set_rtt(rtt);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.nack.poll_timeout()
    }

    fn take(&mut self, now: Instant, mut packet: RtpPacket, is_repaired: bool) {
        // The bytes repair was computed over: before the transport-wide number was filled in.
        packet.rewrite(|header| {
            header.set_extension(TRANSPORT_SEQUENCE, &[0; 2]);
        });
        self.rlc.insert_source(&packet);
        if is_repaired {
            self.nack.on_recovered(now, packet.seq());
        }
        self.ready.push_back((packet, is_repaired));
    }
}
