//! `oddio` and `rodio`, which mix; `rubato`, which resamples; `ebur128`, which measures loudness.

use core::num::NonZero;

use rodio::buffer::SamplesBuffer;
use rtc_core::Frequency;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use crate::subject::{MIX_RATE, MakeMeter, MakeMix, MakeResample, Meter, Mix, Resample, Subject};

pub(super) fn mixers() -> Vec<Subject<MakeMix>> {
    vec![
        Subject::peer("oddio", "0.7", Box::new(|tracks| Box::new(Oddio::new(tracks)))),
        Subject::peer("rodio", "0.23", Box::new(|tracks| Box::new(Rodio::new(tracks)))),
    ]
}

struct Oddio {
    mixer: oddio::Mixer<f32>,
    /// Dropped, it would stop what plays.
    _control: oddio::MixerControl<f32>,
}

impl Oddio {
    fn new(tracks: &[Vec<f32>]) -> Self {
        let (mut control, mixer) = oddio::Mixer::new();
        for track in tracks {
            let frames = oddio::Frames::from_slice(MIX_RATE.as_hz(), track);
            control.play(oddio::FramesSignal::from(frames));
        }
        Self { mixer, _control: control }
    }
}

impl Mix for Oddio {
    fn mix(&mut self, out: &mut [f32]) {
        oddio::run(&mut self.mixer, MIX_RATE.as_hz(), out);
    }
}

struct Rodio(rodio::mixer::MixerSource);

impl Rodio {
    fn new(tracks: &[Vec<f32>]) -> Self {
        let (one, rate) = (NonZero::<u16>::MIN, NonZero::new(MIX_RATE.as_hz()).unwrap_or(NonZero::<u32>::MIN));
        let (mixer, source) = rodio::mixer::mixer(one, rate);
        tracks.iter().for_each(|track| mixer.add(SamplesBuffer::new(one, rate, track.as_slice())));
        Self(source)
    }
}

impl Mix for Rodio {
    fn mix(&mut self, out: &mut [f32]) {
        out.fill_with(|| self.0.next().unwrap_or(0.0));
    }
}

pub(super) fn resamplers() -> Vec<Subject<MakeResample>> {
    const VERSION: &str = "5.0";
    let fft: MakeResample = Box::new(|from, to| {
        let [from, to] = [from, to].map(hertz);
        Rubato::boxed(Fft::new(from, to, from / 100, 1, FixedSync::Both).expect("10 ms are whole samples"))
    });
    let sinc: MakeResample = Box::new(|from, to| {
        let parameters = SincInterpolationParameters::new(128, WindowFunction::BlackmanHarris2)
            .interpolation(SincInterpolationType::Cubic);
        let [from, to] = [from, to].map(hertz);
        let ratio = to as f64 / from as f64;
        Rubato::boxed(
            Async::new_sinc(ratio, 1.1, &parameters, from / 100, 1, FixedAsync::Input).expect("a ratio of audio rates"),
        )
    });
    vec![Subject::peer("rubato Fft", VERSION, fft), Subject::peer("rubato sinc", VERSION, sinc)]
}

fn hertz(rate: Frequency) -> usize {
    usize::try_from(rate.as_hz()).unwrap_or(0)
}

struct Rubato<R> {
    resampler: R,
    /// Input that is not enough yet.
    waiting: Vec<f32>,
}

impl<R> Rubato<R> {
    fn boxed(resampler: R) -> Box<Self> {
        Box::new(Self { resampler, waiting: Vec::with_capacity(4_096) })
    }
}

impl<R: Resampler<f32>> Resample for Rubato<R> {
    fn process(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        self.waiting.extend_from_slice(input);
        let mut done = 0;
        while self.waiting.len() >= self.resampler.input_frames_next() {
            let (frames, room) = (self.waiting.len(), out.len() - done);
            let from = SequentialSlice::new(&self.waiting[..], 1, frames);
            let to = SequentialSlice::new_mut(&mut out[done..], 1, room);
            let (Ok(from), Ok(mut to)) = (from, to) else { break };
            let Ok((read, written)) = self.resampler.process_into_buffer(&from, &mut to, None) else { break };
            self.waiting.drain(..read);
            done += written;
        }
        done
    }
}

pub(super) fn meter() -> Subject<MakeMeter> {
    let mode = ebur128::Mode::I | ebur128::Mode::TRUE_PEAK;
    let make = move || -> Box<dyn Meter> {
        Box::new(Loudness(ebur128::EbuR128::new(2, MIX_RATE.as_hz(), mode).expect("stereo at 48 kHz")))
    };
    Subject::peer("ebur128", "0.1", Box::new(make))
}

struct Loudness(ebur128::EbuR128);

impl Meter for Loudness {
    fn add(&mut self, left: &[f32], right: &[f32]) {
        // Planes of equal length, as these are, are not refused.
        let _ = self.0.add_frames_planar_f32(&[left, right]);
    }

    fn read(&self) -> (f64, f64) {
        let peak = (0..2).filter_map(|channel| self.0.true_peak(channel).ok()).fold(0.0, f64::max);
        (self.0.loudness_global().unwrap_or(f64::NAN), 20.0 * peak.log10())
    }
}
