//! The laws of the jitter-buffer role, for each way video is sent.

use rtc_core::testkit::laws::{Stream, jitter_buffer};

use crate::streams::{CLOCK, frames_for, packets, senders};

#[test]
fn the_video_buffer_keeps_the_laws_of_its_role() {
    for mut sender in senders() {
        let maker = sender.clone();
        let frames = frames_for(&sender, 90, 1);
        let stream = Stream::new(packets(&mut sender, &frames), CLOCK);
        jitter_buffer(|| maker.buffer(), &stream, |picture| picture.frame.timestamp);
    }
}
