//! One camera, many viewers: each is served what its own path carries.

use clap::Parser;
use rtc_examples::forward::{ForwardOptions, live, simulate, to_table};

fn options(arguments: &[&str]) -> ForwardOptions {
    ForwardOptions::parse_from(core::iter::once("forward").chain(arguments.iter().copied()))
}

#[test]
fn each_viewer_is_served_at_the_rate_of_its_own_path() {
    let outcomes = simulate(&options(&["--seconds", "40"])).expect("the settings are possible");
    println!("{}", to_table(&outcomes));
    // The base layer alone, the two lowest, all: 7.5, 15 and 30 pictures a second.
    for (outcome, [least, most]) in outcomes.iter().zip([[7.0, 11.0], [12.0, 22.0], [29.0, 31.0]]) {
        assert!((least..=most).contains(&outcome.pictures), "{outcome:?}");
        assert!(outcome.delivered <= outcome.capacity && outcome.lost <= 20, "{outcome:?}");
    }
    assert_eq!(simulate(&options(&["--seconds", "40"])), Ok(outcomes), "twice the same");
}

/// Nothing is said of rates, as a machine may be slow: that it works is enough.
#[test]
fn it_runs_over_sockets() {
    let outcomes = live(&options(&["--seconds", "2", "--capacities", "3000,3000"])).expect("there is loopback");
    println!("{}", to_table(&outcomes));
    assert!(outcomes.iter().all(|outcome| outcome.pictures > 0.0), "{outcomes:?}");
}
