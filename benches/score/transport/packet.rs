//! What reading, writing and rewriting an RTP packet costs.

use core::hint::black_box;

use bytes::{Bytes, BytesMut};
use indicatif::ProgressBar;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use crate::report::{Report, Setting};
use crate::subject::{MakePacketCode, PacketCode, Subject};
use crate::{Options, cost, peers};

/// Packets handled between two readings of the clock.
const BATCH: u16 = 20_000;
const ROUNDS: u32 = 15;
/// The extension that is read and written.
const EXTENSION: u8 = 3;
const PAYLOAD: usize = 1_180;

/// An operation on packets, done once; what it returns is the same for all subjects.
type Operation = fn(&mut dyn PacketCode, &Input, u16) -> u64;

const SCENARIOS: [(&str, &str, Operation); 3] = [
    ("parse", "1204 bytes, two one-byte extensions: all fields and one extension read", |code, input, _| {
        code.parse(&input.packet, EXTENSION)
    }),
    ("build", "1180 bytes of payload, one one-byte extension", |code, input, sequence| {
        code.build(sequence, EXTENSION, &input.payload) as u64
    }),
    (
        "rewrite",
        "1204 bytes, two one-byte extensions: SSRC and sequence number, the input shared",
        |code, input, sequence| code.rewrite(&input.packet, 0x1234_5678, sequence) as u64,
    ),
];

/// What all subjects get.
struct Input {
    packet: Bytes,
    payload: Bytes,
}

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    let ours = Subject::ours(Box::new(|| -> Box<dyn PacketCode> { Box::new(Ours::default()) }) as MakePacketCode);
    let mut subjects = vec![ours];
    subjects.extend(peers::packet_codes());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|(name, ..)| options.wants_scenario(name)).collect();
    bar.inc_length((scenarios.len() * subjects.len()) as u64);
    let input = input();
    for (name, words, operation) in scenarios {
        let setting = Setting { scenario: (*name).into(), input: (*words).into(), seeds: 1 };
        let expected = operation(&mut Ours::default(), &input, 7);
        for subject in &subjects {
            bar.inc(1);
            let Some(make) = report.admit(subject) else { continue };
            let mut code = make();
            assert_eq!(operation(&mut *code, &input, 7), expected, "{} disagrees about {name}", subject.name);
            let cost = cost::measure(ROUNDS, || {
                for sequence in 0..BATCH {
                    black_box(operation(black_box(&mut *code), black_box(&input), sequence));
                }
                BATCH.into()
            });
            report.add_cost(&setting, &subject.name, "ns/packet", cost, subject.counted);
        }
    }
}

fn input() -> Input {
    let payload = Bytes::from(vec![0x5a; PAYLOAD]);
    let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(65_530), RtpTime(90_000), Ssrc(0xcafe_f00d))
        .marker(true)
        .extensions(&[(2, &[1, 2, 3]), (EXTENSION, &[4, 5])])
        .build(&payload)
        .expect("two short extensions fit");
    Input { packet: packet.into_bytes(), payload }
}

/// [`RtpPacket`], made in the memory of a pool.
#[derive(Debug, Default)]
struct Ours {
    pool: BytesMut,
}

impl PacketCode for Ours {
    fn parse(&mut self, bytes: &Bytes, id: u8) -> u64 {
        let Ok(packet) = RtpPacket::parse(bytes.clone()) else { return 0 };
        let extension: u64 = packet.extension(id).unwrap_or_default().iter().map(|byte| u64::from(*byte)).sum();
        u64::from(packet.payload_type().value())
            + u64::from(packet.seq().0)
            + u64::from(packet.timestamp().0)
            + u64::from(packet.ssrc().0)
            + extension
            + packet.payload().len() as u64
    }

    fn build(&mut self, sequence: u16, id: u8, payload: &Bytes) -> usize {
        RtpPacket::builder(PayloadType::new(96), SeqNum(sequence), RtpTime(90_000), Ssrc(1))
            .extensions(&[(id, &[1, 2, 3])])
            .build_in(&mut self.pool, payload)
            .map_or(0, |packet| packet.as_bytes().len())
    }

    fn rewrite(&mut self, bytes: &Bytes, ssrc: u32, sequence: u16) -> usize {
        let Ok(packet) = RtpPacket::parse(bytes.clone()) else { return 0 };
        let forwarded = packet.repack_in(&mut self.pool, &[packet.payload()], |header| {
            header.set_ssrc(Ssrc(ssrc));
            header.set_seq(SeqNum(sequence));
        });
        black_box(forwarded.as_bytes()).len()
    }
}
