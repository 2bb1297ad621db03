"""Where an image falls: its fold and its shard, by its name alone."""

from __future__ import annotations

import hashlib


def fold_position(image_id: str) -> float:
    """Maps an id to a fixed place in [0, 1), by which images are divided into folds.

    The same id has the same place everywhere: the hash is BLAKE2b, not Python's own. The place is
    exact in float32, so that every reader puts the image into the same fold.
    """
    return _hashed(image_id, b"")


def hashed_shard(image_id: str, num_shards: int) -> int:
    """Maps an id to a fixed shard, in [0, num_shards), that says nothing about its fold."""
    return int(_hashed(image_id, b"shard") * num_shards)


def _hashed(image_id: str, person: bytes) -> float:
    # 24 bits, as many as a float32 holds exactly.
    digest = hashlib.blake2b(image_id.encode(), digest_size=8, person=person).digest()
    return (int.from_bytes(digest, "big") >> 40) / float(1 << 24)


def fold_of(position: float, folds: int) -> int:
    """Returns the fold, in [0, folds), of an image at `fold_position` `position`."""
    return int(position * folds)
