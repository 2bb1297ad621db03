import numpy as np
import pytest

from tests.support.evaluation_example import features_of, small_explainer
from tf_explainer.errors import UserError
from tf_explainer.explanation import average_image


def test_it_is_the_mean_of_all_images(tmp_path):
    features, _ = features_of(tmp_path)
    images = [image for batch in features.batches("all", negatives=True) for image in batch["block"]]
    expected = np.sum(images, axis=0, dtype=np.float64) / len(images)
    assert len(images) > 32, "more than one batch"
    np.testing.assert_allclose(average_image.mean_features(features), expected, rtol=1e-5)


def test_it_is_written_and_read(tmp_path):
    explainer, path = small_explainer(), str(tmp_path / "mean_features.npz")
    mean = np.random.default_rng(0).uniform(size=explainer.feature_shape).astype(np.float32)
    with pytest.raises(UserError, match=r"no .*mean_features.npz: run `python -m tf_explainer.evaluate`"):
        average_image.read(path, explainer)
    average_image.write(path, mean, explainer.fingerprint)
    np.testing.assert_array_equal(average_image.read(path, explainer), mean)
    average_image.write(path, mean, "7")
    with pytest.raises(UserError, match="is of another explainer"):
        average_image.read(path, explainer)
    average_image.write(path, mean[:1], explainer.fingerprint)
    with pytest.raises(UserError, match="is of another explainer"):
        average_image.read(path, explainer)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / "mean_features.npz").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        average_image.read(str(tmp_path / "mean_features.npz"), small_explainer())
