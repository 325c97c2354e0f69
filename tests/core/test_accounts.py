"""Account ids: made from their owners, never two alike, and written as people write them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.accounts import (
    AccountId,
    AccountKind,
    account_kind,
    account_text,
    agency_payable,
    bank_payable,
    bank_receivable,
    benefit_payable,
    card_receivable,
    fund_pay_type_of,
    merchant_payable,
    opening,
    owner_of,
    parse_account,
    personal_account,
    pool_fund,
    pooling_area,
    settlement,
    suspense_long,
    suspense_short,
    write_off,
)
from engine.core.ids import (
    REGION_MAX,
    SHARD_COUNT,
    AgencyId,
    BankId,
    CardId,
    IdKind,
    MerchantId,
    make_id,
    region_of,
    shard_of,
)

REGIONS = st.integers(0, REGION_MAX)
PAY_TYPES = st.integers(0, 999_999)


def ids(kind: IdKind) -> st.SearchStrategy[bytes]:
    return st.builds(
        make_id,
        st.just(kind),
        at_ms=st.integers(0, 2**48 - 1),
        shard=st.integers(0, SHARD_COUNT - 1),
        region=REGIONS,
        entropy=st.integers(0, 2**44 - 1),
    )


OWNED: list[tuple[Callable[[bytes], AccountId], IdKind, AccountKind]] = [
    (lambda owner: personal_account(CardId(owner)), IdKind.CARD, AccountKind.PERSONAL_ACCOUNT),
    (lambda owner: bank_receivable(BankId(owner)), IdKind.BANK, AccountKind.BANK_RECEIVABLE),
    (lambda owner: bank_payable(BankId(owner)), IdKind.BANK, AccountKind.BANK_PAYABLE),
    (lambda owner: merchant_payable(MerchantId(owner)), IdKind.MERCHANT, AccountKind.MERCHANT_PAYABLE),
    (lambda owner: card_receivable(CardId(owner)), IdKind.CARD, AccountKind.CARD_RECEIVABLE),
    (lambda owner: agency_payable(AgencyId(owner)), IdKind.AGENCY, AccountKind.AGENCY_PAYABLE),
    (lambda owner: settlement(BankId(owner)), IdKind.BANK, AccountKind.SETTLEMENT),
    (lambda owner: suspense_long(BankId(owner)), IdKind.BANK, AccountKind.SUSPENSE_LONG),
    (lambda owner: suspense_short(BankId(owner)), IdKind.BANK, AccountKind.SUSPENSE_SHORT),
    (lambda owner: write_off(BankId(owner)), IdKind.BANK, AccountKind.WRITE_OFF),
]
ACCOUNTS = st.one_of(
    *(ids(kind).map(make) for make, kind, _ in OWNED),
    st.builds(pool_fund, REGIONS, PAY_TYPES),
    st.builds(benefit_payable, REGIONS, PAY_TYPES),
    st.builds(opening, REGIONS),
)
MERCHANT = MerchantId(make_id(IdKind.MERCHANT, at_ms=0, shard=0, region=110101, entropy=0))
BANK = BankId(make_id(IdKind.BANK, at_ms=0, shard=0, region=110000, entropy=0))
AGENCY = AgencyId(make_id(IdKind.AGENCY, at_ms=0, shard=0, region=110101, entropy=0))
CARD = CardId(make_id(IdKind.CARD, at_ms=0, shard=0, region=110101, entropy=0))


@pytest.mark.parametrize(("make", "kind", "account_is"), OWNED)
@given(data=st.data())
def test_account_knows_its_owner(
    make: Callable[[bytes], AccountId], kind: IdKind, account_is: AccountKind, data: st.DataObject
) -> None:
    owner = data.draw(ids(kind))
    account = make(owner)
    assert account_kind(account) is account_is
    assert owner_of(account) == owner
    assert (region_of(account), shard_of(account)) == (region_of(owner), shard_of(owner))


@given(one=ACCOUNTS, other=ACCOUNTS)
def test_accounts_that_read_alike_are_one(one: AccountId, other: AccountId) -> None:
    assert (one == other) == (account_text(one) == account_text(other))


@given(account=ACCOUNTS)
def test_account_that_is_written_can_be_read(account: AccountId) -> None:
    assert parse_account(account_text(account)) == account


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fund:110100",
        "fund:110100:01",
        "fund:1101000:310100",
        "bank:mer_0000000000001hnrag00000000:payable",
        "bank:x:payable",
        "merchant:mer_0000000000001hnrag00000000:payable ",
        "opening:١١٠١٠٠",
    ],
)
def test_what_is_no_account_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="not an"):
        parse_account(text)


@given(bank=ids(IdKind.BANK))
def test_what_a_bank_owes_is_apart_from_what_it_is_owed(bank: bytes) -> None:
    assert bank_payable(BankId(bank)) != bank_receivable(BankId(bank))


@given(one=st.tuples(REGIONS, PAY_TYPES), other=st.tuples(REGIONS, PAY_TYPES))
def test_funds_of_two_areas_or_types_are_apart(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (one == other) == (pool_fund(*one) == pool_fund(*other))


@given(region=REGIONS, pay_type=PAY_TYPES)
def test_fund_knows_its_area_and_type(region: int, pay_type: int) -> None:
    fund = pool_fund(region, pay_type)
    assert (account_kind(fund), region_of(fund), fund_pay_type_of(fund)) == (AccountKind.POOL_FUND, region, pay_type)


@given(account=ACCOUNTS)
def test_account_id_fits_its_column(account: AccountId) -> None:
    assert len(account) == 16


def test_no_account_is_mistaken_for_its_owner() -> None:
    assert not set(map(int, AccountKind)) & set(map(int, IdKind))


@pytest.mark.parametrize("account", [pool_fund(110100, 310100), opening(110100)])
def test_fund_and_opening_account_have_no_owner(account: AccountId) -> None:
    with pytest.raises(KeyError):
        owner_of(account)


@pytest.mark.parametrize(
    ("account", "text"),
    [
        (personal_account(CARD), "payer:card_00000000000021nrag00000000:personal_account"),
        (pool_fund(110100, 310100), "fund:110100:310100"),
        (pool_fund(10_100, 310200), "fund:010100:310200"),
        (bank_receivable(BANK), "bank:bank_0000000000002hnpr000000000:receivable"),
        (bank_payable(BANK), "bank:bank_0000000000002hnpr000000000:payable"),
        (merchant_payable(MERCHANT), "merchant:mer_0000000000001hnrag00000000:payable"),
        (opening(110100), "opening:110100"),
        (card_receivable(CARD), "receivable:card_00000000000021nrag00000000"),
        (agency_payable(AGENCY), "agency:agc_0000000000003hnrag00000000:payable"),
        (benefit_payable(110100, 510100), "benefit:110100:510100:payable"),
        (settlement(BANK), "settlement:bank_0000000000002hnpr000000000"),
        (suspense_long(BANK), "suspense:long:bank_0000000000002hnpr000000000"),
        (suspense_short(BANK), "suspense:short:bank_0000000000002hnpr000000000"),
        (write_off(BANK), "write_off:bank_0000000000002hnpr000000000"),
    ],
)
def test_account_is_written_with_its_owner(account: AccountId, text: str) -> None:
    assert account_text(account) == text


@pytest.mark.parametrize(("region", "area"), [(110101, 110100), (110100, 110100), (659004, 659000), (1, 0)])
def test_district_is_pooled_by_its_prefecture(region: int, area: int) -> None:
    assert pooling_area(region) == area


@pytest.mark.parametrize("identifier", [CARD, MERCHANT, BANK])
def test_owner_is_no_account(identifier: bytes) -> None:
    with pytest.raises(ValueError, match="is not a valid AccountKind"):
        account_kind(identifier)
