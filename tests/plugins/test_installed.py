"""The project installed, as a wheel and as `make setup` does it: TensorBoard finds the tabs."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys
from werkzeug.test import Client
from tensorboard import default, program
from tensorboard.backend import application
import tf_explainer
print(tf_explainer.__file__)
plugins = [*default.get_static_plugins(), *default.get_dynamic_plugins()]
board = program.TensorBoard(plugins=plugins, assets_zip_provider=lambda: None)
board.configure(argv=["", "--logdir=.", "--load_fast=false"])
provider, multiplexer = board._make_data_provider()
client = Client(application.TensorBoardWSGIApp(board.flags, plugins, provider, None, multiplexer))
for name in ("parts", "part_images"):
    assert name in client.get("/data/plugins_listing").json, name
for path in ("parts/static/parts/parts.js", "part_images/static/images/images.js"):
    assert client.get(f"/data/plugin/{path}").status_code == 200, path
assert client.get("/data/plugin/parts/static/vendor/preact-htm.js").status_code == 200
sys.stdout.flush()
os._exit(0)  # The thread that reads event files does not end.
"""


@pytest.mark.slow
@pytest.mark.parametrize("editable", [False, True], ids=["wheel", "editable"])
def test_the_tabs_are_found(tmp_path, editable):
    source, venv = tmp_path / "source", tmp_path / "venv"
    source.mkdir()
    for name in ("tf_explainer", "pipelines"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments):
        return subprocess.run(
            [venv / "bin" / "python", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    options = ["--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed", "--no-index"]
    installed = run("-m", "pip", "install", *options, *(["--editable"] if editable else []), source)
    assert installed.returncode == 0, installed.stderr
    result = run("-c", PROGRAM)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(source if editable else packages))
