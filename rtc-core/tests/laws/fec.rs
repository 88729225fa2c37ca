use std::collections::VecDeque;

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::laws::{self, Stream};
use rtc_core::testkit::naive::{Duplicator, Restorer};
use rtc_core::{Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use crate::assert_caught;

const REPAIR: PayloadType = PayloadType::new(127);

fn encoder() -> Duplicator {
    Duplicator::new(REPAIR, Ssrc(2))
}

fn decoder() -> Restorer {
    Restorer::new(REPAIR)
}

#[test]
fn duplication_keeps_the_laws() {
    laws::fec(encoder, decoder, &Stream::audio());
    laws::fec(encoder, decoder, &Stream::video());
}

#[test]
fn forwarded_they_hold_as_well() {
    let stream = Stream::video();
    let (boxed_encoder, boxed_decoder) =
        (|| Box::new(encoder()) as Box<dyn FecEncoder>, || Box::new(decoder()) as Box<dyn FecDecoder>);
    laws::fec(boxed_encoder, boxed_decoder, &stream);
    laws::fec(|| Box::leak(Box::new(encoder())), || Box::leak(Box::new(decoder())), &stream);
}

/// Makes no repair packets.
struct Idle;

impl FecEncoder for Idle {
    fn protect(&mut self, _packet: &RtpPacket) {}

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        None
    }
}

/// Does not protect high sequence numbers.
struct Misnumbered(Duplicator);

impl FecEncoder for Misnumbered {
    fn protect(&mut self, packet: &RtpPacket) {
        if packet.seq().0 < 40_000 {
            self.0.protect(packet);
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.0.poll_repair()
    }
}

/// Repeats the last repair packet for ever.
struct Endless(Option<RtpPacket>);

impl FecEncoder for Endless {
    fn protect(&mut self, packet: &RtpPacket) {
        self.0 = Some(packet.clone());
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.0.clone()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    BringsAll,
    BringsTwice,
    ChangesBytes,
    MakesUp,
    RefusesRepair,
    ForgetsAll,
    ForgetsAtLast,
    Panics,
}

struct Faulty {
    inner: Restorer,
    fault: Fault,
    recovered: VecDeque<RtpPacket>,
    sources: usize,
}

impl FecDecoder for Faulty {
    fn insert_source(&mut self, packet: &RtpPacket) {
        match self.fault {
            Fault::BringsAll => self.recovered.push_back(packet.clone()),
            Fault::ForgetsAll if packet.seq().0.is_multiple_of(5) => {
                self.inner = decoder();
                self.inner.insert_source(packet);
            }
            // The last of the stream is not followed by the first, except where originals come late.
            Fault::ForgetsAtLast if packet.seq() == SeqNum(1_000) && self.sources > 1 => {
                self.inner = decoder();
            }
            _ => {
                self.sources += 1;
                self.inner.insert_source(packet);
            }
        }
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        if self.fault == Fault::Panics {
            assert!(packet.payload().len() > 40);
        }
        if self.fault == Fault::RefusesRepair && packet.payload().len().is_multiple_of(10) {
            return RtpPacket::parse(packet.payload_bytes().slice(..2)).map(drop);
        }
        self.inner.insert_repair(packet)
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        if let Some(packet) = self.recovered.pop_front() {
            return Some(packet);
        }
        let mut packet = self.inner.poll_recovered()?;
        match self.fault {
            Fault::BringsTwice => self.recovered.push_back(packet.clone()),
            Fault::ChangesBytes => packet.rewrite(|header| header.set_marker(true)),
            Fault::MakesUp => packet.rewrite(|header| header.set_seq(SeqNum(50_000))),
            _ => {}
        }
        Some(packet)
    }
}

fn check(fault: Fault) {
    laws::fec(encoder, || Faulty { inner: decoder(), fault, recovered: VecDeque::new(), sources: 0 }, &Stream::video());
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::BringsAll, "nothing is recovered that was inserted"),
        (Fault::BringsTwice, "each packet is recovered once at most"),
        (Fault::ChangesBytes, "a recovered packet equals the original"),
        (Fault::MakesUp, "what is recovered was sent"),
        (Fault::RefusesRepair, "the decoder takes the repair packets of its encoder"),
        (Fault::ForgetsAll, "nothing is recovered that was inserted"),
        (Fault::ForgetsAtLast, "what arrived or was recovered is not recovered again"),
        (Fault::Panics, "packet.payload().len() > 40"),
    ];
    for (fault, law) in breaches {
        assert_caught(law, || check(fault));
    }
    let eager = || Endless(Stream::video().packets().first().cloned());
    assert_caught("there is no repair packet before", || laws::fec(eager, decoder, &Stream::video()));
    assert_caught("a packet lost alone is recovered", || laws::fec(|| Idle, decoder, &Stream::video()));
    assert_caught("numbers that wrap change nothing", || {
        laws::fec(|| Misnumbered(encoder()), decoder, &Stream::video())
    });
    assert_caught("polling for repair packets comes to an end", || {
        laws::fec(|| Endless(None), decoder, &Stream::video())
    });
}
