r"""Exports performer and explainer as one SavedModel: images in; parts, places and contributions out.

python -m tf_explainer.export --flagfile=configs/vgg.flags --output=exported/fox
"""

from __future__ import annotations

from collections.abc import Sequence

from tf_explainer.command_line import entry_point, flags
from tf_explainer.errors import UserError


def main(arguments: Sequence[str]) -> None:
    """Writes the SavedModel and prints how to use it."""
    del arguments
    workdir, config = flags.workdir(), flags.export()

    from tf_explainer.explanation import finished_run, saved_model
    from tf_explainer.features.manifest import read_manifest

    run = finished_run.assemble(
        workdir, read_manifest(workdir.features), flags.performer(), flags.attribution()
    )
    output = config.output or workdir.exported
    try:
        saved_model.save(output, run)
    except FileExistsError as error:
        raise UserError(f"--output={output}: {error}") from error
    size = run.performer.config.image_size
    print(f"{output} takes RGB images [B, {size}, {size}, 3] and explains them by {len(run.parts)} parts")
    print(f"Its outputs are described in {output}/{saved_model.DESCRIPTION}")


def run() -> None:
    """The console script tf-explainer-export."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
