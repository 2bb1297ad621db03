import io
import os
import zipfile

import h5py
import keras
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer.formats import foreign_files
from tf_explainer.performer.model_files import read_model

L = keras.layers


def model():
    return keras.Sequential([keras.Input((32, 32, 3)), L.Flatten(), L.Dense(64), L.Dense(2)])


def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return content.getvalue()


CONTENTS = {
    b"": "is empty",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "git lfs pull",
    b"<!DOCTYPE html><html>": "is a web page",
    b"\n<HTML><body>Sign in": "is a web page",
    b'{"class_name": "Functional"}': "is JSON text",
    b"\x1c\0\0\0TFL3": "is a TFLite model",
    b"\x1f\x8b\x08": "is an archive",
    b"\0" * 600: "nothing but zeros",
    b"\x80\x04\x95": "is no Keras file",
    packed(a="1"): "zip archive of other files",
    packed(**{"archive__data.pkl": "1"}): "is a PyTorch file",
    packed(**{"model.keras": "1"}): "holds model.keras: unpack it",
    packed(**{"model__config.json": "1"}): "zip the files in the folder",
}


@pytest.mark.parametrize("content", CONTENTS, ids=CONTENTS.values())
def test_files_are_called_what_they_are(tmp_path, content):
    path = tmp_path / "it.keras"
    path.write_bytes(content)
    assert CONTENTS[content] in foreign_files.described(str(path))
    with pytest.raises(UserError, match=r"it\.keras"):
        read_model(str(path), 32)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_parts_of_files_are_called_so(tmp_path, suffix, share):
    whole, part = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    model().save(whole)
    part.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    assert foreign_files.described(str(whole)) is None
    assert "is an incomplete" in foreign_files.described(str(part))


def test_a_damaged_file_is_called_so(tmp_path):
    path = tmp_path / "it.keras"
    model().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert "is damaged" in foreign_files.described(str(path))


def test_weights_alone_are_called_so(tmp_path):
    model().save_weights(tmp_path / "it.weights.h5")
    assert "holds weights without a model" in foreign_files.described(str(tmp_path / "it.weights.h5"))


def test_folders(tmp_path):
    assert "is a folder" in foreign_files.described(str(tmp_path))
    model().save(tmp_path / "it.keras")
    with zipfile.ZipFile(tmp_path / "it.keras") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert "zip -r" in foreign_files.described(str(tmp_path / "unpacked"))
    with zipfile.ZipFile(tmp_path / "again.keras", "w") as archive:  # As the advice says.
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.write(tmp_path / "unpacked" / name, name)
    assert len(read_model(str(tmp_path / "again.keras"), 32).layers) == 4
    os.makedirs(tmp_path / "saved_model" / "variables")
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"")
    assert "is a SavedModel" in foreign_files.described(str(tmp_path / "saved_model"))


def test_hdf5_of_something_else_is_no_model(tmp_path):
    with h5py.File(tmp_path / "it.h5", "w") as file:
        file["data"] = [1, 2]
    assert "without a model" in foreign_files.described(str(tmp_path / "it.h5"))
