import dataclasses

import keras
import numpy as np
import pytest

from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.errors import UserError
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head, with_pooling
from tf_explainer.performer.performer import Performer
from tf_explainer.performer.receptive_field import receptive_field

CONFIG = PerformerConfig(
    backbone="local_resnet", backbone_weights="none", image_size=128, target_layer="block3_out"
)


def test_units_see_a_part_of_the_image():
    model = build_backbone(CONFIG)
    field = receptive_field(model, "block3_out")
    # 5 in the stem, then 3 x 3 on units 2, 4, 4, 8 and 8 pixels apart.
    assert (field.size, field.stride) == (5 + 2 * (2 + 4 + 4 + 8 + 8), 8)
    # What lies outside a unit's field changes nothing.
    images = np.full((2, 128, 128, 3), 99.0, np.float32)
    images[1, :64] = 250
    maps = np.asarray(model(images))
    assert maps.shape == (2, 16, 16, 96)
    lowest_row_seen = field.centre + field.stride * np.arange(16) - field.size / 2
    below = lowest_row_seen >= 64
    assert below.sum() == 5
    changed = np.abs(maps[0] - maps[1]).max(axis=(1, 2))
    assert (changed[below] < 1e-6).all()
    assert (changed[~below] > 1e-4).all()


def test_its_head_takes_the_mean_over_the_map():
    training = with_pooling(PerformerTrainingConfig(head_widths=(8, 6)), CONFIG)
    assert training.head_pooling == "average"
    config = dataclasses.replace(CONFIG, distilled_layers=("fc1", "fc2"))
    performer = Performer(attach_head(build_backbone(CONFIG), 3, training), config)
    features = np.zeros((2, *performer.feature_shape), np.float32)
    features[0, 3, 4], features[1, 11, 2] = 5, 5
    here, there = keras.ops.convert_to_numpy(performer.trunk()(features))
    np.testing.assert_allclose(here, there, rtol=1e-5)


@pytest.mark.parametrize("spelling", ["local-resnet", "LocalResNet"])
def test_its_width_is_a_setting_and_weights_come_from_a_file(tmp_path, spelling):
    config = PerformerConfig(backbone=spelling, backbone_weights="none", backbone_alpha=0.25, image_size=32)
    narrow = build_backbone(config)
    assert narrow.output_shape == (None, 4, 4, 24)
    path = str(tmp_path / "saved.weights.h5")
    narrow.save_weights(path)
    again = build_backbone(PerformerConfig(**{**vars(config), "backbone_weights": path}))
    for one, other in zip(narrow.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("alpha", [None, 0.1, 0.25])
def test_no_convolution_is_one_whose_gradient_writes_past_its_memory(alpha):
    config = PerformerConfig(
        backbone="local_resnet", backbone_weights="none", backbone_alpha=alpha, image_size=32
    )
    convolutions = [
        layer for layer in build_backbone(config).layers if isinstance(layer, keras.layers.Conv2D)
    ]
    strided = [each for each in convolutions if each.kernel_size == (1, 1) and each.strides != (1, 1)]
    assert len(strided) == 2
    assert all(each.input.shape[-1] >= 16 for each in strided)


def test_what_it_does_not_have_is_said():
    with pytest.raises(UserError, match="no weights of ImageNet: train it"):
        build_backbone(PerformerConfig(backbone="local_resnet", image_size=32))
    with pytest.raises(UserError, match="no classifier of its own: train it"):
        build_backbone(CONFIG, include_top=True)
