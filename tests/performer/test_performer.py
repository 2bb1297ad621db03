import dataclasses
import pathlib

import keras
import numpy as np
import pytest

from tf_explainer.config import PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.performer import Performer, load_performer
from tf_explainer.scores import from_logits

L = keras.layers
WEIGHTS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "weights"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)

MOBILENET = PerformerConfig(
    backbone="mobilenet",
    backbone_weights="none",
    backbone_alpha=0.25,
    image_size=64,
    target_layer="conv_pw_11_relu",
    distilled_layers=("fc1", "fc2"),
)
VGG = PerformerConfig(
    backbone="vgg16",
    backbone_weights="none",
    image_size=64,
    target_layer="block5_conv3",
    distilled_layers=("fc1", "fc2"),
)
RESNET = PerformerConfig(
    backbone="resnet50_v2",
    backbone_weights="none",
    image_size=64,
    target_layer="conv4_block6_preact_relu",
    distilled_layers=("pool",),
)


def with_head(config, *, pooling=None, fc=True):
    backbone = build_backbone(config)
    x = (pooling or L.Flatten())(backbone.output)
    if fc:
        x = L.Dropout(0.5)(L.Dense(8, activation="relu", name="fc1")(x))
        x = L.Dropout(0.5)(L.Dense(6, activation="relu", name="fc2")(x))
    x = L.Dense(4, activation="softmax", name="predictions")(x)
    return lively(keras.Model(backbone.input, x))


def lively(model):
    """Gives batch normalisations the images' own statistics, so that features do not fade to nothing."""
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.momentum = 0.0
    model(IMAGES.astype(np.float32), training=True)
    return model


def mobilenet():
    return with_head(MOBILENET)


@pytest.fixture(name="unchanged", scope="module")
def _unchanged():
    """One for tests that only look at it."""
    return mobilenet()


def pooled(keepdims, distilled=("pool",)):
    pool = L.GlobalAveragePooling2D(keepdims=keepdims, name="pool")
    backbone = build_backbone(MOBILENET)
    x = pool(backbone.output)
    x = L.Flatten()(L.Conv2D(4, 1, name="logits")(x)) if keepdims else L.Dense(4, name="logits")(x)
    model = lively(keras.Model(backbone.input, L.Softmax(name="probabilities")(x)))
    return Performer(model, dataclasses.replace(MOBILENET, distilled_layers=distilled))


CASES = {
    "fully connected": lambda: Performer(mobilenet(), MOBILENET),
    "vgg16": lambda: Performer(with_head(VGG), VGG),
    "pooling": lambda: pooled(keepdims=False),
    "pooling and logits": lambda: pooled(keepdims=False, distilled=("pool", "logits")),
    "pooling and scores": lambda: pooled(keepdims=False, distilled=("pool", "logits", "probabilities")),
    "pooling to maps of one unit": lambda: pooled(keepdims=True),
}


def composed(performer, features):
    """The scores by way of trunk, the distilled layers' own weights, and head."""
    x = performer.trunk()(features)
    first = True
    for name, dense in performer.distilled_dense().items():
        if dense:
            x = keras.activations.get(dense.activation)(x @ dense.kernel + dense.bias)
        elif not first:
            x = performer.model.get_layer(name)(x)
        first = False
    return scores_of(performer, x)


def scores_of(performer, distilled):
    return from_logits(performer.head()(distilled), performer.output_kind)


@pytest.mark.parametrize("case", CASES)
def test_trunk_distilled_layers_and_head_make_up_the_performer(case):
    performer = CASES[case]()
    outputs = performer.feature_model()(IMAGES)
    names = performer.config.distilled_layers
    assert set(outputs) == {performer.config.target_layer, *names, "scores"}
    assert outputs[performer.config.target_layer].shape == (3, *performer.feature_shape)
    assert {name: outputs[name].shape for name in names} == {
        name: (3, units) for name, units in performer.distilled_units().items()
    }
    np.testing.assert_allclose(outputs["scores"], performer.model(IMAGES), rtol=1e-5)
    in_two = performer.above_target()(performer.below_target()(IMAGES))
    for name, values in outputs.items():
        np.testing.assert_array_equal(in_two[name], values)
    scores = composed(performer, outputs[performer.config.target_layer])
    np.testing.assert_allclose(scores, outputs["scores"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        scores_of(performer, outputs[names[-1]]), outputs["scores"], rtol=1e-4, atol=1e-6
    )
    assert np.ptp(outputs["scores"], axis=0).max() > 1e-6


def test_vgg_needs_no_weights_below_its_first_distilled_layer():
    trunk = Performer(with_head(VGG), VGG).trunk()
    assert trunk.weights == []
    assert [type(layer) for layer in trunk.layers[1:]] == [L.MaxPooling2D, L.Flatten]


def test_trunk_and_head_are_frozen_copies():
    performer = Performer(mobilenet(), MOBILENET)
    trunk, head = performer.trunk(), performer.head()
    for part in (trunk, head):
        assert part.weights
        assert part.trainable_weights == []
    features = np.random.default_rng(0).uniform(0, 6, (2, *performer.feature_shape)).astype(np.float32)
    before = np.asarray(trunk(features))
    np.testing.assert_array_equal(trunk(features, training=True), before)  # BatchNorm infers
    for weight in performer.model.weights:
        weight.assign(weight * 0)
    np.testing.assert_array_equal(trunk(features), before)


def test_trunk_and_head_can_be_saved_inside_another_model(tmp_path):
    performer = Performer(mobilenet(), MOBILENET)
    features = keras.Input(performer.feature_shape)
    model = keras.Model(features, performer.head()(L.Dense(6)(performer.trunk()(features))))
    model.save(tmp_path / "outer.keras")
    loaded = keras.models.load_model(tmp_path / "outer.keras")
    maps = np.random.default_rng(0).uniform(0, 6, (2, *performer.feature_shape)).astype(np.float32)
    np.testing.assert_allclose(loaded(maps), model(maps), rtol=1e-6)
    assert len(loaded.trainable_weights) == 2


def test_cutting_leaves_the_performer_as_it_was():
    performer = Performer(mobilenet(), MOBILENET)
    before = keras.Model.from_config(performer.model.get_config()).to_json()
    performer.trunk(), performer.head(), performer.feature_model()
    assert keras.Model.from_config(performer.model.get_config()).to_json() == before
    assert performer.model.get_layer("fc1").output.shape == (None, 8)


def test_distilled_dense_gives_copies_of_the_weights(unchanged):
    performer = Performer(unchanged, MOBILENET)
    dense = performer.distilled_dense()
    assert list(dense) == ["fc1", "fc2"]
    kernel, bias = performer.model.get_layer("fc2").get_weights()
    np.testing.assert_array_equal(dense["fc2"].kernel, kernel)
    np.testing.assert_array_equal(dense["fc2"].bias, bias)
    assert dense["fc2"].activation == "relu"
    assert pooled(keepdims=False).distilled_dense() == {"pool": None}


def test_geometry_and_sizes():
    performer = Performer(with_head(VGG), VGG)
    assert performer.receptive_field() == ReceptiveField(size=196, stride=16, centre=8)
    assert performer.feature_shape == (4, 4, 512)
    assert performer.num_classes == 4
    assert performer.distilled_units() == {"fc1": 8, "fc2": 6}


def test_floats_and_bytes_are_the_same_images(unchanged):
    performer = Performer(unchanged, MOBILENET)
    np.testing.assert_array_equal(performer.model(IMAGES), performer.model(IMAGES.astype(np.float32)))


def test_fingerprint_is_that_of_the_file_and_not_of_the_layers_chosen(unchanged, tmp_path):
    performer = Performer(unchanged, MOBILENET)
    performer.model.save(tmp_path / "performer.keras")
    other = dataclasses.replace(MOBILENET, target_layer="conv_pw_10_relu", distilled_layers=("fc2",))
    loaded = load_performer(other, WorkDir(root=str(tmp_path)))
    assert loaded.fingerprint == performer.fingerprint
    assert Performer(mobilenet(), MOBILENET).fingerprint != performer.fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_layer": "conv_pw_11_rel"}, "--target_layer=conv_pw_11_rel: .*nearest: conv_pw_11_relu,"),
        ({"target_layer": "conv_pw_11"}, "lies before its activation.*'conv_pw_11_relu'"),
        ({"target_layer": "fc1"}, r"--target_layer=fc1 is no feature map: its output is \[B, 8\]"),
        ({"distilled_layers": ("fc3",)}, "--distilled_layers=fc3: .*nearest: fc"),
        ({"distilled_layers": ()}, "--distilled_layers is empty"),
        ({"distilled_layers": ("conv_pw_12_relu",)}, "--distilled_layers=conv_pw_12_relu is no vector"),
        ({"distilled_layers": ("fc2", "fc1")}, "--distilled_layers=fc1 does not lie above 'fc2'"),
    ],
)
def test_layers_that_cannot_be_explained_are_refused(unchanged, changes, message):
    with pytest.raises(UserError, match=message):
        Performer(unchanged, dataclasses.replace(MOBILENET, **changes))


def test_bypassed_target_layers_are_refused():
    pool = L.GlobalAveragePooling2D(name="pool")
    model = with_head(RESNET, pooling=pool, fc=False)
    inner = dataclasses.replace(RESNET, target_layer="conv4_block2_2_relu")
    with pytest.raises(UserError, match=r"bypasses 'conv4_block2_2_relu'.*post_relu"):
        Performer(model, inner)


SWISH = PerformerConfig(
    backbone="efficientnet_b0",
    backbone_weights="none",
    image_size=64,
    target_layer="block6a_expand_activation",
    distilled_layers=("pool",),
)


@pytest.mark.slow
def test_what_little_is_below_zero_is_cut_from_the_features_alone(unchanged):
    model = with_head(SWISH, pooling=L.GlobalAveragePooling2D(name="pool"), fc=False)
    performer = Performer(model, SWISH)
    assert performer.treatment == "cut"
    assert Performer(unchanged, MOBILENET).treatment == "whole"
    swish = model.get_layer(SWISH.target_layer).output
    own = keras.Model(model.inputs[0], [swish, model.get_layer("pool").output])
    maps, pooled_maps = (np.asarray(each) for each in own(IMAGES))
    outputs = performer.feature_model()(IMAGES)
    assert maps.min() < 0
    np.testing.assert_array_equal(outputs[SWISH.target_layer], np.maximum(maps, 0))
    np.testing.assert_array_equal(outputs["pool"], pooled_maps)
    np.testing.assert_allclose(performer.trunk()(maps), pooled_maps, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_sums_are_split_and_nothing_is_lost(tmp_path):
    config = dataclasses.replace(RESNET, target_layer="conv4_block5_out", distilled_layers=("pool",))
    model = with_head(config, pooling=L.GlobalAveragePooling2D(name="pool"), fc=False)
    performer = Performer(model, config)
    assert performer.treatment == "split"
    assert performer.feature_shape == (4, 4, 2048)
    outputs = performer.feature_model()(IMAGES)
    maps = np.asarray(outputs["conv4_block5_out"])
    assert maps.shape == (3, 4, 4, 2048)
    assert maps.min() == 0
    own = keras.Model(model.inputs[0], model.get_layer("conv4_block5_out").output)(IMAGES)
    np.testing.assert_array_equal(maps[..., :1024] - maps[..., 1024:], own)
    np.testing.assert_allclose(composed(performer, maps), outputs["scores"], rtol=1e-4, atol=1e-6)
    trunk = performer.trunk()
    assert trunk.trainable_weights == []
    trunk.save(tmp_path / "trunk.keras")
    loaded = keras.models.load_model(tmp_path / "trunk.keras")
    np.testing.assert_allclose(loaded(maps), outputs["pool"], rtol=1e-4, atol=1e-5)


def test_layers_that_nobody_names_are_found_and_can_be_explained(unchanged, tmp_path):
    unchanged.save(tmp_path / "performer.keras")
    config = dataclasses.replace(MOBILENET, target_layer="", distilled_layers=())
    performer = load_performer(config, WorkDir(root=str(tmp_path)))
    # Stride 8, an eighth of 64 pixels.
    assert performer.config.target_layer == "conv_pw_5_relu"
    assert performer.config.distilled_layers == ("fc1", "fc2")


@pytest.mark.slow
def test_a_file_goes_before_the_work_directory(unchanged, tmp_path):
    mine, theirs = mobilenet(), unchanged
    mine.save(tmp_path / "mine.keras")
    theirs.save(tmp_path / "performer.keras")
    workdir = WorkDir(root=str(tmp_path))
    named = dataclasses.replace(MOBILENET, performer=str(tmp_path / "mine.keras"))
    np.testing.assert_array_equal(load_performer(named, workdir).model(IMAGES), mine(IMAGES))
    np.testing.assert_array_equal(load_performer(MOBILENET, workdir).model(IMAGES), theirs(IMAGES))


def saved_weights(path, **options):
    defaults = {"alpha": 0.25, "weights": None, "input_shape": (64, 64, 3)}
    model = keras.applications.MobileNet(**defaults | options)
    model.save_weights(path)
    return model


@pytest.mark.slow
def test_without_a_performer_the_way_to_one_is_told(tmp_path):
    workdir = WorkDir(root=str(tmp_path))
    path = str(tmp_path / "some.weights.h5")
    config = dataclasses.replace(MOBILENET, backbone_weights=path)
    with pytest.raises(UserError, match=r"--backbone_weights=none .*python -m tf_explainer.train_performer"):
        load_performer(MOBILENET, workdir)
    saved_weights(path, include_top=False)
    with pytest.raises(UserError, match=r"has no head: .*python -m tf_explainer.train_performer"):
        load_performer(config, workdir)
    saved_weights(path, alpha=0.5)
    with pytest.raises(UserError, match=r"another architecture .*python -m tf_explainer.train_performer"):
        load_performer(config, workdir)


def test_a_weights_file_with_a_head_is_a_performer(tmp_path):
    path = str(tmp_path / "whole.weights.h5")
    whole = saved_weights(path)
    config = dataclasses.replace(MOBILENET, backbone_weights=path, distilled_layers=("predictions",))
    performer = load_performer(config, WorkDir(root=str(tmp_path)))
    np.testing.assert_allclose(
        performer.model(IMAGES), whole(IMAGES.astype(np.float32) / 127.5 - 1), rtol=1e-4, atol=1e-7
    )


@pytest.mark.skipif(not WEIGHTS.exists(), reason="no folder `shared/weights` beside the project")
def test_published_weights_are_explained_at_the_chosen_layers():
    config = dataclasses.replace(
        MOBILENET,
        backbone="mobilenet_v2",
        backbone_alpha=None,
        backbone_weights=str(WEIGHTS / "mobilenet_v2_imagenet_notop.weights.h5"),
        target_layer="block_13_expand_relu",
    )
    performer = Performer(with_head(config), config)
    outputs = performer.feature_model()(IMAGES)
    scores = composed(performer, outputs["block_13_expand_relu"])
    np.testing.assert_allclose(scores, outputs["scores"], rtol=1e-3, atol=1e-6)
    assert performer.feature_shape == (4, 4, 576)
    assert performer.receptive_field() == ReceptiveField(size=267, stride=16, centre=15.5)


def test_a_target_whose_layer_is_called_again_above_it():
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    relu = keras.layers.ReLU(name="relu")
    x = relu(keras.layers.Conv2D(4, 3, strides=2)(image))
    x = keras.layers.Flatten(name="flat")(relu(keras.layers.Conv2D(5, 3)(x)))
    hidden = keras.layers.Dense(6, activation="relu", name="fc")(x)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(hidden))
    performer = Performer(
        model, PerformerConfig(image_size=16, target_layer="relu.1", distilled_layers=("fc",))
    )
    performer.check()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    target = performer.feature_model()(pixels)["relu.1"]
    np.testing.assert_allclose(performer.trunk()(target), keras.Model(image, x)(pixels), rtol=1e-5)
