"""The parts of a run by name, each with the images on which it responds most."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from tf_explainer.config import DatasetConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.evaluation.contact_sheet import part_colours
from tf_explainer.evaluation.parts import Part, names_in_category
from tf_explainer.evaluation.region_overlay import Colour
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explanation import part_picture, report
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.stored_features import Features


class NoSuchPartError(UserError, KeyError):
    """The run has no part of that name."""

    __str__ = Exception.__str__  # KeyError's quotes the message.


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunPart(Part):
    """A part that draws itself.

    Attributes:
        explainer: of the run.
        workdir: holds the images; None: there are none.
        colour: of the part in pictures of the run.
    """

    explainer: Explainer
    workdir: WorkDir | None
    colour: Colour

    def plot(self, images: int = 8) -> Image.Image:
        """Draws the images of the run on which the part responds most, and where it responds.

        Args:
            images: the most images to draw.

        Raises:
            UserError: the run has no work directory, or its features are missing.
        """
        if self.workdir is None:
            raise UserError("a run without a work directory has no images: read the run with load_run")
        # Any data set will do: images are drawn whether held out or not.
        features = Features(
            manifest=read_manifest(self.workdir.features),
            directory=self.workdir.features,
            dataset=DatasetConfig(dataset=""),
        )
        return part_picture.draw(self, self.explainer, features, images, self.colour)

    show = plot

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
        return report.of_part(self, None if self.workdir is None else self.plot())

    def __repr__(self) -> str:
        responds = "" if self.responds is None else f", responds on {self.responds:.0%} of images"
        return f"<part {self.number}: {self.title}; {len(self.filters)} filters{responds}>"


class RunParts(Mapping[str, RunPart]):
    """Parts by name.

    A part is found by its name, its number (`3` or `part 3`), and the name that it has on images of a
    category, unless other parts have the same.

    Args:
        parts: groups of the explainer's filters.
        explainer: of the run.
        workdir: of the run; None: it has none.
    """

    def __init__(self, parts: Sequence[Part], explainer: Explainer, workdir: WorkDir | None) -> None:
        colours = part_colours(len(parts))
        self._parts = {
            part.name: RunPart(**vars(part), explainer=explainer, workdir=workdir, colour=colour)
            for part, colour in zip(parts, colours, strict=True)
        }
        self._names = _other_names(parts) | {name: name for name in self._parts}

    def __getitem__(self, name: str | int) -> RunPart:
        """Returns a part.

        Raises:
            NoSuchPartError: there is no part of that name.
        """
        if name not in self._names:
            raise NoSuchPartError(f"there is no part {name!r}; there are: {', '.join(self._parts)}")
        return self._parts[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
        return report.of_parts(list(self.values()))

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "no parts"


def _other_names(parts: Sequence[Part]) -> dict[str | int, str]:
    """Maps numbers and names in categories to the names of parts."""
    in_categories = collections.defaultdict(set)
    for category in dict.fromkeys(name for part in parts for name in part.annotated):
        for part, name in zip(parts, names_in_category(parts, category), strict=True):
            in_categories[name].add(part.name)
    names: dict[str | int, str] = {name: of.pop() for name, of in in_categories.items() if len(of) == 1}
    for part in parts:
        names |= {part.number: part.name, f"part {part.number}": part.name}
    return names
