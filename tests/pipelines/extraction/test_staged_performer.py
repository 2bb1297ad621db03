import concurrent.futures
import dataclasses
import pathlib
import shutil
import uuid

import keras
import numpy as np
import pytest
from keras.src.applications import imagenet_utils

from pipelines.extraction import staged_performer
from pipelines.feature_set import atomic_files
from tests.pipelines import memory_file_system
from tests.pipelines.squares import SIZE, saved_performer, small_performer
from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performer import class_names
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.performer import Performer, load_performer
from tf_explainer.performer.training import existing_performer

CROPS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(name="remote")
def _remote():
    return f"{memory_file_system.SCHEME}://bucket/{uuid.uuid4().hex}"


def test_a_loaded_performer_predicts_as_the_model_does(performer):
    loaded = staged_performer.LoadedPerformer(performer.config, performer.fingerprint)
    outputs = loaded.predict(CROPS)
    assert set(outputs) == {"conv", "fc1", "fc2", "scores"}
    expected = performer.feature_model().predict_on_batch(CROPS)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
    assert outputs["conv"].shape == (3, 8, 8, 4)


def test_maps_that_were_kept_are_taken_over(performer, tmp_path):
    file = str(tmp_path / "maps.sqlite")
    store = MapStore(file, performer.below_target())
    store.keep(CROPS[:2], store.complete(CROPS)[0][:2])
    loaded = staged_performer.LoadedPerformer(performer.config, performer.fingerprint, file)
    without = staged_performer.LoadedPerformer(performer.config, performer.fingerprint)
    outputs, expected = loaded.predict(CROPS), without.predict(CROPS)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
    # What the others had at first is not looked at again: here a map that is plainly wrong.
    store.keep(CROPS[:1], np.full((1, 8, 8, 4), 7, np.float32))
    assert (loaded.predict(CROPS)["conv"][0] == 7).all()
    other = saved_performer(tmp_path, seed=1)
    of_other = staged_performer.LoadedPerformer(other.config, other.fingerprint, file)
    assert not (of_other.predict(CROPS)["conv"][0] == 7).any()


def test_threads_share_a_performer(performer):
    loaded = staged_performer.LoadedPerformer(performer.config, performer.fingerprint)
    batches = [np.roll(CROPS, shift, axis=2) for shift in range(16)]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        together = list(threads.map(loaded.predict, batches))
    for outputs, batch in zip(together, batches, strict=True):
        np.testing.assert_array_equal(outputs["conv"], loaded.predict(batch)["conv"])


def test_a_performer_that_was_replaced_is_refused(performer, tmp_path):
    other = saved_performer(tmp_path, seed=1)
    with pytest.raises(UserError, match="replaced"):
        staged_performer.LoadedPerformer(other.config, performer.fingerprint)


def test_a_local_performer_is_read_where_it_is(performer, tmp_path):
    assert staged_performer.stage(performer.config, WorkDir(root=str(tmp_path))) == performer.config
    assert not list(tmp_path.iterdir())


def test_a_performer_of_the_work_directory_preprocesses_by_itself(tmp_path):
    config = PerformerConfig(image_size=SIZE, target_layer="conv", preprocessing="vgg16")
    staged = staged_performer.stage(config, WorkDir(root=str(tmp_path)))
    assert staged == dataclasses.replace(config, performer=f"{tmp_path}/performer.keras", preprocessing=None)


def test_a_performer_in_a_bucket_is_loaded(performer, remote):
    config = dataclasses.replace(performer.config, performer=f"{remote}/mine.keras")
    atomic_files.publish_file(performer.config.performer, config.performer)
    loaded = staged_performer.load(config, WorkDir(root=remote))
    assert (loaded.config, loaded.fingerprint) == (config, performer.fingerprint)


def test_the_rule_finds_the_layers_of_a_performer_in_a_bucket(performer, remote):
    file = f"{remote}/mine.keras"
    atomic_files.publish_file(performer.config.performer, file)
    config = PerformerConfig(performer=file, image_size=SIZE, preprocessing="mobilenet", target_layer="conv")
    loaded = staged_performer.load(config, WorkDir(root=remote))
    assert loaded.config == dataclasses.replace(config, distilled_layers=("fc1", "fc2"))


def test_a_work_directory_may_be_in_a_bucket(performer, remote):
    atomic_files.publish_file(performer.config.performer, f"{remote}/performer.keras")
    config = dataclasses.replace(performer.config, performer=None, preprocessing="vgg16")
    loaded = staged_performer.load(config, WorkDir(root=remote))
    assert loaded.fingerprint == performer.fingerprint  # It preprocesses by itself.


def test_preprocessing_of_a_named_file_reaches_the_workers(performer, tmp_path):
    config = dataclasses.replace(performer.config, preprocessing="mobilenet")
    expected = load_performer(config, WorkDir(root=str(tmp_path)))
    staged = staged_performer.stage(config, WorkDir(root=str(tmp_path)))
    loaded = staged_performer.LoadedPerformer(staged, expected.fingerprint)
    np.testing.assert_allclose(
        loaded.predict(CROPS)["conv"], expected.feature_model().predict_on_batch(CROPS)["conv"], rtol=1e-5
    )


def test_a_local_performer_goes_where_remote_features_go(performer, remote):
    workdir = WorkDir(root="somewhere", features_dir=remote)
    staged = staged_performer.stage(performer.config, workdir)
    assert staged.performer == f"{remote}/performer.keras"
    local = pathlib.Path(performer.config.performer).read_bytes()
    assert memory_file_system.FILES[staged.performer] == local
    loaded = staged_performer.LoadedPerformer(staged, performer.fingerprint)
    assert loaded.predict(CROPS)["fc1"].shape == (3, 6)


def test_a_remote_performer_stays_where_it_is(performer, remote):
    config = dataclasses.replace(performer.config, performer=f"{remote}/models/mine.keras")
    workdir = WorkDir(root="somewhere", features_dir=remote)
    assert staged_performer.stage(config, workdir) == config
    assert not atomic_files.sizes(remote, "*")


def test_a_backbone_with_its_own_head_is_saved_for_the_later_steps(tmp_path):
    config = PerformerConfig(image_size=SIZE, target_layer="conv", distilled_layers=("fc1", "fc2"))
    backbone = Performer(small_performer(), config)
    workdir = WorkDir(root=str(tmp_path))
    staged_performer.save_if_new(backbone, workdir)
    assert [path.name for path in tmp_path.iterdir()] == ["performer.keras"]
    assert load_performer(config, workdir).fingerprint == backbone.fingerprint


def test_a_trained_performer_is_not_overwritten(performer, tmp_path):
    shutil.copy(performer.config.performer, tmp_path / "performer.keras")
    before = (tmp_path / "performer.keras").read_bytes()
    config = dataclasses.replace(performer.config, performer=None)
    staged_performer.save_if_new(Performer(small_performer(seed=1), config), WorkDir(root=str(tmp_path)))
    assert (tmp_path / "performer.keras").read_bytes() == before


def test_a_file_that_is_named_is_not_copied(performer, tmp_path):
    staged_performer.save_if_new(performer, WorkDir(root=str(tmp_path)))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_backbone_with_its_own_head_keeps_imagenets_names(tmp_path, monkeypatch):
    index = {str(number): [f"n{number:08d}", f"thing {number}"] for number in range(999)}
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", index | {"999": ["n00000999", "thing 0"]})
    model = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(32, 32, 3))
    model.save_weights(tmp_path / "whole.weights.h5")
    config = PerformerConfig(
        backbone="mobilenet",
        backbone_alpha=0.25,
        backbone_weights=str(tmp_path / "whole.weights.h5"),
        image_size=32,
    )
    workdir = WorkDir(root=str(tmp_path / "run"))
    performer = staged_performer.load(config, workdir)
    names = performer.config.class_names
    assert names[:2] == ("thing 0 (n00000000)", "thing 1")
    assert names[999] == "thing 0 (n00000999)"
    staged_performer.save_if_new(performer, workdir)
    # Later steps read the file, and need no list of names any more.
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    later = load_performer(config, workdir)
    assert later.config.class_names == names
    assert later.fingerprint == performer.fingerprint
    # It was not trained, so that no training is kept.
    dataset = DatasetConfig(dataset="creatures")
    with pytest.raises(UserError, match="a backbone with its own head, which was not trained: name another"):
        existing_performer(dataset, config, PerformerTrainingConfig(), workdir)


def test_without_keras_list_classes_have_numbers(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    monkeypatch.setattr(imagenet_utils.file_utils, "get_file", refuse)
    assert class_names.of_own_head(PerformerConfig(), 1000).class_names == ()
    assert class_names.of_own_head(PerformerConfig(class_names=("a",)), 1000).class_names == ("a",)
