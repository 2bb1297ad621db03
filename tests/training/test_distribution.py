import numpy as np
import pytest
import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.training import distribution


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_every_image_lands_on_one_replica_and_none_is_idle(replicas):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])
    batches = tf.data.Dataset.from_tensor_slices({"x": np.arange(13)}).batch(8)  # 8 and 5
    seen = []
    for batch in distribution.distribute(strategy, lambda divide: divide(batches)):
        shares = [share.numpy() for share in strategy.experimental_local_results(batch["x"])]
        sizes = [len(share) for share in shares]
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 1
        seen.extend(np.concatenate(shares))
    assert seen == list(range(13))


def test_a_batch_smaller_than_the_replicas_repeats_its_images():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])
    batches = tf.data.Dataset.from_tensors({"x": tf.constant([7, 8])})
    (batch,) = distribution.distribute(strategy, lambda divide: divide(batches))
    assert [list(share) for share in strategy.experimental_local_results(batch["x"])] == [[7], [8], [7]]


@pytest.mark.parametrize(
    ("driver", "hidden", "told"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_gpu_that_cannot_be_used_is_told_of(monkeypatch, tmp_path, driver, hidden, told):
    """TensorFlow's own word on it is among what the binaries keep off the terminal."""
    file = tmp_path / "version"
    if driver:
        file.touch()
    monkeypatch.setattr(distribution, "_NVIDIA_DRIVER", file)
    monkeypatch.setattr(distribution.tf.config, "list_physical_devices", lambda _: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    said = []
    monkeypatch.setattr(distribution.logging, "warning", said.append)
    distribution.strategy_named("one_device")
    assert [("TF_CPP_MIN_LOG_LEVEL=0" in text) for text in said] == [True] * told


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("", "is not set"),
        ("{'cluster': 1}", "is not valid JSON"),
        ("[]", "has no list of workers"),
        ('{"cluster": {"chief": ["a:1"]}, "task": {"type": "worker", "index": 0}}', "has no list of workers"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "without a port, 'a'"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "twice, 'a:1'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "the task type 'ps'"),
        ('{"cluster": {"worker": ["a:1"]}}', "the task type None"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}', "the task index '0'"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "the 1 workers have 0 to 0",
        ),
    ],
)
def test_mistakes_in_tf_config_are_told_by_their_name(monkeypatch, value, mistake):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UserError, match=f"TF_CONFIG, which {mistake}|TF_CONFIG, which .*{mistake}"):
        distribution.strategy_named("multi_worker")
