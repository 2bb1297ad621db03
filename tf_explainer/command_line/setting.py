"""Turns a field of the settings into a flag with the field's type, bounds, default and help."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any

import docstring_parser
from absl import flags

from tf_explainer import config
from tf_explainer.errors import UserError

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """A field of a dataclass in `config`, described for its flag.

    Attributes:
        flag: the flag's name.
        type: of the value, or of the items of a list.
        is_list: whether values are lists.
        is_repeated: whether a list is given by repeating the flag.
        choices: the allowed values; empty: any.
        bounds: the least and the greatest value.
        default: None: there is none.
        help: what the flag means.
    """

    flag: str
    type: type
    is_list: bool
    is_repeated: bool
    choices: tuple[str, ...]
    bounds: config.Bounds | None
    default: Any
    help: str

    def declare(self) -> None:
        """Defines the flag."""
        if self.is_repeated:
            flags.DEFINE_multi_string(self.flag, list(self.default), self.help)
        elif self.is_list:
            flags.DEFINE_list(self.flag, [str(item) for item in self.default], self.help)
        elif self.choices:
            flags.DEFINE_enum(self.flag, self.default, list(self.choices), self.help)
        elif self.type in (int, float):
            define: Any = flags.DEFINE_integer if self.type is int else flags.DEFINE_float
            bounds = self.bounds or config.Bounds(None)
            define(self.flag, self.default, self.help, lower_bound=bounds.least, upper_bound=bounds.most)
        else:
            define = flags.DEFINE_bool if self.type is bool else flags.DEFINE_string
            define(self.flag, self.default, self.help)

    def value(self) -> Any:
        """Returns the flag's value with the field's type.

        Raises:
            UserError: an item of a list of numbers is not a number.
        """
        value: Any = FLAGS[self.flag].value
        if not self.is_list:
            return value
        try:
            return tuple(self.type(item) for item in value)
        except ValueError as error:
            raise UserError(f"--{self.flag}={','.join(value)} is not a list of whole numbers") from error


@functools.cache
def settings_of(cls: Callable[..., Any]) -> dict[str, Setting]:
    """Returns the settings of a dataclass by the names of its fields."""
    lines = {
        line.arg_name: line.description or "" for line in docstring_parser.parse(cls.__doc__ or "").params
    }
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        field.name: _setting(field, hints[field.name], lines[field.name])
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    }


def _setting(field: dataclasses.Field, hint: Any, line: str) -> Setting:
    metadata = {type(each): each for each in getattr(hint, "__metadata__", ())}
    plain = hint.__origin__ if metadata else hint
    if isinstance(plain, types.UnionType):  # `T | None`: None is the value of a flag without default.
        plain = typing.get_args(plain)[0]
    kind, arguments = typing.get_origin(plain), typing.get_args(plain)
    help_text = " ".join(line.split())
    flag = metadata.get(config.Flag)
    return Setting(
        flag=flag.name if flag else field.name,
        type=arguments[0] if kind is tuple else str if kind is typing.Literal else plain,
        is_list=kind is tuple,
        is_repeated=bool(flag and flag.repeated),
        choices=arguments if kind is typing.Literal else (),
        bounds=metadata.get(config.Bounds),
        default=None if field.default is dataclasses.MISSING else field.default,
        help=help_text[0].upper() + help_text[1:],
    )


def declared() -> list[flags.Flag]:
    """Returns the flags that this module defined, in the order of their definition."""
    return FLAGS.flags_by_module_dict().get(__name__, [])
