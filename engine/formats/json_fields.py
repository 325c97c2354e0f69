"""Reads JSON documents strictly: everything that is wrong is noted with its JSON pointer (RFC 6901)."""

import json
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, TypeVar

import msgspec

_T = TypeVar("_T")
_NAME_CHARS_SHOWN: Final = 64  # no fault grows with what was sent


class JsonFault(msgspec.Struct, frozen=True):
    """What is wrong with a document: where, as a JSON pointer, and why."""

    pointer: str
    reason: str


class Misfit(ValueError):
    """A value that cannot be so; the message says what it has to be."""


class JsonFields:
    """One object of a document. Its fields are taken one by one; what is wrong is added to the document's *faults*."""

    def __init__(self, value: object, faults: list[JsonFault], pointer: str = "") -> None:
        """The object at *pointer*."""
        self.pointer = pointer
        self._faults = faults
        self.is_object = isinstance(value, _Names)
        self._values = value if isinstance(value, _Names) else _Names([])
        if not self.is_object:
            faults.append(JsonFault(pointer, "an object"))
        for name in self._values.repeated:
            self.fault(name, "given twice")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields that are given."""
        return tuple(self._values)

    def fault(self, name: str, reason: str) -> None:
        """Note what is wrong with a field."""
        self._faults.append(JsonFault(self._pointer_of(name), reason))

    def allow(self, names: Collection[str]) -> None:
        """Note the fields that have none of these names."""
        for name in self._values:
            if name not in names:
                self.fault(name, "not known")

    def take(self, name: str, reads: Callable[[object], _T], otherwise: _T) -> _T:
        """The value of a field that has to be there; *otherwise* if it is not, or not right."""
        if self.is_object and name not in self._values:
            self.fault(name, "required")
        return self.take_given(name, reads, otherwise)

    def take_given(self, name: str, reads: Callable[[object], _T], otherwise: _T) -> _T:
        """The value of a field that may be left out; *otherwise* without it, or if it is not right."""
        if name not in self._values:
            return otherwise
        try:
            return reads(self._values[name])
        except Misfit as misfit:
            self.fault(name, str(misfit))
            return otherwise

    def take_object(self, name: str) -> "JsonFields | None":
        """The object that a field has to hold; None if it does not."""
        if self.is_object and name not in self._values:
            self.fault(name, "required")
        if name not in self._values:
            return None
        held = JsonFields(self._values[name], self._faults, self._pointer_of(name))
        return held if held.is_object else None

    def take_objects(self, name: str, *, most: int, least: int = 0) -> list["JsonFields"]:
        """The objects of a list, which may be left out if it may be empty."""
        none: list[object] = []
        values = self.take(name, read_list, none) if least else self.take_given(name, read_list, none)
        if values is not none and not least <= len(values) <= most:
            self.fault(name, f"{least} to {most}")
            return []
        at = self._pointer_of(name)
        return [JsonFields(value, self._faults, f"{at}/{n}") for n, value in enumerate(values)]

    def _pointer_of(self, name: str) -> str:
        return f"{self.pointer}/{name[:_NAME_CHARS_SHOWN].replace('~', '~0').replace('/', '~1')}"


def parse_json(content: bytes) -> object:
    """The document, to be read by `JsonFields`.

    Raises:
        Misfit: it is not JSON.
    """
    try:
        return json.loads(content.decode(), object_pairs_hook=_Names, parse_constant=_refuse_constant)
    except RecursionError:
        raise Misfit("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Misfit(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:  # not UTF-8, NaN, or a number of thousands of digits
        raise Misfit("not JSON in UTF-8") from None


def read_list(value: object) -> list[object]:
    """A list of whatever."""
    if isinstance(value, list):
        return value
    raise Misfit("a list")


class _Names(dict[str, object]):
    """A JSON object that remembers which of its names came twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        is_each_once = len(self) == len(pairs)
        counts = () if is_each_once else Counter(name for name, _ in pairs).items()
        self.repeated = [name for name, count in counts if count > 1]


def _refuse_constant(constant: str) -> object:
    raise ValueError(constant)
