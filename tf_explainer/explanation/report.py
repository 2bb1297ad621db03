"""Explanations as one HTML page that stands alone: pictures inside, nothing to fetch."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

from tf_explainer.explanation.explanation import Explanation

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; border-radius: 6px; }
table { border-collapse: collapse; margin: .5rem 0 2.5rem; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.sum td { border-top: 1px solid; font-weight: 600; }
"""


def report(explanations: Sequence[tuple[str, Explanation, Image.Image]]) -> str:
    """Returns the page.

    Args:
        explanations: of each image: what it is called, its explanation and its picture.
    """
    sections = "\n".join(_section(*each) for each in explanations)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Explanations</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Which object parts the network looks at</h1>\n"
        "<p>Contributions are gradient times activation, in nats of log-odds; with the remainder they sum to "
        f"the score.</p>\n{sections}\n</body></html>\n"
    )


def _section(title: str, explanation: Explanation, picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    rows = [(seen.part.title, len(seen.part.filters), seen.contribution) for seen in explanation.strongest]
    body = "".join(_row(name, str(filters), value) for name, filters, value in rows)
    body += _row("everything else (ordinary track)", "", explanation.ordinary)
    body += _row("remainder", "", explanation.remainder)
    body += _row("score (log-odds)", "", explanation.score, "sum")
    name = html.escape(title)
    return (
        f'<h2>{name}</h2>\n<img alt="{name}: parts, contributions and attention" '
        f'src="data:image/png;base64,{encoded}">\n<table><tr><th>part</th><th>filters</th>'
        f"<th>contribution</th></tr>{body}</table>"
    )


def _row(name: str, filters: str, value: float, kind: str = "") -> str:
    opening = f'<tr class="{kind}">' if kind else "<tr>"
    return (
        f'{opening}<td>{html.escape(name)}</td><td class="number">{filters}</td>'
        f'<td class="number">{value:+.3f}</td></tr>'
    )
