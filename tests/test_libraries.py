"""Each library has its place; only binaries read flags, print and exit.

In which direction rooms may import each other stands in pyproject.toml (`make lint` checks it).
"""

import ast
import tomllib

import pytest

from tests.support.source_imports import ROOT, imports, modules

MODULES = modules("tf_explainer", "pipelines")
IMPORTS = {module: imports(path, MODULES) for module, path in MODULES.items()}
BINARIES = {
    module for module, path in MODULES.items() if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
}
WITHOUT_FLAGS = {
    "tf_explainer.__main__",
    "tf_explainer.command_line.configs",
    "tf_explainer.command_line.doctor",
}

# TensorFlow is for data, distribution and remote files; everything else is Keras or NumPy. Beam is for
# extraction.
LIBRARIES = {
    "tensorflow": {
        "tf_explainer.explanation.attribution",  # Gradients.
        "tf_explainer.explanation.average_image",
        "tf_explainer.training.checkpoints",
        "tf_explainer.explainer.cross_replica",
        "tf_explainer.features.dataset",
        "tf_explainer.datasets.prepared",
        "tf_explainer.training.distribution",
        "tf_explainer.evaluation.parts",
        "tf_explainer.evaluation.results",
        "tf_explainer.features.feature_coding",
        "tf_explainer.features.manifest",
        "tf_explainer.explanation.finished_run",
        "tf_explainer.performer.backbone_maps.map_store",  # Its version and devices.
        "tf_explainer.performer.formats.foreign_files",
        "tf_explainer.performer.formats.keras_archive",
        "tf_explainer.performer.model_files",
        "tf_explainer.explanation.onnx_gradients",  # Gradients, again.
        "tf_explainer.performer.fitting",
        "tf_explainer.performer.performer",
        "tf_explainer.training.precision",
        "tf_explainer.plugins.run_writer",
        "tf_explainer.plugins.summary_tags",
        "tf_explainer.explanation.saved_model",
        "tf_explainer.features.stored_records",
        "tf_explainer.training.tensorboard_summaries",
        "tf_explainer.training.trainer",
        "tf_explainer.training.training_batches",
        "tf_explainer.training.training_step",
        "pipelines.extraction.example_encoding",
        "pipelines.feature_set.shard_verification",
        "pipelines.extraction.shard_writer",
    },
    "tensorflow_datasets": {
        "tf_explainer.datasets.builders.creatures",
        "tf_explainer.datasets.builders.cub200_parts",
        "tf_explainer.datasets.builders.ilsvrc_animal_part",
        "tf_explainer.datasets.builders.pascal_part_animals",
        "tf_explainer.datasets.landmarked_image",
        "tf_explainer.datasets.prepared",
        "tf_explainer.datasets.prepared_features",
    },
    "apache_beam": {
        "tf_explainer.datasets.file_pattern",  # Its file systems, which the pipeline writes to, too.
        *(module for module in MODULES if module.startswith("pipelines.")),
    },
    "keras": {
        "tf_explainer.features.outputs",
        "tf_explainer.performer.keras_settings",
        "tf_explainer.scores",
    }
    | {
        module
        for module in MODULES
        for room in ("performer", "explainer", "training", "evaluation", "explanation", "plugins")
        if module.startswith(f"tf_explainer.{room}.")
    },
}


FLAGS = {f"tf_explainer.command_line.{name}" for name in ("entry_point", "flags", "setting")}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_keep_to_their_modules(library):
    users = {module for module, names in IMPORTS.items() if library in {name.split(".")[0] for name in names}}
    assert not users - LIBRARIES[library], f"no {library} here; {__file__} says where it belongs"


def test_only_the_command_line_touches_flags():
    users = {module for module, names in IMPORTS.items() if names & {"absl.flags", "absl.app"}}
    assert users == FLAGS
    readers = {module for module, names in IMPORTS.items() if names & FLAGS} - FLAGS
    # The one binary without a flag of a run copies flagfiles; those of pipelines share what reads theirs.
    assert readers == BINARIES - WITHOUT_FLAGS | {"pipelines.job_flags"}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - BINARIES - FLAGS))
def test_a_library_neither_prints_nor_exits(module):
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not called & {"print", "input", "exit", "quit", "sys.exit", "os._exit"}


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "example.py"
    file.write_text("import a.b as c\nfrom d import e, f\ndef g():\n    from h.i import j\n")
    assert imports(file, known={"d.e"}) == {"a.b", "d.e", "d", "d.f", "h.i", "h.i.j"}


def test_relative_imports_are_refused(tmp_path):
    file = tmp_path / "example.py"
    file.write_text("from . import a\n")
    with pytest.raises(AssertionError, match="absolute"):
        imports(file, known=())


def test_the_design_shows_the_contract():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert len(layers) > 10
    assert "\n".join(["```", *layers, "```"]) in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_a_room_can_be_taken_in_at_a_glance():
    folders = [path for room in ("tf_explainer", "pipelines") for path in (ROOT / room).rglob("__init__.py")]
    sizes = {str(path.parent.relative_to(ROOT)): len(list(path.parent.glob("*.py"))) for path in folders}
    assert {name: size for name, size in sizes.items() if size > 20} == {}
    assert len(sizes) > 20
