"""What a person has written in an application, sealed under the person's own key: gone for good when that is."""

from engine.codes.field_keys import PERSON_KEY_PLACE, Erased, with_key, without_key
from engine.codes.keys import Keyring
from engine.flows.clock import IdSource
from engine.store.persons import RegisteredCard


class PersonSeal:
    """Seals for one person. Who has no key of the person's own, because of age or erasure, is sealed for as all is."""

    def __init__(self, keyring: Keyring, ids: IdSource, card: RegisteredCard) -> None:
        """Of the person who holds *card*: the key comes with every sealed text of the register."""
        self._keyring = keyring
        self._ids = ids
        self._sealed_key, _ = without_key(card.name)
        self._key = keyring.unseal(self._sealed_key, place=PERSON_KEY_PLACE) if self._sealed_key is not None else None

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Sealed for *place*."""
        nonce = self._ids.nonce()
        if self._key is None:
            return self._keyring.seal(plain, place=place, nonce=nonce)
        return self._keyring.seal_for(self._key, plain, place=place, nonce=nonce)

    def open(self, sealed: bytes, *, place: str) -> bytes | None:
        """What was sealed for *place*; None if the key is gone."""
        text = sealed if self._sealed_key is None else with_key(self._sealed_key, sealed)
        try:
            return self._keyring.unseal(text, place=place)
        except Erased:
            return None
