"""Docstrings of public functions say shapes where arrays go in or out, and what is raised."""

import ast
import re

import pytest

from tests.support.source_imports import modules

MODULES = modules("tf_explainer", "pipelines")
# Here `Any` stands for a tensor.
OF_TENSORS = {"cross_replica", "filter_losses", "layers", "losses", "part_losses", "templates"}
# `[B, H, W, C]`, `(L, L, D)`, a scalar, or no shape in particular.
SHAPE = re.compile(r"`?\[[\w.*+ ,/()-]+\]`?|\(L, L, D\)|\bscalar|\bany shape|\bpolygon")
RAISED = {"UserError", "ValueError", "UnreadableImageError", "FileExistsError"}


def functions():
    """Every public function and method, with its module and class."""
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            if getattr(owner, "name", "").startswith("_"):
                continue
            for node in owner.body:
                if isinstance(node, ast.FunctionDef) and (node.name == "__call__" or node.name[0] != "_"):
                    yield pytest.param(module, owner, node, id=f"{module}.{node.name}:{node.lineno}")


def documented(owner, function):
    """The docstring, with that of the class, which may say it for all of its methods."""
    texts = [ast.get_docstring(function) or ""]
    if isinstance(owner, ast.ClassDef):
        texts.append(ast.get_docstring(owner) or "")
    return "\n".join(texts)


def takes_or_gives_arrays(module, function):
    arguments = [*function.args.args, *function.args.kwonlyargs]
    annotations = [a.annotation for a in arguments if a.annotation] + [function.returns]
    texts = [ast.unparse(annotation) for annotation in annotations if annotation]
    tensors = {"Any"} if module.split(".")[-1] in OF_TENSORS else set()
    return any("np.ndarray" in text or "tf.Tensor" in text or text in tensors for text in texts)


def raised_by(function):
    """The errors of its own `raise` statements, but for those that it may catch itself."""
    tried = {
        id(inner)
        for node in ast.walk(function)
        if isinstance(node, ast.Try)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    raises = (node for node in ast.walk(function) if isinstance(node, ast.Raise) and id(node) not in tried)
    calls = (node.exc.func for node in raises if isinstance(node.exc, ast.Call))
    return {ast.unparse(call).split(".")[-1] for call in calls} & RAISED


@pytest.mark.parametrize(("module", "owner", "function"), list(functions()))
def test_a_docstring_says_shapes_and_errors(module, owner, function):
    text = documented(owner, function)
    if takes_or_gives_arrays(module, function):
        assert SHAPE.search(text), f"{module}.{function.name}: which shapes? `[B, H, W, C]`"
    # What `main` of a binary raises, the person sees as a message.
    for error in raised_by(function) if function.name != "main" else ():
        assert error in text, f"{module}.{function.name}: `Raises:` must say when it raises {error}"


def test_the_check_finds_what_is_missing():
    tree = ast.parse(
        "def f(x: np.ndarray) -> float:\n    '''Sums.'''\n    raise ValueError('no')\n"
        "def g(x: np.ndarray) -> float:\n    '''Sums `[B, C]`.'''\n"
    )
    first, second = tree.body
    assert takes_or_gives_arrays("m", first)
    assert not SHAPE.search(documented(tree, first))
    assert SHAPE.search(documented(tree, second))
    assert raised_by(first) == {"ValueError"}
