//! `rtp` and `rtc-rtp`: two crates with the same shape of API.

use bytes::Bytes;
use rtc_shared::marshal::{Marshal as _, Unmarshal as _};
use webrtc_util::marshal::{Marshal as _, Unmarshal as _};

use crate::subject::{MakePacketCode, PacketCode, Subject};

pub(super) fn codes() -> Vec<Subject<MakePacketCode>> {
    vec![
        Subject::peer("rtp", "0.17", Box::new(|| Box::new(Rtp { out: vec![0; 2_048] }))),
        Subject::peer("rtc-rtp", "0.21", Box::new(|| Box::new(RtcRtp { out: vec![0; 2_048] }))),
    ]
}

/// An adapter to one of the crates: their types differ only in where they are from.
macro_rules! packet_code {
    ($name:ident, $api:ident) => {
        /// Writes into memory used again and again, the cheapest way there is.
        struct $name {
            out: Vec<u8>,
        }

        impl PacketCode for $name {
            fn parse(&mut self, bytes: &Bytes, id: u8) -> u64 {
                let Ok(packet) = $api::packet::Packet::unmarshal(&mut bytes.clone()) else { return 0 };
                let header = &packet.header;
                u64::from(header.payload_type)
                    + u64::from(header.sequence_number)
                    + u64::from(header.timestamp)
                    + u64::from(header.ssrc)
                    + sum(&header.get_extension(id).unwrap_or_default())
                    + packet.payload.len() as u64
            }

            fn build(&mut self, sequence: u16, id: u8, payload: &Bytes) -> usize {
                let header = $api::header::Header {
                    version: 2,
                    payload_type: 96,
                    sequence_number: sequence,
                    timestamp: 90_000,
                    ssrc: 1,
                    ..Default::default()
                };
                let mut packet = $api::packet::Packet { header, payload: payload.clone() };
                let extended = packet.header.set_extension(id, Bytes::from_static(&[1, 2, 3])).is_ok();
                if extended { packet.marshal_to(&mut self.out).unwrap_or(0) } else { 0 }
            }

            fn rewrite(&mut self, bytes: &Bytes, ssrc: u32, sequence: u16) -> usize {
                let Ok(mut packet) = $api::packet::Packet::unmarshal(&mut bytes.clone()) else { return 0 };
                packet.header.ssrc = ssrc;
                packet.header.sequence_number = sequence;
                packet.marshal_to(&mut self.out).unwrap_or(0)
            }
        }
    };
}

packet_code!(Rtp, rtp);
packet_code!(RtcRtp, rtc_rtp);

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}
