//! A short call with a picture: frames decode, sound is in step, and what is lost of a key frame does not end it.
#![cfg(feature = "video")]

use core::time::Duration;

use clap::Parser;
use rtc_core::Bitrate;
use rtc_core::testkit::netem::Outage;
use rtc_examples::cli::Cli;
use rtc_examples::network::Network;
use rtc_examples::video::{Seen, Setup, VideoCallConfig, run};

/// Seconds that are enough for lip sync to settle, and to be seen.
const SECONDS: f64 = 4.0;

fn setup(net: &str) -> Setup {
    let cli = Cli::try_parse_from(["call", "--net", net]).expect("a preset");
    let network = Network::from_options(&cli.options.network).expect("a preset");
    let config = VideoCallConfig { size: (160, 90), fps: 30, max_bitrate: Bitrate::from_kbps(150) };
    Setup { config, network, seed: 1, length: Duration::from_secs_f64(SECONDS) }
}

fn call(setup: &Setup) -> Seen {
    run(setup, |_| ()).expect("the setup is possible")
}

#[test]
fn every_picture_is_seen_in_step_with_the_sound() {
    let seen = call(&setup("perfect"));
    let summary = &seen.summary;
    // The last four stay in the encoder.
    assert!(summary.pictures_sent >= 110 && summary.pictures_seen == summary.pictures_sent, "{summary:?}");
    // Of two seconds of pictures one is more than a percent: what counts is that the 1st and the 99th percentile are in step.
    let offsets = summary.sync_ms.iter().chain(&summary.claps_ms);
    assert!(summary.claps >= 2 && offsets.copied().all(|offset| (-100.0..=25.0).contains(&offset)), "{summary:?}");
    assert!(summary.psnr_db > 30.0 && summary.key_frames_asked == 0, "{summary:?}");
}

#[test]
fn lost_packets_are_brought_back_without_key_frames() {
    let seen = call(&setup("5%-loss"));
    let summary = &seen.summary;
    assert!(summary.network_loss_percent > 1.0 && summary.key_frames <= 3, "{summary:?}");
    // Without repair each lost packet would end the pictures until the next key frame.
    assert!(summary.pictures_seen * 10 > summary.pictures_sent * 8, "{summary:?}");
}

/// Nothing arrives while the first key frame is sent, and all requests are for what is gone: only another one helps.
#[test]
fn a_lost_key_frame_is_followed_by_another() {
    let mut setup = setup("perfect");
    setup.network.ways[0].outages = vec![Outage { from: Duration::ZERO, length: Duration::from_millis(1_300) }];
    let summary = call(&setup).summary;
    assert!(summary.key_frames_asked >= 1 && summary.key_frames >= 2, "{summary:?}");
    // Those of more than a second are gone.
    assert!((40..summary.pictures_sent - 20).contains(&summary.pictures_seen), "{summary:?}");
}

#[test]
fn the_same_seed_is_the_same_call() {
    let mut setup = setup("30%-loss");
    setup.length = Duration::from_secs(1);
    let summaries = [1, 1, 2].map(|seed| format!("{:?}", call(&Setup { seed, ..setup.clone() }).summary));
    assert!(summaries[0] == summaries[1] && summaries[0] != summaries[2]);
}
