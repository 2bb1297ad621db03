import dataclasses
import json
import os
import pathlib
import re

import keras
import numpy as np
import pytest

from tests.support import warm_python
from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.images.crop import crop_to_object
from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.performer import load_performer
from tf_explainer.performer.training import existing_performer, train_performer

DATASET = DatasetConfig(dataset="folder", folds=4)
PERFORMER = PerformerConfig(
    backbone="local_resnet",
    backbone_weights="none",
    backbone_alpha=0.25,
    image_size=32,
    target_layer="block3_out",
    distilled_layers=("fc1",),
)
TRAINING = PerformerTrainingConfig(
    train_backbone=True, head_widths=(8,), epochs=4, learning_rate=3e-3, batch_size=8
)


class DarkAndLight:
    """Noise of two brightnesses; the images named are broken."""

    classes = ("dark", "light")
    negative_class = None
    all_classes = classes
    landmark_names = ()

    def __init__(self, count=40, broken=()):
        self._count, self._broken = count, broken

    def references(self):
        for number in range(self._count):
            yield ImageReference(id=f"image-{number}", label=number % 2, location=str(number))

    def read(self, references):
        for reference in references:
            if int(reference.location) in self._broken:
                yield reference, UnreadableImageError("it is torn")
                continue
            noise = np.random.default_rng(int(reference.location)).integers(0, 120, (40, 40, 3), np.uint8)
            yield reference, ImageRecord(reference=reference, image=noise + np.uint8(120 * reference.label))


def train(workdir, source=None, performer=PERFORMER, training=TRAINING):
    return train_performer(
        source or DarkAndLight(), dataset=DATASET, performer=performer, training=training, workdir=workdir
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workdir = WorkDir(root=str(tmp_path_factory.mktemp("run")))
    return workdir, train(workdir, DarkAndLight(broken={3, 4}))


def test_the_file_is_the_performer(made):
    workdir, report = made
    performer = load_performer(PERFORMER, workdir)
    assert performer.fingerprint == report.fingerprint
    assert performer.num_classes == 2
    assert sorted(os.listdir(workdir.root)) == ["performer.json", "performer.keras"]
    assert not performer.model.compiled


def test_the_report_counts_and_measures(made):
    workdir, report = made
    assert json.loads(pathlib.Path(workdir.performer_report).read_text())["classes"] == ["dark", "light"]
    assert report.unreadable_images == 2
    results = [*report.training.values(), *report.held_out.values()]
    assert sum(result.images for result in results) == 38
    assert all(result.images > 0 for result in results)
    predict = load_performer(PERFORMER, workdir).model
    right = [
        int(np.argmax(predict(crop_to_object(record, 32)[None]))) == reference.label
        for reference, record in DarkAndLight().read(DarkAndLight().references())
        if reference.location not in ("3", "4")
    ]
    assert sum(right) == sum(round(result.images * result.accuracy) for result in results)


def test_the_same_settings_find_it_again(made):
    workdir, report = made
    assert existing_performer(DATASET, PERFORMER, TRAINING, workdir) == report


def test_other_settings_are_refused(made):
    workdir, _ = made
    other = dataclasses.replace(TRAINING, epochs=5)
    with pytest.raises(UserError, match=r"keras was trained with .*epochs \(4, now 5\).*--overwrite"):
        existing_performer(DATASET, PERFORMER, other, workdir)


def test_performers_of_unknown_origin_are_refused(made, tmp_path):
    workdir, _ = made
    strange = WorkDir(root=str(tmp_path))
    assert existing_performer(DATASET, PERFORMER, TRAINING, strange) is None
    pathlib.Path(strange.performer).write_bytes(pathlib.Path(workdir.performer).read_bytes())
    with pytest.raises(UserError, match=r"settings of .*performer.keras are unknown.*--overwrite"):
        existing_performer(DATASET, PERFORMER, TRAINING, strange)
    report = json.loads(pathlib.Path(workdir.performer_report).read_text())
    pathlib.Path(strange.performer_report).write_text(json.dumps(report | {"fingerprint": "0f"}))
    with pytest.raises(UserError, match=r"is not the model that .*performer.json describes"):
        existing_performer(DATASET, PERFORMER, TRAINING, strange)


@pytest.mark.slow
def test_a_head_on_a_frozen_backbone(tmp_path):
    weights = str(tmp_path / "some.weights.h5")
    keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3)
    ).save_weights(weights)
    frozen = dataclasses.replace(TRAINING, train_backbone=False)
    performer = dataclasses.replace(
        PERFORMER, backbone="mobilenet", target_layer="conv_pw_11_relu", backbone_weights=weights
    )
    workdir = WorkDir(root=str(tmp_path / "run"))
    first = train(workdir, performer=performer, training=frozen)
    assert sorted(os.listdir(workdir.root)) == ["backbone_maps.sqlite", "performer.json", "performer.keras"]
    # Again, from what was kept.
    assert train(workdir, performer=performer, training=frozen) == first
    plain = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=weights, input_shape=(32, 32, 3)
    )
    trained = load_performer(performer, workdir).model
    np.testing.assert_array_equal(trained.get_layer("conv_pw_5").kernel, plain.get_layer("conv_pw_5").kernel)
    # The extraction finds every image's map by the file of the trained performer.
    store = MapStore(workdir.backbone_maps, load_performer(performer, workdir).below_target())
    crops = np.stack(
        [crop_to_object(record, 32) for _, record in DarkAndLight().read(DarkAndLight().references())]
    )
    assert store.complete(crops)[1] == len(crops)
    train(workdir)  # End to end: the maps are none of this performer's.
    assert not os.path.exists(workdir.backbone_maps)


@pytest.mark.parametrize(
    ("source", "performer", "training", "message"),
    [
        (DarkAndLight(1), {}, {}, "no image to train on"),
        (DarkAndLight(broken=range(40)), {}, {}, "no image to train on"),
        (DarkAndLight(), {}, {"train_backbone": False}, "--backbone_weights=none .*--train_backbone"),
        (DarkAndLight(), {"target_layer": "conv_pw_99"}, {}, "--target_layer=conv_pw_99"),
        (DarkAndLight(), {"distilled_layers": ("fc1", "fc2")}, {}, "--distilled_layers=fc2"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(tmp_path, source, performer, training, message):
    with pytest.raises(UserError, match=message):
        train(
            WorkDir(root=str(tmp_path)),
            source,
            dataclasses.replace(PERFORMER, **performer),
            dataclasses.replace(TRAINING, **training),
        )
    assert os.listdir(tmp_path) == []


def run_binary(*arguments):
    return warm_python.run("-m", "tf_explainer.train_performer", *arguments)


def test_the_binary_refuses_a_performer_that_is_there(tmp_path):
    result = run_binary(f"--workdir={tmp_path}", "--dataset=creatures", "--performer=mine.keras")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: --performer=mine.keras is a performer already")


@pytest.mark.slow
def test_the_binary_trains_once(tmp_path):
    flags = (
        f"--workdir={tmp_path}",
        "--dataset=creatures",
        "--num_images=30",
        "--backbone=mobilenet",
        "--backbone_alpha=0.25",
        "--backbone_weights=none",
        "--train_backbone",
        "--image_size=64",
        "--target_layer=conv_pw_11_relu",
        "--head_widths=8,8",
        "--performer_epochs=1",
    )
    first = run_binary(*flags)
    assert first.returncode == 0, first.stderr
    assert "held-out images" in first.stdout
    assert re.search(r"training: (\d+)/\1 in ", first.stderr)
    written = os.stat(tmp_path / "performer.keras").st_mtime_ns
    second = run_binary(*flags)
    assert second.returncode == 0, second.stderr
    assert "is kept" in second.stdout
    assert os.stat(tmp_path / "performer.keras").st_mtime_ns == written
    other = run_binary(*flags, "--performer_epochs=2")
    assert other.returncode == 1
    assert "epochs (1, now 2)" in other.stderr
    assert "Traceback" not in other.stderr
