import ml_dtypes
import numpy as np
import pytest

from tf_explainer.performer.backbone_maps import map_coding


def drawn(dtype, zeros=0.9, shape=(5, 7, 3)):
    random = np.random.default_rng(0)
    return np.where(random.random(shape) < zeros, 0, random.normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("zeros", [0.0, 0.9, 1.0])
def test_every_bit_comes_back(dtype, zeros):
    values = drawn(dtype, zeros)
    decoded = map_coding.decode(map_coding.encode(values), values.shape, dtype)
    assert decoded.dtype == values.dtype
    assert decoded.tobytes() == values.tobytes()


def test_strange_values_are_values():
    strange = np.array([[-0.0, 0.0, np.nan, -np.inf, np.inf, 1e-45, -1e-45]], np.float32)
    strange.view(np.uint32)[0, 2] |= 5  # A NaN with bits of its own.
    assert (
        map_coding.decode(map_coding.encode(strange), strange.shape, np.float32).tobytes()
        == strange.tobytes()
    )


def test_a_view_of_a_larger_array_is_taken_as_it_looks():
    values = drawn(np.float32)[:, ::2]
    np.testing.assert_array_equal(
        map_coding.decode(map_coding.encode(values), values.shape, np.float32), values
    )


def test_the_size_is_a_bit_a_value_and_the_values_that_are_not_zero():
    values = drawn(np.float32, shape=(14, 14, 512))
    assert len(map_coding.encode(values)) == values.size // 8 + 4 * np.count_nonzero(values)


def test_bytes_of_another_size_are_refused():
    encoded = map_coding.encode(drawn(np.float32))
    for wrong in (encoded[:-4], encoded[:-1], encoded + b"0000", encoded[:3], encoded[:18], b""):
        with pytest.raises(ValueError, match="bytes are no map of shape"):
            map_coding.decode(wrong, (5, 7, 3), np.float32)
