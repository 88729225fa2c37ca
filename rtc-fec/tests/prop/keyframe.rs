use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::time::Instant;
use rtc_fec::keyframe::{KeyframeConfig, KeyframeRequest, KeyframeRequester};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_never_storm_and_stop_with_the_key_frame(events in vec((0u8..8, 0u64..400), 1..300), rtt in 0u64..1_000) {
        let mut config = KeyframeConfig::default();
        config.rtt = Duration::from_millis(rtt);
        let mut keyframes = KeyframeRequester::new(config).unwrap();
        let (mut now, mut last, mut wanted) = (Instant::ZERO, None::<Instant>, false);
        let (mut commands, mut command) = (0u8, None);
        for (event, pause) in events {
            now += Duration::from_millis(pause);
            match event {
                0 => keyframes.on_given_up(now, pause % 3),
                1 => keyframes.on_decoded(),
                2 => keyframes.on_undecodable(now),
                3 => keyframes.on_keyframe(),
                4 => keyframes.on_join(now),
                _ => {}
            }
            wanted = (wanted || matches!(event, 0 | 2 | 4)) && event != 3;
            let due = keyframes.poll_timeout();
            let asked = keyframes.poll(now);
            prop_assert_eq!(asked.is_some(), due.is_some_and(|due| due <= now), "the timeout tells");
            let Some(request) = asked else { continue };
            prop_assert!(wanted, "unasked for");
            prop_assert!(last.is_none_or(|last| now >= last + config.min_interval));
            last = Some(now);
            if let KeyframeRequest::Fir { seq_nr } = request {
                if command != Some(seq_nr) {
                    prop_assert_eq!(seq_nr, commands);
                    commands = commands.wrapping_add(1);
                }
                command = Some(seq_nr);
            }
        }
        let stats = keyframes.stats();
        prop_assert!(stats.pli + stats.fir <= 1 + now.as_millis() / 300);
    }
}
