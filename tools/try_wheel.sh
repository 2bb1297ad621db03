#!/bin/sh
# Installs a wheel as a user would, into a new environment, and asks each console script for its flags.
#
#   tools/try_wheel.sh WHEEL [PYTHON]     PYTHON: the interpreter to use; default: that of .venv
set -eu
wheel=$1
python=${2:-.venv/bin/python}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! "$python" -m venv "$folder/venv" 2>/dev/null; then
  "$python" -m virtualenv --quiet "$folder/venv"
fi
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
"$folder/venv/bin/python" -m pip check
cp "$wheel" "$folder"

# Leave the sources, so that Python imports the installed package.
cd "$folder"
scripts=$(cd venv/bin && ls tf-explainer-*)
for script in $scripts; do
  if ! "venv/bin/$script" --help >help.txt 2>&1 || ! grep -q -e '--target_layer' -e 'usage: tf-explainer' help.txt; then
    cat help.txt
    echo "Error: $script does not start"
    exit 1
  fi
  echo "$script works"
done
venv/bin/python - <<'PYTHON'
import importlib.metadata

found = [point.load() for point in importlib.metadata.entry_points(group="tensorboard_plugins")]
names = sorted(plugin.__name__ for plugin in found if plugin.__module__.startswith("tf_explainer"))
assert names, "TensorBoard would find none of the plugins"
print("TensorBoard finds", ", ".join(names))
PYTHON
