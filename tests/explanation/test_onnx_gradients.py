"""Each gradient against TensorFlow's own, and of what operations it consists."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_explainer.explanation import onnx_gradients

SHAPE = (7, 8, 4)
KERNEL = np.random.default_rng(1).normal(size=(3, 3, 4, 2)).astype(np.float32)
OTHER = np.random.default_rng(2).uniform(1, 2, (8, 1)).astype(np.float32)
FUNCTIONS = {
    "relu": tf.nn.relu,
    "relu6": lambda x: tf.nn.relu6(3 * x),
    "sigmoid": tf.sigmoid,
    "sum": lambda x: tf.reduce_sum(x, axis=[1, -1]),
    "sum with dimensions": lambda x: tf.reduce_sum(x, axis=2, keepdims=True),
    "mean": lambda x: tf.reduce_mean(x, axis=[1, 2]),
    "broadcast": lambda x: (x + OTHER) * OTHER - tf.reduce_mean(x, axis=3, keepdims=True) / OTHER,
    "quotient of both": lambda x: x / (1 + x * x),
} | {
    f"{name} {size} {strides} {padding}": lambda x, pool=pool, size=size, strides=strides, padding=padding: (
        pool(tf.nn.relu(x), size, strides, padding)
    )
    for name, pool in {"max": tf.nn.max_pool2d, "average": tf.nn.avg_pool2d}.items()
    for size, strides, padding in itertools.product((2, 3), (1, 2, 3), ("SAME", "VALID"))
}


def convolution(convolve, strides, padding, dilation):
    return lambda x: convolve(x, KERNEL, [1, strides, strides, 1], padding, dilations=[dilation, dilation])


FUNCTIONS |= {
    f"{convolve.__name__} {strides} {padding} {dilation}": convolution(convolve, strides, padding, dilation)
    for convolve in (tf.nn.conv2d, tf.nn.depthwise_conv2d)
    for strides, padding, dilation in [
        (1, "SAME", 1),
        (2, "SAME", 1),
        (2, "VALID", 1),
        (3, "VALID", 1),
        (1, "SAME", 2),
    ]
}


def weighted(y):
    """A sum by which every value counts differently."""
    return tf.reduce_sum(y * tf.sin(tf.reshape(tf.range(tf.cast(tf.size(y), tf.float32)), tf.shape(y))))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_gradient_is_tensorflows(function):
    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE])])
    def gradient(x):
        with onnx_gradients.used():
            return tf.gradients(weighted(function(x)), x)[0]

    # Rounded, so that windows hold equal values.
    x = tf.constant(np.random.default_rng(0).normal(size=(3, *SHAPE)).round(1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = weighted(function(x))
    try:
        expected = tape.gradient(value, x)
    except tf.errors.InvalidArgumentError as error:
        # It needs oneDNN, which TensorFlow uses on newer CPUs only.
        if "dilation rates larger than 1" not in str(error):
            raise
        pytest.skip("TensorFlow itself has no gradient of a dilated convolution on this CPU")
    np.testing.assert_allclose(gradient(x), expected, atol=2e-5)
    operations = gradient.get_concrete_function().graph.get_operations()
    refused = {"BroadcastGradientArgs", "DynamicStitch", "DepthwiseConv2dNativeBackpropInput"}
    assert not {op.type for op in operations if "Grad" in op.type} | (
        refused & {op.type for op in operations}
    )
    assert not [op for op in operations if "_gradient_op_type" in op.node_def.attr]
