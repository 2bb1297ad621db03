"""Decides which of a data set's classes are used, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from tf_explainer.config import DatasetConfig
from tf_explainer.errors import UserError, nearest_names


def chosen(requested: Sequence[str], offered: Sequence[str], where: str) -> tuple[str, ...]:
    """Returns the requested classes in the order of `offered`.

    Args:
        requested: names from `--categories`; empty: all.
        offered: the names that exist.
        where: what offers them, for the message.

    Raises:
        UserError: a name does not exist.
    """
    for name in requested:
        if name not in offered:
            raise UserError(
                f"--categories: there is no {name!r} in {where}; there are: {nearest_names(name, offered)}"
            )
    return tuple(name for name in offered if name in requested or not requested)


def arranged(config: DatasetConfig, offered: Sequence[str], where: str) -> tuple[tuple[str, ...], str | None]:
    """Chooses the classes of a data set in which the negative class, if any, is a class like the others.

    Args:
        config: which classes are requested, and whether negatives are.
        offered: the names that exist.
        where: what offers them, for the message.

    Returns:
        The classes to use, in the order of `offered`, and the negative class or None.

    Raises:
        UserError: a name does not exist, or the negative class is the only one.
    """
    negative_class = config.negative_class if config.negatives and config.negative_class in offered else None
    positive = [name for name in offered if name != config.negative_class]
    if not positive:
        raise UserError(f"{where} has no class but {config.negative_class!r}, the negative one")
    requested = [name for name in config.categories if name != config.negative_class]
    used = {*chosen(requested, positive, where), negative_class}
    return tuple(name for name in offered if name in used), negative_class


def with_negative(categories: Sequence[str], negative_class: str | None) -> tuple[str, ...]:
    """Returns the categories followed by the negative class, for data sets that store negatives apart."""
    positive = tuple(name for name in categories if name != negative_class)
    return positive if negative_class is None else (*positive, negative_class)
