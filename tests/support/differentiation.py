"""Gradients and compiled functions on whichever backend Keras runs."""

import keras


def gradient(function, x):
    """Returns the gradient, as NumPy, of a scalar function of one array."""
    if keras.backend.backend() == "jax":
        import jax

        return keras.ops.convert_to_numpy(jax.grad(function)(keras.ops.convert_to_tensor(x)))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        variable = tf.convert_to_tensor(x)
        tape.watch(variable)
        value = function(variable)
    return tape.gradient(value, variable).numpy()


def compiled(function):
    """Returns a function of one array as XLA compiles it."""
    if keras.backend.backend() == "jax":
        import jax

        return lambda x: jax.jit(function)(keras.ops.convert_to_tensor(x))
    import tensorflow as tf

    return tf.function(lambda x: function(x), jit_compile=True)
