"""Writes networks as MatConvNet saves them."""

import numpy as np
import scipy.io


def cell(values):
    array = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        array[0, index] = value
    return array


def save_network(path, layers, mean, old=False):
    """`weights` is a pair. Old files have `filters`, `biases`, `normalize`, and no `meta`."""
    written = []
    for layer in layers:
        fields = dict(layer)
        if "weights" in fields and old:
            fields["filters"], fields["biases"] = fields.pop("weights")
        elif "weights" in fields:
            fields["weights"] = cell(fields["weights"])
        if old and fields["type"] == "lrn":
            fields["type"] = "normalize"
        written.append({k: np.asarray(v, float) if isinstance(v, list) else v for k, v in fields.items()})
    normalization = {"averageImage": mean, "imageSize": np.array([[*mean.shape]], float)}
    around = {"normalization": normalization}
    scipy.io.savemat(path, {"layers": cell(written)} | (around if old else {"meta": around}))
