"""The sample city as one value: everything a sandbox is filled with, without ids, keys or times."""

from collections.abc import Iterator
from typing import Final

import msgspec

from engine.sandbox.participants import (
    AGENCIES,
    BANKS,
    CHANNELS,
    FUND_BANK,
    MERCHANTS,
    OPERATORS,
    Agency,
    Bank,
    Channel,
    Merchant,
    Operator,
)
from engine.sandbox.people import CARDHOLDERS_DEFAULT, Cardholder, cardholders
from engine.sandbox.regions import POOLING_AREA, REGIONS, Region

SEED_DEFAULT: Final = 2260


class SampleCity(msgspec.Struct, frozen=True, kw_only=True):
    """A city of real regions and invented participants; only its people depend on the seed."""

    seed: int
    pooling_area: int
    regions: tuple[Region, ...]
    banks: tuple[Bank, ...]
    fund_bank: str  # CNAPS number of the bank that holds the pooling area's funds and personal accounts
    merchants: tuple[Merchant, ...]
    agencies: tuple[Agency, ...]
    channels: tuple[Channel, ...]
    operators: tuple[Operator, ...]

    @property
    def settlement_bank(self) -> Bank:
        """The one bank through which the others settle."""
        (bank,) = (bank for bank in self.banks if bank.is_settlement_bank)
        return bank

    def cardholders(self, count: int = CARDHOLDERS_DEFAULT) -> Iterator[Cardholder]:
        """The city's first *count* people, made one at a time."""
        return cardholders(count, seed=self.seed)


def sample_city(seed: int = SEED_DEFAULT) -> SampleCity:
    """The sample city; the same seed always gives the same people."""
    return SampleCity(
        seed=seed,
        pooling_area=POOLING_AREA,
        regions=REGIONS,
        banks=BANKS,
        fund_bank=FUND_BANK,
        merchants=MERCHANTS,
        agencies=AGENCIES,
        channels=CHANNELS,
        operators=OPERATORS,
    )
