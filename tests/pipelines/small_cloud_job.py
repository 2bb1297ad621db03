"""A small extraction in the cloud: a bucket with images, an API that runs jobs, and the command for it."""

import io
import json

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from PIL import Image

from pipelines.feature_set import atomic_files
from tests.pipelines import services, squares, staged_job

BUCKET = "gs://a-bucket"
IMAGE = "us-docker.pkg.dev/a-project/images/tf_explainer:1"
NUM_IMAGES, TORN, SHARDS = 12, "cat/5.png", 3


class Cloud:
    """A bucket with images, an API, and workers that find the project in `code`."""

    def __init__(self, folder):
        self.folder = folder
        self.code = services.ROOT
        self.failure = None
        self.api = None

    def execute(self, job):
        if self.failure:
            raise RuntimeError(self.failure)
        steps = staged_job.pipeline(job, self.folder)
        return staged_job.run(steps, self.code or staged_job.install(steps, self.folder))


def photos():
    """Two classes of images, one of them torn."""
    for number in range(NUM_IMAGES):
        name, buffer = f"{'cat' if number % 2 else 'dog'}/{number}.png", io.BytesIO()
        Image.fromarray(squares.pixels(number)).save(buffer, "PNG")
        yield name, buffer.getvalue()[: 300 if name == TORN else None]


def write(path, content):
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def command(cloud, flagfile, features, *more):
    return [
        flagfile,
        f"--workdir={cloud.folder}/{features}",
        f"--data_dir={BUCKET}/photos",
        f"--features_dir={BUCKET}/{features}",
        "--runner=DataflowRunner",
        f"--dataflow_endpoint={cloud.api.endpoint}",
        "--region=us-central1",
        f"--temp_location={BUCKET}/tmp",
        f"--staging_location={BUCKET}/{features}-staged",
        *more,
    ]


def check_features(features, expected, folder):
    """Every record is as it is on this machine, and the manifest says so."""
    folder.mkdir()
    for name in expected:
        atomic_files.fetch_file(f"{BUCKET}/{features}/{name}", str(folder / name))
    for name, content in expected.items():
        if name.endswith(".tfrecord"):
            assert (folder / name).read_bytes() == content, name
    there, here = (
        json.loads(text) for text in ((folder / "manifest.json").read_text(), expected["manifest.json"])
    )
    assert there["shards"] == here["shards"]
    assert (there["inputs"], there["outputs"], there["dead_letters"]) == (NUM_IMAGES, NUM_IMAGES - 1, 1)
