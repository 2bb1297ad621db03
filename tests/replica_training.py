"""A short training on a number of replicas, as a program: `python replica_training.py REPLICAS OUT.npz`.

Collectives of several strategies in one process get into each other's way, so each has its own.
"""

import dataclasses
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_explainer import distribution
from tf_explainer.config import ExplainerConfig
from tf_explainer.explainer import DistilledLayer, Explainer
from tf_explainer.optimizer import GroupedAdam

SIDE, CHANNELS, UNITS = 5, 6, 7


def batches():
    random = np.random.default_rng(4)
    for size in (6, 5, 4, 6):
        features = np.maximum(random.normal(size=(size, SIDE, SIDE, CHANNELS)), 0)
        targets = {name: random.uniform(size=(size, UNITS)) for name in ("fc1", "fc2")}
        yield {name: value.astype("float32") for name, value in {"features": features, **targets}.items()}


def train(strategy):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        inputs = keras.Input((SIDE, SIDE, CHANNELS))
        explainer = Explainer(
            feature_shape=(SIDE, SIDE, CHANNELS),
            feature_mean=0.4,
            distilled=[
                DistilledLayer(name=name, units=UNITS, activation="relu", mean_square_norm=2.0)
                for name in ("fc1", "fc2")
            ],
            trunk=keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)),
            config=dataclasses.replace(ExplainerConfig(), mask_beta_1=4.0),
        )
        # Adam turns the sign of a vanishing gradient into a whole step: epsilon keeps rounding small.
        optimizer = GroupedAdam(1e-2, {"mix": 5.0}, epsilon=1e-3)
        optimizer.build(explainer.trainable_variables)

    def replica_step(batch):
        features, targets = batch["features"], {name: batch[name] for name in ("fc1", "fc2")}
        with tf.GradientTape() as tape:
            terms = explainer.loss_terms(targets, explainer(features, training=True))
            loss = explainer.total_loss(terms)
        gradients = tape.gradient(loss, explainer.trainable_variables)
        optimizer.apply(gradients, explainer.trainable_variables)
        return terms

    @tf.function(reduce_retracing=True)
    def step(batch):
        terms = strategy.run(replica_step, args=(batch,))
        return {name: strategy.reduce("SUM", term, axis=None) for name, term in terms.items()}

    history = []
    for tensors in batches():
        for batch in distribution.distribute(strategy, tf.data.Dataset.from_tensors(tensors)):
            history.append({name: float(value) for name, value in step(batch).items()})
    return [ops.convert_to_numpy(weight) for weight in explainer.weights], history


if __name__ == "__main__":
    trained, terms_by_step = train(distribution.mirrored_strategy(int(sys.argv[1])))
    steps = {name: [terms[name] for terms in terms_by_step] for name in terms_by_step[0]}
    np.savez(sys.argv[2], *trained, **steps)
