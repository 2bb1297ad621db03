"""The explainer's layers (method: arXiv:1805.07468, section 3.1): interpretable conv, mask, norm, mix."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer import cross_replica, templates


@keras.saving.register_keras_serializable(package="tf_explainer")
class RunningMean(keras.layers.Layer):
    """A running mean over training images, like the statistics of batch normalisation.

    The first `1 / (1 - momentum)` updates are averaged equally; later ones give an exponential moving
    average. Every replica holds the same value.

    Args:
        shape: shape of one image's sample.
        momentum: share of the old value that is kept at each update, in [0, 1).
    """

    def __init__(self, shape: tuple[int, ...], momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.shape, self.momentum = tuple(shape), momentum
        # float32 even if the surrounding layer computes in half precision.
        same = {
            "trainable": False,
            "aggregation": "only_first_replica",
            "dtype": "float32",
            "autocast": False,
        }
        self.value = self.add_weight(shape=self.shape, initializer="zeros", name="value", **same)
        self.updates = self.add_weight(shape=(), initializer="zeros", name="updates", **same)
        self.built = True

    def update(self, samples: Any) -> None:
        """Updates the mean with a batch.

        Args:
            samples: `[B, *shape]`, from this replica's images.
        """
        keep = ops.minimum(self.momentum, self.updates / (self.updates + 1))
        mean = cross_replica.mean_over_images(ops.stop_gradient(samples))
        self.value.assign(keep * self.value + (1 - keep) * mean)
        self.updates.assign_add(1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"name": self.name, "shape": self.shape, "momentum": self.momentum}


@keras.saving.register_keras_serializable(package="tf_explainer")
class LossStatistic(RunningMean):
    """A running mean that only the losses use; older files may lack it, and it then starts from zero."""

    def load_own_variables(self, store: Any) -> None:
        """Reads the mean, a tensor of any shape, if the file has it."""
        if store.keys():
            super().load_own_variables(store)


@keras.saving.register_keras_serializable(package="tf_explainer")
class InterpretableConv(keras.layers.Conv2D):
    """A ReLU convolution whose filters training turns into part detectors.

    The layer keeps a running mean of each filter's peak, `m_f = E_x[max_ij x_ij]`. The losses measure
    activations in this unit (the papers' lambda_f is proportional to `1 / m_f`).

    Input `[B, L, L, D]`, output `[B, L, L, filters]`, non-negative.

    Args:
        filters: number of filters.
        momentum: momentum of the running mean.
        **kwargs: as for `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(filters, **{"kernel_size": 3, "padding": "same", "activation": "relu"} | kwargs)
        self.momentum = momentum
        self.peak = RunningMean((filters,), momentum, name="peak")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolves; in training, also updates the filters' mean peaks."""
        maps = super().call(inputs)
        if training:
            self.peak.update(ops.max(maps, axis=(1, 2)))
        return maps

    @property
    def mean_peaks(self) -> np.ndarray:
        """m, `[filters]` float32: 0 for dead filters; 1 for all filters before the first update."""
        peaks = ops.convert_to_numpy(self.peak.value)
        return peaks if peaks.any() else np.ones_like(peaks)

    def in_mean_peaks(self, maps: Any) -> Any:
        """Returns `maps / m_f` in float32; m_f carries no gradient."""
        mean_peak = ops.stop_gradient(ops.convert_to_tensor(self.peak.value))
        return ops.cast(maps, "float32") / ops.maximum(mean_peak, 1e-6)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"momentum": self.momentum}


@keras.saving.register_keras_serializable(package="tf_explainer")
class Mask(keras.layers.Layer):
    """Keeps the activations around each filter's peak: `x * max(T_mu_hat, 0)`, `mu_hat = argmax_ij x_ij`.

    The mask is a constant in back-propagation. If several units share the maximum, the first one, row by row,
    is the peak.

    Input and output: `[B, L, L, F]`.

    Args:
        beta: slope of the template; the mask ends at a city-block distance of `L / beta`.
    """

    def __init__(self, beta: float = 4.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta

    def call(self, maps: Any) -> Any:
        """Applies the mask."""
        distance = templates.distance_from_peak(maps)
        template = ops.maximum(1 - distance * (self.beta / ops.shape(maps)[1]), 0)
        return maps * ops.cast(template, maps.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"beta": self.beta}


@keras.saving.register_keras_serializable(package="tf_explainer")
class ActivationNorm(keras.layers.Layer):
    """The norm layer: divides channel k by its average activation magnitude alpha_k.

    `alpha_k = E_images[mean_ij max(x_ijk, 0)]` is a running mean, fixed in inference, without a gradient.
    Both tracks then have activations of the same size.

    Input and output: `[B, L, L, D]`.

    Args:
        floor: alpha_k is at least this share of the mean alpha, to keep rare channels from blowing up.
        momentum: share of alpha that is kept at each step.
    """

    def __init__(self, floor: float = 0.1, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.floor, self.momentum = floor, momentum

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Creates alpha."""
        self.alpha = RunningMean((input_shape[-1],), self.momentum, name="alpha")
        self.built = True

    def floored_alpha(self) -> Any:
        """Returns the divisor, alpha with its lower bound, `[D]` float32; all 1 before the first update."""
        alpha = ops.convert_to_tensor(self.alpha.value)
        alpha = ops.maximum(alpha, self.floor * ops.mean(alpha))
        return ops.where(ops.mean(alpha) > 0, alpha, ops.ones_like(alpha))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Divides by alpha, which is updated first in training."""
        if training:
            self.alpha.update(ops.mean(ops.maximum(ops.cast(inputs, "float32"), 0), axis=(1, 2)))
        return inputs / ops.cast(ops.stop_gradient(self.floored_alpha()), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"floor": self.floor, "momentum": self.momentum}


@keras.saving.register_keras_serializable(package="tf_explainer")
class PartShareMix(keras.layers.Layer):
    """Mixes the tracks: `x_enc = p * x_interp + (1 - p) * x_ordin`, `p = sigmoid(w_p)`, with w_p learned.

    Inputs: two tensors `[B, L, L, D]`, interpretable first. Output: `[B, L, L, D]`.

    Args:
        initial: p before training, in (0, 1).
    """

    def __init__(self, initial: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: Any) -> None:  # noqa: ARG002 - Keras passes it by this name
        """Creates w_p."""
        start = math.log(self.initial / (1 - self.initial))
        self.w_p = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start),
            name="w_p",
            dtype="float32",
            autocast=False,
        )
        self.built = True

    def part_share(self) -> Any:
        """Returns p, a float32 scalar in (0, 1)."""
        return ops.sigmoid(ops.convert_to_tensor(self.w_p))

    def call(self, inputs: Any) -> Any:
        """Mixes the tracks."""
        interpretable, ordinary = inputs
        p = ops.cast(self.part_share(), interpretable.dtype)
        return p * interpretable + (1 - p) * ordinary

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"initial": self.initial}


@keras.saving.register_keras_serializable(package="tf_explainer")
class ChannelScale(keras.layers.Layer):
    """Multiplies each channel by a constant, to bring features to the scale that the next layer expects.

    Input and output: `[B, ..., D]`.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the constants, initially 1."""
        self.scale = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", trainable=False, name="scale", dtype="float32"
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Multiplies each channel."""
        return inputs * ops.cast(ops.convert_to_tensor(self.scale), inputs.dtype)


@keras.saving.register_keras_serializable(package="tf_explainer")
class ShiftedIdentity(keras.initializers.Initializer):
    """Initialises a convolution so that each filter copies one input channel, shifted by a random offset.

    Args:
        shift: largest offset in either direction, in units; 0 is the identity. A kernel of side k allows
            offsets up to `k // 2`.
        seed: seed of the offsets.

    Raises:
        ValueError: the kernel is too small for the offset, or it has not as many filters as input channels.
    """

    def __init__(self, shift: int = 1, seed: int = 0) -> None:
        self.shift, self.seed = shift, seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Returns the kernel `[k, k, D, D]`."""
        height, width, channels, filters = shape
        if channels != filters or self.shift > min(height, width) // 2:
            raise ValueError(f"a shift of {self.shift} needs a larger, square kernel than {tuple(shape)}")
        random = np.random.default_rng(self.seed)
        offsets = random.integers(-self.shift, self.shift + 1, (filters, 2))
        kernel = np.zeros(shape, np.float32)
        kernel[height // 2 + offsets[:, 0], width // 2 + offsets[:, 1], range(channels), range(filters)] = 1
        return ops.convert_to_tensor(kernel, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"shift": self.shift, "seed": self.seed}
