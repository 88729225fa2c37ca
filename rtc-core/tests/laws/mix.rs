use core::cell::Cell;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::codec::AudioFormat;
use rtc_core::mix::Mixer;
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::SaturatingSum;

use crate::assert_caught;

const MONO: AudioFormat = AudioFormat { rate: Frequency::KHZ_16, channels: 1 };
const STEREO: AudioFormat = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };

#[test]
fn saturating_sum_keeps_the_laws() {
    laws::mixer(|| SaturatingSum, MONO);
    laws::mixer(|| SaturatingSum, STEREO);
}

#[test]
fn forwarded_they_hold_as_well() {
    laws::mixer(|| Box::new(SaturatingSum) as Box<dyn Mixer>, MONO);
    laws::mixer(|| Box::leak(Box::new(SaturatingSum)), MONO);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CountsRuns,
    HearsOneOnly,
    TakesAnyRate,
    Whispers,
    Hums,
    Adds,
    Remembers,
}

struct Faulty {
    fault: Fault,
    run: u32,
    sum: f32,
}

impl Mixer for Faulty {
    fn mix(&mut self, inputs: &[AudioRef<'_>], mut out: AudioMut<'_>) {
        let count = inputs.iter().filter(|input| input.rate() == out.rate()).count();
        let old: Vec<f32> = out.as_ref().plane(0).to_vec();
        match self.fault {
            Fault::HearsOneOnly => SaturatingSum.mix(&inputs[..inputs.len().min(1)], out.reborrow()),
            _ => SaturatingSum.mix(inputs, out.reborrow()),
        }
        for (sample, old) in out.plane_mut(0).iter_mut().zip(old) {
            self.sum = (self.sum + *sample).clamp(-9.0, 9.0);
            match self.fault {
                Fault::CountsRuns => *sample *= 1.0 - self.run as f32 * 0.01,
                Fault::TakesAnyRate => *sample /= inputs.len().max(1) as f32,
                Fault::Whispers if count == 1 => *sample *= 0.1,
                Fault::Hums => *sample += 0.001,
                Fault::Adds => *sample += old,
                Fault::Remembers => *sample += 0.0 * self.sum,
                _ => {}
            }
        }
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::CountsRuns, "the same audio gives the same mix"),
        (Fault::HearsOneOnly, "every input is heard"),
        (Fault::TakesAnyRate, "an input of another rate is left out"),
        (Fault::Whispers, "an input alone keeps its level"),
        (Fault::Hums, "silence gives silence"),
        (Fault::Adds, "old content is overwritten"),
        (Fault::Remembers, "what is no number does not stay"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            Faulty { fault, run: runs.get(), sum: 0.0 }
        };
        assert_caught(law, || laws::mixer(make, MONO));
    }
}
