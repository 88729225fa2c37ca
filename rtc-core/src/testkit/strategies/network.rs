use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::Bitrate;
use crate::testkit::netem::{Jitter, Link, Loss, NetemConfig};

/// How `sent` packets arrive: pauses between arrivals of up to 50 ms, and which packet it is.
///
/// Packets may be lost, doubled, and overtaken by up to eight others; with no fault they come in order, 20 ms apart.
pub fn arrivals(sent: usize) -> impl Strategy<Value = Vec<(Duration, usize)>> {
    let copies = prop_oneof![8 => Just(1usize), 1 => Just(0), 1 => Just(2)];
    let late = prop_oneof![8 => Just(0usize), 1 => 0..=8usize];
    let pause = prop_oneof![4 => Just(20u64), 1 => 0..50u64].prop_map(Duration::from_millis);
    vec((copies, late, pause), sent).prop_map(|fates| {
        let mut arrivals: Vec<_> = fates
            .into_iter()
            .enumerate()
            .flat_map(|(index, (copies, late, pause))| {
                (0..copies).map(move |copy| (index + late * (copy + 1), pause, index))
            })
            .collect();
        arrivals.sort_by_key(|(place, ..)| *place);
        arrivals.into_iter().map(|(_, pause, index)| (pause, index)).collect()
    })
}

/// A path with any of loss, a bottleneck, delay, jitter, duplication and reordering.
pub fn netem() -> impl Strategy<Value = NetemConfig> {
    let loss = prop_oneof![
        Just(Loss::None),
        (0.0..0.5).prop_map(Loss::Bernoulli),
        (0.0..0.4, 1.0..10.0).prop_filter_map("no such chain", |(mean, burst)| Loss::bursts(mean, burst).ok()),
    ];
    let link =
        prop_oneof![Just(Link::Unlimited), (50..20_000u64).prop_map(|kbps| Link::Rate(Bitrate::from_kbps(kbps)))];
    let delay = (0..300u64).prop_map(Duration::from_millis);
    let jitter = prop_oneof![
        Just(Jitter::None),
        (0..100u64).prop_map(|millis| Jitter::Uniform { max: Duration::from_millis(millis) }),
        (0..50u64).prop_map(|millis| Jitter::Exponential { mean: Duration::from_millis(millis) }),
    ];
    let duplication = prop_oneof![Just(0.0), 0.0..0.2];
    (loss, link, delay, jitter, any::<bool>(), duplication).prop_map(
        |(loss, link, delay, jitter, reordering, duplication)| {
            let mut config = NetemConfig::default();
            (config.loss, config.link, config.delay, config.jitter) = (loss, link, delay, jitter);
            (config.reordering, config.duplication) = (reordering, duplication);
            config
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::netem::Netem;

    proptest! {
        #[test]
        fn arrivals_are_of_packets_that_were_sent(arrivals in arrivals(40)) {
            for index in 0..40 {
                prop_assert!(arrivals.iter().filter(|(_, arrived)| *arrived == index).count() <= 2);
            }
            prop_assert!(arrivals.iter().all(|(pause, index)| *index < 40 && *pause < Duration::from_millis(50)));
        }

        #[test]
        fn paths_are_possible(config in netem()) {
            prop_assert!(Netem::<u32>::new(config, 1).is_ok());
        }
    }
}
