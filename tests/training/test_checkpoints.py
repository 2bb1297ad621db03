import json
import os

import pytest
import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.training.checkpoints import Checkpoints, TrainingState


@pytest.fixture
def variable():
    return tf.Variable([1.0, 2.0])


@pytest.fixture
def checkpoints(tmp_path, variable):
    return Checkpoints(str(tmp_path / "checkpoints"), 2, variable=variable)


def names(checkpoints):
    return [path.name for path in checkpoints.all()]


def test_what_was_saved_comes_back(checkpoints, variable):
    state = TrainingState(epochs=3, batches=17, step=62, best=(2, 0.25))
    checkpoints.save(state)
    variable.assign([0.0, 0.0])
    assert checkpoints.restore_latest() == state
    assert variable.numpy().tolist() == [1.0, 2.0]
    assert names(checkpoints) == ["epoch-0003-batch-000017"]


def test_without_a_checkpoint_there_is_nothing_to_restore(checkpoints):
    assert checkpoints.restore_latest() is None


def test_the_latest_and_the_best_are_kept(checkpoints, variable):
    for epoch in range(1, 6):
        variable.assign([float(epoch), 0.0])
        checkpoints.save(TrainingState(epochs=epoch, best=(min(epoch, 2), 0.5)))
    assert names(checkpoints) == [f"epoch-000{epoch}-batch-000000" for epoch in (2, 4, 5)]
    checkpoints.restore_best((2, 0.5))
    assert variable.numpy()[0] == 2.0


def test_a_later_batch_is_later_than_an_earlier_one(checkpoints):
    for state in (TrainingState(epochs=1, batches=99), TrainingState(epochs=1, batches=100)):
        checkpoints.save(state)
    assert checkpoints.restore_latest().batches == 100


def test_an_unfinished_checkpoint_does_not_count_and_is_removed(checkpoints, tmp_path):
    left = tmp_path / "checkpoints" / ".unfinished-1"
    left.mkdir(parents=True)
    (left / "variables.index").write_text("half")
    assert checkpoints.restore_latest() is None
    checkpoints.save(TrainingState(epochs=1))
    assert not left.exists()


def test_what_cannot_be_written_leaves_the_earlier_ones(checkpoints, tmp_path, monkeypatch):
    checkpoints.save(TrainingState(epochs=1))

    def full(handle):
        del handle
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        UserError, match=r"epoch-0002.*No space left on device.*make room.*last checkpoint, .*epoch-0001"
    ):
        checkpoints.save(TrainingState(epochs=2))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-0001-batch-000000"]


@pytest.mark.parametrize("damage", ["state", "torn", "other variables"])
def test_a_damaged_checkpoint_is_named(checkpoints, tmp_path, damage):
    checkpoints.save(TrainingState(epochs=1))
    (written,) = checkpoints.all()
    if damage == "state":
        (written / "state.json").write_text(json.dumps({"epochs": 1, "no_such": 2}))
    elif damage == "torn":
        (written / "variables.data-00000-of-00001").write_bytes(b"short")
    else:
        checkpoints = Checkpoints(str(tmp_path / "checkpoints"), 2, other=tf.Variable([1.0, 2.0, 3.0]))
    with pytest.raises(UserError, match=r"epoch-0001-batch-000000 cannot be read .*remove it"):
        checkpoints.restore_latest()
    assert written.exists()
