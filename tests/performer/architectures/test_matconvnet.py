"""A file in MatConvNet's format against a forward pass by literal loops, layer by layer."""

import keras
import numpy as np
import pytest

from tests.performer.architectures import numpy_forward
from tests.performer.architectures.matconvnet_files import save_network
from tf_explainer.errors import UserError
from tf_explainer.performer.architectures import layer_chain, published_chains
from tf_explainer.performer.architectures.matconvnet import read_network
from tf_explainer.performer.layer_selection import distilled_layers
from tf_explainer.performer.receptive_field import receptive_field

SIDE = 27


def small_network(random):
    def conv(name, *shape, **settings):
        weights = (
            (0.3 * random.normal(size=shape)).astype("f4"),
            random.normal(size=(1, shape[-1])).astype("f4"),
        )
        return {"type": "conv", "name": name, "weights": weights, "stride": 1.0, "pad": 0.0} | settings

    def relu(number):
        return {"type": "relu", "name": f"relu{number}"}

    return [
        conv("conv1", 5, 5, 3, 8, stride=[[2, 1]], pad=[[0, 1, 2, 1]]),
        relu(1),
        {"type": "lrn", "name": "norm1", "param": [[5, 1.5, 0.2, 0.75]]},
        {
            "type": "pool",
            "name": "pool1",
            "method": "max",
            "pool": [[3, 2]],
            "stride": 2.0,
            "pad": [[0, 1, 0, 1]],
        },
        conv("conv2", 3, 3, 4, 6, pad=1.0),  # Four of eight channels: two groups.
        relu(2),
        {"type": "lrn", "name": "norm2", "param": [[4, 2, 0.1, 0.5]]},
        {"type": "pool", "name": "pool2", "method": "avg", "pool": 2.0, "stride": [[2, 3]], "pad": 0.0},
        conv("fc3", 3, 4, 6, 7),
        relu(3),
        {"type": "dropout", "name": "dropout3", "rate": 0.5},
        conv("fc4", 1, 1, 7, 4),
        {"type": "softmax", "name": "prob"},
    ]


def literal_outputs(layers, image):
    """What every convolution (behind its ReLU), normalisation and pooling makes of an image."""
    outputs, x, channels, last = {}, image.astype("float64"), 3, None
    for layer in layers:
        pad = np.ravel(layer.get("pad", 0.0)).astype(int)
        pad = pad if len(pad) == 4 else np.repeat(pad[[0, -1]], 2)
        stride = np.ravel(layer.get("stride", 1.0)).astype(int)[[0, -1]]
        if layer["type"] == "conv":
            kernel, bias = layer["weights"]
            x = numpy_forward.convolved(x, kernel, bias.ravel(), stride, pad, channels // kernel.shape[2])
            channels, last = kernel.shape[3], layer["name"]
            outputs[last] = x
        elif layer["type"] == "relu":
            outputs[last] = x = np.maximum(x, 0)
        elif layer["type"] == "pool":
            size = np.ravel(layer["pool"]).astype(int)[[0, -1]]
            outputs[layer["name"]] = x = numpy_forward.pooled(x, size, stride, pad, layer["method"])
        elif layer["type"] == "lrn":
            size, *constants = np.ravel(layer["param"])
            outputs[layer["name"]] = x = numpy_forward.normalised(x, int(size), *constants)
        elif layer["type"] == "softmax":
            outputs[last] = x = numpy_forward.softmax(x)
    return outputs


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.mark.parametrize("old", [False, True])
def test_every_layer_is_that_of_the_literal_forward_pass(tmp_path, random, old):
    layers = small_network(random)
    mean = random.uniform(90, 130, (SIDE, SIDE, 3)).astype("float32")
    save_network(tmp_path / "net.mat", layers, mean, old)
    network = read_network(str(tmp_path / "net.mat"))
    model = layer_chain.build(network.chain, "small", SIDE, network.mean, network.weights, include_top=True)
    image = random.integers(0, 256, (SIDE, SIDE, 3)).astype("uint8")
    expected = literal_outputs(layers, image - mean)
    assert set(expected) == {"conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "fc3", "fc4"}
    outputs = keras.Model(model.inputs[0], {name: model.get_layer(name).output for name in expected})
    for name, value in outputs(image[None]).items():
        np.testing.assert_allclose(
            np.squeeze(value), np.squeeze(expected[name]), rtol=1e-3, atol=1e-4, err_msg=name
        )
        assert np.std(expected[name]) > 0

    path = tmp_path / "saved.keras"
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again(image[None]), model(image[None]))


def test_the_mean_colour_stands_in_for_a_mean_image_of_another_size(tmp_path, random):
    mean = random.uniform(90, 130, (SIDE, SIDE, 3)).astype("float32")
    save_network(tmp_path / "net.mat", small_network(random), mean)
    network = read_network(str(tmp_path / "net.mat"))
    model = layer_chain.build(network.chain, "small", 40, network.mean, network.weights, include_top=False)
    preprocess = model.get_layer("preprocessing")
    image = random.integers(0, 256, (1, 40, 40, 3))
    np.testing.assert_allclose(preprocess(image), image - mean.mean((0, 1)), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: {"type": "sigmoid", "name": "s"}}, "type 'sigmoid', which is not supported"),
        ({1: {"type": "relu", "name": "r", "leak": 0.1}}, "leaky ReLU"),
        ({2: {"type": "relu", "name": "twice"}}, "'twice' .* does not follow a convolution"),
        ({3: {"type": "pool", "name": "p", "method": "sum", "pool": 2.0}}, "pools by 'sum'"),
    ],
)
def test_what_a_file_may_not_hold(tmp_path, random, change, message):
    layers = small_network(random)
    for index, layer in change.items():
        layers[index] = layer
    save_network(tmp_path / "net.mat", layers, np.zeros((1, 1, 3), "f4"))
    with pytest.raises(UserError, match=rf"--backbone_weights=.*net.mat: .*{message}"):
        read_network(str(tmp_path / "net.mat"))


def test_what_is_no_network_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        read_network("nowhere.mat")
    (tmp_path / "text.mat").write_text("nothing of the kind" * 20)
    with pytest.raises(UserError, match="cannot be read as a MATLAB file"):
        read_network(str(tmp_path / "text.mat"))


@pytest.mark.parametrize(
    # The centre is that of ICNN's getConvNetPara, less half a pixel: it counts pixels from 1.
    ("name", "size", "units", "field", "stride", "centre"),
    [
        ("alexnet", 227, 13, 163, 16, 17.5),
        ("vgg_m", 224, 13, 139, 16, 17.5),
        ("vgg_s", 224, 17, 113, 12, 20.5),
    ],
)
def test_published_networks_have_the_published_geometry(name, size, units, field, stride, centre):
    chain, mean = published_chains.PUBLISHED_CHAINS[name], published_chains.MEAN_COLOUR
    model = layer_chain.build(chain, name, size, mean, include_top=False)
    assert model.get_layer("conv5").output.shape[1:3] == (units, units)
    assert model.outputs[0].shape[1:3] == (6, 6)
    found = receptive_field(model, "conv5")
    assert (found.size, found.stride, found.centre) == (field, stride, centre)


def test_a_whole_small_network_is_explained_at_its_fully_connected_layers(tmp_path, random):
    layers = small_network(random)
    layers[11:11] = [  # A second hidden layer.
        {**layers[11], "name": "fc3b", "weights": (np.ones((1, 1, 7, 7), "f4"), np.ones((1, 7), "f4"))},
        {"type": "relu", "name": "relu3b"},
    ]
    save_network(tmp_path / "net.mat", layers, np.zeros((1, 1, 3), "f4"))
    network = read_network(str(tmp_path / "net.mat"))
    model = layer_chain.build(network.chain, "small", SIDE, network.mean, network.weights, include_top=True)
    assert distilled_layers(model, "conv2") == ("fc3", "fc3b")
    with pytest.raises(UserError, match=r"--image_size=40: .* for maps of 3x4 units"):
        layer_chain.build(network.chain, "small", 40, network.mean, network.weights, include_top=True)
