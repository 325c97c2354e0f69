"""Sealing everything anew under the newest key, while everything goes on: a few rows at a time, none locked for long.

What was begun and not finished is gone on with by doing it again: what is sealed under the newest key is passed over.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from engine.codes.field_keys import (
    PERSON_KEY_BYTES,
    PERSON_KEY_PLACE,
    FieldCipher,
    FieldKey,
    field_header,
    person_header,
    with_key,
)
from engine.codes.keys import Keyring
from engine.core.personal_data import SEALED_COLUMNS, SealedColumn
from engine.flows.clock import IdSource
from engine.store.faults import RunAgain
from engine.store.participants import Source
from engine.store.personal_data import (
    SealedText,
    count_pages,
    insert_person_keys,
    load_person_keys,
    load_sealed_texts,
    load_sealing,
    make_field_key,
    seal_anew,
    start_of_page,
)

PAGES_AT_ONCE: Final = 32
ROWS_AT_ONCE: Final = 200
TURNS_MAX: Final = 4

Progress = Callable[[int, int], None]
"""Told how many pages were gone through, and how many there are."""


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation has done: texts sealed anew, and texts that are still under an older key, by table and column."""

    key: FieldKey
    done: dict[str, int]
    left: dict[str, int]


class Rotation:
    """One walk through everything that is sealed. Every method raises `Fault` when the database cannot answer, and
    `SealBroken` if something was sealed with another master secret.
    """

    def __init__(
        self,
        source: Source,
        keyring: Keyring,
        ids: IdSource,
        *,
        now: datetime,
        progress: Progress,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        """To the key that *keyring* seals with."""
        self._source = source
        self._keyring = keyring
        self._ids = ids
        self._now = now
        self._progress = progress
        self._rows_at_once = rows_at_once
        self._gone_through = 0
        self._pages = 0

    async def rotate(self) -> Rotated:
        """Everything is under the keyring's key, but for what is told to be left."""
        sizes = {column: await count_pages(self._source, column.table) for column in SEALED_COLUMNS}
        self._pages = sum(sizes.values())
        done, left = {}, {}
        for column, pages in sizes.items():
            name = f"{column.table}.{column.column}"
            done[name], left[name] = await self._column(column, pages)
        return Rotated(
            key=self._keyring.field_key, done=done, left={name: count for name, count in left.items() if count}
        )

    async def _column(self, column: SealedColumn, pages: int) -> tuple[int, int]:
        done = left = 0
        for turn in range(TURNS_MAX):
            # What was changed meanwhile has moved, and a node may not have heard of the key yet: so once more.
            moved = left = 0
            for first in range(0, await count_pages(self._source, column.table), PAGES_AT_ONCE):
                changed, missed = await self._pages_of(column, first)
                moved, left = moved + changed, left + missed
                if turn == 0:
                    self._progress(min(self._gone_through + first + PAGES_AT_ONCE, self._pages), self._pages)
            done += moved
            if moved == left == 0:
                break
        self._gone_through += pages
        return done, left

    async def _pages_of(self, column: SealedColumn, first: int) -> tuple[int, int]:
        """How many texts of some pages were sealed anew, and how many were changed before that could be done."""
        key = self._keyring.field_key
        header = person_header(key.cipher) if column.is_persons else field_header(key)
        done = missed = 0
        after, until = start_of_page(first), first + PAGES_AT_ONCE
        while texts := await load_sealed_texts(
            self._source, column, header, after=after, until_page=until, count=self._rows_at_once
        ):
            work = await self._sealed_anew(column, texts)
            try:
                count = await seal_anew(self._source, column, work, key_id=key.id)
            except RunAgain:
                count = 0  # somebody else's locks were in the way: the next turn comes by again
            done, missed = done + count, missed + len(work) - count
            after = texts[-1].place
        return done, missed

    async def _sealed_anew(self, column: SealedColumn, texts: Sequence[SealedText]) -> list[tuple[SealedText, bytes]]:
        keyring, ids, place = self._keyring, self._ids, column.place
        if not column.is_persons:
            opened = ((text, keyring.unseal(text.sealed, place=place)) for text in texts)
            return [(text, keyring.seal(plain, place=place, nonce=ids.nonce())) for text, plain in opened]
        sealed_keys = await self._person_keys({text.owner for text in texts if text.owner is not None})
        work = []
        for text in texts:
            sealed_key = sealed_keys.get(text.owner or b"")
            if sealed_key is None:
                continue  # erased: nobody opens it again
            plain = keyring.unseal(with_key(sealed_key, text.sealed), place=place)
            person_key = keyring.unseal(sealed_key, place=PERSON_KEY_PLACE)
            work.append((text, keyring.seal_for(person_key, plain, place=place, nonce=ids.nonce())))
        return work

    async def _person_keys(self, persons: set[bytes]) -> dict[bytes, bytes | None]:
        """The sealed keys of persons; who came in before there were any gets one now."""
        found = await load_person_keys(self._source, persons)
        without = persons - found.keys()
        if not without:
            return found
        fresh = {}
        for person in without:
            key = self._ids.token() + self._ids.token()
            assert len(key) == PERSON_KEY_BYTES
            fresh[person] = self._keyring.seal(key, place=PERSON_KEY_PLACE, nonce=self._ids.nonce())
        await insert_person_keys(self._source, fresh, key_id=self._keyring.field_key.id, now=self._now)
        # Somebody else may have been first, and who was is right.
        return found | await load_person_keys(self._source, without)


async def next_field_key(source: Source, cipher: FieldCipher, *, now: datetime) -> FieldKey:
    """A new key is in use, whichever of two that ask at once has made it."""
    newest = (await load_sealing(source)).key
    await make_field_key(source, FieldKey(newest.id + 1, cipher), now=now)
    return (await load_sealing(source)).key
