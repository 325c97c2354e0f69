"""Pictures of payment codes are read back, by an independent decoder, as exactly the same text."""

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from engine.codes.consumer_qr import encode_consumer_qr
from engine.codes.render import code128_png, code128_svg, qr_png, qr_svg

PROPERTY = settings(deadline=None, max_examples=25)

DIGITS = "910000000000010123456784"
QR_TEXT = encode_consumer_qr(DIGITS, 7)
ORDER_QR_TEXT = "64200002ZH0104最佳运输0202北京"

PATH = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z")
SVG = "{http://www.w3.org/2000/svg}"


def picture_of_png(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return image.convert("L")


def picture_of_svg(content: bytes, module_px: int = 4) -> Image.Image:
    """Draw the one kind of path that our SVG files hold, on the ground that they state."""
    root = ElementTree.fromstring(content)  # noqa: S314  # our own output
    _, _, width, height = (int(number) for number in root.attrib["viewBox"].split())
    ground, bars = root.findall(f"{SVG}path")
    assert ground.attrib == {"fill": "#fff", "d": f"M0 0h{width}v{height}H0z"}
    assert PATH.sub("", bars.attrib["d"]) == ""

    image = Image.new("L", (width * module_px, height * module_px), 255)
    draw = ImageDraw.Draw(image)
    for left, top, right, down, back in (map(int, bar) for bar in PATH.findall(bars.attrib["d"])):
        assert right == back
        corner = ((left + right) * module_px - 1, (top + down) * module_px - 1)
        draw.rectangle((left * module_px, top * module_px, *corner), fill=0)
    return image


def read(picture: Image.Image) -> list[tuple[zxingcpp.BarcodeFormat, str]]:
    return [(found.symbology, found.text) for found in zxingcpp.read_barcodes(picture)]


def light_margins_px(picture: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom distance from the edge to the first dark pixel."""
    box = picture.point(lambda level: 255 - level).getbbox()
    assert box is not None
    return box[0], box[1], picture.width - box[2], picture.height - box[3]


# The pair 99 is also the character that switches to subset C: it must stay a pair.
@pytest.mark.parametrize("text", [DIGITS, "99" + DIGITS[2:], "99" * 12, "00" * 12, "0123"])
@pytest.mark.parametrize(
    "picture",
    [lambda text: picture_of_png(code128_png(text)), lambda text: picture_of_svg(code128_svg(text))],
    ids=["png", "svg"],
)
def test_code128_is_read_back(picture: Callable[[str], Image.Image], text: str) -> None:
    assert read(picture(text)) == [(zxingcpp.BarcodeFormat.Code128, text)]


@pytest.mark.parametrize("text", [DIGITS, QR_TEXT, ORDER_QR_TEXT], ids=["digits", "payload", "Chinese"])
@pytest.mark.parametrize(
    "picture",
    [lambda text: picture_of_png(qr_png(text)), lambda text: picture_of_svg(qr_svg(text))],
    ids=["png", "svg"],
)
def test_qr_is_read_back(picture: Callable[[str], Image.Image], text: str) -> None:
    assert read(picture(text)) == [(zxingcpp.BarcodeFormat.QRCode, text)]


@pytest.mark.parametrize("text", ["0104北京", "é"])
def test_qr_text_is_utf8(text: str) -> None:
    """Left to itself, the library writes what it can in the Japanese or the West European encoding."""
    (found,) = zxingcpp.read_barcodes(picture_of_png(qr_png(text)))
    assert found.bytes == text.encode()


@PROPERTY
@given(digits=st.text("0123456789", min_size=24, max_size=24), key_id=st.integers(0, 0xFFFF))
def test_every_code_is_read_back(digits: str, key_id: int) -> None:
    payload = encode_consumer_qr(digits, key_id)
    assert [text for _, text in read(picture_of_png(code128_png(digits)))] == [digits]
    assert [text for _, text in read(picture_of_png(qr_png(payload)))] == [payload]


@pytest.mark.parametrize("module_px", [1, 2, 7])
def test_pixels_of_a_module_are_whole(module_px: int) -> None:
    bar_code = picture_of_png(code128_png(DIGITS, module_px=module_px))
    qr_code = picture_of_png(qr_png(DIGITS, module_px=module_px))
    assert bar_code.size == (187 * module_px, 68 * module_px)  # start, 12 pairs, check, stop, two margins
    assert qr_code.size == (29 * module_px, 29 * module_px)  # version 1 is 21 modules wide
    assert bar_code.tobytes() == picture_of_svg(code128_svg(DIGITS), module_px).tobytes()
    assert qr_code.tobytes() == picture_of_svg(qr_svg(DIGITS), module_px).tobytes()


def test_quiet_zones_are_those_of_the_standards() -> None:
    assert light_margins_px(picture_of_png(code128_png(DIGITS, module_px=1))) == (10, 10, 10, 10)
    assert light_margins_px(picture_of_png(qr_png(QR_TEXT, module_px=1))) == (4, 4, 4, 4)
    assert light_margins_px(picture_of_svg(code128_svg(DIGITS), module_px=1)) == (10, 10, 10, 10)
    assert light_margins_px(picture_of_svg(qr_svg(QR_TEXT), module_px=1)) == (4, 4, 4, 4)


def test_qr_survives_damage() -> None:
    picture = picture_of_png(qr_png(QR_TEXT))
    middle = picture.width // 2
    ImageDraw.Draw(picture).rectangle((middle - 20, middle - 20, middle + 20, middle + 20), fill=255)
    assert read(picture) == [(zxingcpp.BarcodeFormat.QRCode, QR_TEXT)]


@pytest.mark.parametrize("text", ["", "1", DIGITS + "0", DIGITS[:-1] + "A", "９" * 24, DIGITS + "\n"])
@pytest.mark.parametrize("render", [code128_png, code128_svg])
def test_only_pairs_of_digits_are_drawn_as_code128(render: Callable[[str], bytes], text: str) -> None:
    with pytest.raises(ValueError, match="even number of digits"):
        render(text)


@pytest.mark.parametrize(("text", "error"), [("", "QR code of nothing"), ("a" * 2400, "too large")])
@pytest.mark.parametrize("render", [qr_png, qr_svg])
def test_text_that_fits_no_qr_code_is_an_error(render: Callable[[str], bytes], text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        render(text)


@pytest.mark.parametrize("render", [code128_svg, qr_svg])
def test_svg_is_announced_without_its_digits(render: Callable[[str], bytes]) -> None:
    content = render(DIGITS)
    root = ElementTree.fromstring(content)  # noqa: S314  # our own output
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "付款码")
    assert root.findtext(f"{SVG}title") == "付款码"
    assert DIGITS.encode() not in content


def test_label_of_an_svg_is_escaped() -> None:
    label = 'Pay & <go> "now"'
    root = ElementTree.fromstring(qr_svg(DIGITS, label=label))  # noqa: S314  # our own output
    assert (root.attrib["aria-label"], root.findtext(f"{SVG}title")) == (label, label)
