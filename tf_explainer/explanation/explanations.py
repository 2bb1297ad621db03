"""Several explanations, which a notebook renders one below the other."""

from __future__ import annotations

from tf_explainer.explanation.explanation import Explanation


class Explanations(tuple[Explanation, ...]):
    """Explanations of several images, in their order."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
        return "\n".join(each._repr_html_() for each in self)
