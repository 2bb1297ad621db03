"""The layer in PyTorch computes what ours does; PyTorch is there where `make benchmark_peers` has put it."""

import numpy as np
import pytest
import tensorflow as tf

from tf_explainer.explainer import filter_losses, layers, templates

SIDE, FILTERS, IMAGES = 6, 5, 7


@pytest.fixture(name="maps")
def _maps():
    return np.maximum(np.random.default_rng(0).normal(size=(IMAGES, SIDE, SIDE, FILTERS)), 0).astype("f4")


@pytest.fixture(name="torch")
def _torch():
    return pytest.importorskip("torch")


def test_the_filter_loss_and_its_gradient_are_the_same(torch, maps):
    from benchmarks.torch_icnn import FilterLoss

    theirs = torch.from_numpy(maps.transpose(0, 3, 1, 2).copy()).requires_grad_()
    loss = FilterLoss(SIDE)(theirs)
    (gradient,) = torch.autograd.grad(loss.sum(), theirs)
    matrix, prior = templates.template_matrix(SIDE, 4.0), templates.template_prior(SIDE)
    x = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(x)
        ours = filter_losses.filter_loss(filter_losses.template_scores(x, matrix), prior)
    np.testing.assert_allclose(loss.detach().numpy(), ours, rtol=1e-4)
    expected = tape.gradient(ours, x).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_the_mask_is_the_same(torch, maps):
    from benchmarks.torch_icnn import Mask

    masked = Mask(SIDE, 2.0)(torch.from_numpy(maps.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(masked.transpose(0, 2, 3, 1), layers.Mask(2.0)(maps), rtol=1e-5, atol=1e-6)
    assert 0 < (masked > 0).sum() < (maps > 0).sum()
