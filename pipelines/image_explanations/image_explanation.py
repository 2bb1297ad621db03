"""Beam transforms from names of images to lines of JSON.

```
names -> batches of paths -> lines, dead letters -> files (line_files)
```
Only paths travel between workers. The batches of paths are those of the networks, so the numbers of an image
do not depend on the runner.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from pipelines.image_explanations import named_images
from pipelines.image_explanations.line_files import SUFFIX, WriteLines
from pipelines.image_explanations.staged_run import StagedRun
from tf_explainer.errors import UserError
from tf_explainer.explanation.finished_run import FinishedRun
from tf_explainer.images.record import UnreadableImageError

NAMESPACE = "explanation"
EXPLAINED, DEAD_LETTERS = "explained", "dead_letters"
NETWORK_FAILS = "network_fails"
_THREADS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageExplanation:
    """Everything that a pipeline needs, in plain values that can be sent to any worker.

    Attributes:
        images: names of files, folders and patterns.
        run: the finished run that explains the images.
        fingerprint: of the run's explainer.
        class_name: whose score is explained; None: every class that the performer finds.
        batch_size: number of images that the networks see at once.
        output: path of the lines; the file of dead letters is beside it.
        shards: number of files for the lines.
        resource_hints: what the workers of the step must have, by Beam's names.
    """

    images: tuple[str, ...]
    run: StagedRun
    fingerprint: str
    class_name: str | None
    batch_size: int
    output: str
    shards: int = 1
    resource_hints: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def dead_letters(self) -> str:
        """Path of the file with the images that could not be explained, and the reasons."""
        return f"{self.output.removesuffix(SUFFIX)}.{DEAD_LETTERS}{SUFFIX}"


class ExplainImages(beam.PTransform):
    """Explains images, from a pipeline's root to files of lines and of dead letters."""

    def __init__(self, explanation: ImageExplanation) -> None:
        super().__init__()
        self._explanation = explanation

    def expand(self, root: Any) -> Any:
        """Builds the graph."""
        explanation = self._explanation
        step = beam.ParDo(ExplainBatch(explanation)).with_resource_hints(**explanation.resource_hints)
        results = (
            root
            | "Names" >> beam.Create([explanation.images])
            | "Batches" >> beam.FlatMap(_batches, explanation.batch_size)
            | "SpreadBatches" >> beam.Reshuffle()
            | "ExplainBatch" >> step.with_outputs(DEAD_LETTERS, main=EXPLAINED)
        )
        lines = WriteLines(explanation.output, explanation.shards)
        return (
            results[EXPLAINED] | "WriteLines" >> lines,
            results[DEAD_LETTERS] | "WriteDeadLetters" >> WriteLines(explanation.dead_letters),
        )


def _batches(names: Sequence[str], size: int) -> Iterator[list[str]]:
    paths = iter(named_images.paths(names))
    while batch := list(itertools.islice(paths, size)):
        yield batch


class ExplainBatch(beam.DoFn):
    """Reads and explains a batch of images; yields lines, and dead letters with their tag."""

    def __init__(self, explanation: ImageExplanation) -> None:
        super().__init__()
        self._explanation = explanation
        self._handle = shared.Shared()

    def setup(self) -> None:
        """Loads the networks, once for each process."""
        self._run: FinishedRun = self._handle.acquire(self._load, tag=self._explanation.fingerprint)

    def _load(self) -> FinishedRun:
        run = self._explanation.run.load()
        if run.fingerprint != self._explanation.fingerprint:
            raise UserError(
                f"{self._explanation.run.workdir.explainer} was replaced by another explainer while images "
                "were explained"
            )
        return run

    def process(self, element: Sequence[str]) -> Iterator[Any]:
        """Explains the images at some paths."""
        with ThreadPoolExecutor(_THREADS) as threads:
            results = list(threads.map(lambda path: next(named_images.read([path])), element))
        named = []
        for reference, result in results:
            if isinstance(result, UnreadableImageError):
                yield _dead_letter(reference.id, result.kind, str(result))
            else:
                named.append((reference.id, result.image))
        yield from self._lines(named)

    def _lines(self, named: Sequence[tuple[str, np.ndarray]]) -> Iterator[Any]:
        """Explains images together; if that fails, one by one."""
        try:
            lines = [
                [json.dumps(self._run.record(each), allow_nan=False) for each in of_image]
                for of_image in self._run.explain_named(
                    named, self._explanation.class_name, self._explanation.batch_size
                )
            ]
        except UserError:  # The settings are wrong, not an image.
            raise
        except Exception as error:  # The networks may raise anything; the other images go on.
            if len(named) > 1:
                for one in named:
                    yield from self._lines([one])
            else:
                yield _dead_letter(named[0][0], NETWORK_FAILS, f"{type(error).__name__}: {error}")
            return
        Metrics.counter(NAMESPACE, EXPLAINED).inc(len(lines))
        yield from itertools.chain.from_iterable(lines)


def _dead_letter(image: str, kind: str, reason: str) -> beam.pvalue.TaggedOutput:
    Metrics.counter(NAMESPACE, DEAD_LETTERS).inc()
    return beam.pvalue.TaggedOutput(
        DEAD_LETTERS, json.dumps({"image": image, "kind": kind, "reason": reason})
    )
