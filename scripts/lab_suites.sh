#!/bin/bash
# Runs suites that need simulated nodes side by side: each is one pytest with a lab of its own, for its tests share
# nodes and build on each other. (pytest-xdist's groups would do, but do nothing with the pytest that is pinned.)
# Usage: scripts/lab_suites.sh WORKERS SUITE...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
logs=build/test-logs
mkdir -p "$logs"

run_suite() {
  local log="$logs/${1//\//-}.log" began=$SECONDS
  if .venv/bin/python -m pytest --durations=15 "$1" >"$log" 2>&1; then
    printf '✓ %s: %s\n' "$1" "$(tail -n 1 "$log" | tr -d '=')"
  else
    cat "$log"
    printf '✖ %s failed after %d s; its whole output stands above and in %s\n' "$1" $((SECONDS - began)) "$log"
    return 1
  fi
}

if [ "$1" = --one ]; then
  run_suite "$2"
  exit
fi
workers=$1
shift
# xargs starts the next suite when one ends, goes on after a failure, and remembers it in its exit code.
printf '%s\n' "$@" | xargs -P "$workers" -n 1 scripts/lab_suites.sh --one
