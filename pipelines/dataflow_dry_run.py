r"""Builds and checks the Dataflow job of an extraction, without submitting it.

python -m pipelines.dataflow_dry_run --flagfile=configs/demo.flags --features_dir=gs://BUCKET/features \
  --runner=DataflowRunner --project=... --region=... --temp_location=gs://... --sdk_container_image=...

Takes the same command line as `pipelines.extract_features`. It needs no network unless the images or the
performer are in a bucket. (`pipelines.extract_features --dry_run` estimates size, time and cost instead.)
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import job_flags
from tf_explainer.command_line import entry_point
from tf_explainer.errors import UserError


def main(arguments: Sequence[str]) -> None:
    """Prints what would be submitted."""
    from pipelines.dataflow import beam_options
    from pipelines.dataflow import job as dataflow_job
    from pipelines.extraction import job

    settings = job_flags.extraction_job(arguments)
    if not beam_options.is_dataflow(settings.beam_options):
        raise UserError("this command checks a Dataflow job: add --runner=DataflowRunner (docs/dataflow.md)")
    result, extraction = job.build_for_dataflow(settings)
    print("\n".join(dataflow_job.describe(result.job, extraction.shards.num_shards)))
    print("The job is valid. Nothing was submitted or written.")
    print(entry_point.next_command("pipelines.extract_features", with_others=True))


def run() -> None:
    """The console script tf-explainer-dataflow-dry-run."""
    entry_point.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
