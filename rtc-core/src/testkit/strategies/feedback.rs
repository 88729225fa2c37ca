use core::ops::Range;
use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::DataSize;
use crate::bwe::{Ecn, PacketResult, ProbeId, SentPacket};
use crate::time::Instant;

/// The fate of packets as an honest peer reports it: numbered and sent in order, some lost, some late, some marked, on a
/// receiver's clock that began anywhere in an hour.
pub fn packet_results(len: Range<usize>) -> impl Strategy<Value = Vec<PacketResult>> {
    let ecn = prop_oneof![4 => Just(Ecn::NotEct), 1 => Just(Ecn::Ect1), 1 => Just(Ecn::Ect0), 1 => Just(Ecn::Ce)];
    let lost = prop_oneof![8 => Just(false), 1 => Just(true)];
    let probe = prop_oneof![8 => Just(None), 1 => (0..4u32).prop_map(|id| Some(ProbeId(id)))];
    let packet = (0..20_000u64, 1..1_500u64, 0..200_000u64, lost, ecn, probe);
    (0..1u64 << 32, 0..3_600_000u64, vec(packet, len)).prop_map(|(first, receiver_epoch, packets)| {
        let mut sent = Instant::from_millis(1_000);
        let result = |(id, (pause, size, travel, lost, ecn, probe)): (_, (_, _, _, bool, _, _))| {
            sent += Duration::from_micros(pause);
            let arrived = sent + Duration::from_micros(20_000 + travel) + Duration::from_millis(receiver_epoch);
            let packet = SentPacket { id, sent, size: DataSize::from_bytes(size), probe };
            PacketResult { packet, received: (!lost).then_some(arrived), ecn }
        };
        (first..).zip(packets).map(result).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn results_are_in_order(results in packet_results(0..50)) {
            for pair in results.windows(2) {
                prop_assert_eq!(pair[1].packet.id, pair[0].packet.id + 1);
                prop_assert!(pair[1].packet.sent >= pair[0].packet.sent);
            }
            prop_assert!(results.iter().all(|result| result.received.is_none_or(|at| at > result.packet.sent)));
        }
    }
}
