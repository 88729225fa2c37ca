use rtc_core::audio::{AudioBuffer, AudioRef};

/// Says the same thing over and over, a frame at a time.
#[derive(Debug)]
pub(crate) struct Microphone {
    clip: AudioBuffer,
    frame: AudioBuffer,
    at: usize,
}

impl Microphone {
    /// `clip` must hold a sample at least, which [`crate::wav::read`] sees to.
    pub(crate) fn new(clip: AudioBuffer, frame: AudioBuffer) -> Self {
        Self { clip, frame, at: 0 }
    }

    pub(crate) fn next_frame(&mut self) -> AudioRef<'_> {
        let (clip, mut frame) = (self.clip.as_ref(), self.frame.as_mut());
        let mut done = 0;
        while done < frame.samples() {
            let copied = frame.slice_mut(done, usize::MAX - done).copy_from(clip.slice(self.at, usize::MAX - self.at));
            done += copied;
            self.at = (self.at + copied) % clip.samples();
        }
        self.frame.as_ref()
    }
}
