import pathlib
import shutil
import subprocess
import sys

from tf_explainer.evaluation import source_digest

CODE = "from tf_explainer.evaluation.source_digest import source_digest; print(source_digest())"


def test_the_digest_is_that_of_the_code_alone(tmp_path):
    package = pathlib.Path(source_digest.__file__).parents[1]
    shutil.copytree(package, tmp_path / "tf_explainer", ignore=shutil.ignore_patterns("__pycache__"))

    def there():
        command = [sys.executable, "-c", CODE]
        return subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True).stdout.strip()

    assert there() == source_digest.source_digest()
    (tmp_path / "tf_explainer" / "notes.txt").write_text("no code")
    assert there() == source_digest.source_digest()
    with (tmp_path / "tf_explainer" / "scores.py").open("a") as file:
        file.write("# Another state.\n")
    assert there() != source_digest.source_digest()
