"""The command lines of our commands, and their help."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import textwrap
from collections.abc import Iterable, Sequence

_WIDTH = 100
_SCRIPT = "tf-explainer"
ONE_OF_ALL_STEPS = "TF_EXPLAINER_ONE_OF_ALL_STEPS"
"""Environment variable that `run` sets for its steps, which then do not print the next command."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlagHelp:
    """The help of a flag.

    Attributes:
        name: without dashes.
        default: as written on the command line; None: there is none.
        text: what the flag means.
        choices: the allowed values; empty: any.
        is_switch: whether the flag is boolean.
    """

    name: str
    default: str | None
    text: str
    choices: tuple[str, ...] = ()
    is_switch: bool = False


def command(module: str, started: Sequence[str]) -> list[str]:
    """Returns the words that start one of our commands in the same way as this process.

    Args:
        module: of the command, such as `tf_explainer.train`.
        started: the command line of this process (`sys.orig_argv`).
    """
    if "-m" in started:
        return [*started[: started.index("-m") + 1], module]
    scripts = [word for word in started[:2] if os.path.basename(word).startswith(_SCRIPT)]
    if not scripts:
        return ["python", "-m", module]
    name = f"{_SCRIPT}-{module.rpartition('.')[2].replace('_', '-')}"
    folder = os.path.dirname(scripts[0])
    on_path = shutil.which(name)
    return [name if on_path and os.path.dirname(on_path) == folder else os.path.join(folder, name)]


def following(
    module: str, started: Sequence[str], arguments: Sequence[str], not_ours: Sequence[str] = ()
) -> str:
    """Returns the command line of the next step, with the flags of this one, quoted for a shell.

    Args:
        module: of the next step.
        started: the command line of this process (`sys.orig_argv`).
        arguments: of this step.
        not_ours: the arguments, in the same order, that the next step does not know.
    """
    kept = [
        argument
        for argument in without(arguments, not_ours)
        if argument.partition("=")[0].lstrip("-") != "dry_run"
    ]
    return shlex.join([*command(module, started), *kept])


def without(arguments: Sequence[str], not_ours: Sequence[str]) -> list[str]:
    """Returns arguments without a subsequence of them."""
    left = list(not_ours)
    kept = []
    for argument in arguments:
        if left and argument == left[0]:
            left.pop(0)
        else:
            kept.append(argument)
    return kept


def usage(purpose: str, groups: Iterable[tuple[str, Iterable[FlagHelp]]]) -> str:
    """Returns a command's help.

    Args:
        purpose: what the command does and how it is started.
        groups: the flags by title.
    """
    lines = [
        purpose.strip(),
        "",
        "Flags with their defaults; every step accepts all of them. --flagfile=FILE reads flags from a file;",
        "flags after it override it.",
    ]
    for title, members in groups:
        lines += ["", f"{title}:"]
        for flag in members:
            lines += textwrap.wrap(
                f"{_signature(flag)}  {flag.text}",
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines) + "\n"


def _signature(flag: FlagHelp) -> str:
    if flag.is_switch:
        return f"--[no]{flag.name} ({'on' if flag.default == 'true' else 'off'})"
    choices = f" ({', '.join(flag.choices)})" if flag.choices else ""
    return f"--{flag.name}={flag.default or '...'}{choices}"
