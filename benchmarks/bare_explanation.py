"""One pass of a performer and one of its explainer: what explaining many images is measured against.

python -m benchmarks.bare_explanation WORKDIR DIR BATCH_SIZE

Prints images, seconds and seconds of CPU as JSON, from files to both networks' outputs. Loading the networks
and their first batch are left out.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.bare_model import batches
from tf_explainer.explanation.finished_run import load_run


def main(workdir: str, folder: str, batch_size: int) -> None:
    """Measures, and prints."""
    run = load_run(workdir)
    size, target = run.performer.config.image_size, run.performer.config.target_layer
    features = run.performer.feature_model()

    def both(crops: np.ndarray) -> None:
        maps = features.predict_on_batch(crops)[target]
        run.explainer.predict_on_batch(maps.astype(np.float32))

    both(np.zeros((batch_size, size, size, 3), np.uint8))
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    for crops in batches(folder, size, batch_size):
        both(crops)
        count += len(crops)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"images": count, "seconds": seconds, "cpu_seconds": cpu}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
