use core::fmt::Write as _;

use super::*;

fn conditions(loss: f64, round_trip_ms: u64, kbps: u64) -> Conditions {
    Conditions::new(LossModel::random(loss, Duration::from_millis(round_trip_ms)), Bitrate::from_kbps(kbps))
}

/// For a reviewer to read: a change of policy is a change of these lines.
#[test]
fn voice_by_loss_round_trip_and_rate() {
    let config = VoiceConfig { dred: true, ..VoiceConfig::default() };
    let mut table = String::new();
    for (loss, round_trip, kbps) in [
        (0.0, 40, 1_000),
        (0.02, 40, 1_000),
        (0.1, 40, 1_000),
        (0.3, 40, 1_000),
        (0.5, 40, 1_000),
        (0.7, 40, 1_000),
        (0.8, 40, 1_000),
        (0.1, 100, 1_000),
        (0.3, 100, 1_000),
        (0.7, 100, 1_000),
        (0.1, 400, 1_000),
        (0.3, 400, 1_000),
        (0.3, 40, 100),
        (0.3, 40, 60),
        (0.3, 40, 30),
        (0.7, 40, 100),
    ] {
        let plan = plan_voice(&conditions(loss, round_trip, kbps), &config);
        let dred = plan.dred.map_or(0, |dred| dred.bitrate.as_bps() / 1_000);
        writeln!(
            table,
            "{:3.0} % {round_trip:3} ms {kbps:4} kb/s: {:?}, voice {} kb/s in {} ms, {} copies, DRED {dred} kb/s, +{:.0} %, {:.1} % missing",
            100.0 * loss,
            plan.reason,
            plan.bitrate.as_bps() / 1_000,
            plan.packet_time.as_millis(),
            plan.red_copies,
            100.0 * plan.expected_overhead,
            100.0 * plan.expected_residual,
        )
        .unwrap();
    }
    assert_eq!(table, include_str!("voice_table.txt"), "{table}");
}

#[test]
fn congestion_adds_nothing_and_cuts_media_first() {
    let config = VoiceConfig::default();
    let clean = plan_voice(&conditions(0.0, 40, 60), &config);
    let congested = plan_voice(&conditions(0.2, 40, 60).congested(0.0), &config);
    assert_eq!((congested.reason, congested.expected_overhead), (Reason::Congestion, 0.0));
    assert_eq!((congested.bitrate, congested.red_copies), (clean.bitrate, clean.red_copies));
    // Loss that is not congestion is still repaired.
    let both = plan_voice(&conditions(0.2, 40, 60).congested(0.1), &config);
    assert!(both.expected_overhead > 0.05 && both.expected_overhead < 0.2, "{both:?}");
}

#[test]
fn congestion_is_remembered_while_its_loss_is_averaged() {
    let (mut memory, ms) = (CongestionMemory::default(), Duration::from_millis);
    let seen = [(0, 10), (100, 60), (200, 0), (4_000, 0), (4_200, 0), (4_300, 30)]
        .map(|(at, queue)| memory.observe(Instant::from_millis(at), ms(queue)));
    assert_eq!(seen, [false, true, true, true, false, true]);
}

#[test]
fn deep_redundancy_is_never_asked_for_with_an_expected_loss_that_makes_none() {
    let config = VoiceConfig { dred: true, ..VoiceConfig::default() };
    for percent in 0..95 {
        let plan = plan_voice(&conditions(f64::from(percent) / 100.0, 40, 2_000), &config);
        if let Some(dred) = plan.dred {
            assert!(plan.expected_loss > 0.05 && !plan.inband_fec && dred.bitrate < plan.bitrate);
        }
    }
}

#[test]
fn video_protects_what_others_depend_on_first() {
    let config = VideoConfig::default();
    let shares = [0.4, 0.3, 0.3];
    let plan = plan_video(&conditions(0.3, 40, 2_000), &config, &shares);
    assert_eq!(plan.reason, Reason::Repair);
    assert!(plan.layers.windows(2).all(|pair| pair[0].overhead >= pair[1].overhead), "{plan:?}");
    let narrow = plan_video(&conditions(0.8, 40, 2_000), &config, &shares);
    assert_eq!(narrow.reason, Reason::Budget);
    assert!(narrow.layers[0].overhead > 0.0 && narrow.layers[2].overhead == 0.0, "{narrow:?}");
    assert!(narrow.media >= Bitrate::from_kbps(499));
    // No round fits: ahead of loss.
    let far = plan_video(&conditions(0.1, 500, 2_000), &config, &shares);
    assert!(far.reason == Reason::Ahead && far.layers[0].ahead > far.layers[2].ahead && !far.repair, "{far:?}");
}

#[test]
fn packets_stay_short_for_a_while() {
    let mut controller = Controller::new(VoiceConfig::default()).unwrap();
    let now = Instant::from_millis(1_000);
    let short = controller.update(now, &conditions(0.8, 40, 2_000)).packet_time;
    assert_eq!(short, Duration::from_millis(10));
    let soon = controller.update(now + Duration::from_millis(1_900), &conditions(0.1, 40, 2_000));
    assert_eq!(soon.packet_time, short);
    let later = controller.update(now + Duration::from_millis(2_100), &conditions(0.1, 40, 2_000));
    assert_eq!(later.packet_time, Duration::from_millis(20));
}

#[test]
fn the_account_follows_what_comes() {
    let mut controller = Controller::new(VoiceConfig::default()).unwrap();
    controller.update(Instant::ZERO, &conditions(0.3, 40, 2_000));
    let outcome = Outcome { media: 50, repair: 25, missed: 1 };
    (0..100).for_each(|_| controller.on_outcome(outcome));
    let account = controller.account();
    assert!((account.residual - 0.02).abs() < 1e-3 && (account.overhead - 0.5).abs() < 1e-3);
    assert!((account.expected_overhead - controller.plan().expected_overhead).abs() < 1e-3);
    controller.on_outcome(Outcome::default());
    assert_eq!(controller.account(), account);
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |change: fn(&mut VoiceConfig)| {
        let mut config = VoiceConfig::default();
        change(&mut config);
        Controller::new(config).is_err()
    };
    assert!(with(|config| config.residual = 1.0));
    assert!(with(|config| config.min_bitrate = Bitrate::from_kbps(64)));
    assert!(with(|config| config.short_packet_time = Duration::ZERO));
}
