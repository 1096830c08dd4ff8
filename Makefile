# The one interface to this repository. `make help` lists what it can do.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
LAB_SUITES ?= tests/roles/mixed tests/e2e tests/roles/failures tests/roles/systems tests/roles/guard tests/chaos/machine \
	tests/rehearse tests/scrape
LAB_WORKERS ?= 3
PYTHON_SOURCES := agent fleet lab playbooks/plugins roles scripts tests
SHELL_SCRIPTS := $(shell git ls-files -co --exclude-standard '*.sh' .ci/run)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .make/setup ## install what this checkout needs, into .venv (and system packages where missing)
.make/setup: scripts/setup.sh requirements/dev.txt pyproject.toml
	@scripts/setup.sh
	@mkdir -p .make && touch $@

.PHONY: agent
agent: setup ## build the node agent: one reproducible file per architecture, in build/agent
	@$(BIN)/python agent/build.py

.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo "Simulated nodes need root, for namespaces and packages: run this as root or with sudo." >&2; exit 1; }

.PHONY: demo
demo: root setup agent ## boot simulated nodes, prepare them, start an NPU container, show the fleet
	@scripts/demo.sh

.PHONY: test
test: root setup ## everything: check, unit tests, and the whole main job on simulated nodes
	@scripts/test.sh

.PHONY: check
check: setup ## linters, types, and the laws of this repository
	@$(BIN)/ruff check $(PYTHON_SOURCES)
	@$(BIN)/ruff format --check $(PYTHON_SOURCES)
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict .
	@$(BIN)/shellcheck $(SHELL_SCRIPTS)
	@PATH="$(CURDIR)/$(BIN):$$PATH" ANSIBLE_HOME="$(CURDIR)/build/ansible" $(BIN)/ansible-lint --offline -q site.yml playbooks roles
	@$(PYTEST) -q tests/rules

.PHONY: unit
unit: setup ## unit and contract tests; no node, no network
	@$(PYTEST) -q -n 2 tests/unit tests/contract

.PHONY: api
api: setup ## try the agent's API document with schemathesis: NPUFLEET_API_EXAMPLES=100 tries more
	@$(PYTEST) -q tests/api

.PHONY: e2e
e2e: root setup agent ## every suite that needs simulated nodes or the built agent, each in a lab of its own, side by side
	@NPUFLEET_CHAOS_SLOWNESS=$${NPUFLEET_CHAOS_SLOWNESS:-3} scripts/lab_suites.sh $(LAB_WORKERS) $(LAB_SUITES)

CHAOS ?= full
CHAOS_SUITES ?= tests/chaos/agent tests/chaos/machine

.PHONY: chaos
chaos: root setup agent ## the chaos suites in full: 200 kills, ten minutes of a hanging npu-smi; CHAOS=short takes some minutes
	@for suite in $(CHAOS_SUITES); do NPUFLEET_CHAOS=$(CHAOS) $(PYTEST) -q --timeout 14400 $$suite; done

.PHONY: lab
lab: root setup agent ## boot two simulated nodes and leave them running
	@$(BIN)/npufleet lab up

.PHONY: lab-down
lab-down: ## remove the simulated nodes, their volumes and the engine that was started for them
	@if [ -x $(BIN)/npufleet ]; then $(BIN)/npufleet lab down --engine; else echo "nothing to remove: make setup never ran here"; fi

.PHONY: bench
bench: setup agent ## measure; prints the figures that the docs quote (BENCH="--minutes 60" for the long one)
	@cd tests && ../$(BIN)/python -m bench.footprint $(BENCH)

.PHONY: bench-start
bench-start: root setup agent ## measure starts through the agent beside docker run, its own restart, and 1,000 starts and ends
	@cd tests && ../$(BIN)/python -m bench.start $(BENCH)

.PHONY: bench-sweep
bench-sweep: setup ## measure a sweep over 1,000 and 5,000 simulated agents beside curl's parallel mode
	@$(BIN)/python tests/bench/sweep.py

.PHONY: bench-push
bench-push: root setup agent ## measure npufleet push beside scp, in turns, to a lab node
	@$(BIN)/python tests/bench/push.py

.PHONY: rehearse
rehearse: setup ## rollouts over 1,000 simulated nodes, 3 % of which do not stand them; prints how each ended
	@NPUFLEET_REHEARSE_NODES=1000 $(PYTEST) -q -s --timeout 3600 tests/rehearse

.PHONY: bench-prepare
bench-prepare: root setup agent build/bench-venv/done ## measure a no-change site.yml on 16 nodes beside Ansible's defaults, pyinfra and bare SSH
	@$(BIN)/python tests/bench/prepare.py
build/bench-venv/done: requirements/bench.txt
	@$(BIN)/python -m venv --clear build/bench-venv
	@build/bench-venv/bin/python -m pip install --quiet --require-hashes -r requirements/bench.txt
	@touch $@

FUZZ_CASES ?= 1000000
FUZZ_GUIDED ?= 200000

.PHONY: fuzz
fuzz: setup ## nightly: a million damaged outputs through every parser, then inputs that coverage steers; prints counts
	@$(BIN)/python tests/fuzz/run.py $(FUZZ_CASES)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt
	@mkdir -p build/fuzz && $(BIN)/python tests/fuzz/guided.py -runs=$(FUZZ_GUIDED) -max_len=2048 -artifact_prefix=build/fuzz/ build/fuzz

.PHONY: lock
lock: setup ## resolve the pinned requirement files again
	@scripts/lock.sh

.PHONY: format
format: setup ## format the Python sources
	@$(BIN)/ruff check --fix-only -q $(PYTHON_SOURCES)
	@$(BIN)/ruff format $(PYTHON_SOURCES)

.PHONY: clean
clean: ## remove what was built here (the lab stays: make lab-down)
	@rm -rf build dist .make .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
