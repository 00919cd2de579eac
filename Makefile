# Everything that one does with this project. `make` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-shared test lint fmt bench audit soak

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## sign in once, be signed in ever after: the point of Rhaven, in about five minutes
	@.ci/demo

demo-shared: ## one session on two machines, with Redis and S3 between them
	@.ci/demo-shared

test: ## every test, in real Chromium and with a real Redis; installs what it needs where it may
	@.ci/install toolchain
	@.ci/install browsers
	@.ci/install windows
	@.ci/install redis
	@.ci/install moto
	@.ci/install schemathesis
	@.ci/install axe
	@.ci/install clients
	@.ci/install nextest
	cargo nextest run --locked
	cargo test --locked --quiet --doc

lint: ## formatting, clippy and documentation, warnings being errors
	@.ci/install toolchain
	@.ci/install lint
	cargo fmt --all --check
	cargo clippy --locked --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

fmt: ## formats the source
	cargo fmt --all

bench: ## the whole login workflow beside Playwright and Puppeteer (needs node, npm and hyperfine)
	benches/compare/run

audit: ## licences, bans and sources of all dependencies
	@.ci/install toolchain
	@.ci/install deny
	cargo deny --locked check licenses bans sources

soak: ## the tests of crashes and concurrency at length: two to three hours
	@.ci/install toolchain
	@.ci/install browsers
	@.ci/install windows
	@.ci/install redis
	@.ci/install moto
	@.ci/install schemathesis
	@.ci/install axe
	@.ci/install clients
	@.ci/install nextest
	RHAVEN_SOAK_KILLS=500 RHAVEN_SOAK_POINTS=1 RHAVEN_SOAK_RERUNS=200 RHAVEN_SOAK_RECORDS=100000 RHAVEN_SOAK_REQUESTS=500 PROPTEST_CASES=20000 \
		cargo nextest run --locked --profile soak
	cargo nextest run --locked --profile soak --stress-count 20 --test browser --test page --test session --test script --test cli --test egress --test serve
