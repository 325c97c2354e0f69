"""The key that a request gives a participant."""

from engine.codes.http_signature import Algorithm
from engine.codes.public_keys import Jwk, MalformedKey, read_public_key
from engine.web.body import refuse_field


def key_given(alg: str, public_key: str | Jwk | None, pointer: str = "") -> tuple[Algorithm, str]:
    """The algorithm and the public key as PEM; no key where the engine is to make a secret.

    Raises:
        Refused: the key is missing, is one too many, or is none of its algorithm; *pointer* is where it stands.
    """
    algorithm = Algorithm(alg)
    if algorithm is Algorithm.HMAC_SHA256:
        if public_key is not None:
            raise refuse_field(f"{pointer}/public_key", "a shared secret is made by the engine")
        return algorithm, ""
    if public_key is None:
        raise refuse_field(f"{pointer}/public_key", f"required for {algorithm.value}")
    try:
        key = read_public_key(public_key)
    except MalformedKey as error:
        raise refuse_field(f"{pointer}/public_key", str(error)) from None
    if key.algorithm is not algorithm:
        raise refuse_field(f"{pointer}/public_key", f"a key for {key.algorithm.value}")
    return key.algorithm, key.pem
