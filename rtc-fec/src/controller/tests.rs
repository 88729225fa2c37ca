use core::fmt::Write as _;

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::*;

fn conditions(loss: f64, round_trip_ms: u64, kbps: u64) -> Conditions {
    Conditions::new(LossModel::random(loss, Duration::from_millis(round_trip_ms)), Bitrate::from_kbps(kbps))
}

/// As far as was measured of libopus at some rates, in packets of 20 ms; half as far in those of 10 ms.
const REACH: DredReach = DredReach(|rate, packet| {
    let span = match rate.as_bps() / 1_000 {
        ..24 => 0,
        24..28 => 175,
        28..30 => 455,
        30..36 => 215,
        36..64 => 375,
        _ => 695,
    };
    Duration::from_millis(span) * u32::try_from(packet.as_millis()).unwrap_or(20) / 20
});

/// For a reviewer to read: a change of policy is a change of these lines.
#[test]
fn voice_by_loss_round_trip_and_rate() {
    let config = VoiceConfig { dred: Some(REACH), ..VoiceConfig::default() };
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
        (0.5, 400, 1_000),
        (0.3, 40, 100),
        (0.3, 40, 60),
        (0.3, 40, 30),
        (0.7, 40, 100),
        (0.8, 40, 130),
    ] {
        let plan = plan_voice(&conditions(loss, round_trip, kbps), &config);
        let dred = plan.dred.map_or(0, |dred| dred.duration.as_millis());
        writeln!(
            table,
            "{:3.0} % {round_trip:3} ms {kbps:4} kb/s: {:?}, voice {} kb/s in {} ms, {} copies, {:.0} % ahead, DRED {dred} ms, +{:.0} %, {:.1} % missing, {:.1} % uncovered",
            100.0 * loss,
            plan.reason,
            plan.bitrate.as_bps() / 1_000,
            plan.packet_time.as_millis(),
            plan.red_copies,
            100.0 * plan.ahead,
            100.0 * plan.expected_overhead,
            100.0 * plan.expected_residual,
            100.0 * plan.expected_uncovered,
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
    let config = VoiceConfig { dred: Some(REACH), ..VoiceConfig::default() };
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

/// Networks near and far, which lose little and much, and frames of few and many packets.
fn video_cases() -> impl Iterator<Item = (Conditions, VideoConfig)> {
    let losses = [0.02, 0.1, 0.3, 0.5, 0.9];
    losses.into_iter().flat_map(|loss| [40, 500].map(|rtt| conditions(loss, rtt, 1_000))).flat_map(|conditions| {
        [1, 3, 40].map(|frame_packets| (conditions, VideoConfig { frame_packets, ..VideoConfig::default() }))
    })
}

#[test]
fn what_the_rate_has_no_room_for_is_protected_in_part() {
    for (conditions, mut config) in video_cases() {
        let unprotected = 1.0 - (1.0 - conditions.path.loss).powi(i32::try_from(config.frame_packets).unwrap());
        config.least_media = 0.01;
        let whole = plan_video(&conditions, &config, &[1.0]).layers[0];
        // Half of what it takes.
        config.least_media = 1.0 / (1.0 + whole.overhead / 2.0);
        let plan = plan_video(&conditions, &config, &[1.0]);
        let part = plan.layers[0];
        assert_eq!(plan.reason, Reason::Budget);
        assert!((part.overhead - whole.overhead / 2.0).abs() < 1e-9, "{conditions:?} {config:?} {part:?} {whole:?}");
        assert!(part.residual >= part.expected_residual && plan.media >= conditions.rate * (config.least_media - 1e-9));
        let gains = part.expected_residual < unprotected || unprotected > 1.0 - 1e-9;
        assert!(gains && part.expected_residual > whole.expected_residual, "{conditions:?} {config:?} {part:?}");
    }
}

#[test]
fn what_more_is_spent_never_leaves_more_missing() {
    for (conditions, mut config) in video_cases() {
        let mut before = [1.0; 3];
        for parts in 0..24 {
            config.least_media = 1.0 / (1.0 + f64::from(parts) / 4.0);
            let plan = plan_video(&conditions, &config, &[0.2, 0.5, 0.3]);
            for (before, layer) in before.iter_mut().zip(&plan.layers) {
                let more = layer.expected_residual - *before;
                assert!(more <= 1e-9, "{conditions:?} {config:?}: {layer:?} after {before}");
                *before = layer.expected_residual;
            }
        }
    }
}

#[test]
fn a_layer_takes_nothing_from_those_it_depends_on() {
    for (conditions, config) in video_cases() {
        let alone = plan_video(&conditions, &config, &[0.2, 0.5]);
        for share in [0.01, 0.3, 3.0] {
            let with = plan_video(&conditions, &config, &[0.2, 0.5, share]);
            assert_eq!(alone.layers[..2], with.layers[..2], "{conditions:?} {config:?}");
            let spent: f64 =
                with.layers.iter().zip([0.2, 0.5, share]).map(|(layer, share)| layer.overhead * share).sum();
            assert!(spent <= 1.0 / config.least_media - 1.0 + 1e-9, "{with:?}");
        }
    }
}

/// Frames whole from any packets as many as they have: what is planned is what a count of all that can happen gives.
#[test]
fn part_of_a_block_is_what_frames_with_a_packet_more_and_without_it_miss() {
    let missing = |sent: i32, source: i32, loss: f64| {
        let patterns = 0..1_u32 << sent;
        let lost = patterns.map(|lost| lost.count_ones().cast_signed()).filter(|lost| sent - lost < source);
        lost.map(|lost| loss.powi(lost) * (1.0 - loss).powi(sent - lost)).sum::<f64>()
    };
    for (source, loss, repair) in [(1, 0.5, 2), (4, 0.3, 1), (5, 0.5, 7)] {
        let mut config = VideoConfig { frame_packets: source, ..VideoConfig::default() };
        config.least_media = 1.0 / (1.0 + (f64::from(repair) + 0.25) / source as f64);
        let plan = plan_video(&conditions(loss, 500, 1_000), &config, &[1.0]).layers[0];
        let source = i32::try_from(source).unwrap();
        let expected =
            0.75 * missing(source + repair, source, loss) + 0.25 * missing(source + repair + 1, source, loss);
        assert!(plan.ahead > 0.0 && (plan.expected_residual - expected).abs() < 1e-9, "{plan:?}, {expected}");
    }
}

/// No round fits: copies take 200 % and more, repair packets over what has room less.
#[test]
fn the_cheaper_of_copies_and_repair_packets_goes_ahead() {
    let far = conditions(0.1, 400, 1_000);
    let config = VoiceConfig::default();
    let (both, copies) = (plan_voice(&far, &config), plan_voice(&far, &VoiceConfig { parity: false, ..config }));
    assert!(both.ahead > 0.0 && both.red_copies == 0 && copies.red_copies == 2, "{both:?}");
    assert!(both.wire < copies.wire && both.expected_residual <= config.residual, "{both:?}, {copies:?}");
    // In runs, what follows a lost packet is lost as well.
    let mut runs = far;
    runs.path.burst = 4.0;
    let runs = plan_voice(&runs, &config);
    assert!(runs.ahead == 0.0 && runs.red_copies > copies.red_copies, "{runs:?}");
}

/// What is planned ahead is what the code does: over so many packets, so much repair, and the first must not wait too long.
#[test]
fn repair_packets_ahead_leave_what_was_planned() {
    let far = conditions(0.1, 400, 1_000);
    let plan = plan_voice(&far, &VoiceConfig::default());
    let room = usize::try_from(far.room(VoiceConfig::default().deadline).as_millis() / 20).unwrap();
    let mut config = crate::rlc::RlcEncoderConfig::default();
    (config.window, config.overhead) = (room, plan.ahead);
    let mut encoder = crate::rlc::RlcEncoder::new(config).unwrap();
    let mut decoder = crate::rlc::RlcDecoder::new(crate::rlc::RlcDecoderConfig::default()).unwrap();
    let mut rng = rtc_core::testkit::rng::Rng::new(3);
    let (mut here, packets) = (vec![false; 20_000], 20_000_u16);
    for seq in 0..packets {
        let builder = RtpPacket::builder(PayloadType::new(111), SeqNum(seq), RtpTime(u32::from(seq) * 960), Ssrc(1));
        let packet = builder.build(&[7; 20]).unwrap();
        encoder.protect(&packet);
        if !rng.bool(0.1) {
            here[usize::from(seq)] = true;
            decoder.insert_source(&packet);
        }
        while let Some(repair) = encoder.poll_repair() {
            if !rng.bool(0.1) {
                decoder.insert_repair(&repair).unwrap();
            }
        }
        while let Some(found) = decoder.poll_recovered() {
            here[usize::from(found.seq().0)] |= usize::from(seq - found.seq().0) <= room;
        }
    }
    let missing = here.iter().filter(|here| !**here).count() as f64 / f64::from(packets);
    assert!(missing < 1.3 * plan.expected_residual, "{missing}, {plan:?}");
}

/// A repair packet is a chance of its own whatever the packets' length; what goes inside packets has no more than these.
#[test]
fn packets_are_short_where_what_is_inside_them_must_do() {
    let config = VoiceConfig { dred: Some(REACH), max_bitrate: Bitrate::from_kbps(64), ..VoiceConfig::default() };
    let wide = plan_voice(&conditions(0.8, 40, 2_000), &config);
    assert_eq!((wide.reason, wide.packet_time.as_millis()), (Reason::Repair, 20));
    let narrow = plan_voice(&conditions(0.8, 40, 130), &config);
    assert_eq!((narrow.reason, narrow.packet_time.as_millis()), (Reason::ShortPackets, 10), "{narrow:?}");
    assert!(narrow.expected_uncovered <= config.residual && narrow.wire <= Bitrate::from_kbps(130), "{narrow:?}");
}

/// At 31 kb/s libopus reaches less far than at 29, and a plan that fits more rate need not cover less.
#[test]
fn more_rate_never_covers_less_and_deep_redundancy_is_given_up_late() {
    let config = VoiceConfig { dred: Some(REACH), ..VoiceConfig::default() };
    for loss in [0.05, 0.1, 0.3, 0.5, 0.7] {
        let uncovered = |kbps| plan_voice(&conditions(loss, 40, kbps), &config).expected_uncovered;
        let plans: Vec<_> = (50..400).map(|kbps| uncovered(kbps).max(config.residual)).collect();
        assert!(plans.windows(2).all(|pair| pair[1] <= pair[0] + 1e-3), "{loss}: {plans:?}");
        let wide = plan_voice(&conditions(loss, 40, 2_000), &config);
        assert!(wide.dred.is_some_and(|dred| dred.duration >= Duration::from_millis(250)), "{wide:?}");
    }
    // It took 43 % for repair and left 22 kb/s, too little for any.
    let narrow = plan_voice(&conditions(0.3, 40, 60), &config);
    assert!(narrow.dred.is_some() && narrow.bitrate >= Bitrate::from_kbps(24), "{narrow:?}");
}

/// What is lost again after it was lost takes more to bring back, or cannot be.
#[test]
fn bursts_are_planned_for() {
    let plan = |burst| {
        let mut conditions = conditions(0.3, 100, 100);
        conditions.path.burst = burst;
        plan_voice(&conditions, &VoiceConfig::default())
    };
    let (alone, runs) = (plan(1.0 / 0.7), plan(6.0));
    assert!(runs.expected_overhead > alone.expected_overhead || runs.expected_residual > alone.expected_residual);
}

#[test]
fn packets_stay_short_for_a_while() {
    let mut controller = Controller::new(VoiceConfig { parity: false, ..VoiceConfig::default() }).unwrap();
    let now = Instant::from_millis(1_000);
    let short = controller.update(now, &conditions(0.8, 400, 2_000)).packet_time;
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
