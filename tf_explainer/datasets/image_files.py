"""Decides which files are images: one set of rules for data sets, for `--image` and for the library.

Hidden files and folders (`.ipynb_checkpoints`, the `._a.jpg` of a Mac) are ignored, as are folders that file
servers, archives and systems add (`@eaDir`, `__MACOSX`, ...). Other files without an image's suffix, or with
unprintable characters in their names, are skipped and counted. Below the given folder, links to folders are
not followed, which avoids loops. Files are not opened: whether one can be read shows when it is decoded.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging

from tf_explainer.datasets import decode
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageReference, UnreadableImageError

_NOT_OURS = {"@eadir", "#recycle", "__macosx", "$recycle.bin", "system volume information", "lost+found"}


def is_visible(name: str) -> bool:
    """Returns whether a file or folder of that name is neither hidden nor added by a system."""
    return not name.startswith(".") and name.lower() not in _NOT_OURS


def is_image_name(path: str) -> bool:
    """Returns whether a path, relative to the given folder, is named like an image."""
    visible = all(is_visible(part) for part in path.split("/"))
    return visible and path.isprintable() and path.lower().endswith(decode.SUFFIXES)


def find_images(folder: str, skipped: list[str] | None = None) -> Iterator[str]:
    """Yields the sorted paths of all images below a folder; appends other visible files to `skipped`.

    Raises:
        UserError: a folder cannot be read.
    """
    for parent, subfolders, files in os.walk(folder, onerror=_refuse):
        subfolders[:] = sorted(filter(is_visible, subfolders))
        for name in sorted(files):
            path = os.path.join(parent, name)
            if is_image_name(name) and is_file(path):
                yield path
            elif skipped is not None and is_visible(name):
                skipped.append(path)


def is_file(path: str) -> bool:
    """Returns whether a path is a file or a broken link, which counts as an image that cannot be read."""
    return os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))


def warn_of_skipped(skipped: Sequence[str]) -> None:
    """Logs how many files were skipped because of their names."""
    if skipped:
        logging.warning(
            "Skipped %d files that are not named like images, such as %r", len(skipped), skipped[0]
        )


def read_images(named: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields paths and images, `[H, W, 3]` uint8 RGB; unreadable images are logged and left out.

    Args:
        named: files, folders (including their sub-folders) or patterns, as `--image` takes them.

    Raises:
        UserError: a name matches no image, or no file can be read.
    """
    paths = dict.fromkeys(path for name in named for path in matching(name))
    references = [ImageReference(id=path, label=0, location=path) for path in paths]
    readable, reason = 0, ""
    for reference, result in decode.read_files(references):
        if isinstance(result, UnreadableImageError):
            reason = str(result)
            logging.warning("%s is left out: %s", reference.id, result)
            continue
        readable += 1
        yield reference.id, result.image
    if not readable:
        raise UserError(
            f"--image={','.join(named)}: none of the {len(paths)} files can be read; the last: {reason}"
        )


def matching(name: str) -> list[str]:
    """Returns the images that a name matches. If it matches none, a comma in it separates names.

    Raises:
        UserError: the name matches no image.
    """
    if not name.strip():  # An empty shell variable, or a command that found nothing.
        raise UserError("--image= names nothing: name an image, a folder (`.` is this one) or a pattern")
    path = os.path.normpath(os.path.expanduser(name))
    skipped: list[str] = []
    if os.path.isdir(path):
        found = list(find_images(path, skipped))
    elif is_file(path):
        if not path.isprintable():
            raise UserError(f"--image={path!r}: the name has unprintable characters: rename the file")
        return [path]
    else:
        found = _by_pattern(path, skipped)
    warn_of_skipped(skipped)
    if found:
        return found
    if "," in name:
        return [path for part in name.split(",") if part.strip() for path in matching(part.strip())]
    raise UserError(f"--image={name} is neither an image nor a folder with images, and matches none")


def _by_pattern(pattern: str, skipped: list[str]) -> list[str]:
    """Returns the images that a pattern matches: `*` in any folder, `**` for any number of folders."""
    wildcard = min(map(pattern.find, filter(pattern.__contains__, "*?[")), default=-1)
    if wildcard < 0:
        return []
    root = pathlib.Path(os.path.dirname(pattern[:wildcard]))
    found: list[str] = []
    # Unlike `glob.glob`, `**` follows no links here, which avoids loops.
    for path in sorted(root.glob(str(pathlib.Path(pattern).relative_to(root)))):
        if is_file(str(path)):
            is_image = is_image_name(path.relative_to(root).as_posix())
            (found if is_image else skipped).append(str(path))
    return found


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error
