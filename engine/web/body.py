"""Reading a JSON body strictly: what is wrong is named, and nothing is guessed."""

import json
import re
from functools import cache
from typing import Final, TypeVar

import msgspec

from engine.core.refusals import Refusal
from engine.web.problems import FieldError

T = TypeVar("T", bound=msgspec.Struct)

_WHERE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_FIELD: Final = re.compile(r"field `(?P<name>[^`]*)`")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_AMOUNT_POINTERS: Final = frozenset({"/amount"})


class Refused(Exception):
    """A request that is refused at the edge, before the ledger hears of it. Never remembered."""

    def __init__(
        self, refusal: Refusal, errors: tuple[FieldError, ...] = (), *, retry_after_s: int | None = None
    ) -> None:
        """Refuse, naming the fields that are to blame. *retry_after_s* where it is not what the refusal says always."""
        super().__init__(refusal.slug)
        self.refusal = refusal
        self.errors = errors
        self.retry_after_s = retry_after_s


def read_body(body: bytes, kind: type[T]) -> T:
    """Decode a body.

    Raises:
        Refused: malformed JSON, a field twice, an unknown field, or a value out of its bounds, with its pointer.
    """
    try:
        read = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        _refuse_duplicates(body)
        raise _explained(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "the body is not UTF-8"
        raise Refused(Refusal.MALFORMED_JSON, (FieldError("", reason),)) from None
    if not _names_each_field_once(body, read):
        _refuse_duplicates(body)
    return read


def refuse_field(pointer: str, reason: str) -> Refused:
    """The refusal of one field that is well-formed JSON and yet not right."""
    return Refused(Refusal.FIELD_INVALID, (FieldError(pointer, reason),))


def pointer_step(name: str) -> str:
    """A name as a step of a JSON pointer (RFC 6901), cut so that no answer grows with what was sent."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _names_each_field_once(body: bytes, read: msgspec.Struct) -> bool:
    """True if the body plainly has one name for each field that was read: it has as many colons as such fields.

    A cheap yes for what nearly every client sends. A colon inside a text, or a field given with the value that it has
    anyway, makes it a no, and the body is looked at in full.
    """
    return body.count(b":") == _fields_given(read)


def _fields_given(read: msgspec.Struct) -> int:
    """How many fields must have been given for this to be read, in it and in what is nested in it."""
    given, defaults, nested = _fields_of(type(read))
    for name, default in defaults:
        if getattr(read, name) != default:
            given += 1
    for name in nested:
        value = getattr(read, name)
        if isinstance(value, msgspec.Struct):
            given += _fields_given(value)
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, msgspec.Struct):
                    given += _fields_given(item)
    return given


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[int, tuple[tuple[str, object], ...], tuple[str, ...]]:
    """How many fields must be given, the others with what they are if they are not, and which are more than a number
    or a text.
    """
    fields = msgspec.structs.fields(kind)
    required = sum(1 for field in fields if field.required)
    defaults = tuple((field.name, field.default) for field in fields if not field.required)
    nested = tuple(field.name for field in fields if not _is_plain(msgspec.inspect.type_info(field.type)))
    return required, defaults, nested


def _is_plain(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _is_plain(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return all(_is_plain(one) for one in kind.types)
    return not isinstance(kind, msgspec.inspect.StructType | msgspec.inspect.CollectionType)


def _refuse_duplicates(body: bytes) -> None:
    """The decoder takes the last of two fields of one name; a signature covers both, so neither may be meant."""
    try:
        _NAMES.decode(body.decode())
    except RecursionError:
        raise Refused(Refusal.MALFORMED_JSON, (FieldError("", "nested too deeply"),)) from None
    except ValueError:
        raise Refused(Refusal.MALFORMED_JSON, (FieldError("", "the body is not valid JSON"),)) from None


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Refused(Refusal.DUPLICATE_FIELD, (FieldError(f"/{pointer_step(name)}", "given twice"),))
            seen.add(name)


def _explained(message: str) -> Refused:
    where = _WHERE.search(message)
    reason = message[: where.start()] if where else message
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(where["path"])) if where else ""
    named = _FIELD.search(reason)
    if named is not None:
        pointer = f"{pointer}/{pointer_step(named['name'])}"
        if "unknown" in reason:
            return Refused(Refusal.UNKNOWN_FIELD, (FieldError(pointer, "not known"),))
        if pointer not in _AMOUNT_POINTERS:
            return Refused(Refusal.FIELD_INVALID, (FieldError(pointer, "required"),))
        reason = "required"
    refusal = Refusal.AMOUNT_INVALID if pointer in _AMOUNT_POINTERS else Refusal.FIELD_INVALID
    return Refused(refusal, (FieldError(pointer, reason),))


# Numbers stay text: they are judged elsewhere, and one of many digits is dear to make. Built once: for each body anew
# it would cost three times what it does.
_NAMES: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=str, parse_float=str)
