"""Explanations as HTML, as a page or as a fragment for a notebook, with pictures embedded."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

from tf_explainer.evaluation.parts import Part
from tf_explainer.explanation import summary_picture, verdict
from tf_explainer.explanation.explanation import Explanation
from tf_explainer.explanation.run_summary import RunSummary

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
img { border-radius: 6px; }
table { border-collapse: collapse; margin: .5rem 0 2.5rem; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.sum td { border-top: 1px solid; font-weight: 600; }
"""


def report(summary: RunSummary, explanations: Sequence[tuple[str, Explanation, Image.Image]]) -> str:
    """Returns the page: what the network looks at, then the explanation of each image.

    Args:
        summary: of the run.
        explanations: title, explanation and picture of each image.
    """
    sections = "\n".join(
        f"<h2>{html.escape(title)}</h2>\n{of_explanation(title, explanation, picture)}"
        for title, explanation, picture in explanations
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Explanations</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>What this network looks at</h1>\n"
        f"{of_summary(summary)}\n"
        f"<h1>Image by image</h1>\n<p>Contributions to the score, in nats of log-odds.</p>\n{sections}\n"
        "</body></html>\n"
    )


def of_summary(summary: RunSummary) -> str:
    """Returns the summary of a run: the picture, and the text with all numbers."""
    return (
        f"{_image(summary_picture.draw(summary), 'shares of each class')}\n"
        f"<pre>{html.escape(str(summary))}</pre>"
    )


def of_parts(parts: Sequence[Part]) -> str:
    """Returns a table of parts: title, number of filters, how often the part responds."""
    body = "".join(
        f'<tr><td class="number">{part.number}</td><td>{html.escape(part.title)}</td>'
        f'<td class="number">{len(part.filters)}</td>'
        f'<td class="number">{"" if part.responds is None else f"{part.responds:.0%}"}</td></tr>'
        for part in parts
    )
    return f"<table><tr><th></th><th>part</th><th>filters</th><th>responds on images</th></tr>{body}</table>"


def of_part(part: Part, picture: Image.Image | None) -> str:
    """Returns a part: its title and, if there is one, the picture of images on which it responds most."""
    title = f"<p>{part.number}: {html.escape(part.title)}</p>"
    return title if picture is None else f"{title}\n{_image(picture, part.title)}"


def _image(picture: Image.Image, what: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    # A notebook does not have the page's style sheet.
    return f'<img style="max-width: 100%" alt="{html.escape(what)}" src="data:image/png;base64,{encoded}">'


def of_explanation(title: str, explanation: Explanation, picture: Image.Image) -> str:
    """Returns the explanation of one image: the picture, the verdict, and a row for each part.

    Args:
        title: the name of the image.
        explanation: of the image.
        picture: of the explanation.
    """
    body = "".join(
        _row(each.part.title, str(len(each.part.filters)), each.contribution, each.lost_without)
        for each in explanation.strongest
    )
    for term in (verdict.ORDINARY, verdict.BASELINE, verdict.GAP):
        body += _row(term, "", explanation.terms[term])
    body += _row("score (log-odds)", "", explanation.score, kind="sum")
    picture_of = _image(picture, f"{title}: parts, contributions and contribution maps")
    return (
        f"{picture_of}\n<p>{html.escape(explanation.verdict)}</p>\n"
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
