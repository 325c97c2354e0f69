"""Hashes of passwords: good for one password of one card under one pepper."""

import re

import pytest

from engine.codes.password_hash import COST, SALT_BYTES, HashCost, hash_password, is_password
from engine.core.ids import CardId

CARD, OTHER_CARD = CardId(bytes(15) + b"\1"), CardId(bytes(15) + b"\2")
PEPPER, OTHER_PEPPER = b"p" * 32, b"q" * 32
SALT = bytes(range(SALT_BYTES))
CHEAP = HashCost(memory_kib=8, iterations=1)
PHC = hash_password("704192", card=CARD, pepper=PEPPER, salt=SALT, cost=CHEAP)


@pytest.mark.parametrize(
    ("password", "card", "pepper", "is_right"),
    [
        ("704192", CARD, PEPPER, True),
        ("704193", CARD, PEPPER, False),
        ("70419", CARD, PEPPER, False),
        ("704192", OTHER_CARD, PEPPER, False),
        ("704192", CARD, OTHER_PEPPER, False),
    ],
)
def test_only_password_card_and_pepper_together_are_right(
    password: str, card: CardId, pepper: bytes, is_right: bool
) -> None:
    assert is_password(PHC, password, card=card, pepper=pepper) is is_right


def test_hash_names_its_kind_and_cost_so_that_the_cost_may_change() -> None:
    assert PHC.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    dear = hash_password("704192", card=CARD, pepper=PEPPER, salt=SALT)
    assert dear.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_password(dear, "704192", card=CARD, pepper=PEPPER)


def test_cost_is_no_less_than_what_is_recommended() -> None:
    assert (COST.memory_kib, COST.iterations, COST.lanes) == (19_456, 2, 1)


def test_same_password_looks_different_on_every_card_and_with_every_salt() -> None:
    others = [
        hash_password("704192", card=OTHER_CARD, pepper=PEPPER, salt=SALT, cost=CHEAP),
        hash_password("704192", card=CARD, pepper=PEPPER, salt=SALT[::-1], cost=CHEAP),
    ]
    digests = {re.split(r"\$", phc)[-1] for phc in (PHC, *others)}
    assert len(digests) == 3
    assert "704192" not in PHC
