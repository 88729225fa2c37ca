use core::time::Duration;

use rtc_core::testkit::netem::{Jitter, NetemConfig, Spikes};

use crate::sim::Scene;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// 200 ms of jitter for sound, 400 ms for pictures, and one of them is sent so much later than it is captured.
fn scene(audio_late: u64, video_late: u64, seed: u64) -> Scene {
    let scene = Scene::new(ms(200), ms(400));
    Scene { audio_late: ms(audio_late), video_late: ms(video_late), seed, ..scene }
}

#[test]
fn without_sync_sound_and_picture_stay_apart() {
    let scene = scene(0, 400, 1);
    let noticed = scene.run(false);
    assert_eq!(noticed.in_step_after(scene.reports_from), None);
}

#[test]
fn from_400_ms_apart_they_are_in_step_within_two_seconds_and_stay_so() {
    for (audio_late, video_late) in [(0, 400), (400, 0), (600, 0)] {
        for seed in 1..=3 {
            let scene = scene(audio_late, video_late, seed);
            let noticed = scene.run(true);
            let first = noticed.offsets.iter().find(|offset| offset.at >= scene.reports_from).unwrap();
            let what = format!("{audio_late} {video_late} seed {seed}, {:.0} ms apart", first.ms);
            assert!(first.ms.abs() > 150.0, "{what}");
            let took = noticed.in_step_after(scene.reports_from).unwrap();
            assert!(took <= ms(2_000), "{what}: {took:?}");
            let in_step = noticed.in_step_from(scene.reports_from + ms(2_000));
            assert!(in_step >= 99.9, "{what}: {in_step} %");
        }
    }
}

/// One stream is moved, by one change: nothing swings.
#[test]
fn nothing_oscillates() {
    for seed in 1..=3 {
        let noticed = scene(0, 400, seed).run(true);
        let late: Vec<_> = noticed.changes.iter().filter(|(at, ..)| *at > ms(13_000)).collect();
        assert!(late.len() <= 3, "{late:?}");
        let streams: Vec<_> = noticed.changes.iter().map(|(_, ssrc, _)| ssrc).collect();
        assert!(streams.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", noticed.changes);
    }
}

/// Sync adds delay to what is early, and none to what is late.
#[test]
fn the_later_stream_is_not_delayed() {
    for (audio_late, video_late, later) in [(0, 400, 1), (700, 0, 0)] {
        let scene = scene(audio_late, video_late, 1);
        let (free, synced) = (scene.run(false), scene.run(true));
        let added = synced.delays[later] - free.delays[later];
        assert!(added.abs() < 10.0, "{added:.0} ms");
        assert!((free.concealed - synced.concealed).abs() < 0.3, "{} {}", free.concealed, synced.concealed);
    }
}

#[test]
fn a_call_that_begins_apart_is_in_step_soon() {
    for seed in 1..=3 {
        let scene = Scene { reports_from: ms(100), ..scene(0, 400, seed) };
        let noticed = scene.run(true);
        // Both buffers still learn what their networks need.
        let took = noticed.in_step_after(ms(1_000)).unwrap();
        assert!(took <= ms(4_000), "{took:?}");
        assert!(noticed.in_step_from(ms(10_000)) >= 99.9, "{}", noticed.in_step_from(ms(10_000)));
    }
}

#[test]
fn stalls_of_the_video_are_not_chased() {
    let mut scene = Scene::new(ms(0), ms(0));
    scene.video = NetemConfig::default();
    scene.video.jitter = Jitter::Uniform { max: ms(20) };
    scene.video.spikes = Some(Spikes { every: Duration::from_secs(10), shortest: ms(300), longest: ms(600) });
    let noticed = scene.run(true);
    // While a stall lasts the picture is late whatever is done, 4.5 % of the time; the sound is not moved for it.
    assert!(noticed.in_step_from(ms(12_000)) > 94.0, "{}", noticed.in_step_from(ms(12_000)));
    assert!(noticed.changes.len() < 12, "{:?}", noticed.changes);
}
