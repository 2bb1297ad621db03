"""Random output kinds, orders of labels and folders: what we say is what plain Keras says."""

import pathlib
import tempfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.performer.test_output_kind import ENDS, check_against_the_model, model_of
from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.folder import open_folder
from tf_explainer.evaluation.class_accuracy import ClassAccuracy, order_warning
from tf_explainer.explanation.attribution import LayerAttributor
from tf_explainer.features.outputs import Outputs
from tf_explainer.performer import output_kind

FOLDERS = ("negative", "positive", "Zebra", "apple", "10", "9", "b a", "b-a", "\u00e4pfel", "normal")
# Images whose one channel is the class, and a network that reads it, so that its decisions are known.
SIDE = 4


def reader(classes: int, order: list[int], end: str) -> keras.Model:
    """A network that finds the class in the grey of an image, with its outputs in a given order."""
    image = keras.Input((SIDE, SIDE, 3))
    grey = keras.layers.GlobalAveragePooling2D()(keras.layers.Identity(name="maps")(image))
    centres = np.array([order.index(output) for output in range(classes)], float)
    # -(grey - centre)^2 up to what all classes share.
    kernel, bias = np.tile(2 * centres, (3, 1)) / 3, -(centres**2)
    dense = keras.layers.Dense(classes, activation=end)
    scores = dense(grey)
    dense.set_weights([kernel, bias])
    return keras.Model(image, scores)


CASES = st.tuples(
    st.lists(st.sampled_from(FOLDERS), min_size=2, max_size=5, unique=True),
    st.permutations(range(5)),
    st.sampled_from(["softmax", "sigmoid", "linear"]),
    st.sampled_from(sorted(ENDS)),
    st.integers(1, 4),
)


def check(case):
    folders, shuffled, activation, ending, units = case
    end, kind = ENDS[ending]
    if units > 1:
        model = model_of(end, units)
        assert output_kind.output_kind(model.outputs[0]) == kind
        check_against_the_model(model, kind)
    order = [number for number in shuffled if number < len(folders)]
    model = reader(len(folders), order, activation)
    with tempfile.TemporaryDirectory() as root:
        for folder in folders:
            path = pathlib.Path(root, folder)
            path.mkdir()
            number = sorted(folders).index(folder)
            for name in ("1.png", "2.png"):
                Image.new("RGB", (SIDE, SIDE), (number,) * 3).save(path / name)
        source = open_folder(DatasetConfig(dataset="folder", data_dir=root, categories=tuple(folders[:1])))
        assert source.all_classes == tuple(
            keras.utils.image_dataset_from_directory(root, verbose=False).class_names
        )
        source = open_folder(DatasetConfig(dataset="folder", data_dir=root))
        results = list(source.read(source.references()))
    images = np.stack([record.image for _, record in results]).astype(np.float32)
    labels = np.array([reference.label for reference, _ in results])
    stored = np.asarray(model(images))
    kind = output_kind.output_kind(model.outputs[0])
    # What the outputs of this network are called: output `order[k]` is the one of the k-th folder.
    names = [""] * len(folders)
    for place, output in enumerate(order):
        names[output] = sorted(folders)[place]
    told = Outputs(kind=kind, names=tuple(names), classes=source.classes)
    np.testing.assert_array_equal(told.labels(stored), labels)
    accuracy = ClassAccuracy(told)
    accuracy.add(stored, labels)
    assert order_warning(accuracy.by_class()) is None
    assumed = Outputs(kind=kind, names=source.classes, classes=source.classes)
    right = np.array(order)[labels] == labels
    np.testing.assert_array_equal(assumed.labels(stored) == labels, right)
    log_odds = LayerAttributor(model, "maps").log_odds(images)
    np.testing.assert_array_equal(log_odds.argmax(axis=1), np.array(order)[labels])


@given(CASES)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_some(case):
    check(case)


@pytest.mark.slow
@given(CASES)
@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_many(case):
    check(case)
