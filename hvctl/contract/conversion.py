"""An argument turned into the type of its parameter, as compiled cmdlets and as functions do it."""

from __future__ import annotations

from collections.abc import Mapping

from hvctl.contract.facts import Class, Enum, Parameter
from hvctl.contract.members import FLAGS_EXPRESSION, enum_member
from hvctl.contract.objects import BASES, class_of, is_host_object
from hvctl.contract.scalars import RANGES
from hvctl.contract.values import CONVERTERS, VALUE_TYPES, ZERO, NotConvertedError, whole_number


class Conversion:
    """Converts for the cmdlets of one group of one version. Knows that version's enums and classes."""

    def __init__(self, enums: Mapping[str, Enum], classes: Mapping[str, Class]) -> None:
        self._enums = enums
        self._classes = classes

    def __call__(self, value: object, p: Parameter) -> object:
        """The value that the parameter gets; NotConvertedError where the engine refuses."""
        value = _plain(value)
        return self._function(value, p) if p.function else self._compiled(value, p)

    def is_value_type(self, kind: str) -> bool:
        return kind in VALUE_TYPES or kind in self._enums

    def _compiled(self, value: object, p: Parameter) -> object:
        if value is None:
            return True if p.type == "SwitchParameter" else None
        if p.type == "StringCollection":
            return _texts(value)
        if p.is_array:
            return [self._element(item, p.element) for item in (value if isinstance(value, list) else [value])]
        if isinstance(value, list) and (p.nullable or not self._takes_list(p.type)):
            raise NotConvertedError(value, shape=True)
        return self._one(value, p.type)

    def _takes_list(self, kind: str) -> bool:
        return kind in ("Object", "PSObject", FLAGS_EXPRESSION) or kind in self._enums

    def _element(self, item: object, kind: str) -> object:
        if item is None:
            return self._zero(kind)
        if isinstance(item, list) and not self._takes_list(kind):
            raise NotConvertedError(item, shape=True)
        return self._one(item, kind)

    def _zero(self, kind: str) -> object:
        """What null becomes within an array."""
        if kind in self._enums:
            return next((name for name, number in self._enums[kind].number.items() if number == 0), "0")
        return ZERO.get(kind)

    def _function(self, value: object, p: Parameter) -> object:
        if value is None:
            return self._null_to_function(p)
        if p.type == "Char[]" and isinstance(value, str):
            return list(value)
        if p.is_array:
            items = value if isinstance(value, list) else [value]
            return [self._element_of_function(item, p.element) for item in items]
        if p.type == "SwitchParameter" and not isinstance(value, bool):
            raise NotConvertedError(value)
        if isinstance(value, list) and (p.nullable or not self._takes_list(p.type)):
            raise NotConvertedError(value)
        return self._one(value, p.type)

    def _null_to_function(self, p: Parameter) -> object:
        if p.type in ("String", "SwitchParameter"):
            return "" if p.type == "String" else False
        if p.nullable:
            return None
        if p.type in RANGES:
            return 0
        if p.type == "Boolean[]" or self.is_value_type(p.type):
            raise NotConvertedError(None)
        return None

    def _element_of_function(self, item: object, kind: str) -> object:
        if item is None:
            if self.is_value_type(kind) and kind not in RANGES and kind != "Char":
                raise NotConvertedError(None)
            return "" if kind == "String" else ZERO.get(kind)
        if isinstance(item, list):
            if kind == "String":
                return " ".join("" if part is None else str(self._one(part, "String")) for part in item)
            if not self._takes_list(kind):
                raise NotConvertedError(item)
        return self._one(item, kind)

    def _one(self, value: object, kind: str) -> object:
        """A value that is not null to a type that is not an array."""
        try:
            if kind in RANGES:
                return whole_number(value, kind)
            if kind in CONVERTERS:
                return CONVERTERS[kind](value)
            if kind in self._enums:
                return enum_member(value, self._enums[kind])
        except ValueError as error:
            raise NotConvertedError(value) from error
        if is_host_object(value) and self._is_a(class_of(value), kind):
            return value
        raise NotConvertedError(value)

    def _is_a(self, name: str, kind: str) -> bool:
        while name:
            if name == kind:
                return True
            name = BASES.get(name) or (self._classes[name].base if name in self._classes else "")
        return False


def _plain(value: object) -> object:
    """Sequences as lists; everything else as it is."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _texts(value: object) -> list[object]:
    """A StringCollection takes text and nothing else."""
    items = value if isinstance(value, list) else [value]
    if not all(item is None or isinstance(item, str) for item in items):
        raise NotConvertedError(value, shape=True)
    return items
