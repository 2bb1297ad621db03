"""Shows the progress of an extraction, by counting the sidecars of finished shards."""

from __future__ import annotations

import contextlib
import posixpath
import threading
from collections.abc import Iterator

from pipelines.extraction.shard_count import number_of_images
from pipelines.feature_set import atomic_files
from pipelines.feature_set.shard_report import ShardReport, ShardSettings, sidecar_name
from tf_explainer.datasets.source import ImageSource
from tf_explainer.errors import UserError
from tf_explainer.progress_bar import ProgressBar

_SECONDS = 2.0


class FinishedImages:
    """Counts the images of finished shards."""

    def __init__(self, settings: ShardSettings) -> None:
        self._settings = settings
        self._by_sidecar: dict[str, int] = {}

    def count(self) -> int:
        """Returns the number of images in finished shards, including dead letters."""
        directory, num_shards = self._settings.features_dir, self._settings.num_shards
        ours = {sidecar_name(index, num_shards) for index in range(num_shards)}
        for name in atomic_files.sizes(directory, "features-*.json").keys() & ours - self._by_sidecar.keys():
            with contextlib.suppress(ValueError):  # A damaged sidecar will be written again.
                report = ShardReport.from_json(atomic_files.read_text(posixpath.join(directory, name)))
                self._by_sidecar[name] = report.images + len(report.dead_letters)
        return sum(self._by_sidecar.values())


@contextlib.contextmanager
def show(settings: ShardSettings, source: ImageSource) -> Iterator[None]:
    """Shows a bar with finished and total images, images per second and the time left."""
    finished = FinishedImages(settings)
    done = threading.Event()
    bar = ProgressBar("features", unit="images", initial=finished.count())

    def watch() -> None:
        # The pipeline meets the same errors, and reports them.
        with contextlib.suppress(UserError, OSError):
            bar.total = number_of_images(source)
            while not done.wait(_SECONDS):
                bar.update(finished.count() - bar.n)
                if bar.n < bar.total:
                    bar.refresh()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        done.set()
        watcher.join()
        bar.total = finished.count()
        bar.update(bar.total - bar.n)
    finally:
        done.set()
        bar.close()
