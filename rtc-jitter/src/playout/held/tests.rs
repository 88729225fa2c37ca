use rtc_core::Frequency;

use super::*;

const FORMAT: AudioFormat = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };

/// Held samples that count up from 1.
fn counting(history: usize, pending: usize, samples: usize) -> Held {
    let mut held = Held::new(FORMAT, history, pending).unwrap();
    append(&mut held, 1, samples);
    held
}

fn append(held: &mut Held, first: usize, samples: usize) {
    held.append(Origin::Packet, samples, |mut out| {
        for (index, sample) in out.plane_mut(0).iter_mut().enumerate() {
            *sample = (first + index) as f32;
        }
        samples
    });
}

fn play(held: &mut Held, samples: usize) -> Vec<f32> {
    let mut out = vec![0.0; samples];
    let played = AudioMut::mono(&mut out, FORMAT.rate).copy_from(held.next(usize::MAX));
    held.advance(played);
    out.truncate(played);
    out
}

#[test]
fn plays_what_was_appended_across_many_rounds() {
    let mut held = counting(4, 8, 0);
    for round in 0..100 {
        append(&mut held, round * 6, 6);
        let expected: Vec<f32> = (round * 6..round * 6 + 6).map(|sample| sample as f32).collect();
        assert_eq!(play(&mut held, 6), expected);
    }
}

#[test]
fn refuses_more_than_there_is_room_for() {
    let mut held = counting(4, 8, 8);
    assert_eq!(held.append(Origin::Packet, 17, |_| panic!("asked without room")), 0);
    assert_eq!(held.pending(), 8);
}

#[test]
fn a_jump_ahead_leaves_samples_out() {
    let mut held = counting(4, 12, 12);
    held.splice(6, 4);
    assert_eq!(held.pending(), 6);
    let heard = play(&mut held, 6);
    assert!(heard[0] < heard[1] && heard[0] >= 1.0, "begins like what was to be played: {heard:?}");
    assert_eq!(heard[4..], [11.0, 12.0], "ends like what is left");
}

#[test]
fn a_jump_back_repeats_samples() {
    let mut held = counting(4, 12, 12);
    play(&mut held, 6);
    held.splice(-4, 2);
    assert_eq!(held.pending(), 10);
    let heard = play(&mut held, 10);
    assert_eq!(heard[2..], [5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
    assert!(heard[0] > 6.0, "begins like what was to be played: {heard:?}");
}

#[test]
fn overlapping_jumps_blend_unblended_samples() {
    // The overlap is longer than the jump, so what is read and what is written share samples.
    for jump in [2isize, -2] {
        let mut held = counting(4, 24, 24);
        play(&mut held, 6);
        held.splice(jump, 8);
        let heard = play(&mut held, 8);
        for (index, sample) in heard.into_iter().enumerate() {
            let weight = ramp(index, 8);
            let expected = (7 + index) as f32 * (1.0 - weight) + ((7 + index) as f32 + jump as f32) * weight;
            assert!((sample - expected).abs() < 1e-4, "{jump}: {index}");
        }
    }
}

#[test]
fn origins_travel_with_their_samples() {
    let mut held = counting(4, 8, 4);
    held.append(Origin::Concealment, 2, |out| out.samples());
    let (origins, made_up) = held.origins(5);
    assert!(origins.has(Origin::Concealment) && origins.has(Origin::Packet) && !origins.has(Origin::Copy));
    assert_eq!(made_up, 1);
    held.cut(0, 2);
    assert_eq!(held.origins(2), (Origins::of(&[Origin::Packet]), 0));
    assert_eq!(held.origins(9).1, 2);
}

#[test]
fn what_is_made_up_is_put_in_between() {
    let mut held = counting(4, 8, 8);
    for round in 0..20 {
        assert_eq!(held.insert(2, AudioRef::mono(&[-1.0, -2.0], FORMAT.rate)), 2);
        let (origins, made_up) = held.origins(usize::MAX / 2);
        assert!(made_up == 2 && origins.has(Origin::Concealment) && origins.has(Origin::Packet), "{round}");
        let heard = play(&mut held, 10);
        assert_eq!((&heard[2..4], heard[1] + 1.0), (&[-1.0, -2.0][..], heard[4]), "{round}");
        append(&mut held, 1, 8);
    }
    assert_eq!(held.insert(2, AudioRef::mono(&[0.0; 24], FORMAT.rate)), 0, "no room");
    assert_eq!(held.pending(), 8);
}

#[test]
fn cross_fades_from_the_old_to_the_new() {
    let mut held = counting(4, 8, 8);
    held.cross_fade(2, AudioRef::mono(&[0.0; 4], FORMAT.rate));
    let heard = play(&mut held, 8);
    assert_eq!((heard[1], heard[6]), (2.0, 7.0));
    assert!(heard[2] < 0.5 && heard[5] > 5.0);
}
