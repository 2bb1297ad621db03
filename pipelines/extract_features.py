r"""Computes and stores the performer's features of every image (step 2).

python -m pipelines.extract_features --flagfile=configs/vgg.flags

Every option of Apache Beam may follow, e.g. `--runner=DataflowRunner --project=... --region=...`, or
`--direct_running_mode=multi_processing --direct_num_workers=2`. Without `--runner` it runs in this process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import tqdm

from tf_explainer import atomic_file, flags
from tf_explainer.errors import UserError, nearest_names
from tf_explainer.schema import Manifest


def main(arguments: Sequence[str]) -> None:
    """Extracts, and prints the balance of images."""
    workdir, dataset = flags.workdir(), flags.dataset()
    performer_config, extraction_config = flags.performer(), flags.extraction()
    options = beam_options(arguments)

    from pipelines import feature_extraction, feature_set
    from tf_explainer.datasets.registry import open_source
    from tf_explainer.performers import load_performer

    source = open_source(dataset)
    performer = load_performer(performer_config, workdir)
    if not performer_config.performer and not os.path.exists(workdir.performer):
        # A backbone with its own head: the later steps and the workers find it where a trained one would be.
        with atomic_file.replacing(workdir.performer) as path:
            performer.model.save(path)
    extraction = feature_extraction.plan(
        source,
        dataset,
        performer,
        performer_config.performer or workdir.performer,
        extraction_config,
        workdir.features,
    )
    feature_set.claim(workdir.features, extraction.configuration, extraction_config.overwrite)
    if feature_set.is_whole(workdir.features):
        print(f"{workdir.features} is whole. {_balance(feature_set.read_whole(workdir.features))}")
        return
    start = time.perf_counter()
    with _progress(workdir.features, extraction_config.num_shards):
        _run(feature_extraction.ExtractFeatures(extraction), options)
    manifest = feature_set.read_whole(workdir.features)
    seconds = time.perf_counter() - start
    print(
        f"{_balance(manifest)}. {seconds:.0f} s, {manifest.inputs / seconds:.1f} images/s. "
        f"The features are in {workdir.features}"
    )


def beam_options(arguments: Sequence[str]) -> list[str]:
    """Checks that what our own flags left over are options of Beam.

    Args:
        arguments: what is left of the command line.

    Returns:
        The arguments, with a runner.

    Raises:
        UserError: an option is unknown to Beam, or the runner is known to lose data.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    classes = [PipelineOptions]
    for cls in classes:
        classes.extend(cls.__subclasses__())
        if "_add_argparse_args" in vars(cls):
            cls._add_argparse_args(parser)
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        names = [option for action in parser._actions for option in action.option_strings]
        raise UserError(
            f"{unknown[0]!r} is neither a flag of this program nor an option of Apache Beam; "
            f"the nearest options: {nearest_names(unknown[0].split('=')[0], [*names, *_our_flags()])}"
        )
    if (known.runner or "").rpartition(".")[2] == "DaskRunner":
        raise UserError(
            "--runner=DaskRunner loses elements without a word (with Beam 2.77 a batching step dropped 4 "
            "of 100): take --direct_running_mode=multi_processing, or the Flink, Spark or Dataflow runner"
        )
    if known.runner is None:
        # Beam's own default would first try to download another runner.
        return [*arguments, "--runner=FnApiRunner"]
    return list(arguments)


def _our_flags() -> list[str]:
    return [f"--{name}" for name in flags.FLAGS]


def _run(transform: Any, options: list[str]) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions

    pipeline_options = PipelineOptions(options)
    pipeline_options.view_as(SetupOptions).save_main_session = False
    try:
        with beam.Pipeline(options=pipeline_options) as pipeline:
            _ = pipeline | "ExtractFeatures" >> transform
    except UserError:
        raise
    except Exception as error:
        # Runners wrap what a worker raised; a message for the person is passed on as such.
        message = re.search(r"UserError: (.*?)(?: \[while running|\n|$)", str(error))
        if message is None:
            raise
        raise UserError(message[1]) from error


@contextlib.contextmanager
def _progress(features_dir: str, num_shards: int) -> Iterator[None]:
    """Shows a bar of finished shards, which any worker's sidecars tell of."""
    from apache_beam.io.filesystems import FileSystems

    done = threading.Event()
    pattern = f"{features_dir}/features-*-of-{num_shards:05d}.tfrecord.json"

    def watch() -> None:
        with tqdm.tqdm(total=num_shards, unit="shard", desc="features") as bar:
            while True:
                finished = done.wait(1.0)
                (match,) = FileSystems.match([pattern])
                bar.update(len(match.metadata_list) - bar.n)
                if finished:
                    return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _balance(manifest: Manifest) -> str:
    return (
        f"{manifest.inputs} images in = {manifest.outputs} records + {manifest.dead_letters} dead letters"
        + ("" if not manifest.dead_letters else " (see dead_letters.jsonl)")
    )


if __name__ == "__main__":
    flags.run(main, pass_unknown=True)
