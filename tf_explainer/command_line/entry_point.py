"""The entry point of all binaries: parses the flags, runs the step, prints a `UserError` as one message."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags
from absl import logging as absl_logging

from tf_explainer.command_line import flagfiles, terminal
from tf_explainer.command_line import usage as command_line
from tf_explainer.command_line.flags import FLAGS, GROUPS
from tf_explainer.command_line.setting import Setting, declared, settings_of
from tf_explainer.command_line.usage import FlagHelp
from tf_explainer.errors import UserError, full_disk
from tf_explainer.performer import keras_settings

# Arguments on the command line that are not flags of this project.
_unparsed: list[str] = []


def next_command(module: str, *, with_others: bool = False) -> str:
    """Returns a line with the command of the next step, with the flags of this one.

    The line is empty when `run` starts the next step itself.

    Args:
        module: of the next step.
        with_others: whether the next step also takes Beam's options.
    """
    if command_line.ONE_OF_ALL_STEPS in os.environ:
        return ""
    not_ours = [] if with_others else _unparsed
    return f"Next: {command_line.following(module, sys.orig_argv, sys.argv[1:], not_ours)}"


def run(step: Callable[[Sequence[str]], None], *, pass_unknown: bool = False) -> None:
    """Parses the flags and runs a binary's step.

    Args:
        step: called with the arguments that were not parsed: positional arguments and, with `pass_unknown`,
            unknown flags.
        pass_unknown: whether unknown flags are passed to the step (Beam's options) or refused.
    """
    asked = {f"--{argument.lstrip('-')}" for argument in sys.argv[1:] if argument.startswith("-")}
    if asked & {"--h", "--help", "--helpshort", "--helpfull"}:
        sys.stdout.write(_usage(sys.modules[step.__module__].__doc__ or "", full="--helpfull" in asked))
        return
    terminal.silence_libraries()
    try:
        app.run(
            lambda arguments: _guarded(step, arguments[1:], pass_unknown),
            flags_parser=lambda argv: _parse(argv, pass_unknown),
        )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


def _usage(purpose: str, *, full: bool) -> str:
    """Returns a binary's help; `full` adds the flags of libraries."""
    groups: list[tuple[str, list[FlagHelp]]] = []
    listed: set[str] = set()
    for title, cls in GROUPS.items():
        settings = [setting for setting in settings_of(cls).values() if setting.flag not in listed]
        listed.update(setting.flag for setting in settings)
        groups.append((title, [_help_of(setting) for setting in settings]))
    text = command_line.usage(purpose, groups)
    others = [module for module, theirs in FLAGS.flags_by_module_dict().items() if theirs != declared()]
    return text + "".join(f"\n{FLAGS.module_help(module)}\n" for module in others if full)


def _help_of(setting: Setting) -> FlagHelp:
    flag = FLAGS[setting.flag]
    default = flag.default_as_str
    return FlagHelp(
        name=flag.name,
        default=default and default.strip("'"),
        text=setting.help,
        choices=setting.choices,
        is_switch=flag.boolean,
    )


def _parse(argv: Sequence[str], pass_unknown: bool) -> list[str]:
    try:
        flagfiles.check_flagfiles(argv[1:])
        program, *_unparsed[:] = FLAGS(argv, known_only=pass_unknown)
        for flag in declared():
            flag.value = flagfiles.with_home(flag.value)
        return [program, *_unparsed]
    except UserError as error:
        _fail(error)
    except flags.Error as error:
        _fail(f"{error}\n--help lists all flags.")


def _guarded(step: Callable[[Sequence[str]], None], arguments: Sequence[str], pass_unknown: bool) -> None:
    try:
        if arguments and not pass_unknown:
            raise UserError(f"unexpected argument {arguments[0]!r}: flags are written --name=value")
        keras_settings.check()
        terminal.prepare()
        absl_logging.set_verbosity(absl_logging.INFO)
        step(arguments)
    except UserError as error:
        _fail(error)
    except Exception as error:
        reason = full_disk(error)
        if reason is None:
            raise
        _fail(reason)


def _fail(message: object) -> NoReturn:
    sys.stderr.write(f"Error: {message}\n")
    sys.exit(1)
