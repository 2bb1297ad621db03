r"""Writes demo data for the Parts tab: snapshots of a small untrained network on drawn animals.

python -m tf_explainer.plugins.parts.demo --workdir=runs/parts_demo
tensorboard --logdir=runs/parts_demo/tensorboard
"""

from __future__ import annotations

from collections.abc import Sequence

from tf_explainer.command_line import entry_point, flags

_STEPS = (0, 100, 200)


def main(arguments: Sequence[str]) -> None:
    """Draws the animals and writes a snapshot per step, each with different weights."""
    del arguments
    workdir = flags.workdir()

    from tf_explainer.plugins import demo_network
    from tf_explainer.plugins.parts import summary
    from tf_explainer.plugins.run_writer import RunWriter

    crops, known = demo_network.animals()
    writer = RunWriter(workdir.training_snapshots, replace=True)
    for step in _STEPS:
        network = demo_network.network(len(known["classes"]), seed=step)
        writer.write(summary.of_model(network, demo_network.LAYERS, crops, **known), step)
    print(f"To view it: tensorboard --logdir={workdir.tensorboard}, tab Parts")


if __name__ == "__main__":
    entry_point.run(main)
