import dataclasses
import pathlib
import zipfile

import keras
import numpy as np
import pytest

from tests.support.slow_cases import slow_but
from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph
from tf_explainer.performer.backbones import build_backbone, find_application

WEIGHTS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "weights"
SMALL = PerformerConfig(backbone="mobilenet", backbone_weights="none", backbone_alpha=0.25, image_size=32)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "function", "module"),
    [
        ("vgg16", "VGG16", "vgg16"),
        ("VGG16", "VGG16", "vgg16"),
        ("mobilenet_v2", "MobileNetV2", "mobilenet_v2"),
        ("mobilenetv2", "MobileNetV2", "mobilenet_v2"),
        ("MobileNetV2", "MobileNetV2", "mobilenet_v2"),
        ("resnet50", "ResNet50", "resnet"),
        ("resnet50_v2", "ResNet50V2", "resnet_v2"),
        ("efficientnet_v2_b0", "EfficientNetV2B0", "efficientnet_v2"),
        ("mobilenet_v3_small", "MobileNetV3Small", "mobilenet_v3"),
        ("inception-resnet-v2", "InceptionResNetV2", "inception_resnet_v2"),
    ],
)
def test_find_application(name, function, module):
    application = find_application(name)
    assert (application.name, application.module) == (function, module)


def test_unknown_backbones_list_the_nearest():
    with pytest.raises(UserError, match=r"--backbone=vgg17 .*nearest: .*VGG16"):
        find_application("vgg17")


def test_backbone_is_flat_and_takes_pixels():
    model = build_backbone(SMALL)
    assert [layer.name for layer in model.layers[:3]] == ["image", "preprocessing", "conv1"]
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    plain = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3))
    plain.set_weights(model.get_weights())
    expected = plain(IMAGES.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(model(IMAGES), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "vgg16"}, "--backbone_alpha=0.25: VGG16 has no width multiplier"),
        ({"backbone": "inception_v3", "backbone_alpha": None}, "--image_size=32"),
    ],
)
def test_what_a_backbone_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        build_backbone(dataclasses.replace(SMALL, **changes))


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weights_files_are_loaded_whole(tmp_path, suffix):
    plain = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3))
    for weight in plain.weights:
        weight.assign(np.random.default_rng(0).uniform(0.1, 1, weight.shape))
    path = str(tmp_path / f"saved{suffix}")
    plain.save_weights(path) if suffix == ".weights.h5" else plain.save(path)
    model = build_backbone(dataclasses.replace(SMALL, backbone_weights=path))
    for loaded, saved in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, saved)


@pytest.mark.parametrize("change", [{"alpha": 0.5}, {"include_top": True}])
def test_weights_of_another_architecture_are_refused(tmp_path, change):
    options = {"alpha": 0.25, "include_top": False, "weights": None, "input_shape": (32, 32, 3)} | change
    path = str(tmp_path / "other.weights.h5")
    keras.applications.MobileNet(**options).save_weights(path)
    with pytest.raises(
        UserError, match=r"--backbone_weights=.*other.weights.h5 holds .* another architecture"
    ):
        build_backbone(dataclasses.replace(SMALL, backbone_weights=path))


def test_weights_of_a_smaller_model_are_refused(tmp_path):
    whole = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3))
    path = str(tmp_path / "part.weights.h5")
    keras.Model(whole.inputs[0], whole.layers[-7].output).save_weights(path)
    with pytest.raises(UserError, match="only in the model"):
        build_backbone(dataclasses.replace(SMALL, backbone_weights=path))


def test_files_that_hold_no_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"--backbone_weights=nowhere.h5: there is no such file"):
        build_backbone(dataclasses.replace(SMALL, backbone_weights="nowhere.h5"))
    path = tmp_path / "text.weights.h5"
    zipfile.ZipFile(path, "w").close()
    with pytest.raises(UserError, match=r"text.weights.h5 is not a weights file"):
        build_backbone(dataclasses.replace(SMALL, backbone_weights=str(path)))


@pytest.mark.skipif(not WEIGHTS.exists(), reason="no folder `shared/weights` beside the project")
@pytest.mark.parametrize(
    ("name", "application"),
    [
        ("vgg16", keras.applications.VGG16),
        pytest.param("mobilenet_v2", keras.applications.MobileNetV2, marks=pytest.mark.slow),
    ],
)
def test_published_weights_give_the_published_features(name, application):
    path = str(WEIGHTS / f"{name}_imagenet_notop.weights.h5")
    model = build_backbone(PerformerConfig(backbone=name, backbone_weights=path, image_size=64))
    plain = application(include_top=False, weights=None, input_shape=(64, 64, 3))
    plain.load_weights(path)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(plain(getattr(keras.applications, name).preprocess_input(images.copy())))
    np.testing.assert_allclose(model(images), expected, rtol=1e-3, atol=1e-4 * expected.max())
    assert expected.max() > 0


EFFICIENT = PerformerConfig(backbone="efficientnet_b0", backbone_weights="none", image_size=32)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def efficientnet(*, rescales):
    """As `weights="imagenet"` builds it, and as it is built without, with statistics in its normalisation."""
    image = keras.Input((32, 32, 3))
    plain = keras.applications.EfficientNetB0(include_top=False, weights=None, input_tensor=image)
    plain.layers[2].set_weights([MEAN, DEVIATION, np.array(0)])
    plain.layers[2].finalize_state()
    if not rescales:
        return plain
    back = keras.layers.Rescaling(1 / np.sqrt(DEVIATION), name="rescaling_1")

    def call(layer, *args, **kwargs):
        called = layer(*args, **kwargs)
        return back(called) if isinstance(layer, keras.layers.Normalization) else called

    return keras.Model(image, plain._run_through_graph([image], call_fn=call))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
@pytest.mark.parametrize("rescales", [False, True])
def test_what_an_efficientnet_knows_of_pixels_is_kept(tmp_path, suffix, rescales):
    plain = efficientnet(rescales=rescales)
    path = str(tmp_path / f"saved{suffix}")
    plain.save_weights(path) if suffix == ".weights.h5" else plain.save(path)
    # HDF5 with ImageNet's statistics is Keras' own download, older than the second rescaling.
    expected = plain if rescales or suffix == ".weights.h5" else efficientnet(rescales=True)
    if expected is not plain:
        expected.set_weights(plain.get_weights())
        [layer.finalize_state() for layer in expected.layers if isinstance(layer, keras.layers.Normalization)]
    model = build_backbone(dataclasses.replace(EFFICIENT, backbone_weights=path))
    found = keras.Model(model.inputs[0], model.get_layer("stem_conv").output)(IMAGES)
    stem = keras.Model(expected.inputs[0], layer_graph.places(expected)["stem_conv"])
    np.testing.assert_allclose(found, stem(IMAGES.astype(np.float32)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["efficientnet_b0", "efficientnet_v2_b0", "convnext_tiny", "mobilenet_v3_small"],
        ["mobilenet_v3_small"],
    ),
)
def test_networks_that_preprocess_by_themselves_do_so(name):
    config = PerformerConfig(backbone=name, backbone_weights="none", image_size=32)
    model = build_backbone(config)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert np.isfinite(model(IMAGES)).all()


def test_files_that_are_no_weights_are_called_what_they_are(tmp_path):
    pointer, whole = tmp_path / "pointer.h5", tmp_path / "whole.keras"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(whole)
    for path, reason in (
        (pointer, "it is a pointer of Git LFS"),
        (whole, "for a complete model use --performer"),
    ):
        with pytest.raises(UserError, match=reason):
            build_backbone(dataclasses.replace(SMALL, backbone_weights=str(path)))
