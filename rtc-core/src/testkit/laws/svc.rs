use core::time::Duration;

use crate::svc::{Forward, LayerSelector};
use crate::time::Instant;
use crate::{Bitrate, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::{Stream, assert_same};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn LayerSelector>();
};

const START: Instant = Instant::from_millis(5_000);
const PLENTY: Bitrate = Bitrate::from_kbps(1_000_000);
const CHANGES: [Bitrate; 5] = [PLENTY, Bitrate::from_kbps(100), Bitrate::ZERO, Bitrate::MAX, Bitrate::from_kbps(1_000)];

/// The laws of [`LayerSelector`]; `stream` is one it can choose from, beginning with a key frame.
///
/// # Panics
/// If a law is broken, naming it.
pub fn layer_selector<S: LayerSelector>(make: impl Fn() -> S, stream: &Stream) {
    let perfect = stream.perfect(START);
    let sent = run(&mut make(), stream, &perfect, START, false);
    assert!(sent.iter().flatten().next().is_some(), "with plenty of rate something is forwarded");
    for changes in [false, true] {
        let sent = run(&mut make(), stream, &perfect, START, changes);
        no_gaps(&sent);
    }
    for seed in 0..8 {
        let arrivals = stream.disturbed(START, seed);
        let sent = run(&mut make(), stream, &arrivals, START, true);
        numbers_are_given_once_and_in_order(&arrivals, &sent);
        assert_same(&sent, &run(&mut make(), stream, &arrivals, START, true), "the same packets are forwarded alike");
        let later = START + Duration::from_secs(1_000_000);
        let moved = run(&mut make(), stream, &stream.disturbed(later, seed), later, true);
        assert_same(&sent, &moved, "the epoch is arbitrary");
        let wrapping = stream.wrapping();
        let shifted = run(&mut make(), &wrapping, &wrapping.disturbed(START, seed), START, true);
        assert_same(&from_first(&sent), &from_first(&shifted), "numbers that wrap change nothing");
    }
}

/// What each packet was sent as.
type Sent = Option<(SeqNum, RtpTime)>;

fn run<S: LayerSelector>(
    selector: &mut S,
    stream: &Stream,
    arrivals: &[(Instant, RtpPacket)],
    start: Instant,
    changes: bool,
) -> Vec<Sent> {
    selector.set_target(start, PLENTY);
    let mut sent = Vec::new();
    for (index, (now, packet)) in arrivals.iter().enumerate() {
        if changes && index.is_multiple_of(37) {
            selector.set_target(*now, CHANGES[index / 37 % CHANGES.len()]);
        }
        sent.push(match selector.select(*now, packet) {
            Forward::Drop => None,
            Forward::As { seq, timestamp } => Some((seq, timestamp)),
        });
        key_frames_are_asked_of_the_stream(selector, stream);
    }
    sent
}

fn key_frames_are_asked_of_the_stream<S: LayerSelector>(selector: &mut S, stream: &Stream) {
    for _ in 0..100 {
        let Some(ssrc) = selector.poll_keyframe_request() else { return };
        let known = |ssrc: Ssrc| stream.packets().iter().any(|packet| packet.ssrc() == ssrc);
        assert!(known(ssrc), "key frames are asked of a stream there is: {ssrc}");
    }
    panic!("polling for key frame requests comes to an end");
}

fn no_gaps(sent: &[Sent]) {
    let sent: Vec<(SeqNum, RtpTime)> = sent.iter().flatten().copied().collect();
    for pair in sent.windows(2) {
        let [(before, earlier), (seq, time)] = [pair[0], pair[1]];
        assert_eq!(seq, before.next(), "what is forwarded of a stream without gaps has none");
        assert!(time.distance_from(earlier) >= 0, "time does not go back: from {earlier:?} to {time:?}");
    }
}

fn numbers_are_given_once_and_in_order(arrivals: &[(Instant, RtpPacket)], sent: &[Sent]) {
    let forwarded: Vec<_> =
        arrivals.iter().zip(sent).filter_map(|((_, packet), sent)| Some((packet, (*sent)?))).collect();
    for (index, (packet, (seq, time))) in forwarded.iter().enumerate() {
        let before = &forwarded[..index];
        if let Some((_, sent)) = before.iter().find(|(other, _)| other == packet) {
            assert_eq!(*sent, (*seq, *time), "a packet that comes again keeps its numbers");
            continue;
        }
        for (other, (other_seq, other_time)) in before {
            assert_ne!(seq, other_seq, "no number is given to two packets");
            if packet.ssrc() == other.ssrc() {
                let apart = packet.seq().distance_from(other.seq()).signum();
                assert_eq!(seq.distance_from(*other_seq).signum(), apart, "the order is kept");
                let same_frame = packet.timestamp() == other.timestamp();
                assert!(!same_frame || time == other_time, "packets of one frame keep one timestamp");
            }
        }
    }
}

/// Numbers counted from the first that was given.
fn from_first(sent: &[Sent]) -> Vec<Option<(i16, i32)>> {
    let Some((first, begin)) = sent.iter().flatten().next() else { return Vec::new() };
    sent.iter().map(|sent| sent.map(|(seq, time)| (seq.distance_from(*first), time.distance_from(*begin)))).collect()
}
