"""Which files are images, for `--image` and for data sets alike."""

import os

import numpy as np
import pytest
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import folder, image_files
from tf_explainer.errors import UserError
from tf_explainer.explain import _file_name


def save(path, form=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(options.pop("mode", "RGB"), (6, 4), options.pop("colour", 0)).save(path, form, **options)


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name in ("cat/1.png", "cat, grey/2.PNG", "dog/deep/3.jfif", "dog/[4].jpg"):
        save(root / name, "JPEG" if name.endswith("jfif") else None)
    for name in (
        "cat/.ipynb_checkpoints/1-checkpoint.png",
        "cat/@eaDir/1.png",
        "__MACOSX/cat/._1.png",
        "dog/._3.jpg",
        "dog/.hidden.png",
    ):
        save(root / name)
    (root / "dog/Thumbs.db").write_bytes(b"x")
    (root / "dog/loop").symlink_to(root)
    with open(os.path.join(os.fsencode(root), b"dog", b"\xff.png"), "wb") as file:
        file.write(b"x")
    return root


WANTED = ["cat, grey/2.PNG", "cat/1.png", "dog/[4].jpg", "dog/deep/3.jfif"]


def names(root, *named):
    return sorted(os.path.relpath(name, root) for name, _ in image_files.read_images([str(n) for n in named]))


def test_explain_and_extraction_see_the_same_images(photos):
    source = folder.open_folder(DatasetConfig(dataset="folder", data_dir=str(photos)))
    assert sorted(reference.id for reference in source.references()) == WANTED
    assert source.classes == ("cat", "cat, grey", "dog")
    assert names(photos, photos) == WANTED
    assert names(photos, f"{photos}/**/*") == WANTED
    assert names(photos, photos, f"{photos}/cat/1.png", f"{photos}/cat/../cat/1.png") == WANTED


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("*/1.png", ["cat/1.png"]),
        ("**/*.jfif", ["dog/deep/3.jfif"]),
        ("cat, grey/2.PNG", ["cat, grey/2.PNG"]),
        ("cat, grey", ["cat, grey/2.PNG"]),
        ("dog/[4].jpg", ["dog/[4].jpg"]),
        ("cat/.ipynb_checkpoints/1-checkpoint.png", ["cat/.ipynb_checkpoints/1-checkpoint.png"]),
    ],
)
def test_files_folders_and_patterns(photos, named, found):
    assert names(photos, f"{photos}/{named}") == found


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_not_the_folder_in_which_one_is(photos, monkeypatch, name):
    monkeypatch.chdir(photos)
    assert image_files.matching(".")
    with pytest.raises(UserError, match="--image= names nothing"):
        image_files.matching(name)


def test_commas_divide_names_that_are_none_together(photos):
    assert names(photos, f"{photos}/cat/1.png,{photos}/dog/deep") == ["cat/1.png", "dog/deep/3.jfif"]
    with pytest.raises(UserError, match=r"nowhere\.png is neither an image"):
        names(photos, f"{photos}/cat/1.png,nowhere.png")


def test_what_cannot_be_read_is_told_and_left_out(photos, caplog):
    (photos / "cat/empty.png").write_bytes(b"")
    (photos / "cat/dangling.png").symlink_to("nowhere")
    with caplog.at_level("WARNING", logger="absl"):
        assert names(photos, photos) == WANTED
    assert "empty.png is left out: the file is empty" in caplog.text
    assert "dangling.png is left out" in caplog.text
    with pytest.raises(UserError, match="none of the 1 files can be read; the last: the file is empty"):
        names(photos, photos / "cat/empty.png")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("16.png", {"mode": "I;16", "colour": 65535}),
        ("cmyk.jpg", {"mode": "CMYK"}),
        ("palette.png", {"mode": "P"}),
        ("alpha.png", {"mode": "RGBA", "colour": (0, 0, 0, 0)}),
        ("animated.gif", {"save_all": True, "append_images": [Image.new("RGB", (6, 4), "red")]}),
    ],
)
def test_every_kind_of_image_is_read_as_extraction_reads_it(tmp_path, name, options):
    save(tmp_path / "a" / name, **options)
    source = folder.open_folder(DatasetConfig(dataset="folder", data_dir=str(tmp_path)))
    ((_, record),) = source.read(source.references())
    ((_, image),) = image_files.read_images([str(tmp_path / "a" / name)])
    np.testing.assert_array_equal(image, record.image)
    assert image.shape == (4, 6, 3)


def test_empty_folders_keep_their_number(photos):
    (photos / "bird").mkdir()
    source = folder.open_folder(DatasetConfig(dataset="folder", data_dir=str(photos)))
    assert source.all_classes == ("bird", "cat", "cat, grey", "dog")
    assert source.classes == ("cat", "cat, grey", "dog")


def test_result_files_have_names_of_their_own():
    similar = ["a/b 1.png", "a/b_1.png", "a/b(1.png", "a/B_1.png", "a_b_1.png", "a/b_1.png "]
    strange = ["/data/" + "holiday pictures/" * 20 + "1.png", "\u82f9" * 80 + ".png", "\udcff.png", "-"]
    made = [_file_name(name) for name in similar + strange]
    assert len({name.lower() for name in made}) == len(made)
    assert all(name.isprintable() and len(name.encode()) + 5 <= 80 for name in made)
    assert not any(name.startswith((".", "-")) for name in made)
    assert made[0].startswith("a_b_1.png-")
