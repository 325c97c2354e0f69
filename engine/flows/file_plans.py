"""Which files are delivered at the end of a cycle, and what each of them says before its lines."""

from collections.abc import Collection, Iterator

import msgspec

from engine.core.calendar import CycleNumber, cycle_date, cycle_sequence
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.core.deliveries import covered, expected_totals
from engine.core.ids import BankId
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading, ReplacedFile
from engine.formats.file_names import FileName, parse_file_name
from engine.store.clearing_session import ClearingRun
from engine.store.file_store import Delivery


class FilePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write: whose it is, which cycles' items are in it, and its heading."""

    name: FileName
    bank: BankId
    first_cycle: CycleNumber
    heading: FileHeading
    replaces: str | None = None  # the name of a file


def plans_of(delivery: Delivery, run: ClearingRun, forms: Collection[str]) -> Iterator[FilePlan]:
    """Every file in *forms* that is delivered at the end of the cycle of *run*, as it is first published."""
    for bank in sorted(delivery.delivers_from):
        for kind in FileKind:
            for form in forms:
                name = FileName(cnaps=delivery.cnaps[bank], cycle=run.cycle, kind=kind, form=form)
                plan = FilePlan(
                    name=name,
                    bank=bank,
                    first_cycle=delivery.delivers_from[bank],
                    heading=FileHeading(
                        file_id=name.file_id,
                        receiver_bank=name.cnaps,
                        business_date=cycle_date(run.cycle),
                        cycle=cycle_sequence(run.cycle),
                        kind=kind,
                        created_at=run.closed_at,
                        previous_sha256=delivery.previous_sha256.get((bank, kind, form), b"").hex(),
                    ),
                )
                whole = promising(plan, delivery, run)
                assert whole.heading.totals is not None
                if bank_file_formats()[form].has_file(kind, count=whole.heading.totals.count):
                    yield whole


def plan_again(file: ClearingFile, replaced: ClearingFile | None, delivery: Delivery, run: ClearingRun) -> FilePlan:
    """The plan that *file* was made from; *replaced* is the manifest of the file that it replaces."""
    name = parse_file_name(file.name)
    plan = FilePlan(
        name=name,
        bank=file.bank,
        first_cycle=file.first_cycle,
        heading=FileHeading(
            file_id=name.file_id,
            receiver_bank=name.cnaps,
            business_date=cycle_date(file.cycle),
            cycle=cycle_sequence(file.cycle),
            kind=file.kind,
            created_at=file.created_at,
            previous_sha256=file.previous_sha256.hex(),
            replaces=None
            if replaced is None
            else ReplacedFile(parse_file_name(replaced.name).file_id, replaced.created_at),
        ),
        replaces=file.replaces,
    )
    return promising(plan, delivery, run)


def promising(plan: FilePlan, delivery: Delivery, run: ClearingRun) -> FilePlan:
    """The same plan, whose heading says when its items settle and what they add up to by the net positions."""
    cycles = covered(delivery.cycles, first=plan.first_cycle, last=delivery.cycle)
    totals = expected_totals(plan.heading.kind, plan.bank, cycles)
    heading = msgspec.structs.replace(plan.heading, settles_on=run.settlement_date, totals=totals)
    return msgspec.structs.replace(plan, heading=heading)
