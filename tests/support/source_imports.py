"""What each module of the project imports, read from its source without running it."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def modules(*packages):
    """Paths of the packages' modules by dotted name; a package's own file has the package's name."""
    found = {}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path, known):
    """Everything that a file imports, anywhere in it, by dotted name.

    Of `from a import b`, that is `a.b` where it is one of the `known` modules, else both `a` and `a.b`.
    """
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names |= {full} if full in known else {node.module, full}
    return names
