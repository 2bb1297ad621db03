import subprocess
import sys

HEAVY = ("tensorflow_datasets", "scipy.io", "h5py")


def test_drawn_images_need_none_of_the_other_readers_libraries():
    program = (
        "import sys; from tf_explainer.config import DatasetConfig; "
        "from tf_explainer.datasets import registry; "
        "source = registry.open_source(DatasetConfig(dataset='creatures', num_images=1)); "
        "reference, record = next(source.read(source.references())); "
        f"print(record.image.shape[2], [name for name in {HEAVY} if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == "3 []"
