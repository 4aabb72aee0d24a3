"""A wrong command line, told by what kind of fault it is and what it is about: how typer words that changes from release to
release, and typer may carry a click of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from hvctl.cli.halfwidth import typed_wide
from hvctl.language import said, spoken
from hvctl.show.problems import problem_lines
from hvctl.text.source import nearest
from hvctl.text.visible import visible


def misuse(error: Any, words: Sequence[str]) -> Iterator[str]:
    """Lines for people. `error`: an exception of click. In English they are typer's own."""
    if spoken() == "en":
        out = io.StringIO()
        error.show(out)
        yield from out.getvalue().rstrip("\n").split("\n")
    elif type(error).__name__ == "NoArgsIsHelpError":
        yield error.format_message()
    else:
        context = getattr(error, "ctx", None)
        if context is not None:
            yield from context.get_usage().split("\n")
            yield said(f"Try '{context.command_path} --help' for help.")
            yield ""
        yield f"{said('Error:')} {said(visible(told(error, words)))}"
    option = getattr(error, "option_name", "") or " ".join(getattr(getattr(error, "param", None), "opts", ()))
    for line in problem_lines(typed_wide(words, f"{error.format_message()} {option}")):
        yield line.plain


def told(error: Any, words: Sequence[str]) -> str:
    """What is wrong, in words of which there are translations. What is of none of these kinds is told as typer does."""
    kinds = {one.__name__ for one in type(error).__mro__}
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if "NoSuchOption" in kinds:
        return _no_option(error)
    if "MissingParameter" in kinds and param is not None:
        if param.param_type_name == "argument":
            return f"Missing argument '{_name(param)}'."
        return f"Missing option '{_name(param)}'."
    if "BadParameter" in kinds and param is not None:
        return f"Invalid value for '{_name(param)}': {_expected(param) or error.message}"
    if "BadOptionUsage" in kinds and context is not None:
        return _option_usage(error.option_name, context.command)
    if type(error).__name__ in ("UsageError", "NoSuchCommand") and context is not None:
        return _of_a_command(error, context, words)
    return str(error.format_message())


def _no_option(error: Any) -> str:
    near = ", ".join(sorted(error.possibilities or ()))
    if near:
        return f"No such option: {error.option_name} (Possible options: {near})"
    return f"No such option: {error.option_name}"


def _option_usage(name: str, command: Any) -> str:
    found = next((p for p in command.params if name in (*p.opts, *p.secondary_opts)), None)
    flag = getattr(found, "is_flag", False) or getattr(found, "count", False)
    return f"Option '{name}' does not take a value." if flag else f"Option '{name}' requires an argument."


def _of_a_command(error: Any, context: Any, words: Sequence[str]) -> str:
    """A group of verbs says so of a word that is none of them; a verb, of words that it has no use for."""
    named = [word for word in words if word in error.message or repr(word)[1:-1] in error.message]
    if not hasattr(context.command, "list_commands"):
        return f"Got unexpected extra arguments ({' '.join(named)})" if named else str(error.format_message())
    verbs = context.command.list_commands(context)
    wrong = next((word for word in named if word not in verbs), "")
    if not wrong:
        return str(error.format_message()) if named else "Missing command."
    near = nearest(wrong, verbs)
    return f"No such command '{wrong}'. Did you mean '{near}'?" if near else f"No such command '{wrong}'."


def _name(param: Any) -> str:
    return " / ".join(param.opts) if param.param_type_name == "option" else str(param.metavar or param.name.upper())


def _expected(param: Any) -> str:
    """What a value must be, by the type; "" where that says nothing, or hvctl itself has looked at it."""
    kind = getattr(param, "type", None)
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    options = (annotation, *get_args(annotation))
    choices = getattr(kind, "choices", None) or [one for one in get_args(annotation) if isinstance(one, str)]
    if choices:
        return f"one of {', '.join(map(str, choices))}"
    if int not in options and not str(getattr(kind, "name", "")).startswith("integer"):
        return ""
    least, most = (
        next((v for o in (param, kind) if (v := getattr(o, of, None)) is not None), None) for of in ("min", "max")
    )
    if least is not None and most is not None:
        return f"write a whole number from {least} to {most}"
    return "write a whole number" if least is None else f"write a whole number, {least} or more"
