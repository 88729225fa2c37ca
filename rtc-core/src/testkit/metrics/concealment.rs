/// Counts what was played and what had to be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Concealment {
    /// Samples played, real or not (webrtc-stats `totalSamplesReceived`).
    pub played: u64,
    /// Samples made up (webrtc-stats `concealedSamples`).
    pub concealed: u64,
    /// Stretches of made-up samples (webrtc-stats `concealmentEvents`).
    pub events: u64,
    /// Samples in the longest of them.
    pub longest: u64,
    /// Samples in the one that goes on, if one does.
    current: u64,
}

impl Concealment {
    /// Takes note of real samples.
    pub fn real(&mut self, samples: u64) {
        self.played += samples;
        self.current = 0;
    }

    /// Takes note of made-up samples.
    pub fn concealed(&mut self, samples: u64) {
        self.events += u64::from(self.current == 0 && samples > 0);
        self.played += samples;
        self.concealed += samples;
        self.current += samples;
        self.longest = self.longest.max(self.current);
    }

    /// The part of what was played that was made up; zero if nothing was.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.played == 0 { 0.0 } else { self.concealed as f64 / self.played as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_unbroken_stretches() {
        let mut count = Concealment::default();
        assert_eq!(count.ratio(), 0.0);
        count.real(480);
        count.concealed(100);
        count.concealed(140);
        count.real(240);
        count.concealed(0);
        count.concealed(240);
        assert_eq!((count.played, count.concealed, count.events, count.longest), (1_200, 480, 2, 240));
        assert_eq!(count.ratio(), 0.4);
    }
}
