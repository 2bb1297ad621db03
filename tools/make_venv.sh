#!/bin/sh
# Makes .venv with exactly what requirements.txt lists and the project itself, whose files stay where they are
# (TensorBoard looks for plugins among installed packages), or leaves it alone where it has that already.
#
#   tools/make_venv.sh [PYTHON]     PYTHON: the interpreter to take; default: the first that works
#
# .venv/unfinished stands while the environment is being made, so that an interrupted one is known and
# made anew; .venv/installed says what was installed: the checksum of requirements.txt and pyproject.toml.
set -eu
cd "$(dirname "$0")/.."

requested=${1:-}
venv=.venv/bin/python

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "Error: $*"
  exit 1
}

runs() { "$@" >/dev/null 2>&1; }

wanted() { cat requirements.txt pyproject.toml 2>/dev/null | cksum; }

supported() { runs "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; }

# The interpreter that an environment was made from; of an interpreter outside of environments, itself.
identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null; }

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 'not runnable'; }

find_python() {
  if [ -n "$requested" ]; then
    supported "$requested" || fail "PYTHON=$requested ($(version "$requested")) is not a Python 3.11 to 3.13"
    echo "$requested"
    return
  fi
  # A name on the PATH may be a version manager's stub that does not run: each one is tried.
  for candidate in python3.12 python3.11 python3.13 python3 python; do
    if supported "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "found no Python 3.11 to 3.13 (python3 is $(version python3)). Install one, or say where it is:" \
    "make setup PYTHON=/path/to/python3.11"
}

up_to_date() {
  [ ! -e .venv/unfinished ] && supported "$venv" &&
    { [ -z "$requested" ] || [ "$(identity "$venv")" = "$(identity "$requested")" ]; } &&
    [ "$(cat .venv/installed 2>/dev/null)" = "$(wanted)" ]
}

# An environment that somebody made by hand, with pip in it: the requirements are installed into it.
adoptable() {
  [ -z "$requested" ] && [ ! -e .venv/unfinished ] && [ ! -e .venv/installed ] &&
    supported "$venv" && runs "$venv" -m pip --version
}

# Debian and Ubuntu ship Python without the part that puts pip into an environment.
make_environment() {
  if runs "$1" -c 'import ensurepip, venv'; then
    "$1" -m venv .venv
  elif runs "$1" -m virtualenv --version; then
    "$1" -m virtualenv .venv
  elif runs "$1" -m pip --version; then
    say "$1 has no ensurepip: making the environment by virtualenv"
    "$1" -m pip install --quiet --target .venv/virtualenv virtualenv
    PYTHONPATH=.venv/virtualenv "$1" -m virtualenv .venv
    rm -rf .venv/virtualenv
  elif [ "$(id -u)" = 0 ] && runs apt-get --version; then
    say "$1 has no ensurepip: installing the system's package python$(version "$1")-venv"
    { apt-get update && apt-get install --yes "python$(version "$1")-venv"; } >&2
    "$1" -m venv .venv
  else
    fail "$1 can make no environment: it has no ensurepip (on Debian and Ubuntu:" \
      "apt install python$(version "$1")-venv), no virtualenv and no pip"
  fi
}

if up_to_date; then
  exit 0
fi
if adoptable; then
  say "Installing into the .venv that is here (Python $(version "$venv"))"
else
  python=$(find_python)
  say "Making .venv by $python (Python $(version "$python"))"
  rm -rf .venv
  mkdir .venv
  : >.venv/unfinished
  make_environment "$python"
fi
"$venv" -m pip install --disable-pip-version-check --require-hashes -r requirements.txt
if [ -e pyproject.toml ]; then
  "$venv" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
fi
wanted >.venv/installed
rm -f .venv/unfinished
