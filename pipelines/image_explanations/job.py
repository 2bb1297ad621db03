"""Explains many images, from the settings to files of lines."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from pipelines.dataflow import options as dataflow_options
from pipelines.dataflow import pipeline as beam_pipeline
from pipelines.extraction.resource_hints import resource_hints
from pipelines.image_explanations import image_explanation, line_files, named_images
from pipelines.image_explanations.image_explanation import ExplainImages, ImageExplanation
from pipelines.image_explanations.staged_run import StagedRun, manifest_of
from tf_explainer.config import (
    AttributionConfig,
    ExplanationConfig,
    ExplanationFileConfig,
    ExtractionConfig,
    PerformerConfig,
    WorkDir,
)
from tf_explainer.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExplanationJob:
    """The settings of an explanation job.

    Attributes:
        workdir: of the finished run.
        performer: the network and its layers.
        attribution: how scores are attributed.
        explanation: the images, and the class whose score is explained.
        file: where the lines are written.
        extraction: how many images the networks see at once, and what workers must have.
        beam_options: of Apache Beam, from `beam_options.check`.
    """

    workdir: WorkDir
    performer: PerformerConfig
    attribution: AttributionConfig
    explanation: ExplanationConfig
    file: ExplanationFileConfig
    extraction: ExtractionConfig
    beam_options: Sequence[str]


def run(job: ExplanationJob, tell: Callable[[str], None]) -> None:
    """Explains the images.

    Args:
        job: the settings.
        tell: called with each line for the user.

    Raises:
        UserError: a setting does not fit, or no image can be explained.
    """
    named, output = job.explanation.images, job.file.output or job.workdir.explanation_lines
    if not named:
        raise UserError("--image is not set: name images, folders or patterns, --image='photos/*.jpg'")
    places = {"--workdir": job.workdir.root, "--explanations_file": output, "--image": _first_local(named)}
    pipeline = beam_pipeline.open_pipeline(
        job.beam_options,
        places | {"--features_dir": job.workdir.features, "--performer": job.performer.performer},
        accelerator=bool(job.extraction.accelerator),
    )
    count = len(named_images.paths(named))
    explanation = prepare(job, output)
    tell(f"Explaining {count} images; the lines are written when all are done")
    for path in (output, explanation.dead_letters):
        line_files.remove_pieces(path)
    start = time.perf_counter()
    _ = pipeline | "ExplainImages" >> ExplainImages(explanation)
    result = beam_pipeline.run_to_end(pipeline)
    if dataflow_options.is_template(job.beam_options):
        tell("The job is described; the launcher of the template submits it.")
        return
    counts = beam_pipeline.totals(result, image_explanation.NAMESPACE)
    explained, dead = (counts[name] for name in (image_explanation.EXPLAINED, image_explanation.DEAD_LETTERS))
    if not explained:
        raise UserError(f"none of the {count} images can be explained: {explanation.dead_letters} says why")
    seconds = time.perf_counter() - start
    tell(f"The explanations are in {_files(explanation)}: {explained / seconds:.1f} images/s")
    why = f" (see {explanation.dead_letters})" if dead else ""
    line = f"{count} images: {explained} explained, {dead} not{why}"
    if explained + dead != count:
        raise UserError(f"{line}: files were added or removed meanwhile; run this again")
    tell(line)


def prepare(job: ExplanationJob, output: str) -> ImageExplanation:
    """Loads the run as a worker will, without writing anything.

    Raises:
        UserError: a file is missing, damaged or of another run, or there is no such class.
    """
    staged = StagedRun(
        workdir=job.workdir,
        manifest=manifest_of(job.workdir),
        performer=job.performer,
        attribution=job.attribution,
    )
    finished, class_name = staged.load(), job.explanation.explained_class
    if class_name is not None and class_name not in finished.class_names:
        raise UserError(
            f"--explained_class={class_name}: there is no class {class_name!r}; "
            f"there are {', '.join(finished.class_names)}"
        )
    return ImageExplanation(
        images=tuple(job.explanation.images),
        run=staged,
        fingerprint=finished.fingerprint,
        class_name=class_name,
        batch_size=job.extraction.batch_size,
        output=output,
        shards=job.file.shards,
        resource_hints=resource_hints(job.extraction.accelerator, job.extraction.worker_min_ram),
    )


def _first_local(named: Sequence[str]) -> str:
    return next((name for name in named if not named_images.is_remote(name)), named[0])


def _files(explanation: ImageExplanation) -> str:
    first, *others = line_files.shard_paths(explanation.output, explanation.shards)
    return f"{first}, ..." if others else first
