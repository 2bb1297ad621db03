"""Measures the TensorBoard tabs on a real server in headless Chromium, and prints a table.

python -m benchmarks.plugins --logdir=runs/vgg_fox/tensorboard            (make benchmark_plugin)

Without a log directory it writes a snapshot of 512 filters and 300 drawn images first.
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

from benchmarks.browser_tab import Tab, browser, is_available, wait_for
from benchmarks.plugin_server import serving

_ROUTES = ("runs", "index", "figures", "history", "peaks", "tops", "maps", "crop", "sprite")
_FRAMES = """
const done = arguments[0], grid = document.querySelector(".grid"), times = [];
let last = performance.now();
function frame(now) {
  times.push(now - last); last = now; grid.scrollTop += 45;
  if (times.length < 180) requestAnimationFrame(frame); else done(times.slice(5));
}
requestAnimationFrame(frame);
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--logdir", default="", help="with snapshots; default: one that is written first")
    parser.add_argument("--hostile", type=int, default=5000, help="generated requests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        logdir = options.logdir or write_example(made)
        rows = list(measurements(logdir, options.hostile))
    width = max(len(name) for name, _, _ in rows)
    for name, figure, wanted in rows:
        print(f"{name:{width}}  {figure:>18}  {wanted}")


def measurements(logdir: str, hostile: int) -> Iterator[tuple[str, str, str]]:
    """Yields what is measured, the figure and what was to be reached."""
    ratio, without = startup(logdir)
    yield "TensorBoard's start with / without the plugins", f"{ratio:.2f} of {without:.2f} s CPU", "< 1.1"
    with serving(logdir) as server:
        run, step, index = first_snapshot(server)
        for route, seconds in latencies(server, run, step, index).items():
            yield f"{route}, 95th percentile of 40, warm", f"{1000 * seconds:.0f} ms", "< 100 ms"
        failed, slowest = at_once(server, run, step, index)
        yield (
            "20 clients at once, 400 requests",
            f"{failed} failed, {1000 * slowest:.0f} ms p95",
            "none fails",
        )
        codes = hostile_codes(server, run, hostile)
        yield f"{hostile} hostile requests", f"{sum(n for c, n in codes.items() if c >= 500)} of 5xx", "0"
        if is_available():
            first, median, slow = on_screen(server)
            yield "first filters on screen, median of 5", f"{first:.2f} s", "< 1.5 s"
            yield "frames a second while scrolling, median", f"{1000 / median:.0f}", "> 30"
            yield "the same, slowest twentieth", f"{1000 / slow:.0f}", ""


def write_example(directory: str) -> str:
    """Writes a snapshot of the size that the figures are about."""
    import tensorflow as tf

    from tf_explainer.images.unit_grid import UnitGrid
    from tf_explainer.plugins.parts import summary
    from tf_explainer.plugins.parts.snapshot import Images, Snapshot

    draw = np.random.default_rng(0)
    maps = draw.normal(size=(300, 14, 14, 512)).astype(np.float16) - 1
    crops = draw.integers(0, 256, (300, 14, 14, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    grid = UnitGrid(side=14, first=1 / 28, spacing=1 / 14, extent=0.3)
    layer = summary.of_maps("noise", "noise", maps, grid)
    with tf.summary.create_file_writer(directory).as_default():
        summary.write(Snapshot(images=Images.of(crops), layers=[layer]), 0)
    return directory


def get(address: str, method: str = "GET") -> tuple[int, bytes]:
    """Asks for an address."""
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
    """Returns a function that asks a route for its n-th thing."""
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
    """Lets 20 clients ask for maps; returns how many fail, and the 95th percentile of their times."""
    ask = asking(server, run, step, index)

    def timed(n: int) -> tuple[int, float]:
        start = time.perf_counter()
        return ask("maps", n)[0], time.perf_counter() - start

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(timed, range(400)))
    return sum(status != 200 for status, _ in answers), float(np.quantile([t for _, t in answers], 0.95))


def hostile_codes(server: str, run: str, count: int) -> dict[int, int]:
    """Asks for generated addresses, and counts the status codes."""
    draw = random.Random(0)
    values = [
        run,
        "",
        "0",
        "-1",
        "1e9",
        "../../etc/passwd",
        "%00",
        "٣",
        "9" * 30,
        "null",
        "<script>",
        "a" * 3000,
    ]
    values += ["".join(draw.choices(string.printable, k=20)) for _ in range(20)]
    paths = [
        *_ROUTES,
        "static/parts.js",
        "static/../plugin.py",
        "static/%2e%2e/plugin.py",
        "",
        "/",
        "\\..\\x",
    ]
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


def on_screen(server: str) -> tuple[float, float, float]:
    """Returns seconds to the first filters, and milliseconds a frame while scrolling: median and slow."""
    with browser() as driver:
        tab, times = Tab(driver, server), []
        driver.set_script_timeout(60)
        for _ in range(5):
            tab.open("parts", "&p.parts.grouped=0")
            tab.ready("grid")
            wait_for(lambda: tab.count(".cell canvas[data-drawn]"))
            times.append(tab.script("return performance.now()") / 1000)
        frames = driver.execute_async_script(_FRAMES)
    return statistics.median(times), statistics.median(frames), float(np.quantile(frames, 0.95))


def startup(logdir: str) -> tuple[float, float]:
    """Returns CPU time of a start with the plugins over that of one without, and the latter in seconds."""
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
