use crate::fec::{FecDecoder, FecEncoder};
use crate::testkit::rng::Rng;
use crate::{Malformed, RtpPacket, SeqNum};

use super::{Stream, assert_same};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn FecEncoder>();
    object_safe_and_send::<dyn FecDecoder>();
};

/// The laws of [`FecEncoder`] and [`FecDecoder`], which must be of one format.
///
/// The encoder must be set up to protect every packet of `stream` against being lost alone.
///
/// # Panics
/// If a law is broken, naming it.
pub fn fec<E: FecEncoder, D: FecDecoder>(encoder: impl Fn() -> E, decoder: impl Fn() -> D, stream: &Stream) {
    let sent = protect(&mut encoder(), stream);
    assert!(
        receive(&mut decoder(), stream, &sent).is_empty(),
        "nothing is recovered that was not lost: a perfect network"
    );
    for lost in 0..stream.packets().len() / 2 {
        let arrived: Vec<Sent> = sent.iter().filter(|sent| **sent != Sent::Source(lost)).cloned().collect();
        let recovered = receive(&mut decoder(), stream, &arrived);
        assert_eq!(recovered, [lost], "a packet lost alone is recovered");
    }
    for seed in 0..20 {
        let arrived = disturb(&sent, seed);
        let recovered = receive(&mut decoder(), stream, &arrived);
        let wrapping = stream.wrapping();
        let arrived = disturb(&protect(&mut encoder(), &wrapping), seed);
        let shifted = receive(&mut decoder(), &wrapping, &arrived);
        assert_same(&recovered, &shifted, "numbers that wrap change nothing");
    }
    late_originals_change_nothing(&mut decoder(), stream, &sent);
    garbage_does_no_harm(&mut decoder(), stream, &sent);
}

/// A packet on the wire: a source packet by its place in the stream, or a repair packet.
#[derive(Debug, Clone, PartialEq)]
enum Sent {
    Source(usize),
    Repair(RtpPacket),
}

impl Sent {
    fn source<'a>(&self, stream: &'a Stream) -> Option<&'a RtpPacket> {
        match self {
            Self::Source(index) => stream.packets().get(*index),
            Self::Repair(_) => None,
        }
    }
}

fn protect<E: FecEncoder>(encoder: &mut E, stream: &Stream) -> Vec<Sent> {
    assert!(encoder.poll_repair().is_none(), "there is no repair packet before there is a source packet");
    let mut sent = Vec::new();
    for (index, packet) in stream.packets().iter().enumerate() {
        encoder.protect(packet);
        sent.push(Sent::Source(index));
        let before = sent.len();
        while let Some(repair) = encoder.poll_repair() {
            sent.push(Sent::Repair(repair));
            assert!(sent.len() - before < 1_000, "polling for repair packets comes to an end");
        }
    }
    sent
}

/// Lets the decoder have what arrived; gives the places of the packets it brought back, in the order it did.
fn receive<D: FecDecoder>(decoder: &mut D, stream: &Stream, arrived: &[Sent]) -> Vec<usize> {
    let (mut recovered, mut seen) = (Vec::new(), vec![false; stream.packets().len()]);
    for sent in arrived {
        match sent {
            Sent::Source(index) => {
                seen[*index] = true;
                decoder.insert_source(&stream.packets()[*index]);
            }
            Sent::Repair(repair) => {
                let taken: Result<(), Malformed> = decoder.insert_repair(repair);
                assert_eq!(taken, Ok(()), "the decoder takes the repair packets of its encoder");
            }
        }
        while let Some(packet) = decoder.poll_recovered() {
            let Some(index) = stream.packets().iter().position(|other| other.seq() == packet.seq()) else {
                panic!("what is recovered was sent: {:?} never was", packet.seq());
            };
            let original = &stream.packets()[index];
            assert_eq!(
                packet.as_bytes(),
                original.as_bytes(),
                "a recovered packet equals the original to the last byte"
            );
            assert!(
                !recovered.contains(&index),
                "each packet is recovered once at most: {:?} came twice",
                packet.seq()
            );
            assert!(!seen[index], "nothing is recovered that was inserted: {:?}", packet.seq());
            recovered.push(index);
        }
    }
    recovered
}

/// A fifth lost, some twice, some later than the three packets after them.
fn disturb(sent: &[Sent], seed: u64) -> Vec<Sent> {
    let mut rng = Rng::new(seed);
    let mut arrived = Vec::new();
    for (place, sent) in sent.iter().enumerate() {
        let copies = match rng.below(100) {
            0..20 => 0,
            20..25 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = if rng.bool(0.1) { 3 } else { 0 };
            arrived.push((place + delay, sent.clone()));
        }
    }
    arrived.sort_by_key(|(place, _)| *place);
    arrived.into_iter().map(|(_, sent)| sent).collect()
}

fn late_originals_change_nothing<D: FecDecoder>(decoder: &mut D, stream: &Stream, sent: &[Sent]) {
    let lost = |sent: &&Sent| matches!(sent, Sent::Source(index) if index % 5 == 2);
    let arrived: Vec<Sent> = sent.iter().filter(|sent| !lost(sent)).cloned().collect();
    let mut known: Vec<SeqNum> =
        receive(decoder, stream, &arrived).into_iter().map(|index| stream.packets()[index].seq()).collect();
    known.extend(arrived.iter().filter_map(|sent| sent.source(stream)).map(RtpPacket::seq));
    for sent in sent {
        match sent {
            Sent::Source(index) => decoder.insert_source(&stream.packets()[*index]),
            Sent::Repair(repair) => assert_eq!(decoder.insert_repair(repair), Ok(()), "a repair packet may come twice"),
        }
        known.extend(sent.source(stream).map(RtpPacket::seq));
        // A late original may enable the recovery of another that is still missing.
        while let Some(packet) = decoder.poll_recovered() {
            assert!(!known.contains(&packet.seq()), "what arrived or was recovered is not recovered again: {packet:?}");
            known.push(packet.seq());
        }
    }
}

/// Broken repair packets may be refused or believed, but must not panic.
fn garbage_does_no_harm<D: FecDecoder>(decoder: &mut D, stream: &Stream, sent: &[Sent]) {
    let mut rng = Rng::new(9);
    let repairs = sent.iter().filter_map(|sent| match sent {
        Sent::Repair(repair) => Some(repair),
        Sent::Source(_) => None,
    });
    for (repair, source) in repairs.zip(stream.packets()).take(50) {
        for _ in 0..20 {
            let mut payload = repair.payload().to_vec();
            payload.truncate(rng.next_u32() as usize % (payload.len() + 1));
            if let Some(byte) = payload.get_mut(rng.next_u32() as usize % 16) {
                *byte = rng.next_u32().to_le_bytes()[0];
            }
            if let Ok(broken) = repair.to_builder().build(&payload) {
                let _ = decoder.insert_repair(&broken);
            }
            let _ = decoder.insert_repair(source);
            while decoder.poll_recovered().is_some() {}
        }
    }
}
