"""What of an XML message is read, as one table a message: its elements in the order of its schema.

A message is a tree. A *record* is an element that is given out when it ends, with the values of the leaves inside it;
a *group* only leads to what is inside. Everything that a schema allows and that is not read is named too (*ignored*),
so that a misspelt element is a fault and not a value that is missing.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from engine.formats.upload_fields import read_cnaps, read_instant, read_text

HEAD_001: Final = "head.001.001.02"
_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
NAMESPACE_SEPARATOR: Final = " "

Read = Callable[[str], object]


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One element of a message, and which of its children are known."""

    name: str
    children: tuple["Element", ...] = ()
    ignored: tuple[str, ...] = ()
    key: str = ""  # of a leaf: the name of its value in the record
    read: Read | None = None  # of a leaf
    is_required: bool = False  # of a leaf: in its record
    is_money: bool = False  # of a leaf: its currency is an attribute
    is_record: bool = False
    is_part: bool = False  # of a record: what is wrong inside is wrong with the record around it
    is_numbered: bool = False  # of a record: there are many, and a fault tells which it is in


class Message(msgspec.Struct, frozen=True):
    """A message of ISO 20022: its name, such as ``camt.053.001.08``, and its `Document`."""

    name: str
    document: Element


def group(name: str, *children: Element, ignored: str = "") -> Element:
    """An element that only leads to what is inside."""
    return Element(name=name, children=children, ignored=tuple(ignored.split()))


def record(
    name: str, *children: Element, ignored: str = "", is_part: bool = False, is_numbered: bool = False
) -> Element:
    """An element that is given out."""
    return Element(
        name=name,
        children=children,
        ignored=tuple(ignored.split()),
        is_record=True,
        is_part=is_part,
        is_numbered=is_numbered,
    )


def leaf(name: str, key: str, read: Read, *, is_required: bool = False) -> Element:
    """An element whose text is a value. Two leaves of one key are a choice."""
    return Element(name=name, key=key, read=read, is_required=is_required)


def money(name: str, key: str, read: Read, *, is_required: bool = False) -> Element:
    """An element whose text is an amount, in yuan."""
    return Element(name=name, key=key, read=read, is_required=is_required, is_money=True)


def bank(name: str, key: str) -> Element:
    """A bank, named by its CNAPS number."""
    number = group("ClrSysMmbId", leaf("MmbId", key, read_cnaps), ignored="ClrSysId")
    institution = group("FinInstnId", number, ignored="BICFI LEI Nm PstlAdr Othr")
    return group(name, institution, ignored="BrnchId")


class Node(msgspec.Struct, gc=False, eq=False):
    """An `Element` as the reader walks it: everything is found by the names that the parser gives."""

    name: str
    children: dict[str, "Node"]
    read: Read | None = None
    key: str = ""
    is_money: bool = False
    is_record: bool = False
    is_part: bool = False
    is_numbered: bool = False
    required: frozenset[str] = frozenset()  # of a record: keys
    paths: dict[str, str] = {}  # of a record: where the value of a key is


PASSED_OVER: Final = Node("", {})
"""Whatever is inside an element that is not read."""


def namespace_of(message: str) -> str:
    """The namespace of the message of that name."""
    return f"{_NAMESPACE}{message}"


def bound(message: Message) -> Node:
    """What can stand at the beginning of *message*: its `Document`, or a `BizMsg` with its header before it."""
    namespace, header_namespace = namespace_of(message.name), namespace_of(HEAD_001)
    document = {_qualified(namespace, message.document.name): _bound(message.document, namespace)}
    header = {_qualified(header_namespace, _HEADER.name): _bound(_HEADER, header_namespace)}
    return Node("", {"BizMsg": Node("BizMsg", header | document)} | document)


_HEADER: Final = record(
    "AppHdr",
    group("Fr", bank("FIId", "sender"), ignored="OrgId"),
    leaf("MsgDefIdr", "message", read_text, is_required=True),
    leaf("CreDt", "created_at", read_instant, is_required=True),
    ignored="CharSet To BizMsgIdr BizSvc MktPrctc BizPrcgDt CpyDplct PssblDplct Prty Sgntr Rltd",
)
HEADER: Final = Message(HEAD_001, _HEADER)


def _bound(element: Element, namespace: str) -> Node:
    children = {_qualified(namespace, child.name): _bound(child, namespace) for child in element.children}
    children |= {_qualified(namespace, name): PASSED_OVER for name in element.ignored}
    leaves = tuple(_leaves(element, "")) if element.is_record else ()
    return Node(
        name=element.name,
        children=children,
        read=element.read,
        key=element.key,
        is_money=element.is_money,
        is_record=element.is_record,
        is_part=element.is_part,
        is_numbered=element.is_numbered,
        required=frozenset(found.key for _, found in leaves if found.is_required),
        paths={found.key: path for path, found in reversed(leaves)},  # of a choice: the first
    )


def _qualified(namespace: str, name: str) -> str:
    return f"{namespace}{NAMESPACE_SEPARATOR}{name}"


def _leaves(element: Element, path: str) -> Iterator[tuple[str, Element]]:
    """The leaves of a record, without those of the records inside it."""
    for child in element.children:
        if child.read is not None:
            yield f"{path}{child.name}", child
        elif not child.is_record:
            yield from _leaves(child, f"{path}{child.name}/")
