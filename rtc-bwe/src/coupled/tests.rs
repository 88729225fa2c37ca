use super::*;

const RTT: Duration = Duration::from_millis(50);

const fn kbps(kbps: u64) -> Bitrate {
    Bitrate::from_kbps(kbps)
}

/// Flows 0, 1, ... of 600 kb/s each with these priorities.
fn group(conservative: bool, priorities: &[u32]) -> FlowGroup {
    let config = FlowGroupConfig { conservative, ..FlowGroupConfig::default() };
    let mut group = FlowGroup::new(config).unwrap();
    for (id, priority) in (0..).zip(priorities) {
        group.join(FlowId(id), kbps(600), *priority).unwrap();
    }
    group
}

fn rates(group: &FlowGroup) -> Vec<u64> {
    group.rates().map(|(_, rate)| rate.as_bps() / 1_000).collect()
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn rfc8699_s5_3_1_the_sum_takes_on_what_the_flow_gained_or_lost() {
    let mut group = group(false, &[1, 1, 1]);
    assert!(group.update(at(0), FlowId(1), kbps(900), RTT));
    assert_eq!((group.total(), rates(&group)), (kbps(2_100), vec![700; 3]));
    assert!(group.update(at(1), FlowId(0), kbps(400), RTT));
    assert_eq!((group.total(), rates(&group)), (kbps(1_800), vec![600; 3]));
}

#[test]
fn rfc8699_s5_3_1_the_sum_is_divided_by_priority() {
    let mut group = group(false, &[1, 2, 3]);
    group.update(at(0), FlowId(0), kbps(600), RTT);
    assert_eq!(rates(&group), [300, 600, 900]);
}

#[test]
fn rfc8699_s5_3_1_no_flow_has_more_than_it_desires_and_others_have_the_rest() {
    let mut group = group(false, &[1, 1, 1]);
    assert!(group.set_desired(FlowId(2), kbps(100)));
    group.update(at(0), FlowId(0), kbps(600), RTT);
    assert_eq!(rates(&group), [850, 850, 100]);
}

#[test]
fn rfc8699_s5_3_1_flows_that_start_add_their_rate_and_those_that_stop_leave_it_to_the_others() {
    let mut group = group(false, &[1, 1]);
    group.join(FlowId(9), kbps(300), 1).unwrap();
    assert_eq!(group.total(), kbps(1_500));
    assert!(group.leave(FlowId(0)) && !group.leave(FlowId(0)));
    group.update(at(0), FlowId(9), kbps(300), RTT);
    assert_eq!(rates(&group), [750, 750]);
    group.leave(FlowId(9));
    group.leave(FlowId(1));
    assert_eq!(group.total(), Bitrate::ZERO);
}

#[test]
fn rfc8699_s5_3_2_a_decrease_lowers_all_in_proportion() {
    let mut group = group(true, &[1, 1, 1]);
    group.update(at(0), FlowId(0), kbps(300), RTT);
    assert_eq!((group.total(), rates(&group)), (kbps(900), vec![300; 3]));
}

#[test]
fn rfc8699_s5_3_2_nothing_changes_for_two_round_trips_after_a_decrease() {
    let mut group = group(true, &[1, 1]);
    group.update(at(0), FlowId(0), kbps(300), RTT);
    assert!(!group.update(at(99), FlowId(1), kbps(100), RTT));
    assert_eq!(rates(&group), [300, 300]);
    assert!(group.update(at(100), FlowId(1), kbps(400), RTT));
    assert_eq!(rates(&group), [350, 350]);
}

#[test]
fn a_sum_nobody_uses_grows_no_further() {
    let mut group = group(true, &[1, 1]);
    group.set_desired(FlowId(0), kbps(500));
    group.set_desired(FlowId(1), kbps(500));
    for ms in 0..100 {
        group.update(at(ms), FlowId(0), kbps(900), RTT);
    }
    assert_eq!((group.total(), rates(&group)), (kbps(1_200), vec![500; 2]));
}

#[test]
fn strangers_and_impossible_flows_are_refused() {
    let mut group = group(true, &[1]);
    assert!(!group.update(at(0), FlowId(7), kbps(1), RTT));
    assert!(!group.set_desired(FlowId(7), kbps(1)));
    assert_eq!(group.rate(FlowId(7)), None);
    assert!(group.join(FlowId(0), kbps(1), 1).is_err());
    assert!(group.join(FlowId(1), kbps(1), 0).is_err());
    assert!(FlowGroup::new(FlowGroupConfig { flows: 0, ..FlowGroupConfig::default() }).is_err());
}
