# Two commands matter: `make serve` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip --disable-pip-version-check
PORT ?= 8080
RUST := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml)
STAMPS := $(VENV)/.stamps

.DEFAULT_GOAL := help
.PHONY: help build serve test test-rust test-python lint format bench fuzz clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMPS)/venv:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1' 'maturin>=1.16,<2'
	@mkdir -p $(STAMPS) && touch $@

# The package with its release-mode extension, editable: Python sources are used in place.
$(STAMPS)/package: $(STAMPS)/venv pyproject.toml $(RUST)
	$(PIP) install --quiet --no-build-isolation --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/package pyproject.toml
	$(PIP) install --quiet --group dev
	@touch $@

build: $(STAMPS)/package ## Make .venv with the package: .venv/bin/zeroserve

serve: build ## Build what is missing and serve the example site
	$(BIN)/zeroserve examples/site --addr 127.0.0.1:$(PORT)

test: $(STAMPS)/dev test-rust test-python ## Install what the tests need and run them all

test-rust: ## Run the tests of the Rust crates
	cargo test --quiet --workspace --exclude zeroserve-py

test-python: $(STAMPS)/dev ## Run the tests of the package
	sh tools/test-peers.sh
	$(BIN)/python -m pytest

lint: $(STAMPS)/dev ## Check format, types and lints of both languages
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMPS)/dev ## Format the sources of both languages
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMPS)/bench: $(STAMPS)/dev pyproject.toml
	$(PIP) install --quiet --group bench
	@touch $@

bench: $(STAMPS)/bench ## Compare with nginx, h2o, Caddy, granian ... on this machine
	sh tools/test-peers.sh bench
	$(BIN)/python -m bench all --rounds 3 --seconds 1

# libFuzzer on the stable toolchain: coverage by LLVM's own pass, no sanitizer. Found inputs go to
# fuzz/corpus.local; move what is worth keeping into fuzz/corpus.
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cdebug-assertions=on -Coverflow-checks=on
# With a target named, build scripts are left alone.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_SECONDS ?= 300

fuzz: ## Fuzz every reader of untrusted input, FUZZ_SECONDS each (300)
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --quiet --release --package zeroserve-fuzz \
		--features libfuzzer --target $(HOST) --target-dir target/fuzz --config 'profile.release.lto="off"'
	@for target in tar packed request chunked conversation h2 proxy_header hello upstream objects executors helpers; do \
		mkdir -p fuzz/corpus.local/$$target; \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		target/fuzz/$(HOST)/release/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -verbosity=0 \
			-print_final_stats=1 -artifact_prefix=fuzz/corpus.local/ \
			fuzz/corpus.local/$$target fuzz/corpus/$$target || exit 1; \
	done

clean: ## Remove everything that was built
	rm -rf $(VENV) target
