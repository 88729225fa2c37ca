use core::cell::Cell;
use std::collections::VecDeque;

use rtc_core::codec::{EncodeError, EncodedFrame, VideoDecoder, VideoEncoder};
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::{RawVideoDecoder, RawVideoEncoder};
use rtc_core::video::{VideoBuffer, VideoFrame};
use rtc_core::{Bitrate, Malformed};

use crate::assert_caught;

fn encoder() -> RawVideoEncoder {
    RawVideoEncoder::new(64, 36)
}

#[test]
fn raw_video_keeps_the_laws() {
    laws::video_codec(encoder, RawVideoDecoder::new, 64, 36);
    laws::video_codec(|| RawVideoEncoder::new(33, 17), RawVideoDecoder::new, 33, 17);
}

#[test]
fn forwarded_they_hold_as_well() {
    let boxed_encoder = || Box::new(encoder()) as Box<dyn VideoEncoder>;
    let boxed_decoder = || Box::new(RawVideoDecoder::new()) as Box<dyn VideoDecoder>;
    laws::video_codec(boxed_encoder, boxed_decoder, 64, 36);
    laws::video_codec(|| Box::leak(Box::new(encoder())), || Box::leak(Box::default()) as &mut RawVideoDecoder, 64, 36);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CountsRuns,
    RefusesPictures,
    TakesAnySize,
    RepeatsFrames,
    KeepsFrames,
    IgnoresKey,
    ForgetsKey,
    RefusesFrames,
    TakesAnyDelta,
    KeepsPictures,
    DoublesPictures,
    EndlessPictures,
    LosesTime,
    LosesData,
    Smears,
    Resizes,
    HoldsGrudges,
}

struct FaultyEncoder {
    inner: RawVideoEncoder,
    fault: Fault,
    run: u32,
    last: Option<EncodedFrame>,
}

impl VideoEncoder for FaultyEncoder {
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError> {
        match self.fault {
            Fault::RefusesPictures => Err(EncodeError::Codec(-1)),
            Fault::IgnoresKey => self.inner.encode(picture, false),
            Fault::TakesAnySize => self.inner.encode(picture, key).or(Ok(())),
            _ => self.inner.encode(picture, key),
        }
    }

    fn poll_frame(&mut self) -> Option<EncodedFrame> {
        let mut frame = self.inner.poll_frame();
        match (self.fault, &mut frame) {
            (Fault::CountsRuns, Some(frame)) if self.run == 2 => frame.timestamp = frame.timestamp + 1,
            (Fault::ForgetsKey, Some(frame)) => frame.key = false,
            (Fault::KeepsFrames, _) => return None,
            (Fault::RepeatsFrames, frame) => {
                self.last = frame.clone().or_else(|| self.last.take());
                return self.last.clone();
            }
            _ => {}
        }
        frame
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        self.inner.set_bitrate(rate);
    }
}

struct FaultyDecoder {
    inner: RawVideoDecoder,
    fault: Fault,
    failed: bool,
    ready: VecDeque<VideoBuffer>,
    lent: Option<VideoBuffer>,
}

impl VideoDecoder for FaultyDecoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed> {
        let decoded = self.inner.decode(frame);
        self.failed |= decoded.is_err();
        while let Some(picture) = self.inner.poll_picture() {
            self.ready.push_back(VideoBuffer::copy_of(picture));
        }
        let Some(last) = self.ready.back_mut() else {
            return if self.fault == Fault::TakesAnyDelta { Ok(()) } else { decoded };
        };
        match self.fault {
            Fault::RefusesFrames => return Err(Malformed::new("raw video", rtc_core::Fault::Length)),
            Fault::KeepsPictures => self.ready.clear(),
            Fault::DoublesPictures => {
                let copy = last.clone();
                self.ready.push_back(copy);
            }
            Fault::LosesTime => last.timestamp = rtc_core::RtpTime(0),
            Fault::LosesData => last.user_data.clear(),
            Fault::Smears => last.plane_mut(0).fill(0),
            Fault::Resizes => {
                let format = last.as_frame().format();
                let mut small = VideoBuffer::new(format, 4, 4).expect("a size there is");
                (small.timestamp, small.user_data) = (last.timestamp, last.user_data.clone());
                *last = small;
            }
            Fault::HoldsGrudges if self.failed => last.plane_mut(0)[0] ^= 1,
            _ => {}
        }
        decoded
    }

    fn poll_picture(&mut self) -> Option<VideoFrame<'_>> {
        self.lent = match self.fault {
            Fault::EndlessPictures => self.ready.front().cloned(),
            _ => self.ready.pop_front(),
        };
        self.lent.as_ref().map(VideoBuffer::as_frame)
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::CountsRuns, "the same pictures give the same frames"),
        (Fault::RefusesPictures, "a picture of the right size can be encoded"),
        (Fault::TakesAnySize, "another size is refused"),
        (Fault::RepeatsFrames, "polling for frames comes to an end"),
        (Fault::KeepsFrames, "frames come out before"),
        (Fault::IgnoresKey, "a key frame comes when it is asked for"),
        (Fault::ForgetsKey, "the decoder takes the frames of its encoder"),
        (Fault::RefusesFrames, "the decoder takes the frames of its encoder"),
        (Fault::TakesAnyDelta, "a frame that refers to one never decoded is refused"),
        (Fault::KeepsPictures, "most pictures come out"),
        (Fault::DoublesPictures, "no picture comes out twice"),
        (Fault::EndlessPictures, "polling for pictures comes to an end"),
        (Fault::LosesTime, "pictures come out in order and with their time"),
        (Fault::LosesData, "user data comes out with its picture"),
        (Fault::Smears, "pictures look alike"),
        (Fault::Resizes, "pictures keep their size"),
        (Fault::HoldsGrudges, "a key frame ends all damage"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let encoder = || {
            runs.set(runs.get() + 1);
            FaultyEncoder { inner: encoder(), fault, run: runs.get(), last: None }
        };
        let decoder = || FaultyDecoder {
            inner: RawVideoDecoder::new(),
            fault,
            failed: false,
            ready: VecDeque::new(),
            lent: None,
        };
        assert_caught(law, || laws::video_codec(encoder, decoder, 64, 36));
    }
}
