"""Presets of KerasHub: told from files, refused where it is missing, and read where it is installed."""

import json
import sys

import keras
import numpy as np
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer.formats import hub_presets
from tf_explainer.performer.model_files import read_model
from tf_explainer.performer.rebuilding import equivalence

SIDE = 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf://keras/resnet_50_imagenet", True),
        ("kaggle://keras/resnetv1/keras/resnet_50_imagenet", True),
        ("resnet_50_imagenet", True),
        ("model.keras", False),
        ("runs/my_model/performer.keras", False),
        ("gs://bucket/model.keras", False),
        ("model", False),
    ],
)
def test_presets_are_told_from_files(name, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub_presets.is_preset(name) is expected


def test_a_file_that_is_there_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model").write_text("")
    assert not hub_presets.is_preset("my_model")


def test_a_folder_is_one_by_its_configuration(tmp_path):
    assert not hub_presets.is_preset(str(tmp_path))
    for content, expected in [
        ({"registered_name": "keras_hub>ResNetBackbone"}, True),
        ({"registered_name": "Functional"}, False),
        (["a list"], False),
    ]:
        (tmp_path / "config.json").write_text(json.dumps(content))
        assert hub_presets.is_preset(str(tmp_path)) is expected


@pytest.mark.parametrize("name", ["hf://someone/resnet", "resnet_50_imagenet"])
def test_without_keras_hub_it_is_said_what_to_install(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(
        UserError,
        match=rf"--performer={name} .*preset of KerasHub, which is not installed: pip install keras-hub",
    ):
        read_model(name, SIDE)


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="needs keras-hub, which is no dependency")


@pytest.fixture(scope="module")
def classifier(hub):
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        use_pre_activation=False,
        image_shape=(SIDE, SIDE, 3),
    )
    converter = hub.layers.ResNetImageConverter(
        image_size=(SIDE, SIDE), scale=[1 / 58, 1 / 57, 1 / 57.5], offset=[-2.1, -2.0, -1.8]
    )
    return hub.models.ResNetImageClassifier(
        backbone=backbone,
        num_classes=3,
        activation="softmax",
        preprocessor=hub.models.ResNetImageClassifierPreprocessor(image_converter=converter),
    )


@pytest.fixture(scope="module")
def preset(classifier, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("preset"))
    classifier.save_to_preset(folder)
    return folder


def test_a_preset_is_read_with_its_head_and_its_preprocessing(preset, classifier, tmp_path):
    model = read_model(preset, SIDE)
    images = equivalence.drawn_images(SIDE)
    expected = classifier.predict(images)  # By KerasHub, from pixels.
    np.testing.assert_allclose(model.predict(images), expected, rtol=1e-4, atol=1e-6)
    # No class of KerasHub is needed from here on.
    model.save(tmp_path / "flat.keras")
    again = keras.models.load_model(tmp_path / "flat.keras", custom_objects={})
    np.testing.assert_allclose(again.predict(images), expected, rtol=1e-4, atol=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in again.layers)


def test_a_preset_that_preprocesses_needs_no_more(preset):
    with pytest.raises(UserError, match="has its own"):
        read_model(preset, SIDE, "resnet50")


def test_a_preset_without_a_head_is_refused(classifier, tmp_path):
    classifier.backbone.save_to_preset(str(tmp_path))
    with pytest.raises(UserError, match="KerasHub cannot load it as an image classifier"):
        read_model(str(tmp_path), SIDE)


@pytest.mark.usefixtures("hub")
def test_a_preset_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no_such_preset is no file, and KerasHub cannot load it"):
        read_model("no_such_preset", SIDE)


def test_an_extraction_leaves_workers_a_plain_file(preset, tmp_path):
    from pipelines.extraction import staged_performer
    from tf_explainer.config import PerformerConfig, WorkDir

    workdir = WorkDir(root=str(tmp_path))
    performer = staged_performer.load(PerformerConfig(performer=preset, image_size=SIDE), workdir)
    staged_performer.save_if_new(performer, workdir)
    staged = staged_performer.stage(performer.config, workdir)
    assert staged.performer == workdir.performer
    loaded = staged_performer.LoadedPerformer(staged, performer.fingerprint)
    images = equivalence.drawn_images(SIDE).astype(np.uint8)
    np.testing.assert_allclose(
        loaded.predict(images)["scores"], performer.model.predict(images), rtol=1e-4, atol=1e-6
    )
