"""The tables of the messages that are read, against the official schemas of ISO 20022.

The schemas are not part of the project: `ISO20022_XSD_DIR` names a folder of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.core.bank_lines import Direction
from engine.formats import camt053, pacs002, pacs004, pain001
from engine.formats.xml_tree import HEADER, Element, Message, namespace_of
from tests.formats.uploads import (
    a_camt053,
    a_line,
    a_pacs002,
    a_pacs004,
    a_pain001,
    a_payment_group,
    a_returned_item,
    an_order,
    has_trailer,
    read,
    wrapped,
)

MESSAGES = {
    message.name: message for message in (camt053.MESSAGE, pacs002.MESSAGE, pacs004.MESSAGE, pain001.MESSAGE, HEADER)
}
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
UPLOADS = {
    "camt.053.001.08": a_camt053(a_line(1), a_line(2, direction=Direction.CREDIT, payment_id="", amount=5)),
    "pacs.004.001.09": a_pacs004(a_returned_item()),
    "pacs.002.001.10": a_pacs002(),
    "pain.001.001.09": a_pain001(a_payment_group(an_order())),
}


def _path_of(name: str) -> Path:
    """The official schema of a message."""
    folder = os.environ.get("ISO20022_XSD_DIR")
    if not folder:
        pytest.skip("ISO20022_XSD_DIR is not set: the tables of messages are not compared with official schemas")
    return Path(folder) / f"{name}.xsd"


class _Schema:
    """The elements of one message's schema."""

    def __init__(self, name: str) -> None:
        root = ElementTree.parse(_path_of(name)).getroot()  # noqa: S314 - a file of the tester's own
        assert root.get("targetNamespace") == namespace_of(name)
        self.types = {found.get("name", ""): found for found in root if found.tag != f"{SCHEMA}element"}
        self.roots = {found.get("name", ""): found.get("type", "") for found in root.iter(f"{SCHEMA}element")}

    def children(self, type_name: str) -> dict[str, str]:
        """The children of a type, in their order, and their types."""
        found = self.types.get(type_name)
        return (
            {child.get("name", ""): child.get("type", "") for child in found.iter(f"{SCHEMA}element")}
            if found is not None
            else {}
        )

    def has_currency(self, type_name: str) -> bool:
        """It is an amount of money."""
        found = self.types.get(type_name)
        attributes = found.iter(f"{SCHEMA}attribute") if found is not None else ()
        return any(attribute.get("name") == "Ccy" for attribute in attributes)


def _walk(element: Element, type_name: str, schema: _Schema, path: str) -> Iterator[tuple[str, Element, str]]:
    yield path, element, type_name
    children = schema.children(type_name)
    for child in element.children:
        assert child.name in children, f"{path}/{child.name} is not in the schema"
        yield from _walk(child, children[child.name], schema, f"{path}/{child.name}")


def _elements(message: Message) -> tuple[_Schema, list[tuple[str, Element, str]]]:
    schema = _Schema(message.name)
    root = message.document
    return schema, list(_walk(root, schema.roots[root.name], schema, root.name))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_element_of_the_schema_is_read_or_passed_over_by_name(name: str) -> None:
    schema, elements = _elements(MESSAGES[name])
    for path, element, type_name in elements:
        if element.read is None:
            known = [child.name for child in element.children] + list(element.ignored)
            assert (path, sorted(known)) == (path, sorted(schema.children(type_name)))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_value_is_a_leaf_of_the_schema(name: str) -> None:
    schema, elements = _elements(MESSAGES[name])
    for path, element, type_name in elements:
        if element.read is not None:
            assert (path, schema.children(type_name)) == (path, {})
            assert (path, element.is_money) == (path, schema.has_currency(type_name))


@pytest.mark.parametrize("name", MESSAGES)
def test_elements_are_told_in_the_order_of_the_schema(name: str) -> None:
    schema, elements = _elements(MESSAGES[name])
    for path, element, type_name in elements:
        order = list(schema.children(type_name))
        told = [child.name for child in element.children]
        assert (path, told) == (path, sorted(told, key=order.index))


@pytest.mark.parametrize("name", UPLOADS)
def test_what_is_read_without_a_fault_is_valid(name: str) -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed: no upload is held against its schema")
    assert has_trailer(read(UPLOADS[name]))
    for message, element in (
        (name, etree.fromstring(UPLOADS[name])),
        (HEADER.name, etree.fromstring(wrapped(UPLOADS[name], name=name))[0]),
    ):
        etree.XMLSchema(etree.parse(_path_of(message))).assertValid(element)
