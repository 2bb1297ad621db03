"""tools/bazel.sh refuses what would make its tests worthless."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_an_environment_with_the_project_in_it_is_refused(tmp_path):
    """There a module that BUILD does not declare would be found all the same."""
    project = tmp_path / "project"
    (project / "tools").mkdir(parents=True)
    (project / "tools" / "bazel.sh").write_text((ROOT / "tools" / "bazel.sh").read_text(encoding="utf-8"))
    for name in ("bazel-linux_x64/bazel-2.1.0-linux-x86_64", "buildifier/buildifier-linux_amd64"):
        program = project / "build" / "bazel" / "node_modules" / "@bazel" / name
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho it ran\n")
        program.chmod(0o755)
    # A Python that imports anything, as do the environments that it makes.
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        'case "$1" in -m) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python";; esac\n'
        f"echo {tmp_path}\n"
    )
    python.chmod(0o755)
    script = ["sh", str(project / "tools" / "bazel.sh")]
    refused = subprocess.run(
        [*script, "build", "//..."],
        env=os.environ | {"VENV_PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "holds the project itself" in refused.stderr
    linted = subprocess.run([*script, "lint"], capture_output=True, text=True, check=True)
    assert linted.stdout == "it ran\n"
    assert sys.platform != "linux" or os.access(ROOT / "tools" / "bazel.sh", os.X_OK)
