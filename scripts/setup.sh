#!/bin/sh
# Installs what this checkout needs into .venv: a Python of 3.11 or newer is all that must be there.
set -eu
cd "$(dirname "$0")/.."

stop() { # cause, remedy
  printf 'setup: %s\n       %s\n' "$1" "$2" >&2
  exit 1
}

find_python() {
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  stop "no Python 3.11 or newer was found." "Install one (Debian 12: apt-get install python3) or name it: make setup PYTHON=/path/to/python3"
}

install_system_packages() { # names...
  command -v apt-get >/dev/null 2>&1 || stop "missing: $*, and this machine has no apt-get." "Install $* by hand and run make setup again."
  [ "$(id -u)" = 0 ] || stop "missing: $*, and only root may install packages." "Run make as root, or: sudo apt-get install $*"
  echo "setup: installing $* with apt-get"
  mkdir -p build
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >build/setup-apt.log 2>&1; then
    tail -n 5 build/setup-apt.log >&2
    stop "apt-get could not install $*; its last words stand above, all of them in build/setup-apt.log." "Mend the package sources and run make setup again."
  fi
}

check_space() {
  free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
  [ "$free_mb" -ge 1500 ] || stop "only $free_mb MB are free on the disk of this checkout; 1500 MB are needed." "Free some space and run make setup again."
}

python=$(find_python)
[ -x .venv/bin/python ] || check_space

# Debian splits venv's installer off into a package of its own.
"$python" -c 'import ensurepip, venv' 2>/dev/null || install_system_packages python3-venv
command -v ssh >/dev/null 2>&1 || install_system_packages openssh-client
command -v rsync >/dev/null 2>&1 || install_system_packages rsync

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: making .venv with $("$python" -V)"
  "$python" -m venv --clear .venv
fi

echo "setup: installing the pinned requirements"
mkdir -p build
if ! { .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt &&
  .venv/bin/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps -e .; } >build/setup-pip.log 2>&1; then
  tail -n 5 build/setup-pip.log >&2
  stop "pip could not install the requirements; its last words stand above, all of them in build/setup-pip.log." "Check that this machine reaches its Python package index and run make setup again."
fi
echo "setup: done"
