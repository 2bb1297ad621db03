r"""Writes demo data for the Explained images tab: an untrained network on drawn animals.

python -m tf_explainer.plugins.images.demo --workdir=runs/images_demo
tensorboard --logdir=runs/images_demo/tensorboard
"""

from __future__ import annotations

from collections.abc import Sequence

from tf_explainer.command_line import entry_point, flags


def main(arguments: Sequence[str]) -> None:
    """Draws the animals and writes one snapshot with the contributions of the network's filters."""
    del arguments
    workdir = flags.workdir()

    import numpy as np

    from tf_explainer.plugins import demo_network
    from tf_explainer.plugins.images import summary as image_summary
    from tf_explainer.plugins.parts import summary
    from tf_explainer.plugins.run_writer import RunWriter

    crops, known = demo_network.animals()
    network = demo_network.network(len(known["classes"]), seed=0)
    scores = image_summary.of_model(network, demo_network.LAYERS[0], crops, known["classes"])
    snapshot = summary.of_model(
        network, demo_network.LAYERS, crops, predicted=np.asarray(scores.ranked[0].classes), **known
    )
    RunWriter(workdir.evaluation_snapshot, replace=True).write(snapshot, 0, scores)
    print(f"To view it: tensorboard --logdir={workdir.tensorboard}, tab Explained images")


if __name__ == "__main__":
    entry_point.run(main)
