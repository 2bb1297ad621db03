"""Opens data sets by name."""

from __future__ import annotations

import os

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.source import ImageSource
from tf_explainer.errors import UserError


def open_source(config: DatasetConfig) -> ImageSource:
    """Opens the data set that a configuration names: one of ours, or one of tensorflow-datasets.

    Raises:
        UserError: the name is unknown, or the data is not where the configuration says.
    """
    if config.annotations and (config.dataset != "folder" or _is_pattern(config.data_dir or "")):
        raise UserError(
            f"--annotations={config.annotations} needs --dataset=folder and a folder on this machine as "
            "--data_dir"
        )
    # Imported here because the libraries of a reader can take more than a second.
    match config.dataset:
        case "animal_part":
            from tf_explainer.datasets.animal_part import open_animal_part

            return open_animal_part(config)
        case "creatures":
            from tf_explainer.datasets.creatures.source import open_creatures

            return open_creatures(config)
        case "folder" if _is_pattern(config.data_dir or ""):
            from tf_explainer.datasets.file_pattern import open_file_pattern

            return open_file_pattern(config)
        case "folder":
            from tf_explainer.datasets.folder import open_folder

            return open_folder(config)
        case _:
            from tf_explainer.datasets.prepared import open_prepared

            return open_prepared(config)


def _is_pattern(data_dir: str) -> bool:
    """Returns whether this is a pattern or a URL, and not a local folder with such a name."""
    return ("://" in data_dir or any(sign in data_dir for sign in "*?[")) and not os.path.isdir(data_dir)
