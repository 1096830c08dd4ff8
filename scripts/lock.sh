#!/bin/sh
# Resolves requirements/*.in into pinned, hashed files that name no index.
set -eu
cd "$(dirname "$0")/.."

resolve() { # name, Python version
  .venv/bin/uv pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-emit-find-links \
    --python-platform linux --python-version "$2" "requirements/$1.in" --output-file "requirements/$1.txt"
}

resolve agent 3.9 # the oldest Python of a node: one set of libraries serves them all
resolve dev 3.11
resolve bench 3.11
resolve fuzz 3.11
