"""Which lines of a clearing file its bank has given back: its statement does not have them."""

from collections.abc import Collection

from engine.store.clearing_session import open_clearing
from engine.store.connection import AnyConnection
from engine.store.file_items import load_file_items
from engine.store.return_reads import Returns
from engine.store.returns import load_bank_of_file, open_returns


class LinesGivenBack:
    """Finds places of items that were given back; `engine.flows.reconcile_statement` asks."""

    def __init__(self, database_url: str) -> None:
        """Places that nobody has told are found in a session of its own at *database_url*."""
        self._database_url = database_url

    async def __call__(self, connection: AnyConnection, file: str) -> Collection[int]:
        """Places in a flat file, from one.

        Raises:
            Fault: the database cannot answer.
        """
        lines = await Returns(connection).returned_lines(file)
        places = {place for _, _, place in lines if place is not None}
        unplaced = {item for item, _, place in lines if place is None}
        if not unplaced:
            return places
        bank = await load_bank_of_file(connection, file)
        async with open_returns(self._database_url, bank) as session:
            covered = (await session.files([file]))[file]
        async with open_clearing(self._database_url) as reading:
            async for page in load_file_items(reading, bank, covered):
                places |= {place for place, item in page if item.item in unplaced}
        return places
