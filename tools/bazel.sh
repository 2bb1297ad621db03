#!/bin/sh
# Builds and tests by Bazel without a network: everything it needs comes from .venv and from npm.
#
#   tools/bazel.sh build //...
#   tools/bazel.sh test //:tests/explainer/test_losses
#   tools/bazel.sh lint
#
# Why npm: Debian's bazel-bootstrap (4.2.3) builds this, too, but asks for root and a JDK; npm's is one file.
# The Bazel that npm ships is 2.1, older than MODULE.bazel. What that file declares is given to it by small
# repositories: native rules under the names of rules_python, and one empty target per package of
# requirements/dev.txt. The packages themselves are those of .venv, which must not hold the project: a module that
# BUILD does not declare is not there when the test runs. A newer Bazel reads MODULE.bazel and needs none of this.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
tools=$root/build/bazel
bazel=$tools/node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64
buildifier=$tools/node_modules/@bazel/buildifier/buildifier-linux_amd64
python=${VENV_PYTHON:-$root/.venv/bin/python}

if [ ! -x "$bazel" ] || [ ! -x "$buildifier" ]; then
  mkdir -p "$tools"
  npm install --loglevel=error --no-audit --no-fund --no-save --prefix "$tools" @bazel/bazel-linux_x64@2.1.0 @bazel/buildifier@8.2.1 >&2
  chmod +x "$bazel" "$buildifier"
fi

if [ "$1" = lint ]; then
  exec "$buildifier" -mode=check -lint=warn BUILD MODULE.bazel
fi

# The packages of the environment without what its .pth files add: `make setup` installs the project so.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -m venv --without-pip --clear "$tools/environment"
python=$tools/environment/bin/python
echo "$packages" >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth"

if "$python" -I -c 'import tf_explainer' 2>/dev/null; then
  echo "Error: $python holds the project itself: missing dependencies would not be noticed" >&2
  exit 1
fi

# An empty repository: $1 is its name. Its BUILD and .bzl files are written behind this.
repository() {
  mkdir -p "$tools/$1/$2"
  echo "workspace(name = \"$1\")" >"$tools/$1/WORKSPACE"
  : >"$tools/$1/$2/BUILD"
  overrides="${overrides:-} --override_repository=$1=$tools/$1"
}

rules() {
  for rule; do echo "def $rule(**attributes): native.$rule(**attributes)"; done
}

repository rules_python python
rules py_binary py_library py_test >"$tools/rules_python/python/defs.bzl"
repository rules_cc cc
rules cc_binary cc_import cc_library cc_proto_library cc_test cc_toolchain cc_toolchain_suite fdo_prefetch_hints \
  fdo_profile objc_import objc_library >"$tools/rules_cc/cc/defs.bzl"
repository rules_java java
rules java_binary java_host_runtime_suite java_import java_library java_package_configuration java_plugin java_runtime \
  java_runtime_suite java_test java_toolchain >"$tools/rules_java/java/defs.bzl"
repository rules_proto proto
rules proto_lang_toolchain proto_library >"$tools/rules_proto/proto/defs.bzl"
repository remote_coverage_tools .
echo 'filegroup(name = "coverage_report_generator", visibility = ["//visibility:public"])' \
  >"$tools/remote_coverage_tools/BUILD"
repository pypi .
for package in $(sed -n 's/^\([A-Za-z0-9._-]*\)\(\[[a-z,]*\]\)\{0,1\}==.*/\1/p' requirements/dev.txt | tr 'A-Z.-' 'a-z__'); do
  mkdir -p "$tools/pypi/$package"
  echo "py_library(name = \"$package\", visibility = [\"//visibility:public\"])" >"$tools/pypi/$package/BUILD"
done

command=$1
shift
# What Bazel 2.1 puts around a Python program begins with `env python`, which Debian does not have.
path=$(dirname "$python"):$PATH
# shellcheck disable=SC2086
exec "$bazel" --output_user_root="$tools/out" --max_idle_secs=60 "$command" $overrides \
  --symlink_prefix=/ --noincompatible_use_python_toolchains --python_path="$python" \
  --test_output=errors --test_env=HOME "--test_env=PATH=$path" --test_env=TF_CPP_MIN_LOG_LEVEL=3 --test_summary=terse "$@"
