"""Images from a bucket and features into one, by an emulator of Google Cloud Storage."""

import io
import json
import posixpath

import pytest
from absl.testing import flagsaver
from apache_beam.internal.gcp import auth
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from PIL import Image

from pipelines import extract_features
from pipelines.feature_set import atomic_files
from tests.pipelines import services
from tests.pipelines.squares import files, pixels
from tf_explainer.command_line import flags
from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.registry import open_source
from tf_explainer.errors import UserError
from tf_explainer.images.record import UnreadableImageError

BUCKET = "a-bucket"


@pytest.fixture(scope="module", autouse=True)
def _storage():
    with services.storage_emulator(BUCKET) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", address)
        # Beam would look for credentials for half a minute.
        patch.setattr(auth._Credentials, "_credentials_init", True)
        yield


def upload(path, content):
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def png(number):
    buffer = io.BytesIO()
    Image.fromarray(pixels(number)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(name="photos", scope="module")
def _photos(_storage):
    """Six images of two classes, one of them torn, and what is no image."""
    root = f"gs://{BUCKET}/photos"
    for number in range(6):
        upload(f"{root}/{'cat' if number % 2 else 'dog'}/{number}.png", png(number))
    upload(f"{root}/cat/5.png", png(5)[:300])
    upload(f"{root}/readme.txt", b"no image")
    upload(f"{root}/cat/.hidden.png", png(0))
    return root


def listed(data_dir, *categories, **settings):
    source = open_source(
        DatasetConfig(dataset="folder", data_dir=data_dir, categories=categories, **settings)
    )
    return source, [(reference.id, reference.label) for reference in source.references()]


@pytest.mark.parametrize("pattern", ["", "/", "/**", "/*/*.png", "/**.png"])
def test_folders_are_classes(photos, pattern):
    source, names = listed(photos + pattern)
    assert source.classes == ("cat", "dog")
    assert names == [
        *((f"cat/{number}.png", 0) for number in (1, 3, 5)),
        *((f"dog/{number}.png", 1) for number in (0, 2, 4)),
    ]


@pytest.mark.parametrize("pattern", ["/cat/*.png", "/cat/*", "/cat"])
def test_one_folder_is_one_class(photos, pattern):
    source, names = listed(photos + pattern)
    assert source.classes == ("cat",)
    assert names == [(f"{number}.png", 0) for number in (1, 3, 5)]


def test_classes_are_chosen(photos):
    assert listed(photos, "dog")[1] == [(f"dog/{number}.png", 0) for number in (0, 2, 4)]
    source, names = listed(photos, negative_class="cat")
    assert (source.classes, source.negative_class) == (("cat", "dog"), "cat")
    assert dict(names)["cat/1.png"] == 0


def test_what_cannot_be_found_is_refused(photos):
    with pytest.raises(UserError, match=r"nowhere finds no image \(\.bmp"):
        listed(f"gs://{BUCKET}/nowhere")
    with pytest.raises(UserError, match=r"'fox' in --data_dir=gs://a-bucket/photos.*cat"):
        listed(photos, "fox")
    with pytest.raises(UserError, match=r"no-bucket.* cannot be listed|no-bucket.*finds no image"):
        listed("gs://no-bucket/photos")


def test_a_local_pattern(tmp_path):
    for name in ("a/1.png", "a/2.jpg", "b/3.png"):
        path = tmp_path / "my [photos]" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(0))
    assert listed(str(tmp_path / "my [photos]"))[0].classes == ("a", "b")  # A folder, not a pattern.
    assert listed(f"{tmp_path}/my*/*/*.png")[1] == [("my [photos]/a/1.png", 0), ("my [photos]/b/3.png", 0)]


def test_pixels_and_reasons(photos):
    source, _ = listed(photos)
    references = {reference.id: reference for reference in source.references()}
    upload(f"{photos}/cat/gone.png", png(1))
    gone = next(reference for reference in source.references() if reference.id == "cat/gone.png")
    FileSystems.delete([gone.location])
    read = source.read([references["dog/2.png"], references["cat/5.png"], gone])
    (_, whole), (_, torn), (_, missing) = read
    assert (whole.image == pixels(2)).all()
    assert isinstance(torn, UnreadableImageError)
    assert missing.kind == "no_file"


def test_what_may_pass_is_no_dead_letter(photos, monkeypatch):
    source, _ = listed(photos)

    def breaks_off(*_, **__):
        raise ConnectionError("the line is dead")

    monkeypatch.setattr(FileSystems, "open", breaks_off)
    with pytest.raises(ConnectionError):
        list(source.read(source.references()))


def test_from_a_bucket_into_a_bucket(photos, performer, tmp_path):
    command = [
        "--dataset=folder",
        f"--performer={performer.config.performer}",
        "--image_size=32",
        "--target_layer=conv",
        "--num_shards=3",
        "--max_dead_letters=0.5",
    ]
    local = tmp_path / "photos"
    for found in FileSystems.match([f"{photos}/**"])[0].metadata_list:
        path = local / posixpath.relpath(found.path, photos)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.fetch_file(found.path, str(path))
    features = f"gs://{BUCKET}/runs/features"
    extract(
        *command, f"--workdir={tmp_path / 'remote'}", f"--data_dir={photos}", f"--features_dir={features}"
    )
    extract(*command, f"--workdir={tmp_path / 'local'}", f"--data_dir={local}")
    here = files(tmp_path / "local" / "features")
    names = [name for name in here if name.endswith(".tfrecord")]
    assert len(names) == 3
    for name in names:
        atomic_files.fetch_file(f"{features}/{name}", str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == here[name]
    manifest = json.loads(atomic_files.read_text(f"{features}/manifest.json"))
    assert (manifest["inputs"], manifest["outputs"], manifest["dead_letters"]) == (6, 5, 1)
    assert manifest["shards"] == json.loads(here["manifest.json"])["shards"]


def extract(*arguments):
    """Runs the binary in this process."""
    with flagsaver.flagsaver():
        left = flags.FLAGS(["program", *arguments], known_only=True)
        extract_features.main(left[1:])
