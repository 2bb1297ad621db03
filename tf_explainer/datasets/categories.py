"""Which of a data set's classes take part, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from tf_explainer.errors import UserError, nearest_names


def chosen(requested: Sequence[str], offered: Sequence[str], where: str) -> tuple[str, ...]:
    """Returns the requested classes in the order asked for, or all that are offered.

    Args:
        requested: names from `--categories`; empty asks for all. Repeated names count once.
        offered: the names that exist.
        where: where they exist, for the message.

    Raises:
        UserError: a name does not exist.
    """
    for name in requested:
        if name not in offered:
            raise UserError(
                f"--categories: there is no {name!r} in {where}; there are: {nearest_names(name, offered)}"
            )
    return tuple(dict.fromkeys(requested or offered))


def with_negative(categories: Sequence[str], negative_class: str | None) -> tuple[str, ...]:
    """Returns the categories with the negative class, if there is one, last."""
    positive = tuple(name for name in categories if name != negative_class)
    return positive if negative_class is None else (*positive, negative_class)
