"""Statistics that span images are those of the whole batch, however it is divided."""

import numpy as np
import pytest
import tensorflow as tf

from tf_explainer.explainer import cross_replica


@pytest.fixture
def two():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def on_replicas(strategy, function, shares):
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(shares[context.replica_id_in_sync_group])
    )
    return strategy.experimental_local_results(
        tf.function(lambda x: strategy.run(function, args=(x,)))(values)
    )


def test_outside_of_a_strategy_everything_is_the_identity():
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    assert cross_replica.replicas() == 1
    assert cross_replica.total(x) is x
    np.testing.assert_array_equal(cross_replica.maximum(x), x)
    np.testing.assert_array_equal(cross_replica.mean_over_images(x), x.mean(0))


def test_total_maximum_and_mean_over_two_replicas(two):
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    for function, expected in [
        (lambda part: cross_replica.total(tf.reduce_sum(part, 0)), x.sum(0)),
        (lambda part: cross_replica.maximum(tf.reduce_max(part, 0)), x.max(0)),
        (cross_replica.mean_over_images, x.mean(0)),
    ]:
        for result in on_replicas(two, function, (x[:3], x[3:])):
            np.testing.assert_allclose(result, expected, rtol=1e-5)
