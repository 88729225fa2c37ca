/// What protection was expected to do, and what it did, as averages over some ten seconds of voice. Fractions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Account {
    /// Packets missing at their deadline, as planned.
    pub expected_residual: f64,
    /// Packets that were missing.
    pub residual: f64,
    /// Repair per packet of media, as planned.
    pub expected_overhead: f64,
    /// Repair that was sent.
    pub overhead: f64,
    /// Packets the averages rest on.
    weight: f64,
}

/// What became of some packets of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many they were.
    pub media: u64,
    /// Copies and repair packets sent meanwhile.
    pub repair: u64,
    /// Packets of media that were missing at their deadline.
    pub missed: u64,
}

impl Account {
    /// Packets an account looks back on: some ten seconds.
    const MEMORY: f64 = 500.0;

    /// Takes note of what came of packets for which so much was expected to be missing, and so much repair per packet.
    pub fn add(&mut self, expected_residual: f64, expected_overhead: f64, outcome: Outcome) {
        if outcome.media == 0 {
            return;
        }
        let media = outcome.media as f64;
        self.weight = (self.weight + media).min(Self::MEMORY);
        let part = (media / self.weight).min(1.0);
        let follow = |mean: &mut f64, value: f64| *mean += (value - *mean) * part;
        follow(&mut self.expected_residual, expected_residual);
        follow(&mut self.residual, outcome.missed as f64 / media);
        follow(&mut self.expected_overhead, expected_overhead);
        follow(&mut self.overhead, outcome.repair as f64 / media);
    }
}
