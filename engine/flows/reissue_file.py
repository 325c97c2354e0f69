"""Correcting a published file: the next version names the one that it replaces, and both stay."""

import msgspec

from engine.codes.keys import SigningKey
from engine.core.clearing_lines import ClearingFile
from engine.flows.build_files import store_files
from engine.flows.close_cycle import LOCK_WAIT_S
from engine.flows.cycle_files import manifest_of
from engine.flows.file_plans import FilePlan, plan_again
from engine.formats.file_names import VERSION_MAX, parse_file_name
from engine.store.clearing_session import ClearingSession
from engine.store.faults import Fault
from engine.store.file_store import insert_correction, load_delivery, load_file


class NoVersionLeft(Fault):
    """The file has been corrected as often as its name has room for."""


async def reissue_file(
    session: ClearingSession, name: str, *, signing_key: SigningKey, lock_wait_s: float = LOCK_WAIT_S
) -> ClearingFile | None:
    """Publish the next version of a file, made again from its postings and routes, and return it.

    A file that is replaced already is not replaced again: its replacement is returned, so that asking twice gives one.
    Nothing is returned if no published file has the name. The file that is replaced stays as it is.

    Locks: the closers' advisory lock until *session* ends; no row that a payment needs.

    Raises:
        ClearingBusy: another closer is at work.
        NoVersionLeft: it has had all the versions that it can have.
        TotalsDiffer: the file does not add up to its bank's position any more.
        Fault: the database cannot do it; the same call goes on where this one stopped.
    """
    await session.lock(wait_s=lock_wait_s)
    replaced = await load_file(session, name)
    if replaced is None:
        return None
    if replaced.replaced_by is not None:
        return await load_file(session, replaced.replaced_by)
    if replaced.version == VERSION_MAX:
        raise NoVersionLeft(f"{name} is its last version")
    run = await session.load_run(replaced.cycle)
    assert run is not None, "a published file is of a closed cycle"
    delivery = await load_delivery(session, replaced.cycle)
    now = (await session.load_state()).now
    corrected = msgspec.structs.replace(
        replaced,
        name=msgspec.structs.replace(parse_file_name(name), version=replaced.version + 1).text,
        created_at=now,
        previous_sha256=replaced.sha256,
        replaces=name,
    )
    plan: FilePlan = plan_again(corrected, replaced, delivery, run)
    (builder,) = (await store_files(session, delivery, [plan])).builders
    manifest = manifest_of(builder, delivery, signing_key)
    published = msgspec.structs.replace(manifest, published_at=(await session.load_state()).now)
    await insert_correction(session, published)
    return published
