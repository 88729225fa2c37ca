use core::cell::Cell;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioProcessor, AudioRef, EchoCanceller};
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::{Gain, Nlms};

use crate::assert_caught;

const NARROW: AudioFormat = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };
const STEREO: AudioFormat = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };
/// 140 ms.
const TAPS: usize = 1_120;

fn gain() -> Gain {
    Gain::new(STEREO, 0.5)
}

fn nlms() -> Nlms {
    Nlms::new(NARROW.rate, TAPS)
}

#[test]
fn gain_keeps_the_laws() {
    laws::audio_processor(gain, STEREO);
    laws::audio_latency(gain, STEREO);
}

#[test]
fn nlms_keeps_the_laws() {
    laws::echo_canceller(nlms, NARROW);
}

#[test]
fn forwarded_they_hold_as_well() {
    laws::audio_processor(|| Box::new(gain()) as Box<dyn AudioProcessor>, STEREO);
    laws::audio_processor(|| Box::leak(Box::new(gain())), STEREO);
    laws::audio_latency(|| Box::new(Faulty::new(Fault::None, 0)) as Box<dyn AudioProcessor>, NARROW);
    laws::audio_latency(|| Box::leak(Box::new(Faulty::new(Fault::None, 0))), NARROW);
    laws::echo_canceller(|| Box::new(nlms()) as Box<dyn EchoCanceller>, NARROW);
    laws::echo_canceller(|| Box::leak(Box::new(nlms())), NARROW);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    CountsRuns,
    TakesAnyShape,
    CountsOthers,
    Explodes,
    Remembers,
    Hums,
    LatencyGrows,
    LatencyHuge,
    LatencyWrong,
    PassesAll,
    CutsNearEnd,
}

/// Lags by 20 samples, and says so.
struct Faulty {
    fault: Fault,
    run: u32,
    line: Vec<f32>,
    frames: usize,
    others: u32,
    sum: f32,
}

impl Faulty {
    fn new(fault: Fault, run: u32) -> Self {
        Self { fault, run, line: vec![0.0; 20], frames: 0, others: 0, sum: 0.0 }
    }
}

impl AudioProcessor for Faulty {
    fn process(&mut self, mut frame: AudioMut<'_>) {
        let fits = (frame.rate(), frame.channels(), frame.samples()) == (NARROW.rate, 1, 80);
        if !fits && self.fault != Fault::TakesAnyShape {
            self.others += 1;
            return;
        }
        self.frames += 1;
        for sample in frame.planes_mut().flatten() {
            self.line.push(*sample);
            let delayed = self.line.remove(0);
            self.sum = (self.sum + delayed).clamp(-9.0, 9.0);
            *sample = match self.fault {
                Fault::CountsRuns => delayed * (1.0 + self.run as f32 * 0.01),
                Fault::CountsOthers => delayed * (1.0 + self.others as f32 * 0.01),
                Fault::Explodes => delayed / (delayed - 40.0),
                Fault::Remembers => delayed + 0.0 * self.sum,
                Fault::Hums => delayed + 0.01,
                _ => delayed,
            };
        }
    }

    fn latency(&self, _rate: Frequency) -> usize {
        match self.fault {
            Fault::LatencyGrows => 20 + self.frames,
            Fault::LatencyHuge => 8_000,
            Fault::LatencyWrong => 40,
            _ => 20,
        }
    }
}

#[test]
fn every_breach_by_a_processor_is_caught() {
    let breaches = [
        (Fault::CountsRuns, "the same audio gives the same output"),
        (Fault::TakesAnyShape, "a frame of another shape passes unchanged"),
        (Fault::CountsOthers, "a frame of another shape changes nothing"),
        (Fault::Explodes, "what is finite stays finite"),
        (Fault::Remembers, "what is no number does not stay"),
        (Fault::Hums, "silence stays silence"),
        (Fault::LatencyGrows, "the latency stays"),
        (Fault::LatencyHuge, "the latency is under a second"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            Faulty::new(fault, runs.get())
        };
        assert_caught(law, || laws::audio_processor(make, NARROW));
    }
    assert_caught("the latency is what is said", || {
        laws::audio_latency(|| Faulty::new(Fault::LatencyWrong, 0), NARROW);
    });
}

struct FaultyCanceller {
    inner: Nlms,
    faulty: Faulty,
}

impl EchoCanceller for FaultyCanceller {
    fn render(&mut self, far: AudioRef<'_>) {
        self.inner.render(far);
        self.faulty.others += u32::from(far.samples() != 80);
    }

    fn capture(&mut self, mut near: AudioMut<'_>) {
        if self.faulty.fault != Fault::PassesAll {
            self.inner.capture(near.reborrow());
        }
        let fits = (near.rate(), near.channels(), near.samples()) == (NARROW.rate, 1, 80);
        if !fits && self.faulty.fault != Fault::TakesAnyShape {
            return;
        }
        for sample in near.planes_mut().flatten() {
            self.faulty.sum = (self.faulty.sum + *sample).clamp(-9.0, 9.0);
            *sample *= match self.faulty.fault {
                Fault::CountsRuns => 1.0 - self.faulty.run as f32 * 0.01,
                Fault::CountsOthers => 1.0 - self.faulty.others as f32 * 0.001,
                Fault::TakesAnyShape => 0.9,
                Fault::Remembers => 1.0 + 0.0 * self.faulty.sum,
                Fault::CutsNearEnd => 0.1,
                _ => 1.0,
            };
        }
    }
}

#[test]
fn every_breach_by_a_canceller_is_caught() {
    let breaches = [
        (Fault::CountsRuns, "the same audio gives the same output"),
        (Fault::TakesAnyShape, "a frame of another shape passes unchanged"),
        (Fault::CountsOthers, "a frame of another shape changes nothing"),
        (Fault::Remembers, "what is no number does not stay"),
        (Fault::PassesAll, "echo becomes weaker by 6 dB"),
        (Fault::CutsNearEnd, "without far end the near end passes"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            FaultyCanceller { inner: nlms(), faulty: Faulty::new(fault, runs.get()) }
        };
        assert_caught(law, || laws::echo_canceller(make, NARROW));
    }
}
