/// A mean over the last so many values, with how many it rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Average {
    value: f64,
    weight: f64,
    memory: f64,
}

impl Average {
    pub(super) fn new(value: f64, weight: f64, memory: f64) -> Self {
        Self { value, weight, memory }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.weight = (self.weight + 1.0).min(self.memory);
        self.value += (value - self.value) / self.weight;
    }

    pub(super) fn set(&mut self, value: f64, weight: f64) {
        (self.value, self.weight) = (value, weight.min(self.memory));
    }

    pub(super) fn value(self) -> f64 {
        self.value
    }

    pub(super) fn weight(self) -> f64 {
        self.weight
    }
}
