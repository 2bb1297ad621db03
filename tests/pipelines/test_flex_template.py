"""The parameters of the Flex Template are flags of the binary, or options of Beam."""

import json
import re

import pytest

from pipelines.dataflow import beam_options
from tests.support.source_imports import ROOT
from tf_explainer.command_line import flags

TEMPLATE = json.loads((ROOT / "pipelines" / "flex_template.json").read_text())
PARAMETERS = {parameter["name"]: parameter for parameter in TEMPLATE["parameters"]}
GIVEN = {
    "sdk_container_image": "us-docker.pkg.dev/a-project/images/tf_explainer:1",
    "features_dir": "gs://a-bucket/features",
    "workdir": "gs://a-bucket/run",
    "dataset": "cub200_parts/bounding_boxes:1.0.0",
    "data_dir": "gs://a-bucket/photos/*/*.jpg",
    "performer": "gs://a-bucket/mine.keras",
    "distilled_layers": "fc1,fc2",
    "views": "flip,crop",
    "accelerator": "type:nvidia-l4;count:1;install-nvidia-driver",
    "worker_min_ram": "12.5GB",
    "split": "train[:10%]",
    "preprocessing": "mobilenet_v2",
    "image_size": "224",
    "target_layer": "block5_conv3",
    "num_shards": "64",
    "extraction_batch_size": "32",
    "encoding": "gzip",
    "max_dead_letters": "0.05",
    "retry_dead_letters": "true",
    "overwrite": "false",
}
WRONG = {
    "sdk_container_image": "us-docker.pkg.dev/a-project/images/tf_explainer",
    "features_dir": "features",
    "workdir": "gs://a-bucket",
    "dataset": "My photos",
    "data_dir": "/photos",
    "performer": "gs://a-bucket/mine.h5",
    "views": "flip,turn",
    "accelerator": "nvidia l4",
    "worker_min_ram": "16",
    "preprocessing": "vgg16;",
    "image_size": "0",
    "num_shards": "0",
    "extraction_batch_size": "many",
    "encoding": "zip",
    "max_dead_letters": "5",
    "retry_dead_letters": "yes",
    "overwrite": "yes",
}


def accepts(name, value):
    return all(re.fullmatch(regex, value) for regex in PARAMETERS[name].get("regexes", [".*"]))


def test_each_parameter_is_known():
    theirs = {option for action in beam_options._parser()._actions for option in action.option_strings}
    for name in PARAMETERS:
        assert name in flags.FLAGS or f"--{name}" in theirs, name


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_each_parameter_is_explained(name):
    assert {"name", "label", "helpText"} <= PARAMETERS[name].keys()
    assert PARAMETERS[name].keys() <= {"name", "label", "helpText", "regexes", "isOptional"}


def test_names_are_unique():
    assert len(PARAMETERS) == len(TEMPLATE["parameters"])


def test_every_parameter_is_tried():
    assert GIVEN.keys() == PARAMETERS.keys()
    assert WRONG.keys() == {name for name, parameter in PARAMETERS.items() if "regexes" in parameter}


@pytest.mark.parametrize("name", list(GIVEN))
def test_what_is_right_passes(name):
    assert accepts(name, GIVEN[name])


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_wrong_does_not(name):
    assert not accepts(name, WRONG[name])


def test_defaults_are_told_as_they_are():
    in_words = {"performer", "views", "preprocessing", "target_layer", "distilled_layers"}
    for name, parameter in PARAMETERS.items():
        told = re.search(r"Default: ([\w,.]+?)\.?( |$)", parameter["helpText"])
        if told and name not in in_words:
            default = flags.FLAGS[name].default
            assert told[1] == (",".join(default) if isinstance(default, list) else str(default)), name


def test_what_it_must_be_given_is_what_the_binary_needs():
    needed = {name for name, parameter in PARAMETERS.items() if not parameter.get("isOptional")}
    assert needed == {"sdk_container_image", "features_dir", "workdir", "dataset"}
