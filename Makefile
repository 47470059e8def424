# One command for each thing one wants. `make help` lists them.

CARGO ?= cargo
# Which server the demo and the benchmark use: mysql or mariadb.
SERVER ?= mysql
export SERVER
SCRIPTS := fuzz/run tests/mutants/run scripts/provide-servers scripts/provide-tools scripts/debian-archive .ci/run $(wildcard tests/clients/*/*.sh)

.DEFAULT_GOAL := help
.PHONY: help demo test bench clients fuzz mutants lint doc servers

help: ## Says what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	  awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: servers ## Alters a busy table of a million rows and proves that nothing was lost (SERVER=mariadb: on MariaDB)
	$(CARGO) build --release --locked --bin alterego
	$(CARGO) build --release --locked -p alterego-bench
	target/release/alterego-bench demo

bench: servers ## Compares the row copy with the server's own ALTER (GH_OST=path: with gh-ost, too), the relay with other proxies, and shows how long cut-overs hold clients up
	$(CARGO) build --release --locked --bin alterego
	$(CARGO) build --release --locked -p alterego-bench
	target/release/alterego-bench copy
	target/release/alterego-bench relay
	target/release/alterego-bench stalls

test: servers ## Runs all tests, against real servers of both kinds
	$(CARGO) build --locked --bin alterego
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  set -x; $(CARGO) nextest run --locked --workspace --no-fail-fast && $(CARGO) test --locked --workspace --doc; \
	else \
	  set -x; $(CARGO) test --locked --workspace --no-fail-fast; \
	fi
	ALTEREGO_WIRE_PLACED=1 $(CARGO) test --locked --test wire
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

clients: ## Tries real clients and migration tools, fetched from their registries (CLIENTS="django mysql2": some only)
	$(CARGO) build --locked --bin alterego
	ALTEREGO_BIN=target/debug/alterego tests/clients/run $(CLIENTS)

fuzz: ## Fuzzes what reads bytes from outside, with nightly Rust and cargo-fuzz (FUZZ_SECONDS=600: longer, each target)
	fuzz/run

mutants: servers ## Breaks each rule of ARCHITECTURE.md in turn and expects a test to notice (MUTANTS="name …": some only)
	tests/mutants/run $(MUTANTS)

lint: ## Checks format, lints and scripts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	for script in $(SCRIPTS); do bash -n "$$script" || exit; done
	@if command -v shellcheck >/dev/null; then set -x; shellcheck $(SCRIPTS); fi

doc: ## Builds the documentation of the crates
	$(CARGO) doc --locked --workspace --no-deps

servers: ## Provides the servers that the other targets need, without touching the system
	@scripts/provide-servers $(if $(filter demo bench,$(MAKECMDGOALS)),$(SERVER)) >/dev/null
