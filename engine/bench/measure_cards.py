"""`engine bench cards`: a file of cards from its first byte to the register, and what memory that takes.

A line in a thousand is wrong. The same number of lines at once, and a tenth of them: memory that is the same for both
does not grow with the file. Time and memory are those of a process that does nothing else.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from engine.bench import cards_side
from engine.bench.cards_side import CardsRun
from engine.bench.children import ChildFailed, running
from engine.bench.cluster import Cluster
from engine.bench.figures import Figure, figure
from engine.bench.world import REGION
from engine.core.id_numbers import check_character
from engine.core.ids import BankId, IdKind
from engine.flows.clock import IdSource
from engine.sandbox.numbers import bank_number, card_number

ROWS_MIN: Final = 10_000
LIMIT_S: Final = 300.0  # of a million lines
LIMIT_ROWS: Final = 1_000_000
LIMIT_MB: Final = 300.0
BAD_EACH: Final = 1_000
CNAPS: Final = bank_number(bank_class=102, area=1000, serial=900)
HEADER: Final = "name,id_number,phone,card_no,region,bank,bank_account,issued_on,valid_until\n"
_LINES_AT_ONCE: Final = 1_000
_DAYS: Final = 20_000
_BORN_FROM: Final = date(1940, 1, 1)
_SEQUENCES: Final = 1_000


class CardsResult(msgspec.Struct, frozen=True):
    """What was measured, and by how much what came in is not what should have."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int]


async def measure_cards(cluster: Cluster, folder: Path, *, rows: int, say: Callable[[str], None]) -> CardsResult:
    """Bring in a tenth of *rows* and all of them, each into an empty register.

    Raises:
        ChildFailed: a process that was measured has failed.
        ProgramFailed: PostgreSQL's own programs cannot do their part.
        Fault: the database cannot.
    """
    assert rows >= ROWS_MIN, "a tenth of the rows has to be many"
    path = folder / "cards.csv"
    runs: dict[int, CardsRun] = {}
    failures: Counter[str] = Counter()
    for count in (rows // 10, rows):
        say(f"writing {count:,} lines")
        bad = _write(path, count)
        database = f"cards_{count}"
        dsn = await cluster.create_migrated(database)
        async with cluster.connected(database) as connection:
            bank = BankId(IdSource().new(IdKind.BANK, shard=0, region=REGION))
            await connection.copy_records_to_table(
                "bank",
                records=[(bank, int(CNAPS), CNAPS, CNAPS, False)],
                columns=["id", "cnaps", "name_zh", "name_en", "is_settlement_bank"],
            )
        await cluster.checkpoint()
        run = runs[count] = await _measured(dsn, path, folder)
        say(f"{count:,} lines: {run.took_s:.1f} s, {count / run.took_s:,.0f} a second, {run.peak_mb:.0f} MB")
        failures += Counter({"missing": abs(count - bad - run.fresh), "faults": abs(bad - run.faulty)})
    return CardsResult(_figures(runs[rows // 10], runs[rows], rows), failures)


def _write(path: Path, count: int) -> int:
    """Write a file; returns how many of its lines are wrong."""
    bad = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for start in range(0, count, _LINES_AT_ONCE):
            lines = []
            for n in range(start, min(start + _LINES_AT_ONCE, count)):
                is_bad = n % BAD_EACH == BAD_EACH - 1
                bad += is_bad
                lines.append(_line(n, is_bad=is_bad))
            file.write("".join(lines))
    return bad


def _line(n: int, *, is_bad: bool) -> str:
    day, sequence = divmod(n, _SEQUENCES)
    born_on = _BORN_FROM + timedelta(days=day % _DAYS)
    body = f"{REGION:06d}{born_on:%Y%m%d}{sequence:03d}"
    check = check_character(body)
    number = body + (("1" if check != "1" else "2") if is_bad else check)
    card = card_number(f"B{n:07d}")
    return f"持卡人,{number},154{n:08d},{card},{REGION:06d},{CNAPS},62{n:014d},2026-01-05,2036-01-05\n"


async def _measured(dsn: str, path: Path, folder: Path) -> CardsRun:
    log = folder / "cards.log"
    async with running("-m", cards_side.__name__, "--dsn", dsn, "--file", str(path), log=log) as process:
        assert process.stdout is not None
        told = await process.stdout.read()
        await process.wait()
    try:
        return msgspec.json.decode(told, type=CardsRun)
    except msgspec.DecodeError as error:
        raise ChildFailed("the import told nothing") from error


def _figures(tenth: CardsRun, whole: CardsRun, rows: int) -> tuple[Figure, ...]:
    return (
        figure(
            "P13",
            f"bring in {rows:,} cards ({rows / whole.took_s:,.0f} a second)",
            "s",
            [whole.took_s],
            yardstick="limit",
            yardstick_values=[LIMIT_S * rows / LIMIT_ROWS],
        ),
        figure(
            "P13.memory",
            f"peak memory of bringing in {rows:,} cards",
            "MB",
            [whole.peak_mb],
            yardstick="limit",
            yardstick_values=[LIMIT_MB],
        ),
        figure(
            "P13.flat",
            "the same, beside a tenth of the lines",
            "MB",
            [whole.peak_mb],
            yardstick="a tenth",
            yardstick_values=[tenth.peak_mb],
        ),
    )
