//! RFC 4585 §6.3.1 (PLI) and RFC 5104 §4.3.1 (FIR): when a key frame is asked for.

use core::time::Duration;

use rtc_core::SeqNum;
use rtc_core::time::Instant;
use rtc_fec::keyframe::{KeyframeConfig, KeyframeRequest, KeyframeRequester};
use rtc_fec::nack::{NackConfig, NackGenerator};

const PLI: Option<KeyframeRequest> = Some(KeyframeRequest::Pli);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn requester() -> KeyframeRequester {
    KeyframeRequester::new(KeyframeConfig::default()).unwrap()
}

fn fir(seq_nr: u8) -> Option<KeyframeRequest> {
    Some(KeyframeRequest::Fir { seq_nr })
}

#[test]
fn rfc4585_s6_3_1_pli_is_for_losses_nothing_repaired() {
    let mut config = NackConfig::default();
    config.deadline = Duration::from_millis(200);
    let (mut nack, mut keyframes) = (NackGenerator::new(config).unwrap(), requester());
    for seq in [1, 5] {
        nack.insert(ms(0), SeqNum(seq));
    }
    let mut asked = Vec::new();
    for now in (0..1_000).step_by(10) {
        let _ = nack.poll(ms(now)).count();
        keyframes.on_given_up(ms(now), nack.take_given_up());
        asked.extend(keyframes.poll(ms(now)).map(|request| (now, request)));
    }
    let times: Vec<_> = asked.iter().map(|(now, _)| *now).collect();
    assert_eq!(times, [300, 600, 900], "the deadline, patience, and each 300 ms again");
    assert!(asked.iter().all(|(_, request)| *request == KeyframeRequest::Pli), "FIR is not for losses");
    assert_eq!((keyframes.stats().given_up, keyframes.stats().pli, keyframes.stats().repeats), (3, 3, 2));
    assert_eq!(nack.take_given_up(), 0);
}

#[test]
fn rfc4585_s6_3_1_no_pli_where_frames_decode_all_the_same() {
    let mut keyframes = requester();
    keyframes.on_given_up(ms(0), 2);
    assert_eq!(keyframes.poll_timeout(), Some(ms(100)));
    keyframes.on_decoded();
    assert_eq!((keyframes.poll_timeout(), keyframes.poll(ms(500)), keyframes.stats().averted), (None, None, 1));
    keyframes.on_given_up(ms(510), 0);
    assert_eq!(keyframes.poll_timeout(), None, "none was given up");
}

#[test]
fn rfc4585_s6_3_1_pli_is_repeated_until_a_key_frame_comes() {
    let mut keyframes = requester();
    keyframes.set_rtt(Duration::from_millis(400));
    keyframes.on_undecodable(ms(0));
    assert_eq!(keyframes.poll(ms(0)), PLI, "at once");
    keyframes.on_undecodable(ms(33));
    assert_eq!((keyframes.poll(ms(399)), keyframes.poll_timeout()), (None, Some(ms(400))), "a round trip");
    assert_eq!(keyframes.poll(ms(400)), PLI);
    keyframes.on_keyframe();
    assert_eq!((keyframes.poll(ms(5_000)), keyframes.poll_timeout()), (None, None));
    assert_eq!((keyframes.stats().repeats, keyframes.stats().answered), (1, 1));
    keyframes.on_undecodable(ms(410));
    assert_eq!(keyframes.poll(ms(410)), None, "300 ms between any two");
    assert_eq!(keyframes.poll(ms(700)), PLI);
    keyframes.on_decoded();
    assert_eq!(keyframes.poll(ms(5_000)), None, "decoding again, by whatever means");
}

#[test]
fn rfc5104_s4_3_1_fir_counts_commands_and_not_repetitions() {
    let mut config = KeyframeConfig::default();
    config.first_fir = 255;
    let mut keyframes = KeyframeRequester::new(config).unwrap();
    keyframes.on_join(ms(0));
    assert_eq!(keyframes.poll(ms(0)), fir(255));
    keyframes.on_join(ms(10));
    assert_eq!(keyframes.poll(ms(10)), None, "one key frame serves both");
    assert_eq!(keyframes.poll(ms(300)), fir(255), "repeated");
    keyframes.on_decoded();
    assert_eq!(keyframes.poll(ms(600)), fir(255), "the sink that joined still cannot start");
    keyframes.on_keyframe();
    keyframes.on_join(ms(610));
    assert_eq!(keyframes.poll(ms(899)), None);
    assert_eq!(keyframes.poll(ms(900)), fir(0), "modulo 256");
    assert_eq!((keyframes.stats().fir, keyframes.stats().repeats), (4, 2));
}

#[test]
fn rfc5104_s4_3_1_a_join_after_a_loss_turns_the_request_into_a_command() {
    let mut keyframes = requester();
    keyframes.on_undecodable(ms(0));
    assert_eq!(keyframes.poll(ms(0)), PLI);
    keyframes.on_join(ms(10));
    keyframes.on_undecodable(ms(20));
    assert_eq!(keyframes.poll(ms(20)), None);
    assert_eq!(keyframes.poll(ms(300)), fir(0));
    assert!(
        KeyframeRequester::new({
            let mut config = KeyframeConfig::default();
            config.min_interval = Duration::ZERO;
            config
        })
        .is_err()
    );
}
