"""Measures the TensorBoard tabs on a real server in headless Chromium, and prints a table.

python -m benchmarks.plugins --logdir=runs/vgg_fox/tensorboard            (make benchmark_plugin)

Without a log directory it first writes a snapshot of 512 filters and 300 images. It always writes another one
of 5,000 images.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import random
import resource
import statistics
import string
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import plugin_screen
from benchmarks.browser_tab import is_available, wait_for
from benchmarks.plugin_example import write_example
from benchmarks.plugin_server import serving

# Images and filters: with maps of this size, a snapshot holds no more images.
_MANY = 5000, 64
_ROUTES = ("runs", "index", "figures", "history", "peaks", "tops", "maps", "crop", "sprite")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--logdir", default="", help="directory with snapshots; default: one is written")
    parser.add_argument("--hostile", type=int, default=5000, help="number of generated requests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        logdir = options.logdir or write_example(made)
        for name, figure, wanted in measurements(logdir, options.hostile):
            print(f"{name:66}  {figure:>28}  {wanted}", flush=True)


def measurements(logdir: str, hostile: int) -> Iterator[tuple[str, str, str]]:
    """Yields the name, the figure and the target of each measurement."""
    ratio, without = startup(logdir)
    yield "TensorBoard's start with / without the plugins", f"{ratio:.2f} of {without:.2f} s CPU", "< 1.1"
    with serving(logdir) as server:
        run, step, index = first_snapshot(server)
        for route, seconds in latencies(server, run, step, index).items():
            yield f"{route}, 95th percentile of 40, warm", f"{1000 * seconds:.0f} ms", "< 100 ms"
        failed, slowest = at_once(server, run, step, index)
        measured = f"{failed} failed, {1000 * slowest:.0f} ms p95"
        yield "20 clients at once, 400 requests", measured, "none fails"
        codes = hostile_codes(server, run, hostile)
        yield f"{hostile} hostile requests", f"{sum(n for c, n in codes.items() if c >= 500)} of 5xx", "0"
        if is_available():
            yield from _on_screen(server)
    if is_available():
        with tempfile.TemporaryDirectory() as made, serving(write_example(made, *_MANY)) as server:
            first_snapshot(server)
            yield from _with_many_images(server)


def _on_screen(server: str) -> Iterator[tuple[str, str, str]]:
    with plugin_screen.screen(server) as tab:
        yield "first answer on screen, median of 5", f"{plugin_screen.first_answer(tab):.2f} s", "< 1.0 s"
        yield "its first picture with regions, median of 5", f"{plugin_screen.first_picture(tab):.2f} s", ""
        yield "first filters on screen, median of 5", f"{plugin_screen.first_filters(tab):.2f} s", "< 1.0 s"
        yield (
            "part opened, with its close-ups, median of 5",
            f"{plugin_screen.opened_part(tab):.2f} s",
            "< 0.2 s",
        )
        yield (
            "the same, with the pointer on it for 0.2 s before",
            f"{plugin_screen.opened_part(tab, pointed=True):.2f} s",
            "< 0.2 s",
        )
        for name, state in (("filters", "&p.parts.grouped=0"), ("parts", "&p.parts.view=filters")):
            usual, slow = plugin_screen.frames(tab, "parts", state, "grid", ".grid")
            yield (
                f"frames a second while scrolling {name}: median; slowest twentieth",
                _rates(usual, slow),
                "60",
            )
        yield "questions answered in at most two clicks", plugin_screen.questions(tab), "5 of 5"
        found = plugin_screen.violations(tab)
        yield (
            "rules of axe-core that are broken, 5 screens",
            "not installed" if found is None else str(found),
            "0",
        )


def _with_many_images(server: str) -> Iterator[tuple[str, str, str]]:
    images, filters = _MANY
    size = f"{images} images, {filters} filters"
    with plugin_screen.screen(server) as tab:
        yield f"{size}: first answer", f"{plugin_screen.first_answer(tab):.2f} s", "usable"
        yield f"{size}: part opened", f"{plugin_screen.opened_part(tab):.2f} s", "usable"
        usual, slow = plugin_screen.frames(tab, "part_images", "", "image", ".image-list")
        yield f"{size}: frames a second, list of images", _rates(usual, slow), "60"


def _rates(usual: float, slow: float) -> str:
    return f"{usual:.0f}; {slow:.0f}"


def get(address: str, method: str = "GET") -> tuple[int, bytes]:
    """Requests an address; returns the status code and the content."""
    request = urllib.request.Request(address, method=method, headers={"Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def address(server: str, route: str, arguments: dict[str, Any]) -> str:
    """Returns an address of the Parts plugin."""
    return f"{server}/data/plugin/parts/{route}?{urllib.parse.urlencode(arguments)}"


def first_snapshot(server: str) -> tuple[str, int, dict[str, Any]]:
    """Waits for the event files to be read, and returns run, step and index of the largest snapshot."""

    def read() -> dict[str, list[int]]:
        return json.loads(urllib.request.urlopen(f"{server}/data/plugin/parts/runs").read())["runs"]

    runs = wait_for(read, 120)
    indices = [(run, steps[-1], index_of(server, run, steps[-1])) for run, steps in runs.items()]
    return max(indices, key=lambda found: len(found[2]["layers"]))


def index_of(server: str, run: str, step: int) -> dict[str, Any]:
    """Returns a snapshot's index."""
    asked = urllib.request.urlopen(address(server, "index", {"run": run, "step": step}))
    return json.loads(asked.read())


def asking(
    server: str, run: str, step: int, index: dict[str, Any]
) -> Callable[[str, int], tuple[int, bytes]]:
    """Returns a function that requests the n-th item of a route."""
    layer = index["layers"][0]

    def ask(route: str, n: int) -> tuple[int, bytes]:
        arguments = {"run": run, "step": step, "layer": layer["name"], "filter": n % layer["filters"]}
        arguments |= {"image": n % index["images"]["count"], "sheet": 0}
        if route in ("crop", "sprite"):
            arguments["step"] = index["pictures_step"]
        return get(address(server, route, arguments))

    return ask


def latencies(server: str, run: str, step: int, index: dict[str, Any]) -> dict[str, float]:
    """Returns the 95th percentile of each route's time, in seconds."""
    ask, found = asking(server, run, step, index), {}
    for route in _ROUTES:
        times = []
        for n in range(45):
            start = time.perf_counter()
            status, _ = ask(route, n)
            times.append(time.perf_counter() - start)
            if status != 200:
                raise RuntimeError(f"{route} answered {status}")
        found[route] = float(np.quantile(times[5:], 0.95))
    return found


def at_once(server: str, run: str, step: int, index: dict[str, Any]) -> tuple[int, float]:
    """Lets 20 clients request maps; returns the number of failures and the 95th percentile of the times."""
    ask = asking(server, run, step, index)

    def timed(n: int) -> tuple[int, float]:
        start = time.perf_counter()
        return ask("maps", n)[0], time.perf_counter() - start

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(timed, range(400)))
    return sum(status != 200 for status, _ in answers), float(np.quantile([t for _, t in answers], 0.95))


def hostile_codes(server: str, run: str, count: int) -> dict[int, int]:
    """Requests generated addresses, and counts the status codes."""
    draw = random.Random(0)
    values = [run, "", "0", "-1", "1e9", "../../etc/passwd", "%00", "٣", "null", "<script>"]
    values += ["9" * 30, "a" * 3000, *("".join(draw.choices(string.printable, k=20)) for _ in range(20))]
    static = ("static/parts/parts.js", "static/../plugin.py", "static/%2e%2e/plugin.py")
    paths = [*_ROUTES, *static, "", "/", "\\..\\x"]
    codes: dict[int, int] = {}
    for _ in range(count):
        names = draw.sample(["run", "step", "layer", "filter", "image", "sheet", "tag", "key"], 4)
        asked = urllib.parse.urlencode({name: draw.choice(values) for name in names})
        path = urllib.parse.quote(draw.choice(paths), safe="/%")
        method = draw.choice(["GET"] * 6 + ["HEAD", "POST", "PUT", "DELETE"])
        status, _ = get(
            f"{server}/data/plugin/{draw.choice(('parts', 'part_images'))}/{path}?{asked}", method
        )
        codes[status] = codes.get(status, 0) + 1
    return codes


def startup(logdir: str) -> tuple[float, float]:
    """Returns the ratio of CPU times of a start with and without the plugins, and the latter in seconds."""
    program = (
        "from tensorboard import default, program\n{extra}\n"
        "board = program.TensorBoard(plugins=[*default.get_static_plugins(), *loaders])\n"
        f"board.configure(argv=['', '--logdir', {logdir!r}, '--port=0'])\n"
        "board.launch()\nimport os\nos._exit(0)"
    )
    loaders = "\n".join(
        f"from tf_explainer.plugins.{name} import {loader}"
        for name, loader in (("parts.plugin", "PartsLoader"), ("images.plugin", "ImagesLoader"))
    )
    extras = {"without": "loaders = []", "with": f"{loaders}\nloaders = [PartsLoader, ImagesLoader]"}
    times: dict[str, list[float]] = {name: [] for name in extras}
    for _ in range(9):
        for name, extra in extras.items():
            start = _cpu_of_children()
            command = [sys.executable, "-c", program.format(extra=extra)]
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(_cpu_of_children() - start)
    ratios = [a / b for a, b in zip(times["with"], times["without"], strict=True)]
    return statistics.median(ratios), statistics.median(times["without"])


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
