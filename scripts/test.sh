#!/bin/bash
# Every test, in the order in which a mistake is found soonest.
set -euo pipefail
cd "$(dirname "$0")/.."
began=$SECONDS

step() { printf '\n== %s  (%ds)\n' "$1" "$((SECONDS - began))"; }

step "check: linters, types, laws"
make check
step "unit and contract tests"
make unit
step "the API and its document"
make api
step "the main job on simulated nodes"
make e2e
step "all passed"
