import functools
import json
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from pipelines import extract_features
from pipelines.extraction import feature_extraction, job, shard_writer
from tests.pipelines.squares import files, pixels, saved_performer
from tf_explainer.command_line import flags
from tf_explainer.config import DatasetConfig, WorkDir
from tf_explainer.datasets.labelled_crops import read_crops
from tf_explainer.datasets.registry import open_source
from tf_explainer.errors import UserError
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.stored_features import Features
from tf_explainer.images.folds import hashed_shard
from tf_explainer.performer.backbone_maps.map_store import MapStore

DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=a-project",
    "--region=us-central1",
    "--temp_location=gs://a-bucket/t",
)


@pytest.fixture(name="extract_to", scope="module")
def _extract_to(performer):
    """Runs the binary in this process, in a work directory."""
    command = [
        "--dataset=creatures",
        "--num_images=12",
        f"--performer={performer.config.performer}",
        "--image_size=32",
        "--target_layer=conv",
        "--distilled_layers=fc1,fc2",
        "--num_shards=3",
    ]

    def extract_to(workdir, *arguments):
        with flagsaver.flagsaver():
            left = flags.FLAGS(["program", f"--workdir={workdir}", *command, *arguments], known_only=True)
            extract_features.main(left[1:])

    return extract_to


@pytest.fixture(name="extract")
def _extract(extract_to, tmp_path):
    return functools.partial(extract_to, tmp_path)


@pytest.fixture(name="extracted", scope="module")
def _extracted(extract_to, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("extracted")
    extract_to(workdir)
    return workdir / "features"


@pytest.fixture(name="whole_set")
def _whole_set(extracted, tmp_path):
    """The work directory has a set already."""
    return pathlib.Path(shutil.copytree(extracted, tmp_path / "features"))


def test_it_extracts_and_says_so(extract, tmp_path, capsys):
    # Options of Beam, written in two ways, among our own flags.
    extract("--direct_num_workers", "1", "--direct_runner_bundle_repeat=0", "--num_shards=3")
    said = capsys.readouterr().out
    assert said.startswith("12 images in = 12 records + 0 dead letters; 12 computed now in")
    assert said.splitlines()[1].startswith("Now: 12 read, 12 decoded, 12 computed. In the set: 12 records, ")
    assert re.fullmatch(r"Performer: 3 batches, \d+ ms on average \(\d+ to \d+\)\.", said.splitlines()[2])
    assert "images/s" in said
    assert str(tmp_path / "features") in said
    assert json.loads((tmp_path / "features" / "manifest.json").read_text())["outputs"] == 12


@pytest.fixture(name="crops", scope="module")
def _crops():
    dataset = DatasetConfig(dataset="creatures", num_images=12)
    source = open_source(dataset)
    return np.stack([crop.image for crop in read_crops(source, list(source.references()), 32, dataset)])


def keep_maps(performer, workdir, crops):
    store = MapStore(WorkDir(root=str(workdir)).backbone_maps, performer.below_target())
    store.keep(crops, store.complete(crops)[0])


def records(folder):
    features = Features(
        manifest=read_manifest(str(folder)), directory=str(folder), dataset=DatasetConfig(dataset="creatures")
    )
    batches = list(features.batches("all", negatives=True))
    return {
        name: np.concatenate([batch[name] for batch in batches]) for name in ("conv", "fc1", "fc2", "scores")
    }


def test_maps_of_the_training_are_taken_over(extract, tmp_path, capsys, performer, crops, whole_set):
    expected = records(whole_set)
    shutil.rmtree(whole_set)
    keep_maps(performer, tmp_path, crops)
    extract()
    said = capsys.readouterr().out
    assert "\n12 of 12 maps taken over from train_performer.\n" in said
    for name, values in records(whole_set).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-6)
    # Finished shards need none.
    (whole_set / "features-00001-of-00003.tfrecord").unlink()
    extract()
    again = json.loads((whole_set / "features-00001-of-00003.tfrecord.json").read_text())["shard"]["records"]
    assert f"\n{again} of {again} maps taken over" in capsys.readouterr().out


def test_of_other_views_and_images_no_map_is_taken(extract, tmp_path, capsys, performer, crops):
    keep_maps(performer, tmp_path, crops[:5])
    extract("--views=flip")
    assert "\n5 of 24 maps taken over from train_performer.\n" in capsys.readouterr().out


def test_of_another_performer_no_map_is_taken(extract, tmp_path, capsys, crops, whole_set):
    expected = files(whole_set)
    shutil.rmtree(whole_set)
    keep_maps(saved_performer(tmp_path, seed=1), tmp_path, crops)
    extract()
    assert "\n0 of 12 maps taken over from train_performer.\n" in capsys.readouterr().out
    assert files(whole_set) == expected


def swish_network(file):
    image = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(4, 9, strides=4, padding="same", activation="relu", name="low")(x)
    x = keras.layers.Conv2D(6, 5, padding="same", activation="swish", name="high")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    keras.Model(image, keras.layers.Dense(3, activation="softmax")(x)).save(file)


def test_what_nobody_decided_is_told(extract, tmp_path, capsys):
    swish_network(tmp_path / "swish.keras")
    extract(
        f"--performer={tmp_path}/swish.keras", "--target_layer=", "--distilled_layers=", "--encoding=float16"
    )
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(
        "By the rule in docs/performers.md: explained layer high; reconstructed layers pool. python -m"
    )
    number = (
        r"high can be negative: it is explained as max\(x, 0\), which leaves out (\d+\.\d)% of its energy"
    )
    assert 0 < float(re.match(number, said[1])[1]) < 100
    manifest = read_manifest(str(tmp_path / "features"))
    assert (manifest.target.name, manifest.target.shape) == ("high", (8, 8, 6))
    features = Features(
        manifest=manifest, directory=str(tmp_path / "features"), dataset=DatasetConfig(dataset="creatures")
    )
    maps = np.concatenate([batch["high"] for batch in features.batches("all", negatives=True)])
    assert len(maps) == 12
    assert np.min(maps) == 0 < np.max(maps)


def test_without_a_readable_image_the_negative_share_is_unknown(extract, tmp_path, capsys):
    swish_network(tmp_path / "swish.keras")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "torn.png").write_bytes(b"torn")
    with pytest.raises(UserError, match="1 of 1 images cannot be used"):
        extract(
            *("--dataset=folder", f"--data_dir={tmp_path}/photos", "--nonegatives"),
            *(f"--performer={tmp_path}/swish.keras", "--target_layer=high", "--distilled_layers=pool"),
        )
    assert "which leaves out an unknown share of its energy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "decided"),
    [
        ("--target_layer=high", "reconstructed layers pool"),
        ("--distilled_layers=pool", "explained layer high"),
        ("--target_layer=low", "reconstructed layers pool"),
    ],
)
def test_what_somebody_decided_is_not_called_the_rules(extract, tmp_path, capsys, named, decided):
    swish_network(tmp_path / "swish.keras")
    extract(f"--performer={tmp_path}/swish.keras", "--target_layer=", "--distilled_layers=", named)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"By the rule in docs/performers.md: {decided}. python -m")


def test_a_whole_set_is_left_alone(extract, whole_set, capsys, monkeypatch):
    before = files(whole_set)
    monkeypatch.setattr(job.beam_pipeline, "run_to_end", lambda *_: pytest.fail("it runs again"))
    capsys.readouterr()
    extract()
    assert "is complete: 12 images in" in capsys.readouterr().out
    assert files(whole_set) == before


def test_views_are_stored_beside_their_image(extract, tmp_path, capsys):
    extract("--views=crop,flip", "--num_shards=1")
    said = capsys.readouterr().out
    assert said.startswith("12 images in = 12 x 3 records + 0 dead letters; 36 computed now")
    manifest = json.loads((tmp_path / "features" / "manifest.json").read_text())
    assert (manifest["inputs"], manifest["shards"][0]["records"]) == (12, 36)
    assert manifest["views"] == ["flip", "crop"]


def test_a_dry_run_writes_nothing(extract, tmp_path, capsys):
    extract("--dry_run")
    said = capsys.readouterr().out
    assert said.startswith(
        f"12 images. Nothing was written to {tmp_path}/features.\nMeasured on 12 of them: "
    )
    assert "Dataflow" not in said
    assert not list(tmp_path.glob("**/*"))


def test_a_dry_run_for_the_cloud_tells_the_cost(extract, tmp_path, capsys):
    cloud = (
        "--runner=DataflowRunner",
        "--project=p",
        "--region=us-central1",
        "--temp_location=gs://a-bucket/t",
    )
    places = ("--dataset=creatures", "--features_dir=gs://b/features", "--num_workers=2")
    extract("--dry_run", "--dry_run_images=5", *cloud, *places, "--price_vcpu_hour=0.5")
    said = capsys.readouterr().out
    assert "Measured on 5 of them" in said
    assert "Dataflow: 2 workers n1-standard-1 (of 2; 3 shards)" in said
    assert "1 vCPU x 0.5 + 3.75 GB x 0.003557 + 25 GB disk x 5.4e-05 = 0.515 USD" in said
    assert not list(tmp_path.glob("**/*"))


def test_a_missing_shard_is_computed_again(extract, whole_set, capsys):
    before = files(whole_set)
    (whole_set / "features-00001-of-00003.tfrecord").unlink()
    capsys.readouterr()
    extract()
    records = json.loads(before["manifest.json"])["shards"][1]["records"]
    assert f"; {records} computed now" in capsys.readouterr().out
    assert files(whole_set) == before


def test_other_settings_are_refused_unless_asked_for(extract, whole_set):
    with pytest.raises(UserError, match=r"jpeg_quality: 90 there, 50 here.*--overwrite"):
        extract("--jpeg_quality=50")
    extract("--jpeg_quality=50", "--overwrite")
    manifest = json.loads((whole_set / "manifest.json").read_text())
    assert manifest["configuration"]["extraction"]["jpeg_quality"] == 50


def test_too_many_dead_letters_fail(extract, tmp_path):
    data = tmp_path / "images"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"3 of 3 images cannot be used.*dead_letters\.jsonl"):
        extract("--dataset=folder", f"--data_dir={data}", "--max_dead_letters=0.9")
    assert len((tmp_path / "features" / "dead_letters.jsonl").read_text().splitlines()) == 3


def test_dead_letters_are_tried_again_and_nothing_else_is_touched(extract, tmp_path, capsys):
    data = tmp_path / "images"
    data.mkdir()
    for number in range(8):
        Image.fromarray(pixels(number)).save(data / f"{number}.png")
    whole = (data / "0.png").read_bytes()
    arguments = ("--dataset=folder", f"--data_dir={data}", "--max_dead_letters=0.9")
    (data / "0.png").write_bytes(whole[:99])
    (data / "1.png").write_bytes(b"")
    extract(*arguments)
    before = files(tmp_path / "features")
    (data / "0.png").write_bytes(whole)
    extract(*arguments)  # A whole set stays as it is, unless asked.
    assert files(tmp_path / "features") == before
    capsys.readouterr()
    extract(*arguments, "--retry_dead_letters")
    said = capsys.readouterr().out
    assert said.startswith("Retrying 2 dead letters\nImages: 8 of images\n")
    assert "\n8 images in = 7 records + 1 dead letters" in said
    after = files(tmp_path / "features")
    (letter,) = map(json.loads, after["dead_letters.jsonl"].splitlines())
    assert (letter["id"], letter["kind"]) == ("1.png", "empty")
    changed = {name for name in before if before[name] != after[name]}
    shard = f"features-{hashed_shard('0.png', 3):05d}-of-00003.tfrecord"
    assert changed == {shard, f"{shard}.json", "manifest.json", "dead_letters.jsonl"}
    assert after.keys() == before.keys()


def test_without_dead_letters_nothing_is_tried_again(extract, whole_set, capsys):
    before = files(whole_set)
    extract("--retry_dead_letters")
    assert "Retrying 0 dead letters" in capsys.readouterr().out
    assert files(whole_set) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--runnner=FnApiRunner"], "--runner"),
        (["--runner=Nowhere"], "Nowhere"),
        (["--runner=DaskRunner"], "loses elements"),
        (["--runner=DataflowRunner", "--features_dir=gs://b/f"], "project"),
        ([*DATAFLOW], r"--features_dir=.*features is on this machine"),
        ([*DATAFLOW, "--dataset=folder"], r"--data_dir= is on this machine"),
    ],
)
def test_bad_options_write_nothing(extract, tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        extract(*options)
    assert not (tmp_path / "features").exists()


def test_a_message_from_a_worker_reaches_the_person(extract, monkeypatch):
    def refuses(_):
        raise UserError("the performer was replaced: run this again")

    monkeypatch.setattr(feature_extraction.ExtractShard, "setup", refuses)
    with pytest.raises(UserError, match=r"^the performer was replaced: run this again$"):
        extract()


def test_a_mistake_of_ours_is_no_message(extract, monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(shard_writer.ShardWriter, "_read", fails)
    with pytest.raises(ZeroDivisionError, match="ours"):
        extract()


def test_an_interruption_leaves_nothing_half(extract, tmp_path, monkeypatch):
    batches = []

    def interrupted(self, batch):
        batches.append(batch)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return outputs(self, batch)

    outputs = shard_writer.ShardWriter._outputs
    monkeypatch.setattr(shard_writer.ShardWriter, "_outputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract()
    names = set(files(tmp_path / "features"))
    (shard,) = [name for name in names if name.endswith(".tfrecord")]
    assert names == {"configuration.json", shard, f"{shard}.json"}
