import numpy as np
import pytest

from tests.performer.architectures.matconvnet_files import save_network
from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph
from tf_explainer.performer.architectures.published_chains import PUBLISHED_CHAINS
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head, with_pooling
from tf_explainer.performer.layer_selection import with_layers
from tf_explainer.performer.performer import Performer

ALEXNET = PerformerConfig(backbone="AlexNet", backbone_weights="none", image_size=227)


def alexnet_body(random):
    """AlexNet's convolutions with random weights, without fully connected layers."""
    layers, channels = [], 3
    for each in PUBLISHED_CHAINS["alexnet"][:10]:
        if hasattr(each, "filters"):
            shape = (*each.kernel, channels // each.groups, each.filters)
            weights = random.normal(size=shape).astype("f4"), np.zeros((each.filters, 1), "f4")
            pad, stride = [[*each.padding]], [[*each.stride]]
            layers.append(
                {"type": "conv", "name": each.name, "weights": weights, "pad": pad, "stride": stride}
            )
            layers.append({"type": "relu", "name": f"relu_{each.name}"})
            channels = each.filters
        elif hasattr(each, "method"):
            pool, stride = [[*each.size]], [[*each.stride]]
            layers.append(
                {"type": "pool", "name": each.name, "method": "max", "pool": pool, "stride": stride}
            )
        else:
            param = [[each.size, each.kappa, each.alpha, each.beta]]
            layers.append({"type": "lrn", "name": each.name, "param": param})
    return layers


def test_a_file_of_the_network_is_read_by_its_flag(tmp_path):
    random = np.random.default_rng(0)
    layers = alexnet_body(random)
    path = str(tmp_path / "alex.mat")
    save_network(path, layers, random.uniform(100, 130, (227, 227, 3)).astype("f4"))
    config = PerformerConfig(backbone="alexnet", backbone_weights=path, image_size=227)
    model = build_backbone(config)
    np.testing.assert_array_equal(model.get_layer("conv4").get_weights()[0], layers[-5]["weights"][0])
    with pytest.raises(UserError, match="holds another network than vgg_m"):
        build_backbone(PerformerConfig(backbone="vgg_m", backbone_weights=path))
    with pytest.raises(UserError, match=r"is a file of MatConvNet: it needs --backbone=alexnet"):
        build_backbone(PerformerConfig(backbone="vgg16", backbone_weights=path, image_size=64))


def test_a_performer_on_alexnet_is_explained_at_its_last_convolution():
    training = with_pooling(PerformerTrainingConfig(head_widths=(8, 8)), ALEXNET)
    assert training.head_pooling == "flatten"
    model = attach_head(build_backbone(ALEXNET), 2, training)
    performer = Performer(model, with_layers(model, ALEXNET))
    assert performer.config.target_layer == "conv5"
    assert performer.config.distilled_layers == ("fc1", "fc2")
    assert performer.feature_shape == (13, 13, 256)
    assert performer.treatment == "whole"
    assert layer_graph.is_rectified(model.get_layer("norm2").output)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone_weights": "imagenet"}, "Keras has no weights of alexnet"),
        ({"backbone_alpha": 0.5}, "alexnet has no width multiplier"),
        ({"image_size": 32}, "--image_size=32 is too small for alexnet"),
    ],
)
def test_what_cannot_be(changes, message):
    settings = {"backbone": "alexnet", "backbone_weights": "none", "image_size": 227} | changes
    with pytest.raises(UserError, match=message):
        build_backbone(PerformerConfig(**settings))
