import shutil

import pytest
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import census, registry


def counted(folder):
    return census.of_folder(registry.open_source(DatasetConfig(dataset="folder", data_dir=str(folder))))


@pytest.fixture
def photos(tmp_path):
    """Two classes, 12 images and 1."""
    for name, number in (("cat", 12), ("dog", 1)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(number):
            Image.new("RGB", (8, 8), (index, number, 0)).save(tmp_path / "photos" / name / f"{index}.bmp")
    return tmp_path / "photos"


def test_classes_are_counted_and_an_uneven_folder_is_told_of(photos):
    found = counted(photos)
    assert found.images == 13
    (line,) = found.lines()
    assert line.startswith("Images: 12 of cat, 1 of dog. cat has 12 times as many as dog")
    for index in range(2, 6):
        Image.new("RGB", (8, 8), (0, 0, index)).save(photos / "dog" / f"{index}.bmp")
    assert counted(photos).lines() == ["Images: 12 of cat, 5 of dog"]


def test_many_classes_are_summed_up(photos):
    for index in range(10):
        (photos / f"{index}").mkdir()
        for number in range(2):
            Image.new("RGB", (8, 8), (index, number, 99)).save(photos / f"{index}" / f"{number}.bmp")
    assert counted(photos).lines()[0].startswith("Images: 33 of 12 classes, 1 (dog) to 12 (cat) each.")


def test_copies_are_found_among_files_of_one_length(photos):
    shutil.copy(photos / "cat" / "3.bmp", photos / "cat" / "x.bmp")
    shutil.copy(photos / "cat" / "3.bmp", photos / "cat" / "y.bmp")
    found = counted(photos)
    assert [(a.id, b.id) for a, b in found.copies] == [("cat/3.bmp", "cat/x.bmp"), ("cat/3.bmp", "cat/y.bmp")]
    assert "2 files are copies of others, such as cat/x.bmp of cat/3.bmp" in found.lines()[1]
    assert "held-out" in found.lines()[1]
    shutil.copy(photos / "cat" / "3.bmp", photos / "dog" / "z.bmp")
    assert "1 lie in two classes at once, such as dog/z.bmp and cat/3.bmp" in counted(photos).lines()[1]


def test_a_link_that_leads_nowhere_is_no_copy(photos):
    for name in ("a.png", "b.png"):
        (photos / "dog" / name).symlink_to(photos / "gone.png")
    assert counted(photos).copies == []
    assert counted(photos).images == 15


def test_other_data_sets_are_not_counted():
    drawn = registry.open_source(DatasetConfig(dataset="creatures", num_images=3))
    assert census.of_folder(drawn) is None
