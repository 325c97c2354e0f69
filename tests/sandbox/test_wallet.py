"""What a cardholder of the city has at hand is what the engine takes, unless it is planned to be wrong."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from engine.client import PasswordSealer
from engine.codes.keys import Keyring
from engine.codes.password_block import BlockKey, PasswordBlock, SealedBlock, open_block, parse_block
from engine.codes.pay_code import PayCode, judge_pay_code, parse_pay_code
from engine.core.refusals import Refusal
from engine.flows.clock import Clock
from engine.sandbox.city import sample_city
from engine.sandbox.load import CityLoader
from engine.sandbox.purchases import Flavour, Purchase, purchases
from engine.sandbox.wallet import FOREIGN_CODE, Wallets

CITY = sample_city()
CARDS = dict(
    enumerate(
        sorted(
            CityLoader(CITY, Keyring(bytes(32)), master=bytes(32), card_count=40).describe().cards,
            key=lambda card: int(card.device_no) % 10**8,
        )
    )
)
KEY = BlockKey("enc-1", ec.generate_private_key(ec.SECP256R1()))
CLOCK = Clock()


def wallets() -> Wallets:
    return Wallets(CARDS, CLOCK, PasswordSealer(msgspec.json.encode({"keys": [KEY.jwk]})))


def a_purchase(flavour: Flavour = Flavour.PLAIN) -> Purchase:
    planned = next(purchases(CITY.merchants, tuple(CITY.cardholders(40)), count=1, seed=1))
    return msgspec.structs.replace(planned, flavour=flavour, cardholder=3)


def judged(code: str) -> int | Refusal:
    """The step of a good code, or what is wrong with it."""
    read = parse_pay_code(code)
    if not isinstance(read, PayCode):
        return read
    return judge_pay_code(read, base64.b64decode(CARDS[3].totp_key), CLOCK.business_s())


@pytest.mark.parametrize(
    ("flavour", "refusal"),
    [
        (Flavour.EXPIRED_CODE, Refusal.PAY_CODE_EXPIRED),
        (Flavour.WRONG_CODE, Refusal.PAY_CODE_WRONG),
        (Flavour.BAD_CODE, Refusal.PAY_CODE_MALFORMED),
        (Flavour.FOREIGN_CODE, Refusal.PAY_CODE_FOREIGN),
    ],
)
def test_wrong_codes_are_wrong_in_their_own_way(flavour: Flavour, refusal: Refusal) -> None:
    assert judged(wallets().code(a_purchase(flavour))) is refusal


def test_other_codes_are_good_and_each_is_another() -> None:
    own = wallets()
    codes = [own.code(a_purchase()) for _ in range(10)]
    assert len(set(codes)) == 10
    assert FOREIGN_CODE not in codes
    assert all(isinstance(judged(code), int) for code in codes)


def opened(block: str) -> PasswordBlock:
    sealed = parse_block(block)
    assert isinstance(sealed, SealedBlock)
    found = open_block(sealed, KEY)
    assert isinstance(found, PasswordBlock)
    return found


def test_password_is_the_cards_and_mistyped_it_is_another() -> None:
    own, purchase = wallets(), a_purchase()
    right = opened(own.block_for_payment(purchase, "pay_1", is_mistyped=False))
    assert (right.password, right.payment_id, right.order_no) == (CARDS[3].password, "pay_1", None)
    wrong = opened(own.block_for_order(purchase, "A-1", "mer_1", is_mistyped=True))
    assert wrong.password != CARDS[3].password
    assert (wrong.order_no, wrong.merchant_id, wrong.payment_id) == ("A-1", "mer_1", None)
