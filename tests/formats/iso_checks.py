"""What others say of our messages: the official schemas, and an independent library that knows ISO 20022."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from engine.formats.xml_tree import namespace_of

HEADER = "head.001.001.02"


def schema_folder() -> Path:
    """The folder of official schemas, which are not part of the project; the test is skipped if there is none."""
    folder = os.environ.get("ISO20022_XSD_DIR")
    if folder is None:
        pytest.skip("ISO20022_XSD_DIR is not set: messages are NOT validated against the official schemas")
    return Path(folder)


def parts_of(content: bytes) -> tuple[Any, Any]:
    """The header and the document of a file."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    wrapper = etree.fromstring(content, parser)
    assert wrapper.tag == "BizMsg"
    header, document = wrapper
    return header, document


def message_of(content: bytes) -> str:
    """The name of the message, such as ``pacs.003.001.08``, by its namespace."""
    _, document = parts_of(content)
    return str(etree.QName(document).namespace).removeprefix(namespace_of(""))


def validate(content: bytes, folder: Path) -> str:
    """Fail unless header and document are valid. Returns the message's name."""
    header, document = parts_of(content)
    message = message_of(content)
    for name, element in ((HEADER, header), (message, document)):
        etree.XMLSchema(file=str(folder / f"{name}.xsd")).assertValid(element)
    return message


def parsed(content: bytes) -> tuple[Any, Any]:
    """Header and document as `pyiso20022` understands them; what it does not know is an error."""
    header, document = parts_of(content)
    message = message_of(content)
    strict = XmlParser(config=ParserConfig(fail_on_unknown_properties=True, fail_on_converter_warnings=True))
    found = []
    for name, element, kind in ((HEADER, header, "AppHdr"), (message, document, "Document")):
        module = importlib.import_module(f"pyiso20022.{name.split('.')[0]}.{name.replace('.', '_')}")
        found.append(strict.from_bytes(etree.tostring(element), getattr(module, kind)))
    return found[0], found[1]
