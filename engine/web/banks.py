"""Clearing files over HTTP, as banks pull them. A bank never learns that another bank's file exists."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import format_datetime
from typing import Final

from aiohttp import web

from engine.core.calendar import CYCLES_PER_DAY_MAX, CycleNumber, cycle_date, cycle_number, cycle_text, parse_cycle
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.core.ids import BankId, IdKind
from engine.core.refusals import Refusal
from engine.flows.note_pull import note_pull
from engine.formats import bank_file_formats
from engine.formats.file_names import MalformedFileName, parse_file_name
from engine.store.clearing_reads import ClearingReads, FilesWanted
from engine.web.body import Refused, refuse_field
from engine.web.boundary import CALLER, TRACEPARENT, caller_id
from engine.web.lists import date_of, no_parameters, page_of
from engine.web.node import NODE
from engine.web.payments import json_response
from engine.web.ranges import NoSuchRange, has_already, range_of, takes_gzip
from engine.web.render import encode_json
from engine.web.wire import (
    FileRange,
    FileTotals,
    ManifestList,
    ManifestView,
    PositionList,
    PositionView,
)

_ALL_FROM: Final = CycleNumber(0)
_ALL_TO: Final = CycleNumber(99_999_999_99)


def bank_of_request(request: web.Request) -> BankId:
    """The bank that calls. For everybody else a bank's paths do not exist."""
    if request[CALLER].kind is not IdKind.BANK:
        raise Refused(Refusal.NOT_FOUND)
    return BankId(caller_id(request))


async def get_files(request: web.Request) -> web.Response:
    """`GET /v1/clearing/files`: the caller's own manifests, newest first."""
    bank = bank_of_request(request)
    page = page_of(request, filters=("business_date", "cycle", "kind", "form"))
    kind, form = page.filters.get("kind"), page.filters.get("form")
    if kind is not None and kind not in set(FileKind):
        raise refuse_field("/kind", f"one of {', '.join(FileKind)}")
    if form is not None and form not in bank_file_formats():
        raise refuse_field("/form", f"one of {', '.join(bank_file_formats())}")
    cycle_from, cycle_to = _cycles_of(page.filters)
    wanted = FilesWanted(
        cycle_from=cycle_from,
        cycle_to=cycle_to,
        kind=FileKind(kind) if kind is not None else None,
        form=form,
        before=_before(page.cursor),
        count=page.limit + 1,
    )
    files = await ClearingReads(request.app[NODE].pool).files(bank, wanted)
    shown = files[: page.limit]
    cursor = shown[-1].name if len(files) > page.limit else None
    items = tuple(manifest_view(file) for file in shown)
    return json_response(encode_json(ManifestList(items=items, next_cursor=cursor)))


async def get_file(request: web.Request) -> web.StreamResponse:
    """`GET /v1/clearing/files/{name}`: the bytes, the same for ever; whole, or the range that is asked for."""
    bank = bank_of_request(request)
    no_parameters(request)
    reads = ClearingReads(request.app[NODE].pool)
    file = await _own_file(reads, bank, request.match_info["name"])
    etag = f'"{file.sha256.hex()}"'
    headers = {**_file_headers(file, etag), "traceparent": request[TRACEPARENT]}  # once it is sent, it is too late
    if has_already(request.headers, etag=etag):
        return web.Response(status=304, headers=headers)
    try:
        part = range_of(request.headers, size=file.size, etag=etag)
    except NoSuchRange:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{file.size}", "Accept-Ranges": "bytes"})
    start, end = part or (0, file.size)
    response = web.StreamResponse(status=206 if part else 200, headers=headers)
    if part is not None:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    if part is None and takes_gzip(request.headers):
        # Coded on the way, so no part of it can be asked for later: a weak tag never fits If-Range.
        response.headers["ETag"] = f"W/{etag}"
        response.enable_compression(web.ContentCoding.gzip)
    else:
        response.content_length = end - start
    await response.prepare(request)
    await _send(request, response, reads.content(file.name, start=start, end=end), size=end - start)
    if end == file.size:
        await note_pull(request.app[NODE].pool, file.name)
    return response


async def get_positions(request: web.Request) -> web.Response:
    """`GET /v1/clearing/positions`: what the caller pays and gets in each published cycle, newest first."""
    bank = bank_of_request(request)
    page = page_of(request, filters=("business_date",))
    cycle_from, cycle_to = _cycles_of(page.filters)
    if page.cursor is not None:
        cycle_to = min(cycle_to, CycleNumber(_cycle_of(page.cursor, "/cursor") - 1))
    positions = await ClearingReads(request.app[NODE].pool).positions(bank, cycle_from=cycle_from, cycle_to=cycle_to)
    items = tuple(
        PositionView(
            business_date=cycle_date(cycle),
            cycle=cycle_text(cycle),
            debits=position.debits,
            credits=position.credits,
            net=position.net,
        )
        for cycle, position in positions[: page.limit]
    )
    cursor = items[-1].cycle if len(positions) > page.limit else None
    return json_response(encode_json(PositionList(items=items, next_cursor=cursor)))


def manifest_view(file: ClearingFile) -> ManifestView:
    """A manifest as the wire shows it."""
    assert file.published_at is not None
    return ManifestView(
        name=file.name,
        kind=file.kind.value,
        form=file.form,  # type: ignore[arg-type]  # a Literal from a table
        version=file.version,
        business_date=cycle_date(file.cycle),
        cycle=cycle_text(file.cycle),
        first_cycle=cycle_text(file.first_cycle),
        count=file.item_count,
        totals=FileTotals(file.debit_total, file.credit_total),
        size=file.size,
        sha256=file.sha256.hex(),
        range=FileRange(file.range_from, file.range_to),
        root=file.root.hex(),
        key_id=file.key_id,
        signature=base64.b64encode(file.signature).decode(),
        replaces=file.replaces,
        replaced_by=file.replaced_by,
        published_at=file.published_at,
        status=file.status.value,
    )


def _file_headers(file: ClearingFile, etag: str) -> dict[str, str]:
    assert file.published_at is not None
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Repr-Digest": f"sha-256=:{base64.b64encode(file.sha256).decode()}:",
        "Last-Modified": format_datetime(file.published_at.astimezone(UTC), usegmt=True),
        "Content-Type": bank_file_formats()[file.form].media_type,
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Vary": "Accept-Encoding",
    }


async def _send(request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes], *, size: int) -> None:
    """Send a body, or cut the connection: once it has begun, nothing else can tell the caller that it is not whole."""
    sent = 0
    try:
        async for chunk in chunks:
            await response.write(chunk)
            sent += len(chunk)
        assert sent == size, "every part of a published file is stored"
        await response.write_eof()
    finally:
        if sent != size and request.transport is not None:
            request.transport.abort()


async def _own_file(reads: ClearingReads, bank: BankId, name: str) -> ClearingFile:
    """The bank's own file.

    Raises:
        Refused: nobody's, or somebody else's; or the bank's own, which is not published yet.
    """
    try:
        parsed = parse_file_name(name)
    except MalformedFileName:
        raise Refused(Refusal.NOT_FOUND) from None
    file = await reads.file(bank, name)
    if file is None:
        is_expected = await reads.expects(bank, cnaps=parsed.cnaps, cycle=parsed.cycle)
        raise Refused(Refusal.CLEARING_FILE_NOT_READY if is_expected else Refusal.NOT_FOUND)
    return file


def _cycles_of(filters: dict[str, str]) -> tuple[CycleNumber, CycleNumber]:
    """The cycles that the filters let through, both included."""
    day = date_of(filters.get("business_date"))
    first, last = (_ALL_FROM, _ALL_TO) if day is None else (cycle_number(day, 1), cycle_number(day, CYCLES_PER_DAY_MAX))
    if "cycle" in filters:
        cycle = _cycle_of(filters["cycle"], "/cycle")
        first, last = max(first, cycle), min(last, cycle)
    return (first, last)


def _cycle_of(text: str, pointer: str) -> CycleNumber:
    try:
        return parse_cycle(text)
    except ValueError as error:
        raise refuse_field(pointer, str(error)) from None


def _before(cursor: str | None) -> tuple[CycleNumber, str]:
    """Where a page of files begins. The cursor is the name of the last file that was shown."""
    if cursor is None:
        return (_ALL_TO, "")
    try:
        return (parse_file_name(cursor).cycle, cursor)
    except MalformedFileName:
        raise refuse_field("/cursor", "not a cursor of this list") from None
