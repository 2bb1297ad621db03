"""Explains files that are not Keras models: their format, from their first bytes, and what to do."""

from __future__ import annotations

import io
import os
import zipfile

import h5py
import tensorflow as tf

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_SAVE = "where it can be loaded, save it by model.save('NAME.keras')"


def source(path: str) -> str | io.BytesIO:
    """Returns the path of a local file, or the content of a remote one, for readers of archives."""
    if os.path.isfile(path):
        return path
    with tf.io.gfile.GFile(path, "rb") as file:
        return io.BytesIO(file.read())


def described(path: str) -> str | None:
    """Returns why a file or folder is not a saved Keras model, and what to do; None if it may be one.

    Args:
        path: of a file or folder that exists, on any file system that TensorFlow reads.
    """
    if tf.io.gfile.isdir(path):
        return _folder(path)
    with tf.io.gfile.GFile(path, "rb") as file:
        start = file.read(512)
    if start.startswith(ZIP):
        return _zip(path)
    return _hdf5(path) if start.startswith(HDF5) else no_container(start)


def no_container(start: bytes) -> str:
    """Returns what a file is that is neither a zip archive nor HDF5, and what to do.

    Args:
        start: its first bytes.
    """
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not start:
        return "is empty: download it again"
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself: run `git lfs pull` in its repository"
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return (
            "is a web page, not the file: the link led to a page, perhaps a login; download the file itself"
        )
    if text.startswith((b"{", b"[")):
        return "is JSON text: it may describe a model, but holds no weights; " + _SAVE
    if start[4:8] == b"TFL3":
        return "is a TFLite model, which cannot be taken apart; name the Keras model that it was made from"
    if (
        start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"Rar!", b"7z\xbc\xaf"))
        or start[257:262] == b"ustar"
    ):
        return "is an archive: unpack it and name the model in it"
    if not start.strip(b"\0"):
        return "holds nothing but zeros: the download was incomplete; download it again"
    return f"is no Keras file (it begins with {start[:12]!r}); {_SAVE}"


def _folder(path: str) -> str:
    names = tf.io.gfile.listdir(path)
    if any(name.startswith(("saved_model.pb", "keras_metadata.pb")) for name in names):
        return f"is a SavedModel, whose layers Keras 3 cannot load; {_SAVE}"
    if {"config.json", "model.weights.h5"} <= set(names):
        return f"is an unpacked .keras file: pack it again, `cd {path} && zip -r ../NAME.keras .`"
    return "is a folder: name the file in it"


def _zip(path: str) -> str | None:
    try:
        with zipfile.ZipFile(source(path)) as archive:
            names, broken = archive.namelist(), archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError):
        return "is an incomplete .keras file: download or copy it again"
    if broken:
        return f"is damaged (the checksum of {broken} is wrong): download or copy it again"
    if "config.json" in names:
        return None
    if any(name.endswith("/config.json") for name in names):
        return "is a .keras file zipped with its folder: zip the files in the folder, not the folder itself"
    if models := [name for name in names if name.endswith((".keras", ".h5", ".hdf5"))]:
        return f"is a zip archive that holds {models[0]}: unpack it and name that file"
    if any(name.endswith("data.pkl") for name in names):
        return "is a PyTorch file: only Keras models can be explained"
    return f"is a zip archive of other files ({', '.join(names[:3])}): name a .keras file"


def _hdf5(path: str) -> str | None:
    try:
        with h5py.File(source(path), "r") as content:
            if "model_config" in content.attrs:
                return None
    except (OSError, RuntimeError):
        return "is an incomplete HDF5 file: download or copy it again"
    return (
        "holds weights without a model: for a model of keras.applications set --backbone_weights to the file "
        "and --backbone to the model; else build the model, load the weights, model.load_weights(FILE), and "
        "save it, model.save('NAME.keras')"
    )
