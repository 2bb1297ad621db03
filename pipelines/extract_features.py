r"""Computes and stores the performer's features of every image (step 2).

python -m pipelines.extract_features --flagfile=configs/vgg.flags

Any option of Apache Beam may follow, e.g. `--runner=DataflowRunner --project=... --region=...`, or
`--direct_running_mode=multi_processing --direct_num_workers=2`. Without `--runner` it runs in this process.
`--dry_run` extracts nothing, and prints the expected size, time and cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import job_flags
from tf_explainer.command_line import entry_point, flags


def main(arguments: Sequence[str]) -> None:
    """Extracts the features, and prints the image counts and the next command."""
    from pipelines.extraction import job

    settings = job_flags.extraction_job(arguments)
    if flags.dry_run().dry_run:
        print("\n".join(job.describe_effort(settings, flags.dry_run())))
        print(entry_point.next_command("pipelines.extract_features", with_others=True))
    elif job.run(settings, print):
        print(entry_point.next_command("tf_explainer.train"))


def run() -> None:
    """The console script tf-explainer-extract-features."""
    entry_point.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
