"""Imports keep one direction, and each library has its place."""

import ast

import pytest

from tests.source_imports import imports, modules

# A module may import only from those that stand before it: from earlier rooms, and from what comes earlier in
# its own. A new module goes behind everything that it imports, into the room that it belongs to.
ROOMS = {
    "package": ["tf_explainer.keras_registration", "tf_explainer"],
    "contracts": [
        "tf_explainer.errors",
        "tf_explainer.atomic_file",
        "tf_explainer.config",
        "tf_explainer.schema",
        "tf_explainer.images",
        "tf_explainer.views",
        "tf_explainer.feature_coding",
        "tf_explainer.terminal",
        "tf_explainer.progress_bar",
        "tf_explainer.command_line",
    ],
    "data sets": [
        "tf_explainer.datasets",
        "tf_explainer.datasets.source",
        "tf_explainer.datasets.categories",
        "tf_explainer.datasets.decode",
        "tf_explainer.datasets.matlab",
        "tf_explainer.datasets.folder",
        "tf_explainer.datasets.file_pattern",
        "tf_explainer.datasets.animal_part",
        "tf_explainer.datasets.landmarked_image",
        "tf_explainer.datasets.cub200",
        "tf_explainer.datasets.pascal_part",
        "tf_explainer.datasets.creatures",
        "tf_explainer.datasets.creatures.canvas",
        "tf_explainer.datasets.creatures.species",
        "tf_explainer.datasets.creatures.anatomy",
        "tf_explainer.datasets.creatures.scene",
        "tf_explainer.datasets.creatures.coat",
        "tf_explainer.datasets.creatures.landscape",
        "tf_explainer.datasets.creatures.source",
        "tf_explainer.datasets.builders.creatures",
        "tf_explainer.datasets.builders.cub200_parts",
        "tf_explainer.datasets.builders.ilsvrc_animal_part",
        "tf_explainer.datasets.builders.pascal_part_animals",
        "tf_explainer.datasets.builders",
        "tf_explainer.datasets.prepared_features",
        "tf_explainer.datasets.prepared",
        "tf_explainer.datasets.registry",
        "tf_explainer.image_files",
    ],
    "performer": [
        "tf_explainer.layer_graph",
        "tf_explainer.receptive_field",
        "tf_explainer.layer_selection",
        "tf_explainer.signed_maps",
        "tf_explainer.preprocessing",
        "tf_explainer.backbone_weights",
        "tf_explainer.backbones",
        "tf_explainer.keras_archive",
        "tf_explainer.model_files",
        "tf_explainer.fingerprint",
        "tf_explainer.performer",
        "tf_explainer.activation_statistics",
    ],
    "training of the performer": [
        "tf_explainer.labelled_crops",
        "tf_explainer.performer_heads",
        "tf_explainer.performer_fitting",
        "tf_explainer.performer_report",
        "tf_explainer.performer_training",
    ],
    "extraction": [
        "pipelines",
        "pipelines.atomic_files",
        "pipelines.beam_options",
        "pipelines.dataflow_options",
        "pipelines.dataflow_job",
        "pipelines.resource_hints",
        "pipelines.layer_sums",
        "pipelines.example_encoding",
        "pipelines.shard_report",
        "pipelines.read_ahead",
        "pipelines.shard_writer",
        "pipelines.dead_letters",
        "pipelines.counters",
        "pipelines.staged_performer",
        "pipelines.feature_set",
        "pipelines.progress",
        "pipelines.feature_extraction",
        "pipelines.throughput_sample",
        "pipelines.cost_estimate",
    ],
    "stored features": ["tf_explainer.stored_records", "tf_explainer.dataset"],
    "verification": ["pipelines.shard_verification", "pipelines.feature_verification"],
    "explainer": [
        "tf_explainer.templates",
        "tf_explainer.cross_replica",
        "tf_explainer.losses",
        "tf_explainer.constellations",
        "tf_explainer.equivariance",
        "tf_explainer.layers",
        "tf_explainer.explainer",
    ],
    "training of the explainer": [
        "tf_explainer.termination",
        "tf_explainer.optimizer",
        "tf_explainer.learning_rate",
        "tf_explainer.precision",
        "tf_explainer.initialisation",
        "tf_explainer.distribution",
        "tf_explainer.checkpoints",
        "tf_explainer.training_identity",
        "tf_explainer.run_record",
        "tf_explainer.training_batches",
        "tf_explainer.training_step",
        "tf_explainer.non_finite",
        "tf_explainer.progress_line",
        "tf_explainer.tensorboard_summaries",
        "tf_explainer.trainer",
    ],
    "measures": [
        "tf_explainer.metrics",
        "tf_explainer.metrics.dispersion",
        "tf_explainer.metrics.peaks",
        "tf_explainer.metrics.part_groups",
        "tf_explainer.metrics.location_instability",
        "tf_explainer.metrics.tracking",
        "tf_explainer.metrics.part_interpretability",
        "tf_explainer.metrics.part_share",
        "tf_explainer.metrics.fidelity",
        "tf_explainer.metrics.diversity",
        "tf_explainer.metrics.layer_measures",
        "tf_explainer.metrics.resampling",
        "tf_explainer.metrics.summary",
    ],
    "evaluation": [
        "tf_explainer.stored_features",
        "tf_explainer.validation",
        "tf_explainer.parts",
        "tf_explainer.evaluation",
        "tf_explainer.attribution",
        "tf_explainer.explanation",
        "tf_explainer.finished_run",
        "tf_explainer.onnx_gradients",
        "tf_explainer.saved_model",
        "tf_explainer.evaluation_table",
        "tf_explainer.filter_selection",
        "tf_explainer.part_examples",
        "tf_explainer.region_overlay",
        "tf_explainer.explanation_picture",
        "tf_explainer.explanation_report",
        "tf_explainer.contact_sheet",
    ],
    "plugins": [
        "tf_explainer.plugins",
        "tf_explainer.plugins.summary_tags",
        "tf_explainer.plugins.requests",
        "tf_explainer.plugins.static_files",
        "tf_explainer.plugins.snapshot_reader",
        "tf_explainer.plugins.parts",
        "tf_explainer.plugins.parts.metadata",
        "tf_explainer.plugins.parts.plugin",
        "tf_explainer.plugins.parts.snapshot",
        "tf_explainer.plugins.parts.quantised_maps",
        "tf_explainer.plugins.parts.square_canvas",
        "tf_explainer.plugins.parts.pictures",
        "tf_explainer.plugins.parts.response_figures",
        "tf_explainer.plugins.parts.measured_figures",
        "tf_explainer.plugins.parts.summary",
        "tf_explainer.plugins.parts.run_snapshot",
        "tf_explainer.plugins.images",
        "tf_explainer.plugins.images.metadata",
        "tf_explainer.plugins.images.plugin",
        "tf_explainer.plugins.images.summary",
        "tf_explainer.plugins.images.run_scores",
        "tf_explainer.plugins.run_writer",
        "tf_explainer.plugins.parts.callback",
        "tf_explainer.plugins.demo_network",
    ],
    "flags": ["tf_explainer.flags"],
    "binaries": [
        "tf_explainer.configs",
        "tf_explainer.performers",
        "tf_explainer.train_performer",
        "pipelines.extract_features",
        "pipelines.dataflow_dry_run",
        "pipelines.verify_features",
        "tf_explainer.train",
        "tf_explainer.evaluate",
        "tf_explainer.explain",
        "tf_explainer.export",
        "tf_explainer.plugins.parts.demo",
        "tf_explainer.plugins.images.demo",
    ],
}
ORDER = [module for room in ROOMS.values() for module in room]

# Rooms that may use no other room than these, although others stand before them.
SELF_CONTAINED = {
    "data sets": {"contracts"},
    "performer": {"contracts"},
    "explainer": {"contracts"},
    "measures": {"contracts"},
    "flags": {"contracts"},
}

# TensorFlow is for data, distribution and remote files; everything else is Keras or NumPy. Beam is for
# extraction.
LIBRARIES = {
    "tensorflow": {
        "tf_explainer.attribution",  # Gradients.
        "tf_explainer.checkpoints",
        "tf_explainer.cross_replica",
        "tf_explainer.dataset",
        "tf_explainer.datasets.prepared",
        "tf_explainer.distribution",
        "tf_explainer.parts",
        "tf_explainer.evaluation",
        "tf_explainer.feature_coding",
        "tf_explainer.finished_run",
        "tf_explainer.keras_archive",
        "tf_explainer.model_files",
        "tf_explainer.onnx_gradients",  # Gradients, again.
        "tf_explainer.performer_fitting",
        "tf_explainer.performer",
        "tf_explainer.precision",
        "tf_explainer.plugins.run_writer",
        "tf_explainer.plugins.summary_tags",
        "tf_explainer.saved_model",
        "tf_explainer.stored_records",
        "tf_explainer.tensorboard_summaries",
        "tf_explainer.trainer",
        "tf_explainer.training_batches",
        "tf_explainer.training_step",
        "pipelines.example_encoding",
        "pipelines.shard_verification",
        "pipelines.shard_writer",
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
        *(module for module in ORDER if module.startswith("pipelines.")),
    },
    "keras": {
        module
        for room in (
            "performer",
            "training of the performer",
            "explainer",
            "training of the explainer",
            "evaluation",
            "plugins",
        )
        for module in ROOMS[room]
    },
}

MODULES = modules("tf_explainer", "pipelines")
IMPORTS = {module: imports(path, MODULES) for module, path in MODULES.items()}
ROOM = {module: room for room, members in ROOMS.items() for module in members}


def test_every_module_has_its_place():
    homeless = sorted(set(MODULES) - set(ORDER))
    assert not homeless, (
        f"write these into ROOMS in {__file__}, behind everything that they import: {homeless}"
    )
    gone = [module for module in ORDER if module not in MODULES]
    assert not gone, f"these are no modules any more, take them out of ROOMS in {__file__}: {gone}"
    assert len(ORDER) == len(set(ORDER)), "a module stands twice in ROOMS"


@pytest.mark.parametrize("module", ORDER)
def test_imports_come_from_before(module):
    later = IMPORTS[module].intersection(ORDER[ORDER.index(module) :])
    assert not later, f"{module} imports {sorted(later)}, which stand behind it in ROOMS of {__file__}"


@pytest.mark.parametrize("room", SELF_CONTAINED)
def test_some_rooms_know_only_the_contracts(room):
    for module in ROOMS[room]:
        known = {ROOM[other] for other in IMPORTS[module].intersection(ROOM)} - {room, "package"}
        assert known <= SELF_CONTAINED[room], f"{module} ({room}) uses {sorted(known - SELF_CONTAINED[room])}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_keep_to_their_modules(library):
    users = {module for module, names in IMPORTS.items() if library in {name.split(".")[0] for name in names}}
    assert not users - LIBRARIES[library], f"no {library} here; {__file__} says where it belongs"


def test_only_one_module_touches_flags():
    users = [module for module, names in IMPORTS.items() if names & {"absl.flags", "absl.app"}]
    assert users == ["tf_explainer.flags"]
    readers = {module for module, names in IMPORTS.items() if "tf_explainer.flags" in names}
    # The one binary without a flag of a run copies flagfiles.
    assert readers == set(ROOMS["binaries"]) - {"tf_explainer.configs"}


@pytest.mark.parametrize("module", [module for module in ORDER if ROOM[module] not in ("flags", "binaries")])
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
