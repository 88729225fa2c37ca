//! Properties of sharing: an allocator's streams, a group's flows.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_bwe::{Allocator, AllocatorConfig, Demand, FlowGroup, FlowGroupConfig, FlowId, StreamId};
use rtc_core::Bitrate;
use rtc_core::bwe::Estimate;
use rtc_core::time::Instant;

fn demand() -> impl Strategy<Value = Demand> {
    let rates = (prop_oneof![Just(0), 1..2_000_000_u64], 0..3_000_000_u64);
    (rates, 0..4_u8, 1..5_u32, proptest::bool::weighted(0.2)).prop_map(|((min, more), priority, weight, always)| {
        let (min, max) = (Bitrate::from_bps(min), Bitrate::from_bps(min + more));
        let demand = Demand::new(min, max, priority).with_weight(weight);
        if always { demand.always() } else { demand }
    })
}

/// A target, and how much of it is stable, in percent.
fn estimate() -> impl Strategy<Value = Estimate> {
    (0..12_000_000_u64, 0..=100_u64).prop_map(|(target, stable)| {
        Estimate::new(Bitrate::from_bps(target)).with_stable(Bitrate::from_bps(target / 100 * stable))
    })
}

#[derive(Debug, Clone)]
enum Op {
    Set(u32, Demand),
    Remove(u32),
    Allocate(Estimate),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..8_u32, demand()).prop_map(|(id, demand)| Op::Set(id, demand)),
        1 => (0..8_u32).prop_map(Op::Remove),
        4 => estimate().prop_map(Op::Allocate),
    ]
}

/// An allocator after some operations, beside the demands that must be there.
struct Model {
    allocator: Allocator,
    demands: Vec<(u32, Demand)>,
}

impl Model {
    fn after(ops: &[Op]) -> Self {
        let allocator = Allocator::new(AllocatorConfig::default()).expect("valid");
        let mut model = Self { allocator, demands: Vec::new() };
        ops.iter().for_each(|op| model.apply(op));
        model
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Set(id, demand) => {
                self.allocator.set(StreamId(*id), *demand).expect("valid and few");
                match self.demands.iter_mut().find(|(other, _)| other == id) {
                    Some((_, old)) => *old = *demand,
                    None => self.demands.push((*id, *demand)),
                }
            }
            Op::Remove(id) => {
                let known = self.demands.iter().any(|(other, _)| other == id);
                assert_eq!(self.allocator.remove(StreamId(*id)), known);
                self.demands.retain(|(other, _)| other != id);
            }
            Op::Allocate(estimate) => self.allocator.allocate(estimate),
        }
    }

    /// Demands, whether each is on, and its share, in the order the streams are switched on.
    fn shares(&self) -> Vec<(Demand, bool, u64)> {
        let demand = |id: StreamId| self.demands.iter().find(|(other, _)| *other == id.0).expect("known").1;
        self.allocator.shares().map(|(id, on, share)| (demand(id), on, share.as_bps())).collect()
    }

    fn on(&self) -> Vec<StreamId> {
        self.allocator.shares().filter(|(_, on, _)| *on).map(|(id, _, _)| id).collect()
    }
}

fn check(model: &Model, estimate: &Estimate) -> Result<(), TestCaseError> {
    let (shares, target) = (model.shares(), estimate.target.as_bps());
    prop_assert_eq!(shares.len(), model.demands.len());
    let on = || shares.iter().filter(|(_, on, _)| *on);
    let least: u64 = on().map(|(demand, _, _)| demand.min.as_bps()).sum();
    let sum: u64 = shares.iter().map(|(_, _, share)| share).sum();
    // Only those that are always on may need more than there is.
    prop_assert!(sum <= target.max(least), "{} of {}", sum, target);
    prop_assert!(least <= target || on().all(|(demand, _, _)| demand.always));
    for (demand, on, share) in &shares {
        let range = if *on { demand.min.as_bps()..=demand.max.as_bps() } else { 0..=0 };
        prop_assert!(range.contains(share) && (*on || !demand.always));
    }
    // Nobody behind one that is off, but for those that always are on.
    let first_off = shares.iter().position(|(_, on, _)| !on).unwrap_or(shares.len());
    prop_assert!(shares[first_off..].iter().all(|(_, on, _)| !on));
    let order = shares.iter().map(|(demand, _, _)| (!demand.always, u8::MAX - demand.priority));
    prop_assert!(order.is_sorted());
    // Nobody has more than the least while one of higher priority could use more; what is left over is dust.
    for (low, _, share) in on().filter(|(demand, _, share)| *share > demand.min.as_bps()) {
        prop_assert!(
            on().all(|(high, _, other)| high.priority <= low.priority || *other == high.max.as_bps()),
            "{share} at {}",
            low.priority
        );
    }
    let wanted: u64 = on().map(|(demand, _, _)| demand.max.as_bps()).sum();
    prop_assert!(least > target || sum + shares.len() as u64 >= target.min(wanted), "{} of {} lie idle", sum, target);
    Ok(())
}

proptest! {
    #[test]
    fn shares_fit_and_respect_limits_and_priorities(ops in vec(op(), 0..40)) {
        let mut model = Model::after(&[]);
        for op in &ops {
            model.apply(op);
            if let Op::Allocate(estimate) = op {
                check(&model, estimate)?;
            }
        }
    }

    /// More rate never switches a stream off, and with the same streams on nobody gets less.
    #[test]
    fn shares_grow_with_the_rate(ops in vec(op(), 0..20), rate in 0..12_000_000_u64, more in 0..6_000_000_u64) {
        let (mut less, mut greater) = (Model::after(&ops), Model::after(&ops));
        less.apply(&Op::Allocate(Estimate::new(Bitrate::from_bps(rate))));
        greater.apply(&Op::Allocate(Estimate::new(Bitrate::from_bps(rate + more))));
        let (few, many) = (less.on(), greater.on());
        prop_assert_eq!(&many[..few.len()], &few[..]);
        let sum = |model: &Model| model.shares().iter().map(|(_, _, share)| share).sum::<u64>();
        // Shares are rounded down by less than one each.
        prop_assert!(sum(&less) <= sum(&greater) + less.demands.len() as u64);
        if few.len() == many.len() {
            prop_assert!(less.shares().iter().zip(greater.shares()).all(|(less, greater)| less.2 <= greater.2));
        }
    }

    #[test]
    fn a_rate_that_varies_by_five_percent_switches_each_stream_once_at_most(
        ops in vec(op(), 0..20),
        rate in 0..12_000_000_u64,
        noise in vec(950..=1_050_u64, 50),
    ) {
        let mut model = Model::after(&ops);
        // What changed demands ask for comes first: a new stream of high priority may switch others off until it is on.
        model.apply(&Op::Allocate(Estimate::new(Bitrate::from_bps(rate))));
        let count = |model: &Model| model.allocator.stats().switched_on + model.allocator.stats().switched_off;
        let before = count(&model);
        let mut last = model.on();
        let mut switched: Vec<StreamId> = Vec::new();
        for permille in noise {
            model.apply(&Op::Allocate(Estimate::new(Bitrate::from_bps(rate * permille / 1_000))));
            let on = model.on();
            let changed = on.iter().filter(|id| !last.contains(id)).chain(last.iter().filter(|id| !on.contains(id)));
            switched.extend(changed);
            last = on;
        }
        let mut once = switched.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), switched.len(), "{:?}", switched);
        prop_assert_eq!(count(&model) - before, switched.len() as u64);
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Join(u32, u64, u32),
    Leave(u32),
    Desire(u32, u64),
    /// A flow's own control changes its rate to so many thousandths; after so many ms.
    Update(u32, u64, u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let flow = 0..6_u32;
    prop_oneof![
        2 => (flow.clone(), 0..3_000_000_u64, 1..6_u32).prop_map(|(id, rate, priority)| Turn::Join(id, rate, priority)),
        1 => flow.clone().prop_map(Turn::Leave),
        1 => (flow.clone(), prop_oneof![0..2_000_000_u64, Just(u64::MAX)]).prop_map(|(id, rate)| Turn::Desire(id, rate)),
        6 => (flow, 0..2_000_u64, 0..200_u64).prop_map(|(id, permille, ms)| Turn::Update(id, permille, ms)),
    ]
}

/// Runs turns; after each update that took effect, hands out the group, the sum before, and the flow's rates before and told.
fn play(
    conservative: bool,
    turns: &[Turn],
    mut seen: impl FnMut(&FlowGroup, &[(FlowId, u32, u64)], u64, u64, u64) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut config = FlowGroupConfig::default();
    config.conservative = conservative;
    let mut group = FlowGroup::new(config).expect("valid");
    let (mut now, mut flows): (_, Vec<(FlowId, u32, u64)>) = (Instant::ZERO, Vec::new());
    for turn in turns {
        match *turn {
            Turn::Join(id, rate, priority) => {
                let joined = group.join(FlowId(id), Bitrate::from_bps(rate), priority).is_ok();
                prop_assert_eq!(joined, flows.iter().all(|flow| flow.0 != FlowId(id)));
                if joined {
                    flows.push((FlowId(id), priority, 1_000_000_000_000_000));
                }
            }
            Turn::Leave(id) => {
                prop_assert_eq!(group.leave(FlowId(id)), flows.iter().any(|flow| flow.0 == FlowId(id)));
                flows.retain(|flow| flow.0 != FlowId(id));
            }
            Turn::Desire(id, rate) => {
                if group.set_desired(FlowId(id), Bitrate::from_bps(rate)) {
                    let flow = flows.iter_mut().find(|flow| flow.0 == FlowId(id)).expect("known");
                    flow.2 = rate.min(1_000_000_000_000_000);
                }
            }
            Turn::Update(id, permille, ms) => {
                now += Duration::from_millis(ms);
                let Some(before) = group.rate(FlowId(id)) else { continue };
                let (sum, told) = (group.total().as_bps(), before.as_bps() * permille / 1_000);
                if group.update(now, FlowId(id), Bitrate::from_bps(told), Duration::from_millis(50)) {
                    seen(&group, &flows, sum, before.as_bps(), told)?;
                }
            }
        }
        prop_assert_eq!(group.rates().count(), flows.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_sum_of_the_flows_is_that_of_the_group(conservative: bool, turns in vec(turn(), 0..60)) {
        play(conservative, &turns, |group, flows, _, _, _| {
            let sum: u64 = group.rates().map(|(_, rate)| rate.as_bps()).sum();
            let most = group.total().as_bps().min(flows.iter().map(|flow| flow.2).sum());
            prop_assert!(sum <= most && sum + flows.len() as u64 >= most, "{} of {}", sum, most);
            Ok(())
        })?;
    }

    #[test]
    fn flows_that_may_have_more_share_by_priority(conservative: bool, turns in vec(turn(), 0..60)) {
        play(conservative, &turns, |group, flows, _, _, _| {
            let mut open = Vec::new();
            for (id, priority, desired) in flows {
                let rate = group.rate(*id).expect("known").as_bps();
                prop_assert!(rate <= *desired);
                if rate < *desired {
                    open.push((rate, u64::from(*priority)));
                }
            }
            for pair in open.windows(2) {
                let [(a, first), (b, second)] = pair else { continue };
                prop_assert!(a * second < (b + 1) * first && b * first < (a + 1) * second, "{:?}", pair);
            }
            Ok(())
        })?;
    }

    /// An increase adds what the flow gained; a decrease takes what it lost, or in proportion if that is what is wanted.
    #[test]
    fn the_sum_changes_by_what_the_flow_came_to(conservative: bool, turns in vec(turn(), 0..60)) {
        play(conservative, &turns, |group, flows, sum, before, told| {
            let total = group.total().as_bps();
            if told >= before {
                let desired: u64 = flows.iter().map(|flow| flow.2).sum();
                prop_assert_eq!(total, (sum + told - before).min(desired.max(sum)));
            } else if conservative {
                let wanted = u128::from(sum) * u128::from(told) / u128::from(before);
                prop_assert_eq!(u128::from(total), wanted);
            } else {
                prop_assert_eq!(total, (sum + told).saturating_sub(before));
            }
            Ok(())
        })?;
    }
}
