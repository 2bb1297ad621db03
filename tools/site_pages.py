"""Generates pages for linked files other than docs/*.md: the files at the top, the notebooks, and the code.

MkDocs calls this module, as mkdocs.yml says. Paths of the site are those of the project, so that a relative
link leads to the same file on the site and where the project is hosted.
"""

from __future__ import annotations

import ast
import json
import pathlib
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("tf_explainer", "pipelines")
# Classes and modules to document besides the public names of the package itself.
DOCUMENTED = (
    "tf_explainer.explanation.run_parts.RunParts",
    "tf_explainer.explanation.run_parts.RunPart",
    "tf_explainer.explanation.explanations.Explanations",
    "tf_explainer.explanation.run_summary.RunSummary",
    "tf_explainer.evaluation.parts.Part",
    "tf_explainer.config",
    "tf_explainer.errors.UserError",
)
_UNSEARCHED = "---\nsearch:\n  exclude: true\n---\n"


class Page(File):
    """A generated page, at the path of the file that it shows."""

    def __init__(self, path: str, text: str, config: MkDocsConfig) -> None:
        super().__init__(path, None, config.site_dir, config.use_directory_urls)
        self.generated_by, self._content = "site_pages", text

    def is_documentation_page(self) -> bool:
        """Returns True, whatever the suffix."""
        return True


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Moves the pages of docs/ to their paths in the project, and adds the other pages."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:  # Not the theme's files.
        files.remove(file)
        if pathlib.PurePath(file.src_uri).suffix != ".ipynb":
            files.append(_file(f"docs/{file.src_uri}", config))
    for path in sorted(ROOT.glob("*.md")):
        files.append(_file(path.name, config))
    for name, text in pages():
        files.append(Page(name, text, config))
    return files


def _file(path: str, config: MkDocsConfig) -> File:
    return File(path, str(ROOT), config.site_dir, config.use_directory_urls)


def pages() -> Iterator[tuple[str, str]]:
    """Yields the paths and texts of the pages that are not Markdown files."""
    yield "docs/api.md", api()
    for path in sorted((ROOT / "docs").glob("*.ipynb")):
        yield path.relative_to(ROOT).as_posix(), notebook(path.read_text(encoding="utf-8"))
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), code(path)
            if path.name == "__init__.py":
                yield path.parent.relative_to(ROOT).as_posix(), folder(path.parent)


def api() -> str:
    """Returns the reference of the package's public names and of `DOCUMENTED`."""
    tree = ast.parse((ROOT / "tf_explainer/__init__.py").read_text(encoding="utf-8"))
    (public,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PUBLIC"
    )
    functions_first = sorted(public, key=lambda name: name[0].isupper())
    names = [f"{public[name]}.{name}" for name in functions_first]
    blocks = "\n\n".join(f"::: {name}" for name in [*names, *DOCUMENTED])
    listed = ", ".join(f"`tf_explainer.{name}`" for name in public)
    return f"# Python\n\n{listed}, and the classes that they return or take.\n\n{blocks}\n"


def notebook(text: str) -> str:
    """Returns the cells of a notebook in Markdown."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n\n".join(
        source if kind == "markdown" else f"```python\n{source}\n```" for kind, source in cells
    )


def code(path: pathlib.Path) -> str:
    """Returns a page with the code of a module."""
    name = path.relative_to(ROOT).as_posix()
    return f"{_UNSEARCHED}# `{name}`\n\n~~~~~~python\n{path.read_text(encoding='utf-8')}\n~~~~~~\n"


def folder(path: pathlib.Path) -> str:
    """Returns a list of a package's modules, each with the first line of its docstring."""
    lines = []
    for module in sorted(path.iterdir()):
        text = module if module.suffix == ".py" else module / "__init__.py"
        if text.is_file():
            purpose = (ast.get_docstring(ast.parse(text.read_text(encoding="utf-8"))) or "").split("\n")[0]
            lines.append(f"- [`{module.name}`]({path.name}/{module.name}): {purpose}")
    return f"{_UNSEARCHED}# `{path.relative_to(ROOT).as_posix()}`\n\n" + "\n".join(lines) + "\n"
