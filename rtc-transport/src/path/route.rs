use core::time::Duration;
use std::collections::BTreeMap;

use rtc_core::ConfigError;
use rtc_core::time::Instant;

use super::{CostWeights, Quality};

/// Name of a node of a relay network, given by the integrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// Settings of a [`RouteMap`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RouteMapConfig {
    /// What the cost of links is made of.
    pub weights: CostWeights,
    /// What each node on the way costs, as delay. Default 2 ms: queues and work of a relay.
    pub hop: Duration,
    /// The most links of a route. Default 4: an edge at each end and two nodes between, more of which only add to what can fail.
    pub max_links: usize,
    /// Measurements older than this are not believed. Default 10 s.
    pub max_age: Duration,
    /// How much less another route must cost, as a part of the cost of the present one. Default 0.15.
    pub margin: f64,
    /// The most links that are remembered. Default 16384: some 128 nodes that all measure each other.
    pub capacity: usize,
}

impl Default for RouteMapConfig {
    fn default() -> Self {
        Self {
            weights: CostWeights::default(),
            hop: Duration::from_millis(2),
            max_links: 4,
            max_age: Duration::from_secs(10),
            margin: 0.15,
            capacity: 16_384,
        }
    }
}

/// What the nodes of a relay network measured of each other, and the cheapest way through it.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::time::Instant;
/// use rtc_transport::path::{NodeId, Quality, RouteMap, RouteMapConfig};
///
/// let (seoul, tokyo, paris) = (NodeId(1), NodeId(2), NodeId(3));
/// let now = Instant::from_millis(0);
/// let mut map = RouteMap::new(RouteMapConfig::default())?;
/// let link = |ms, loss| Quality { round_trip: Duration::from_millis(ms), loss, ..Quality::default() };
/// map.set_link(now, seoul, paris, link(240, 0.08)); // the open internet
/// map.set_link(now, seoul, tokyo, link(32, 0.0));
/// map.set_link(now, tokyo, paris, link(220, 0.001));
/// assert_eq!(map.best(now, seoul, paris).unwrap().nodes, [seoul, tokyo, paris]);
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct RouteMap {
    config: RouteMapConfig,
    links: BTreeMap<(NodeId, NodeId), Link>,
    biases: BTreeMap<NodeId, Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    cost: Duration,
    at: Instant,
}

/// A way through the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRoute {
    /// From the first to the last node, both included.
    pub nodes: Vec<NodeId>,
    /// What it costs.
    pub cost: Duration,
}

impl RouteMap {
    /// A map without links.
    ///
    /// # Errors
    /// [`ConfigError`] if a route may have no link or more than 16, `margin` is not in 0..1, or a weight is out of range.
    pub fn new(config: RouteMapConfig) -> Result<Self, ConfigError> {
        if !(1..=16).contains(&config.max_links) {
            return Err(ConfigError::new("max_links", "must be 1 to 16"));
        }
        if !(0.0..1.0).contains(&config.margin) {
            return Err(ConfigError::new("margin", "must be at least 0 and below 1"));
        }
        if !config.weights.are_sane() {
            return Err(ConfigError::new("weights", "must not be negative, nor above 1000 and an hour"));
        }
        Ok(Self { config, links: BTreeMap::new(), biases: BTreeMap::new() })
    }

    /// Takes what `from` measured on the way to `to`. Says whether there was room for it.
    pub fn set_link(&mut self, now: Instant, from: NodeId, to: NodeId, quality: Quality) -> bool {
        let has_room = self.links.len() < self.config.capacity || self.links.contains_key(&(from, to));
        if has_room && from != to {
            self.links.insert((from, to), Link { cost: self.config.weights.cost(&quality), at: now });
        }
        has_room
    }

    /// What passing through a node costs beside the links, as delay: its load or its price.
    pub fn set_bias(&mut self, node: NodeId, bias: Duration) {
        if bias.is_zero() {
            self.biases.remove(&node);
        } else if self.biases.len() < self.config.capacity || self.biases.contains_key(&node) {
            self.biases.insert(node, bias);
        }
    }

    /// Forgets a node and all its links.
    pub fn remove(&mut self, node: NodeId) {
        self.links.retain(|(from, to), _| *from != node && *to != node);
        self.biases.remove(&node);
    }

    /// Forgets what is too old to be believed.
    pub fn expire(&mut self, now: Instant) {
        self.links.retain(|_, link| now.saturating_since(link.at) <= self.config.max_age);
    }

    /// The cheapest route, of those with the fewest links; `None` if there is none.
    #[must_use]
    pub fn best(&self, now: Instant, from: NodeId, to: NodeId) -> Option<NodeRoute> {
        self.search(now, (from, to), |_| true)
    }

    /// The cheapest route that shares no link and no node but its ends with `route`: to send a copy over.
    #[must_use]
    pub fn disjoint(&self, now: Instant, route: &NodeRoute) -> Option<NodeRoute> {
        let [from, between @ .., to] = route.nodes.as_slice() else { return None };
        self.search(now, (*from, *to), |(a, b)| {
            let is_direct = between.is_empty() && (a, b) == (*from, *to);
            !is_direct && !between.contains(&a) && !between.contains(&b)
        })
    }

    /// A route to change to: `None` if the present one is still there and none is cheaper by
    /// [`margin`](RouteMapConfig::margin).
    #[must_use]
    pub fn better(&self, now: Instant, present: &NodeRoute) -> Option<NodeRoute> {
        let (from, to) = (*present.nodes.first()?, *present.nodes.last()?);
        let best = self.best(now, from, to)?;
        let is_better =
            self.cost_of(now, &present.nodes).is_none_or(|cost| best.cost < cost.mul_f64(1.0 - self.config.margin));
        is_better.then_some(best)
    }

    /// What a route costs now; `None` if a link of it is not there any more.
    #[must_use]
    pub fn cost_of(&self, now: Instant, nodes: &[NodeId]) -> Option<Duration> {
        nodes.windows(2).enumerate().try_fold(Duration::ZERO, |sum, (index, pair)| {
            let link = self.links.get(&(pair[0], pair[1])).filter(|link| self.is_fresh(now, link))?;
            let passing = if index == 0 { Duration::ZERO } else { self.passing(pair[0]) };
            Some(sum.saturating_add(link.cost).saturating_add(passing))
        })
    }

    /// Bellman and Ford, a link more with each layer, so that routes stay short.
    fn search(
        &self,
        now: Instant,
        (from, to): (NodeId, NodeId),
        may_use: impl Fn((NodeId, NodeId)) -> bool,
    ) -> Option<NodeRoute> {
        let mut layers = vec![BTreeMap::from([(from, Label { cost: Duration::ZERO, via: from })])];
        for layer in 0..self.config.max_links {
            let mut next = layers[layer].clone();
            for (&(a, b), link) in self.links.iter().filter(|(ends, link)| self.is_fresh(now, link) && may_use(**ends))
            {
                let Some(label) = layers[layer].get(&a) else { continue };
                let passing = if a == from { Duration::ZERO } else { self.passing(a) };
                let cost = label.cost.saturating_add(link.cost).saturating_add(passing);
                if next.get(&b).is_none_or(|known| cost < known.cost) {
                    next.insert(b, Label { cost, via: a });
                }
            }
            layers.push(next);
        }
        let cost = layers.last()?.get(&to)?.cost;
        let (mut nodes, mut node, mut layer) = (vec![to], to, layers.len() - 1);
        while node != from {
            let label = layers[layer].get(&node)?;
            layer = layer.checked_sub(1)?;
            if layers[layer].get(&node) != Some(label) {
                node = label.via;
                nodes.push(node);
            }
        }
        nodes.reverse();
        Some(NodeRoute { nodes, cost })
    }

    fn is_fresh(&self, now: Instant, link: &Link) -> bool {
        now.saturating_since(link.at) <= self.config.max_age
    }

    fn passing(&self, node: NodeId) -> Duration {
        self.config.hop.saturating_add(self.biases.get(&node).copied().unwrap_or_default())
    }
}

/// The cheapest way to a node, and by which node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label {
    cost: Duration,
    via: NodeId,
}
