import os
import pickle

import numpy as np
import pytest
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import registry
from tf_explainer.errors import UserError


def _open(folder, *categories, **settings):
    return registry.open_source(
        DatasetConfig(dataset="folder", data_dir=str(folder), categories=categories, **settings)
    )


def _save(path, colour=(10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), colour).save(path)


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    for name in ("dog/b.PNG", "dog/a.jpg", "cat/deep/down/c.webp", "negative/n.gif"):
        _save(folder / name)
    return folder


def test_classes_are_sorted_as_keras_numbers_them(pets):
    _save(pets / "zebra" / "z.bmp")
    source = _open(pets)
    assert source.classes == ("cat", "dog", "negative", "zebra")
    assert source.negative_class == "negative"
    assert source.landmark_names == ()
    assert [(reference.id, reference.label) for reference in source.references()] == [
        ("cat/deep/down/c.webp", 0),
        ("dog/a.jpg", 1),
        ("dog/b.PNG", 1),
        ("negative/n.gif", 2),
        ("zebra/z.bmp", 3),
    ]


def test_every_reference_can_be_read(pets):
    source = _open(pets)
    for reference, record in source.read(source.references()):
        assert record.reference is reference
        assert record.image.shape == (4, 6, 3)
        assert np.abs(record.image.astype(int) - (10, 20, 30)).max() < 8


def test_folder_without_subfolders_is_one_class(tmp_path):
    _save(tmp_path / "herd" / "2.png")
    _save(tmp_path / "herd" / "1.png")
    source = _open(tmp_path / "herd")
    assert source.classes == ("herd",)
    assert source.negative_class is None
    assert [reference.id for reference in source.references()] == ["1.png", "2.png"]
    assert _open(f"{tmp_path}/herd/").classes == ("herd",)


def test_categories_select_and_never_renumber(pets):
    assert _open(pets, "dog", "cat").classes == ("cat", "dog", "negative")
    assert _open(pets, "dog").all_classes == ("cat", "dog", "negative")
    assert _open(pets, "dog", "negative").classes == ("dog", "negative")
    assert [reference.label for reference in _open(pets, "dog").references()] == [0, 0, 1]
    with pytest.raises(UserError, match=r"'bird'.*cat, dog"):
        _open(pets, "bird")


def test_negatives_can_be_left_out_or_named_otherwise(pets):
    assert _open(pets, negatives=False).classes == ("cat", "dog")
    source = _open(pets, negative_class="cat")
    assert source.classes == ("cat", "dog", "negative")
    assert source.negative_class == "cat"


def test_a_link_that_leads_nowhere_is_an_image_that_cannot_be_read(pets):
    (pets / "dog" / "dangling.png").symlink_to("nowhere")
    source = _open(pets)
    (found,) = [reference for reference in source.references() if reference.id == "dog/dangling.png"]
    ((_, result),) = source.read([found])
    assert "No such file" in str(result)


def test_other_files_are_reported_and_skipped(pets, caplog):
    for name in ("dog/notes.txt", "dog/.hidden.png", "dog/.git/x.png", ".cache/x.png", "dog/noname"):
        (pets / name).parent.mkdir(exist_ok=True)
        (pets / name).write_bytes(b"")
    _save(pets / "loose.png")
    (pets / "empty").mkdir()
    (pets / "dog" / "folder.png").mkdir()
    os.mkfifo(pets / "dog" / "pipe.png")
    with caplog.at_level("WARNING", logger="absl"):
        source = _open(pets)
        names = [reference.id for reference in source.references()]
    assert source.classes == ("cat", "dog", "negative")
    assert names == ["cat/deep/down/c.webp", "dog/a.jpg", "dog/b.PNG", "negative/n.gif"]
    assert "1 images that lie in no sub-folder" in caplog.text
    assert "3 files that are not named like images" in caplog.text


def test_unreadable_images_are_reported_one_by_one(pets):
    (pets / "dog" / "broken.jpg").write_bytes(b"\xff\xd8 nothing more")
    source = _open(pets, "dog", negatives=False)
    results = {reference.id: result for reference, result in source.read(source.references())}
    assert isinstance(results["dog/broken.jpg"], Exception)
    assert results["dog/a.jpg"].image.shape == (4, 6, 3)


def test_links_to_folders_are_classes_and_loops_are_harmless(pets, tmp_path):
    _save(tmp_path / "elsewhere" / "e.png")
    (pets / "linked").symlink_to(tmp_path / "elsewhere")
    (pets / "loop").symlink_to(pets)
    (pets / "up").symlink_to(tmp_path)
    (pets / "dog" / "again").symlink_to(pets / "dog")
    (pets / "dog" / "all").symlink_to(pets)
    source = _open(pets)
    assert source.classes == ("cat", "dog", "linked", "negative")
    assert [reference.id for reference in source.references() if reference.label in (1, 2)] == [
        "dog/a.jpg",
        "dog/b.PNG",
        "linked/e.png",
    ]


def test_names_that_are_no_text_are_skipped(pets):
    with open(os.path.join(os.fsencode(pets), b"dog", b"\xff\xfe.png"), "wb") as file:
        file.write(b"x")
    assert [reference.id for reference in _open(pets, "dog", negatives=False).references()] == [
        "dog/a.jpg",
        "dog/b.PNG",
    ]


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "turned.jpg", exif=exif)
    source = _open(tmp_path)
    ((_, record),) = source.read(source.references())
    assert record.image.shape == (6, 4, 3)


def test_empty_or_missing_folders(tmp_path, pets):
    with pytest.raises(UserError, match="--data_dir is not set"):
        registry.open_source(DatasetConfig(dataset="folder"))
    with pytest.raises(UserError, match=r"absent is not a folder"):
        _open(tmp_path / "absent")
    with pytest.raises(UserError, match=r"a\.jpg is not a folder"):
        _open(pets / "dog" / "a.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no image \(\.bmp"):
        _open(tmp_path / "empty")
    _save(tmp_path / "only" / "negative" / "n.png")
    with pytest.raises(UserError, match="no class but 'negative'"):
        _open(tmp_path / "only")


def test_pickled_source_reads_the_same(pets):
    source = _open(pets)
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.references()) == list(source.references())
    assert [source.shard_of(reference, 3) for reference in source.references()] == [
        copy.shard_of(reference, 3) for reference in copy.references()
    ]
