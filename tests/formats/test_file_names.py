"""The names of clearing files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendar import CycleNumber, cycle_number
from engine.core.clearing_lines import FileKind
from engine.formats.file_names import VERSION_MAX, FileName, MalformedFileName, parse_file_name

NAME = "SSC_102100000001_20261124_01_COLLECT_v1.txt"


def test_a_name_says_bank_cycle_kind_and_version() -> None:
    name = FileName(cnaps="102100000001", cycle=CycleNumber(2026112401), kind=FileKind.COLLECT, form="flat")
    assert name.text == NAME
    assert parse_file_name(NAME) == name


@given(
    cnaps=st.from_regex(r"[0-9]{12}", fullmatch=True),
    cycle=st.builds(cycle_number, st.dates(), st.integers(1, 99)),
    kind=st.sampled_from(FileKind),
    version=st.integers(1, VERSION_MAX),
)
def test_names_are_read_back_and_ids_fit_iso_20022(
    cnaps: str, cycle: CycleNumber, kind: FileKind, version: int
) -> None:
    name = FileName(cnaps=cnaps, cycle=cycle, kind=kind, form="flat", version=version)
    assert parse_file_name(name.text) == name
    assert len(name.file_id) <= 35


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME + "\n",
        NAME.lower(),
        NAME.replace("SSC", "XXX"),
        NAME.replace("102100000001", "10210000001"),
        NAME.replace("20261124", "20261131"),
        NAME.replace("_01_", "_00_"),
        NAME.replace("_01_", "_1_"),
        NAME.replace("COLLECT", "ADVICES"),
        NAME.replace("v1", "v0"),
        NAME.replace("v1", "v01"),
        NAME.replace("v1", "v100"),
        NAME.replace(".txt", ".exe"),
        NAME.replace("2026", "２026"),
        f"../{NAME}",
    ],
)
def test_what_is_no_name_is_not_read(text: str) -> None:
    with pytest.raises(MalformedFileName):
        parse_file_name(text)
