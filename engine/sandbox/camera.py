"""Reading a code from a picture, as a till's scanner does; by a decoder that shares nothing with what drew it."""

import io

import zxingcpp
from PIL import Image


class NothingToRead(ValueError):
    """There is no code in the picture, or more than one."""


def scan(png: bytes) -> str:
    """The text of the one code in a picture.

    Raises:
        NothingToRead: there is not exactly one.
    """
    with Image.open(io.BytesIO(png)) as picture:
        found = zxingcpp.read_barcodes(picture.convert("L"))
    if len(found) != 1:
        raise NothingToRead(f"{len(found)} codes in the picture")
    text: str = found[0].text
    return text
