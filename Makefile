# Two commands for a stranger: `make demo` and `make test`. Each installs what is missing first.

CARGO ?= cargo
# Features with more than the default set, tested together; each alone is checked by `make features`. The peers of rtc-benches
# are not among them: they need system packages.
ALL := --workspace --exclude rtc-benches --all-features
# What `score` measures.
MECHANISMS := bwe jitter fec audio3a mixer transport
# How many seeds it measures each scenario with: `make score SEEDS=3` takes half as long.
SEEDS ?= 7
# How many random inputs `soak` tries each property with.
CASES ?= 5000

.PHONY: demo demo-video test soak setup lint features docs bench bench-smoke peers peers-test score clean

## demo: a voice call through a network that loses 30 % of its packets; see out/call/report.html
demo: setup
	$(CARGO) run --release --quiet -p rtc-examples --no-default-features --bin call -- --net 30%-loss

## demo-video: the same with AV1 pictures in step with the sound; the codec takes some minutes to build; see out/video_call/report.html
demo-video: setup
	$(CARGO) run --release --quiet -p rtc-examples --bin video_call -- --net 5%-loss

## test: every test of the workspace; the same random inputs each time, so that a change alone can turn it red
test: setup
	PROPTEST_RNG_SEED=1 $(CARGO) test $(ALL)
	PROPTEST_RNG_SEED=1 $(CARGO) test -p rtc-benches

## soak: the properties on new and many more random inputs, and seven million damaged ones through loss recovery
soak: setup
	PROPTEST_CASES=$(CASES) $(CARGO) test --no-fail-fast $(ALL) --lib --test prop
	FUZZ_INPUTS=1000000 $(CARGO) test -p rtc-fec --test fuzz -- --nocapture

## setup: install cmake (for the bundled libopus) where it is missing
setup:
	@sh .ci/setup

## lint: formatting, clippy, and each crate alone with each of its features
lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	$(CARGO) clippy -p rtc-benches --all-targets -- -D warnings

## features: every library crate builds alone, bare and with each feature
features: setup
	sh .ci/features

## docs: rustdoc without a warning
docs: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ALL) --no-deps
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc -p rtc-benches --no-deps

## bench: criterion benches
bench: setup
	$(CARGO) bench -p rtc-benches

## bench-smoke: every bench runs once
bench-smoke: setup
	$(CARGO) bench -p rtc-benches -- --test

## peers: install the system packages that `score` measures against, or say which
peers:
	@sh .ci/peers

## score: quality and cost of our crates beside all peers, mechanism by mechanism; pages go to out/score
score: setup peers
	@mkdir -p out/score
	$(CARGO) build --release -p rtc-benches --features peers-rust,peers-system
	@for mechanism in $(MECHANISMS); do \
		$(CARGO) run --release --quiet -p rtc-benches --features peers-rust,peers-system --bin score -- \
			$$mechanism --seeds $(SEEDS) --html out/score/$$mechanism.html || exit 1; \
	done

## peers-test: tests and lints of the peers themselves, and of what only they use
peers-test: setup peers
	cd peers && $(CARGO) test && $(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test -p rtc-benches --all-features
	$(CARGO) clippy -p rtc-benches --all-features --all-targets -- -D warnings

clean:
	$(CARGO) clean
	rm -rf out
