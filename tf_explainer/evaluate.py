r"""Measures the explainer and draws what its filters stand for (step 4).

python -m tf_explainer.evaluate --flagfile=configs/vgg.flags
"""

from __future__ import annotations

from collections.abc import Sequence

import tqdm

from tf_explainer import flags


def main(arguments: Sequence[str]) -> None:
    """Measures, prints the table, and leaves `metrics.json` and `parts.png`."""
    del arguments
    workdir, dataset = flags.workdir(), flags.dataset()
    performer_config, config = flags.performer(), flags.evaluation()

    from tf_explainer import atomic_file, contact_sheet, evaluation
    from tf_explainer.dataset import check_manifest, read_manifest
    from tf_explainer.evaluation_table import table
    from tf_explainer.performers import load_performer
    from tf_explainer.stored_features import Features

    manifest = read_manifest(workdir.features)
    performer = load_performer(performer_config, workdir)
    check_manifest(manifest, performer)
    explainer = evaluation.load_explainer(workdir.explainer, manifest)
    features = Features(manifest=manifest, directory=workdir.features, dataset=dataset)
    with tqdm.tqdm(bar_format="{desc}: {n_fmt} images, {elapsed}") as bar:

        def report(stage: str, images: int) -> None:
            bar.set_description(stage, refresh=False)
            bar.update(images)

        result = evaluation.evaluate(explainer, performer.head(), features, config, report)
        sheet = contact_sheet.draw(result, explainer, features, config, report)
    atomic_file.write_text(workdir.metrics, result.to_json())
    with atomic_file.replacing(workdir.parts) as path:
        sheet.save(path)
    print(table(result.metrics()))
    print(f"\nThe measures are in {workdir.metrics}, pictures of the best filters in {workdir.parts}")


if __name__ == "__main__":
    flags.run(main)
