"""Making every published file again, and holding it against the one that banks have got."""

from collections.abc import Mapping

from engine.core.calendar import CycleNumber
from engine.core.clearing import AccountNotRouted
from engine.core.clearing_lines import ClearingFile
from engine.core.violations import Violation, ViolationKind, Where
from engine.flows.cycle_files import TotalsDiffer
from engine.flows.file_plans import plans_of
from engine.flows.rebuild_files import rebuilt_digests
from engine.flows.verify_journal import Counts, Progress
from engine.formats.bank_file import FieldOverflow
from engine.store.clearing_session import ClearingSession, open_clearing
from engine.store.file_store import load_delivery, load_files_of_cycle, next_published


async def rebuilt_violation(dsn: str, counts: Counts, progress: Progress) -> Violation | None:
    """The first published file that its postings, routes and positions do not give byte by byte, or that is missing.

    Postings are read once for each cycle at whose end files were delivered, whatever the number of files.

    Raises:
        Fault: the database cannot answer; nothing is known about the files.
    """
    cycle = CycleNumber(0)
    rebuilt = 0
    async with open_clearing(dsn) as session:
        while (found := await next_published(session, cycle)) is not None:
            cycle, forms = found
            files = await load_files_of_cycle(session, cycle)
            violation = await _missing(session, cycle, forms, files) or await _different(session, cycle, files)
            if violation is not None:
                return violation
            rebuilt += len(files)
            progress("files made again", rebuilt, counts.files)
    return None


async def _missing(
    session: ClearingSession, cycle: CycleNumber, forms: frozenset[str], files: list[ClearingFile]
) -> Violation | None:
    """A first version that a bank should have got, and that is not there."""
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle is published"
    names = {file.name for file in files}
    for plan in plans_of(await load_delivery(session, cycle), run, sorted(forms)):
        if plan.name.text not in names:
            return Violation(ViolationKind.FILE_WRONG, _where(cycle, plan.name.text), "a file", "none")
    return None


async def _different(session: ClearingSession, cycle: CycleNumber, files: list[ClearingFile]) -> Violation | None:
    try:
        digests: Mapping[str, bytes] = await rebuilt_digests(session, cycle)
    except (TotalsDiffer, AccountNotRouted, FieldOverflow) as error:
        return Violation(ViolationKind.FILE_WRONG, _where(cycle, None), "files that can be made again", str(error))
    for file in files:
        if digests[file.name] != file.sha256:
            made, out = f"SHA-256 {digests[file.name].hex()}", file.sha256.hex()
            return Violation(ViolationKind.FILE_WRONG, _where(cycle, file.name), made, out)
    return None


def _where(cycle: CycleNumber, name: str | None) -> Where:
    return Where(table="clearing_file", cycle=cycle, name=name)
