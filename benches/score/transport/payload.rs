//! What payload formats cost: a frame cut into payloads, and put together again.

use core::hint::black_box;

use bytes::{Bytes, BytesMut};
use indicatif::ProgressBar;
use rtc_core::rtp::payload::{PictureId, vp8 as vp8_header, vp9 as vp9_header};
use rtc_transport::payload::{Payloads, av1, h264, vp8, vp9};

use crate::report::{Metric, Report, Setting};
use crate::subject::{MakePayloadCode, PayloadCode, PayloadFormat, Subject};
use crate::{Options, cost, peers};

/// Bytes of a frame's picture: ten packets of it.
const FRAME: usize = 11_500;
const MAX: usize = 1_200;
/// Frames between two readings of the clock.
const BATCH: u64 = 2_000;
const ROUNDS: u32 = 15;

const FORMATS: [(&str, PayloadFormat); 4] = [
    ("payload vp8", PayloadFormat::Vp8),
    ("payload vp9", PayloadFormat::Vp9),
    ("payload h264", PayloadFormat::H264),
    ("payload av1", PayloadFormat::Av1),
];

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    let ours: MakePayloadCode = Box::new(|format| Box::new(Ours::new(format)));
    let mut subjects = vec![Subject::ours(ours)];
    subjects.extend(peers::payload_codes());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    let formats: Vec<_> = FORMATS.iter().filter(|(name, _)| options.wants_scenario(name)).collect();
    bar.inc_length((formats.len() * subjects.len()) as u64);
    for (name, format) in formats {
        let input = format!("a frame of {FRAME} bytes in payloads of {MAX} at most: cut, and put together again");
        let setting = Setting { scenario: (*name).into(), input, seeds: 1 };
        let frame = frame(*format);
        for subject in &subjects {
            bar.inc(1);
            let Some(make) = report.admit(subject) else { continue };
            let mut code = make(*format);
            let payloads = code.cut(&frame, MAX);
            assert!((10..=11).contains(&payloads), "{} makes {payloads} of {name}", subject.name);
            let cut = cost::measure(ROUNDS, || {
                (0..BATCH).map(|_| black_box(&mut *code).cut(black_box(&frame), MAX) as u64).sum()
            });
            report.add(&setting, &subject.name, Metric("cut", "ns/packet"), cut.nanos);
            report.add(&setting, &subject.name, Metric("cut, allocations", "per packet"), cut.allocations);
            // Not every peer can.
            let Some(bytes) = code.join() else { continue };
            assert_eq!(bytes, frame.len(), "{} loses some of {name}", subject.name);
            let join = cost::measure(ROUNDS, || {
                (0..BATCH).map(|_| black_box(black_box(&mut *code).join()).map_or(0, |_| payloads as u64)).sum()
            });
            report.add(&setting, &subject.name, Metric("joined", "ns/packet"), join.nanos);
            report.add(&setting, &subject.name, Metric("joined, allocations", "per packet"), join.allocations);
        }
    }
}

/// A frame as an encoder makes it: one slice, one OBU.
fn frame(format: PayloadFormat) -> Bytes {
    let head: &[u8] = match format {
        PayloadFormat::Vp8 | PayloadFormat::Vp9 => &[],
        // A start code and a slice that is no key frame.
        PayloadFormat::H264 => &[0, 0, 0, 1, 0x41],
        // A frame with its length, 11500 in seven bits at a time.
        PayloadFormat::Av1 => &[0x32, 0xec, 0x59],
    };
    [head, &coded()].concat().into()
}

/// Noise, as entropy coding makes it, in which no two zeros follow each other: H.264 needs no escapes then.
fn coded() -> [u8; FRAME] {
    let mut state = 1_u32;
    let mut last = 1;
    core::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [byte, ..] = state.to_be_bytes();
        last = if last == 0 { byte.max(1) } else { byte };
        last
    })
}

/// Memory used again for each frame.
struct Ours {
    format: PayloadFormat,
    payloads: Payloads,
    joined: BytesMut,
}

impl Ours {
    fn new(format: PayloadFormat) -> Self {
        Self { format, payloads: Payloads::default(), joined: BytesMut::with_capacity(2 * FRAME) }
    }
}

impl PayloadCode for Ours {
    fn cut(&mut self, frame: &Bytes, max: usize) -> usize {
        let (payloads, picture_id) = (&mut self.payloads, Some(PictureId { value: 300, is_long: true }));
        let cut = match self.format {
            PayloadFormat::Vp8 => {
                let descriptor = vp8_header::Descriptor { picture_id, ..Default::default() };
                vp8::packetize(&descriptor, frame, max, payloads)
            }
            PayloadFormat::Vp9 => {
                let mut descriptor = vp9_header::Descriptor::default();
                descriptor.picture_id = picture_id;
                vp9::packetize(&descriptor, None, frame, max, payloads)
            }
            PayloadFormat::H264 => h264::packetize(h264::Mode::NonInterleaved, frame, max, payloads),
            PayloadFormat::Av1 => av1::packetize(frame, max, payloads),
        };
        cut.map_or(0, |()| self.payloads.len())
    }

    fn join(&mut self) -> Option<usize> {
        self.joined.clear();
        let payloads = self.payloads.iter();
        match self.format {
            PayloadFormat::Vp8 => vp8::depacketize(payloads, &mut self.joined).map(drop).ok()?,
            PayloadFormat::Vp9 => vp9::depacketize(payloads, &mut self.joined).map(drop).ok()?,
            PayloadFormat::H264 => h264::depacketize(payloads, &mut self.joined).ok()?,
            PayloadFormat::Av1 => av1::depacketize(payloads, &mut self.joined).ok()?,
        }
        Some(self.joined.len())
    }
}
