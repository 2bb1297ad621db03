import numpy as np
import pytest
import tensorflow as tf

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
