r"""Serves TensorBoard with the project's plugins, installed or not; prints its address and runs until ended.

python -m benchmarks.plugin_server --logdir=runs --port=0
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

from tensorboard import default, program


def main(arguments: list[str]) -> None:
    """Serves."""
    from tf_explainer.plugins.images.plugin import ImagesLoader
    from tf_explainer.plugins.parts.plugin import PartsLoader

    plugins = [*default.get_static_plugins(), PartsLoader, ImagesLoader]
    board = program.TensorBoard(plugins=plugins)
    board.configure(argv=["tensorboard", *arguments])
    print(f"serving at {board.launch()}", flush=True)
    threading.Event().wait()


@contextlib.contextmanager
def serving(logdir: str, *flags: str) -> Iterator[str]:
    """Serves a log directory in a separate process.

    Yields:
        The server's address.
    """
    command = [sys.executable, "-m", "benchmarks.plugin_server", f"--logdir={logdir}", "--port=0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            lines = iter(process.stdout or ())
            found = next(
                (re.match(r"serving at (\S+)", line) for line in lines if "serving at" in line), None
            )
            if found is None:
                raise RuntimeError(f"TensorBoard did not start: {' '.join(command)}")
            yield found[1].rstrip("/")
        finally:
            process.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
