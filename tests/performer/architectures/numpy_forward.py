"""A chain of MatConvNet's layers by literal loops, in float64: what the models are compared with."""

import numpy as np


def convolved(x, kernel, bias, stride, pad, groups):
    x = np.pad(x, [(pad[0], pad[1]), (pad[2], pad[3]), (0, 0)])
    k, width, inputs, filters = kernel.shape
    rows, columns = (x.shape[0] - k) // stride[0] + 1, (x.shape[1] - width) // stride[1] + 1
    out = np.zeros((rows, columns, filters))
    for f in range(filters):
        first = f // (filters // groups) * inputs
        for i in range(rows):
            for j in range(columns):
                top, left = i * stride[0], j * stride[1]
                window = x[top : top + k, left : left + width, first : first + inputs]
                out[i, j, f] = (window * kernel[..., f]).sum() + bias[f]
    return out


def pooled(x, size, stride, pad, method):
    padded = np.pad(x, [(pad[0], pad[1]), (pad[2], pad[3]), (0, 0)], constant_values=-np.inf)
    rows = (padded.shape[0] - size[0]) // stride[0] + 1
    columns = (padded.shape[1] - size[1]) // stride[1] + 1
    out = np.zeros((rows, columns, x.shape[2]))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride[0], j * stride[1]
            window = padded[top : top + size[0], left : left + size[1]].reshape(-1, x.shape[2])
            out[i, j] = window.max(0) if method == "max" else window.mean(0)
    return out


def normalised(x, size, kappa, alpha, beta):
    out = np.zeros_like(x)
    for k in range(x.shape[2]):
        low = max(0, k - (size - 1) // 2)
        high = min(x.shape[2], k - (size - 1) // 2 + size)
        out[..., k] = x[..., k] / (kappa + alpha * (x[..., low:high] ** 2).sum(-1)) ** beta
    return out


def softmax(x):
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()
