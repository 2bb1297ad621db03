#!/bin/sh
# Finds a suitable Python and runs tools/environment.py by it, which creates .venv.
#
#   tools/make_venv.sh [--python=PYTHON] [ENVIRONMENT ...]     as in `make setup`
#   tools/make_venv.sh --into=FOLDER ENVIRONMENT               packages in another folder, as in `make flink`
#
# PYTHON is the interpreter to use; default: the first that works.
set -eu
cd "$(dirname "$0")/.."
# Ignore packages and settings of another environment.
unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONUSERBASE PYTHONSTARTUP PYTHONPLATLIBDIR

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

supported() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

version() { "$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 'not runnable'; }

requested=
case ${1:-} in
  --python=*)
    requested=${1#--python=}
    shift
    ;;
esac

if [ -n "$requested" ]; then
  supported "$requested" || fail "PYTHON=$requested ($(version "$requested")) is not a Python 3.11 to 3.13"
  exec "$requested" -I tools/environment.py --requested "$@"
fi
# Try each name: on the PATH it may be a version manager's stub that does not run.
for candidate in python3.12 python3.11 python3.13 python3 python; do
  if supported "$candidate"; then
    exec "$candidate" -I tools/environment.py "$@"
  fi
done
fail "found no Python 3.11 to 3.13 (python3 is $(version python3)). Install one, or name its path:" \
  "make setup PYTHON=/path/to/python3.11"
