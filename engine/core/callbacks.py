"""Addresses that the engine may be told to call: never a way into its own network (server-side request forgery)."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX: Final = 500
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in an IPv6 one
_TRANSLATED: Final = (_NAT64, ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("2002::/16"))
_LOCAL_NAMES: Final = frozenset({"localhost"})


def is_address_allowed(text: str, *, is_loopback_allowed: bool) -> bool:
    """True if a connection to this address leads to the public internet, or to this machine where that is allowed.

    IPv6 addresses that stand for IPv4 ones (mapped, 6to4, NAT64) are refused: they lead wherever those lead. So are
    site-local ones (RFC 3879): nobody gives them out any more, and old networks still have them.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback:
        return is_loopback_allowed
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped is not None or address.is_site_local or any(address in network for network in _TRANSLATED)
    ):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def why_not_callable(url: str, *, is_loopback_allowed: bool) -> str | None:
    """The first reason for which a URL cannot be called, as far as its text tells; None if there is none.

    What its name resolves to is another matter, and looked at with each connection.
    """
    if not (len(url) <= URL_CHARS_MAX and url.isascii() and url.isprintable() and " " not in url and "\\" not in url):
        return f"at most {URL_CHARS_MAX} printable ASCII characters, without spaces and backslashes"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not a URL"
    if not parts.hostname or port == 0:
        return "not a URL with a host"
    if parts.username is not None or parts.password is not None or parts.fragment or "#" in url:
        return "a URL without user, password and fragment"
    is_local = _is_local(parts, is_loopback_allowed=is_loopback_allowed)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        return "a URL that begins with https://"
    if _is_literal(parts.hostname) and not is_address_allowed(parts.hostname, is_loopback_allowed=is_loopback_allowed):
        return "not an address of the public internet"
    return None


def host_of(url: str) -> tuple[str, int]:
    """Host and port of a URL that can be called."""
    parts = urlsplit(url)
    assert parts.hostname is not None, "judged before"
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_local(parts: SplitResult, *, is_loopback_allowed: bool) -> bool:
    host = parts.hostname or ""
    if not is_loopback_allowed:
        return False
    return host in _LOCAL_NAMES or (_is_literal(host) and ipaddress.ip_address(host).is_loopback)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
