"""What banks do with a cycle, over HTTP: pull, acknowledge, give back, settle, send statements."""

import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from engine.client import EngineClient, Refused
from engine.client.bank import FileRejected, acknowledge, pull_files, send_returns, send_statement
from engine.client.made_uploads import NothingPulled, keep_returns, make_returns, make_statement, pulled_day
from engine.core.calendar import CycleNumber, cycle_date, cycle_text
from engine.web.wire_reconciliation import ReconciliationView

OpenClient = Callable[[str], AbstractAsyncContextManager[EngineClient]]

RETURNS: Final = 2
RETURN_REASON: Final = "AC04"  # the account is closed (ISO 20022, ExternalReturnReason1Code)
OFF_BY: Final = 1  # fen


class BankReport(msgspec.Struct, kw_only=True):
    """What one bank did."""

    name: str
    files: int = 0
    returned: int = 0
    lines: int = 0  # of its statement
    state: str = ""  # of its reconciliation
    differences: tuple[str, ...] = ()  # their classes, with how many there are of each


class BankDay:
    """A day of several banks, of which one gives items back and another's statement is off by a fen.

    What does not come out as it must is added to `faults`.
    """

    def __init__(
        self, open_client: OpenClient, folder: Path, *, cycle: CycleNumber, names: tuple[str, ...], at: datetime
    ) -> None:
        """*names* of the banks; files are kept below *folder*, a folder for each bank. *at* is written into them."""
        self._at = at
        self._open_client = open_client
        self._folder = folder
        self._cycle = cycle
        self._returning, self._mistaken = names[-1], names[-2]
        self.reports = {name: BankReport(name=name) for name in names}
        self.faults: list[str] = []

    async def take_files(self) -> None:
        """Every bank pulls the files of the business date, checks them, and acknowledges those of the cycle."""
        day = cycle_date(self._cycle).isoformat()
        for name, report in self.reports.items():
            folder = self._folder_of(name)
            folder.mkdir(parents=True, exist_ok=True)
            async with self._open_client(name) as client:
                try:
                    pulled = await pull_files(client, folder, business_date=day)
                    for manifest in pulled:
                        if manifest.cycle == cycle_text(self._cycle):
                            report.files += 1
                            await acknowledge(client, manifest)
                except (FileRejected, Refused) as error:
                    self.faults.append(f"{name}: {error}")
            if report.files == 0:
                self.faults.append(f"{name} found no file")

    async def give_back(self) -> None:
        """One bank could not book some items, and gives them back."""
        folder = self._folder_of(self._returning)
        try:
            path = make_returns(
                pulled_day(folder, cycle_date(self._cycle)),
                file_id=_file_id("RT"),
                at=self._at,
                count=RETURNS,
                reason=RETURN_REASON,
            )
            async with self._open_client(self._returning) as client:
                receipt = await send_returns(client, path)
        except (NothingPulled, Refused) as error:
            self.faults.append(f"{self._returning} could not give back: {error}")
            return
        keep_returns(path)
        self.reports[self._returning].returned = receipt.count

    async def settle(self, settlement_bank: str) -> None:
        """The settlement bank confirms what the cycle moves."""
        body = msgspec.json.encode({"status": "confirmed", "reference": f"DEMO-{self._cycle}"})
        async with self._open_client(settlement_bank) as client:
            try:
                await client.request("POST", f"/v1/clearing/cycles/{cycle_text(self._cycle)}/settlement", body=body)
            except Refused as refused:
                self.faults.append(f"{settlement_bank} could not confirm: {refused}")

    async def compare(self) -> None:
        """Every bank sends its statement of the day; all agree with the books but the one that is off by a fen."""
        for name, report in self.reports.items():
            day = pulled_day(self._folder_of(name), cycle_date(self._cycle))
            off_by = OFF_BY if name == self._mistaken else 0
            path = make_statement(day, file_id=_file_id("ST"), at=self._at, off_by=off_by)
            async with self._open_client(name) as client:
                try:
                    receipt = await send_statement(client, path)
                    shown = await client.request("GET", f"/v1/reconciliations/{receipt.reconciliation_id}")
                except Refused as refused:
                    self.faults.append(f"{name}'s statement was refused: {refused}")
                    continue
            found = msgspec.json.decode(shown, type=ReconciliationView)
            counts = msgspec.structs.asdict(found.counts)
            report.lines, report.state = receipt.count, found.state
            report.differences = tuple(
                f"{count} {kind}" for kind, count in counts.items() if kind != "matched" and count
            )
            expected = ("1 amount_diff",) if off_by else ()
            if report.differences != expected:
                self.faults.append(f"{name}'s statement differs in {report.differences}, not in {expected}")

    def _folder_of(self, name: str) -> Path:
        return self._folder / name


def _file_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(6)}"
