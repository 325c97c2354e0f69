"""Payment codes as pictures: Code 128 and QR, as SVG for pages and PNG for everything else."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import msgspec
import segno
from barcode.charsets import code128
from PIL import Image, ImageDraw

_DIGIT_PAIRS: Final = re.compile(r"(?:[0-9]{2})+")  # what subset C of Code 128 can say
_LABEL: Final = "付款码"

_CODE128_QUIET: Final = 10  # modules; ISO/IEC 15417
_CODE128_HEIGHT: Final = 48  # modules; 15 % of the width is asked for, 24 digits are 187 modules wide
_QR_QUIET: Final = 4  # modules; ISO/IEC 18004


class _Symbol(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of dark (1) and light (0) modules, and the light margin that belongs to the symbol."""

    rows: Sequence[Sequence[int]]
    row_height: int
    quiet: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in modules, margins included."""
        return len(self.rows[0]) + 2 * self.quiet, len(self.rows) * self.row_height + 2 * self.quiet

    def bars(self) -> Iterator[tuple[int, int, int]]:
        """Left, top and width, in modules, of every unbroken dark stretch."""
        for number, row in enumerate(self.rows):
            top = self.quiet + number * self.row_height
            for stretch in re.finditer(rb"\x01+", bytes(row)):
                yield self.quiet + stretch.start(), top, stretch.end() - stretch.start()


def code128_svg(text: str, *, label: str = _LABEL) -> bytes:
    """An SVG picture of these digits in Code 128, two digits a character, no text below the bars.

    *label* is what a screen reader says and a pointer shows: the digits are a secret, and read aloud they
    are of no use to anybody entitled to them.

    Raises:
        ValueError: not an even number of digits.
    """
    return _svg(_code128(text), label)


def code128_png(text: str, *, module_px: int = 4) -> bytes:
    """A black and white PNG picture of these digits in Code 128, two digits a character.

    Raises:
        ValueError: not an even number of digits.
    """
    return _png(_code128(text), module_px)


def qr_svg(text: str, *, label: str = _LABEL) -> bytes:
    """An SVG picture of this text as a QR code, that survives damage to 15 % of it.

    Raises:
        ValueError: no text, or more of it than a QR code holds.
    """
    return _svg(_qr(text), label)


def qr_png(text: str, *, module_px: int = 8) -> bytes:
    """A black and white PNG picture of this text as a QR code, that survives damage to 15 % of it.

    Raises:
        ValueError: no text, or more of it than a QR code holds.
    """
    return _png(_qr(text), module_px)


def _code128(text: str) -> _Symbol:
    """The symbol, from python-barcode's table of characters.

    Not from its `Code128`, which loses a leading pair 99 (python-barcode issue 251).
    """
    if not _DIGIT_PAIRS.fullmatch(text):
        raise ValueError("only an even number of digits fits subset C of Code 128")
    start = code128.START_CODES["C"]
    pairs = [int(text[at : at + 2]) for at in range(0, len(text), 2)]
    check = (start + sum(weight * pair for weight, pair in enumerate(pairs, start=1))) % 103
    characters = "".join(code128.CODES[character] for character in (start, *pairs, check))
    modules = characters + code128.STOP + "11"
    return _Symbol(
        rows=(tuple(int(module) for module in modules),),
        row_height=_CODE128_HEIGHT,
        quiet=_CODE128_QUIET,
    )


def _qr(text: str) -> _Symbol:
    if not text:
        raise ValueError("a QR code of nothing cannot be scanned")
    symbol = segno.make_qr(text, error="m", encoding="utf-8")
    return _Symbol(rows=symbol.matrix, row_height=1, quiet=_QR_QUIET)


def _svg(symbol: _Symbol, label: str) -> bytes:
    """One path on a white ground (a page may be dark), in modules; the page decides how large it is."""
    width, height = symbol.size
    path = "".join(f"M{left} {top}h{length}v{symbol.row_height}h-{length}z" for left, top, length in symbol.bars())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label={quoteattr(label)} shape-rendering="crispEdges">'
        f'<title>{escape(label)}</title><path fill="#fff" d="M0 0h{width}v{height}H0z"/>'
        f'<path d="{path}"/></svg>'
    ).encode()


def _png(symbol: _Symbol, module_px: int) -> bytes:
    width, height = symbol.size
    image = Image.new("1", (width * module_px, height * module_px), 1)
    draw = ImageDraw.Draw(image)
    for left, top, length in symbol.bars():
        right_px, bottom_px = (left + length) * module_px - 1, (top + symbol.row_height) * module_px - 1
        draw.rectangle((left * module_px, top * module_px, right_px, bottom_px), fill=0)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()
