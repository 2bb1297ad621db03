"""The benchmark's own figures on the real images: raw VGG-16, and a filter that points to the middle."""

import pathlib

import keras
import numpy as np
import pytest

from tests.metrics.examples import annotations
from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.animal_part import open_animal_part
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop
from tf_explainer.images.unit_grid import ReceptiveField, UnitGrid
from tf_explainer.metrics.layer_measures import measure_layer
from tf_explainer.metrics.location_instability import fixed_centre_instability
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.metrics.summary import summarise

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared"
WEIGHTS = SHARED / "weights" / "vgg16_imagenet_notop.weights.h5"

needs_benchmark = pytest.mark.skipif(
    not (SHARED / "datasets" / "detanimalpart").is_dir(), reason=f"no Animal-Part benchmark in {SHARED}"
)


def _records(category: str):
    source = open_animal_part(
        DatasetConfig(
            dataset="animal_part",
            data_dir=str(SHARED / "datasets"),
            categories=(category,),
            negatives=False,
        )
    )
    for _, record in source.read(source.references()):
        yield record, landmarks_in_crop(record, source.landmark_names)


@needs_benchmark
@pytest.mark.parametrize(("category", "figure"), [("fox", 0.070), ("turtle", 0.083)])
def test_the_fixed_centre_has_the_published_instability(category, figure):
    landmarks = np.stack([landmarks for _, landmarks in _records(category)])
    assert fixed_centre_instability(landmarks[..., :2]).mean() == pytest.approx(figure, abs=0.0005)


@pytest.mark.slow
@pytest.mark.long
@needs_benchmark
@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no {WEIGHTS}")
def test_raw_vgg16_on_fox_has_the_published_figures():
    backbone = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    backbone.load_weights(WEIGHTS)
    layer = keras.Model(backbone.input, backbone.get_layer("block5_conv3").output)
    records = list(_records("fox"))
    units, peaks = StrongestUnits(len(records), 14 * 14, 512), []
    for start in range(0, len(records), 16):
        crops = np.stack([crop_to_object(record, 224) for record, _ in records[start : start + 16]])
        maps = layer.predict_on_batch(keras.applications.vgg16.preprocess_input(crops.astype("float32")))
        units.add(maps)
        peaks.append(Peaks.of(maps))

    known = annotations(np.stack([landmarks for _, landmarks in records]))
    grid = UnitGrid.of(ReceptiveField(size=196, stride=16, centre=8), image_size=224, side=14)
    summary = summarise(measure_layer(Peaks.joined(peaks), units.regions(), known, grid, 100), known)
    assert 0.137 <= summary["location_instability"] <= 0.142
    assert summary["tracking"]["median_ratio"] == pytest.approx(2.17, abs=0.03)
    assert summary["tracking"]["share_below_1"] == pytest.approx(0.146, abs=0.005)
    assert summary["tracking"]["share_below_half"] == pytest.approx(0.055, abs=0.005)
    assert summary["tracking"]["best"]["ratio"] == pytest.approx(0.10, abs=0.005)
    assert summary["dead_filters"] == 0
