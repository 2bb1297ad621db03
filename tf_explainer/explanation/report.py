"""Explanations as one HTML page that stands alone: pictures inside, nothing to fetch."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

from tf_explainer.explanation import summary_picture, verdict
from tf_explainer.explanation.explanation import Explanation
from tf_explainer.explanation.run_summary import RunSummary

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; border-radius: 6px; }
table { border-collapse: collapse; margin: .5rem 0 2.5rem; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.sum td { border-top: 1px solid; font-weight: 600; }
"""


def report(summary: RunSummary, explanations: Sequence[tuple[str, Explanation, Image.Image]]) -> str:
    """Returns the page: what the network looks at, then image by image.

    Args:
        summary: of the run.
        explanations: of each image: what it is called, its explanation and its picture.
    """
    sections = "\n".join(_section(*each) for each in explanations)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Explanations</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>What this network looks at</h1>\n"
        f"{_image(summary_picture.draw(summary), 'shares of each class')}\n"
        f"<pre>{html.escape(str(summary))}</pre>\n"
        f"<h1>Image by image</h1>\n<p>Contributions to the score, in nats of log-odds.</p>\n{sections}\n"
        "</body></html>\n"
    )


def _image(picture: Image.Image, what: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(what)}" src="data:image/png;base64,{encoded}">'


def _section(title: str, explanation: Explanation, picture: Image.Image) -> str:
    body = "".join(
        _row(each.part.title, str(len(each.part.filters)), each.contribution, each.lost_without)
        for each in explanation.strongest
    )
    for term in (verdict.ORDINARY, verdict.BASELINE, verdict.GAP):
        body += _row(term, "", explanation.terms[term])
    body += _row("score (log-odds)", "", explanation.score, kind="sum")
    picture_of = _image(picture, f"{title}: parts, contributions and contribution maps")
    return (
        f"<h2>{html.escape(title)}</h2>\n{picture_of}\n<p>{html.escape(explanation.verdict)}</p>\n"
        "<table><tr><th>part</th><th>filters</th><th>contribution</th><th>lost without it</th></tr>"
        f"{body}</table>"
    )


def _row(name: str, filters: str, value: float, lost: float | None = None, kind: str = "") -> str:
    opening = f'<tr class="{kind}">' if kind else "<tr>"
    return (
        f'{opening}<td>{html.escape(name)}</td><td class="number">{filters}</td>'
        f'<td class="number">{value:+.3f}</td>'
        f'<td class="number">{"" if lost is None else f"{lost:+.3f}"}</td></tr>'
    )
