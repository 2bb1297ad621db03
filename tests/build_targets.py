"""What BUILD must say: one target per module, whose deps are what the module imports.

`make build_file` runs this and so writes BUILD anew.
"""

import ast
import functools
import sys

from tests.source_imports import ROOT, imports, modules

BUILD = ROOT / "BUILD"
BINARIES = {
    "benchmarks.bare_model",
    "benchmarks.encodings",
    "benchmarks.extraction",
    "benchmarks.families",
    "benchmarks.plugin_server",
    "benchmarks.plugins",
    "benchmarks.reading",
    "benchmarks.results",
    "pipelines.extract_features",
    "tf_explainer.evaluate",
    "tf_explainer.explain",
    "tf_explainer.export",
    "tf_explainer.performers",
    "tf_explainer.plugins.images.demo",
    "tf_explainer.plugins.parts.demo",
    "tf_explainer.train",
    "tf_explainer.train_performer",
}

# Packages by the name that they are imported by, where that is not their own; and what some need without
# declaring it: Keras its backend, tensorflow-datasets TensorFlow and the reader of its resources.
DISTRIBUTIONS = {
    "PIL": ["pillow"],
    "absl": ["absl_py"],
    "google": ["google_cloud_dataflow_client"],
    "keras": ["keras", "tensorflow"],
    "tensorflow_datasets": ["importlib_resources", "tensorflow", "tensorflow_datasets"],
}

# What a module uses without importing it: classes registered by name, programs run by a test.
USED_BY_NAME = {
    "tests.pipelines.runners": ["pipelines.extract_features"],
    "benchmarks.extraction": ["benchmarks.bare_model", "benchmarks.reading", "pipelines.extract_features"],
    "tests.test_cross_replica": ["tests.replica_training"],
    "tests.test_documented_code": [
        "tf_explainer",
        "tf_explainer.explanation_picture",
        "tf_explainer.finished_run",
        "tf_explainer.plugins.images.summary",
        "tf_explainer.plugins.parts.summary",
    ],
    "tests.test_end_to_end": [
        "tf_explainer",
        *sorted(binary for binary in BINARIES if not binary.startswith("benchmarks.")),
    ],
    "tests.test_fingerprint": ["tf_explainer.fingerprint"],
    "tests.test_keras_registration": ["tf_explainer"],
    "tests.test_notebook": [
        "pipelines.extract_features",
        "tf_explainer",
        "tf_explainer.contact_sheet",
        "tf_explainer.dataset",
        "tf_explainer.datasets.registry",
        "tf_explainer.distribution",
        "tf_explainer.evaluation",
        "tf_explainer.evaluation_table",
        "tf_explainer.explanation_picture",
        "tf_explainer.finished_run",
        "tf_explainer.parts",
        "tf_explainer.performer",
        "tf_explainer.performer_training",
        "tf_explainer.stored_features",
        "tf_explainer.trainer",
    ],
    "tests.test_performer_training": ["tf_explainer.train_performer"],
    "tf_explainer.keras_registration": [
        "tf_explainer.explainer",
        "tf_explainer.layers",
        "tf_explainer.optimizer",
        "tf_explainer.preprocessing",
    ],
}

# Files of the project that a module or a test reads.
READ = {
    "tests.plugins.test_browser": [":project"],
    "tests.plugins.test_installed": [":project"],
    "tf_explainer.datasets.builders.cub200_parts": ["tf_explainer/datasets/builders/checksums.tsv"],
    "tf_explainer.plugins.static_files": [":web"],
    "tests.documented_code": [":project"],
    "tests.test_bazel": [":project"],
    "tests.test_build": [":project"],
    "tests.test_docs": [":project"],
    "tests.test_end_to_end": [":project"],
    "tests.test_flagfiles": [":project"],
    "tests.test_import_direction": [":project"],
    "tests.test_make_venv": [":project"],
    "tests.test_notebook": [":project"],
    "tests.test_packaging": [":project"],
    "tests.test_readme": [":project"],
}

HEAD = '''"""One target per module, tests included. `make build_file` writes this file."""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

filegroup(
    name = "project",
    srcs = glob([
        "*",
        "benchmarks/**/*.py",
        "configs/**",
        "docs/**",
        "pipelines/**/*.py",
        "tests/**/*.py",
        "tf_explainer/**/*.py",
        "tools/**",
    ]),
)

filegroup(
    name = "web",
    srcs = glob(["tf_explainer/plugins/web/**"]),
)
'''


def _holds_code(path):
    """Whether there is more than a docstring in it; Bazel makes the packages' empty modules itself."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return not all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _name(path):
    return path.relative_to(ROOT).with_suffix("").as_posix()


def _third_party(names):
    roots = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    roots -= {"benchmarks", "pipelines", "tests", "tf_explainer"}
    return {f"@pypi//{package}" for root in roots for package in DISTRIBUTIONS.get(root, [root])}


def _common_ground(path, known):
    """The conftest modules that pytest loads for a test."""
    return {
        module for module, file in known.items() if file.name == "conftest.py" and file.parent in path.parents
    }


def _test_attributes(module, path):
    name = _name(path)
    return {
        "srcs": sorted(["tests/pytest_main.py", f"{name}.py"]),
        "args": [f"{name}.py"],
        "data": ["pyproject.toml", *READ.get(module, [])],
        "main": "tests/pytest_main.py",
    }


def _target(module, path, known):
    used = imports(path, known) | set(USED_BY_NAME.get(module, []))
    is_test = path.name.startswith("test_")
    if is_test:
        used |= _common_ground(path, known) | {"pytest"}
    attributes = {"name": _name(path), "srcs": [f"{_name(path)}.py"]}
    if is_test:
        attributes |= _test_attributes(module, path)
    elif module in READ:
        attributes["data"] = READ[module]
    inside = {f":{_name(known[other])}" for other in used if other in known} - {f":{_name(path)}"}
    deps = sorted(inside) + sorted(_third_party(used))
    kind = "py_test" if is_test else "py_binary" if module in BINARIES else "py_library"
    return kind, attributes | ({"deps": deps} if deps else {})


@functools.cache
def expected():
    """The targets by name, each as its rule and attributes."""
    known = {
        module: path
        for module, path in modules("benchmarks", "pipelines", "tests", "tf_explainer").items()
        if _holds_code(path)
    }
    targets = [
        _target(module, path, known) for module, path in known.items() if path.name != "pytest_main.py"
    ]
    return {attributes["name"]: (rule, attributes) for rule, attributes in targets}


def _written(value):
    if isinstance(value, str) or len(value) == 1:
        return str(value).replace("'", '"')
    return "[\n" + "".join(f'        "{item}",\n' for item in value) + "    ]"


def render(targets):
    """The text of BUILD."""
    stanzas = [HEAD]
    for name in sorted(targets):
        rule, attributes = targets[name]
        lines = [
            f'    {key} = "{value}",' if isinstance(value, str) else f"    {key} = {_written(value)},"
            for key, value in attributes.items()
        ]
        stanzas.append("\n".join([f"{rule}(", *lines, ")\n"]))
    return "\n".join(stanzas)


if __name__ == "__main__":
    BUILD.write_text(render(expected()), encoding="utf-8")
