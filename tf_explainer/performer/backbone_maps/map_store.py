"""A file of feature maps; the key of a map is a hash of the pixels and of the network below the map.

`train_performer` stores the maps of its frozen backbone, and extraction reuses them. A map is found only if
it was computed from the same pixels, with the same weights, versions of Keras and TensorFlow, and kind of
device, and if its checksum is correct. Other maps are computed again, so the file may be old, damaged or
missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import sqlite3
import zlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tf_explainer.performer.backbone_maps import map_coding
from tf_explainer.performer.fingerprint import fingerprint

_TABLE = "CREATE TABLE IF NOT EXISTS maps (crop BLOB PRIMARY KEY, network BLOB, map BLOB, checksum INTEGER)"


class MapStore:
    """The maps of one network in a file.

    Several threads may use the store, and several processes may read it.

    Args:
        path: of the file; if it does not exist or cannot be opened (as in a bucket), no map is found.
        model: from crops `[B, S, S, 3]` to their maps `[B, H, W, D]`.
    """

    def __init__(self, path: str, model: keras.Model) -> None:
        self._path, self._model = path, model
        self._network = _identity(model)
        self._accepts_maps = True

    @property
    def exists(self) -> bool:
        """Whether the file exists, with maps of any network."""
        return os.path.isfile(self._path)

    def clear_others(self) -> None:
        """Removes the maps of other networks; if the file is not a map store, removes the file."""
        if not self.exists:
            return
        try:
            with self._opened() as database:
                database.execute("DELETE FROM maps WHERE network != ?", (self._network,))
        except sqlite3.Error:
            os.remove(self._path)

    def complete(self, crops: np.ndarray) -> tuple[np.ndarray, int]:
        """Finds or computes the crops' maps; returns them, `[B, H, W, D]`, and the number that was found.

        Args:
            crops: `[B, S, S, 3]` uint8.
        """
        maps = self._find(crops)
        missing = [row for row, found in enumerate(maps) if found is None]
        if missing:
            computed = self._model.predict_on_batch(crops[missing])
            if len(missing) == len(crops):
                return computed, 0
            for row, values in zip(missing, computed, strict=True):
                maps[row] = values
        return np.stack([values for values in maps if values is not None]), len(crops) - len(missing)

    def keep(self, crops: np.ndarray, maps: np.ndarray) -> None:
        """Adds maps, until an error, or until the free disk space is less than the file; then logs a warning.

        Args:
            crops: `[B, S, S, 3]` uint8.
            maps: of these crops, from `complete`.
        """
        if not self._accepts_maps:
            return
        folder = os.path.dirname(self._path) or "."
        try:
            os.makedirs(folder, exist_ok=True)
            with self._opened(create=True) as database:
                database.execute(_TABLE)
                database.executemany(
                    "INSERT OR REPLACE INTO maps VALUES (?, ?, ?, ?)", map(self._row, crops, maps)
                )
            if shutil.disk_usage(folder).free < os.path.getsize(self._path):
                self._stop("it would take more than half of the free disk space")
        except (sqlite3.Error, OSError) as error:
            self._stop(str(error))

    def _stop(self, reason: str) -> None:
        self._accepts_maps = False
        logging.warning(
            "%s: no more maps are added, extraction will compute the others: %s", self._path, reason
        )

    def _find(self, crops: np.ndarray) -> list[np.ndarray | None]:
        if not self.exists:
            return [None] * len(crops)
        try:
            with self._opened() as database:
                return [self._found(database, self._key(crop)) for crop in crops]
        except sqlite3.Error as error:
            logging.log_first_n(logging.WARNING, "%s is not used: %s", 1, self._path, error)
            return [None] * len(crops)

    def _found(self, database: sqlite3.Connection, key: bytes) -> np.ndarray | None:
        """Returns the map of a key, or None if it is missing or damaged."""
        row = database.execute("SELECT map, checksum FROM maps WHERE crop = ?", (key,)).fetchone()
        if row is None or not isinstance(row[0], bytes) or _checksum(key, row[0]) != row[1]:
            return None
        output = self._model.outputs[0]
        return map_coding.decode(row[0], tuple(output.shape[1:]), tf.as_dtype(output.dtype).as_numpy_dtype)

    def _row(self, crop: np.ndarray, values: np.ndarray) -> tuple[bytes, bytes, bytes, int]:
        key, encoded = self._key(crop), map_coding.encode(values)
        return key, self._network, encoded, _checksum(key, encoded)

    def _key(self, crop: np.ndarray) -> bytes:
        return hashlib.sha256(self._network + np.ascontiguousarray(crop, np.uint8).tobytes()).digest()

    @contextlib.contextmanager
    def _opened(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Opens the file for one atomic transaction; SQLite first rolls back an interrupted one."""
        address = f"{pathlib.Path(self._path).absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database, database:
            yield database


def _identity(model: keras.Model) -> bytes:
    """Returns the SHA-256 of everything besides the pixels that a map depends on, up to rounding."""
    devices = sorted({device.device_type for device in tf.config.get_visible_devices()})
    parts = [fingerprint(model), keras.__version__, tf.__version__, *devices]
    return hashlib.sha256(" ".join(parts).encode()).digest()


def _checksum(key: bytes, encoded: bytes) -> int:
    return zlib.crc32(encoded, zlib.crc32(key))
