import numpy as np

from pipelines.feature_set.layer_sums import LayerSums, layer_spec


def test_statistics_of_several_shards_are_those_of_all_images():
    random = np.random.default_rng(0)
    images = random.normal(size=(7, 3, 3, 2))
    images[random.uniform(size=images.shape) < 0.4] = 0
    images = images.astype(np.float16)
    shards = [LayerSums(), LayerSums()]
    for number, image in enumerate(images):
        shards[number % 2].add(image)
    spec = layer_spec("conv", shards)
    stored = images.astype(np.float64).reshape(7, -1)
    assert spec.name == "conv"
    assert spec.shape == (3, 3, 2)
    np.testing.assert_allclose(spec.mean, stored.mean(), rtol=1e-12)
    np.testing.assert_allclose(
        spec.mean_norm, np.linalg.norm(np.where(stored > 0, stored, 0), axis=1).mean(), rtol=1e-12
    )
    np.testing.assert_allclose(
        spec.mean_square_norm, (np.linalg.norm(stored, axis=1) ** 2).mean(), rtol=1e-12
    )
    assert spec.zeros == (stored == 0).mean()


def test_sums_are_not_bounded_by_float16():
    sums = LayerSums()
    sums.add(np.full(3000, 60000.0, np.float16))
    spec = layer_spec("fc1", [sums])
    assert spec.mean == 60000.0
    assert spec.mean_square_norm == 3000 * 60000.0**2
