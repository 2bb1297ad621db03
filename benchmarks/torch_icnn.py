"""The interpretable convolution's parts in PyTorch, written from the paper (arXiv:1710.00935, section 3).

The code follows the formulas; autograd computes the gradients. Maps are in PyTorch's order, `[B, F, n, n]`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

_MOMENTUM = 0.9


def positive_templates(side: int, beta: float) -> torch.Tensor:
    """Returns `T_mu = max(1 - beta |[i, j] - mu|_1 / n, -1)` for every position mu, `[n * n, n, n]`."""
    place = torch.arange(side)
    row, column = torch.meshgrid(place, place, indexing="ij")
    places = torch.stack([row.flatten(), column.flatten()], dim=1).float()
    return (1 - beta * torch.cdist(places, places, p=1) / side).clamp(min=-1).reshape(-1, side, side)


class FilterLoss(torch.nn.Module):
    """Minus the mutual information between a filter's maps and the templates.

    Args:
        side: of the maps.
        beta: slope of the templates.
    """

    def __init__(self, side: int, beta: float = 4.0) -> None:
        super().__init__()
        positive = positive_templates(side, beta).flatten(1)
        self.register_buffer("templates", torch.cat([positive, -torch.ones(1, side * side)]))
        # With the paper's share of positive templates, all templates have the same probability.
        self.log_prior = -float(np.log(side * side + 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Returns `- sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x))` of every filter, `[F]`."""
        log_likelihood = (maps.flatten(2) @ self.templates.T).log_softmax(dim=0)
        log_marginal = (log_likelihood + self.log_prior).logsumexp(dim=2, keepdim=True)
        ratio = log_likelihood - log_marginal
        return -(np.exp(self.log_prior) * log_likelihood.exp() * ratio).sum(dim=(0, 2))


class Mask(torch.nn.Module):
    """Keeps the activations around each filter's peak.

    Args:
        side: of the maps.
        beta: slope of the template.
    """

    def __init__(self, side: int, beta: float) -> None:
        super().__init__()
        self.register_buffer("templates", positive_templates(side, beta).clamp(min=0))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Multiplies every map by the template at its peak."""
        return maps * self.templates[maps.detach().flatten(2).argmax(dim=2)]


class Norm(torch.nn.Module):
    """Divides each channel by the running mean of its activations (arXiv:1805.07468, section 3.1).

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("alpha", torch.ones(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Updates the running means, and divides the activations by them."""
        with torch.no_grad():
            self.alpha.lerp_(maps.clamp(min=0).mean(dim=(0, 2, 3)), 1 - _MOMENTUM)
        return maps / self.alpha[:, None, None]


def plain_conv(images: int, shape: tuple[int, int, int]) -> Callable[[], object]:
    """Returns one convolution, forward and backward, with gradients for its input and its kernel.

    Args:
        images: of a batch.
        shape: `(n, n, F)`.
    """
    x = _maps(images, shape).requires_grad_()
    kernel = (torch.randn(shape[-1], shape[-1], 3, 3) / 70).requires_grad_()

    def step() -> object:
        y = torch.nn.functional.conv2d(x, kernel, padding=1)
        return torch.autograd.grad(y, (x, kernel), grad_outputs=x.detach())

    return step


def interpretable_parts(images: int, shape: tuple[int, int, int]) -> Callable[[], object]:
    """Returns filter loss, mask and norm of one layer, forward and backward, with gradients for its maps.

    Args:
        images: of a batch.
        shape: `(n, n, F)`.
    """
    x = _maps(images, shape).requires_grad_()
    loss, mask, norm = FilterLoss(shape[0]), Mask(shape[0], 2.0), Norm(shape[-1])
    mean_peak = x.detach().amax(dim=(2, 3)).mean(dim=0)[:, None, None]

    def step() -> object:
        value, y = loss(x / mean_peak).mean(), norm(mask(x))
        return torch.autograd.grad((value, y), x, grad_outputs=(torch.tensor(1.0), x.detach()))

    return step


def _maps(images: int, shape: tuple[int, int, int]) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(images, shape[-1], *shape[:2]).clamp(min=0)
