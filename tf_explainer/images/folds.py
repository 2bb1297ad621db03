"""The fold and the shard of an image, which depend only on its id."""

from __future__ import annotations

import hashlib


def fold_position(image_id: str) -> float:
    """Maps an id to a fixed position in [0, 1), by which images are divided into folds.

    The position is a BLAKE2b hash, so it is the same in all processes and on all machines. It is exact in
    float32, so all readers compute the same fold.
    """
    return _hashed(image_id, b"")


def hashed_shard(image_id: str, num_shards: int) -> int:
    """Maps an id to a fixed shard, in [0, num_shards), independent of its fold."""
    return int(_hashed(image_id, b"shard") * num_shards)


def _hashed(image_id: str, person: bytes) -> float:
    # 24 bits, which float32 represents exactly.
    digest = hashlib.blake2b(image_id.encode(), digest_size=8, person=person).digest()
    return (int.from_bytes(digest, "big") >> 40) / float(1 << 24)


def fold_of(position: float, folds: int) -> int:
    """Returns the fold, in [0, folds), of an image with a `fold_position`."""
    return int(position * folds)
