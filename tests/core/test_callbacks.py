"""Addresses that may be called: the public internet, and this machine where that is allowed."""

import pytest

from engine.core.callbacks import host_of, is_address_allowed, why_not_callable

PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104  # nothing is bound to it
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "fec0::1",
    "2001:db8::1",
    "",
    "example.com",
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("is_sandbox", [False, True])
def test_address_of_a_private_network_is_refused_everywhere(address: str, is_sandbox: bool) -> None:
    assert not is_address_allowed(address, is_loopback_allowed=is_sandbox)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_called_only_where_that_is_allowed(address: str) -> None:
    assert is_address_allowed(address, is_loopback_allowed=True)
    assert not is_address_allowed(address, is_loopback_allowed=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "203.119.25.1", "2400:3200::1"])
def test_public_address_is_allowed(address: str) -> None:
    assert is_address_allowed(address, is_loopback_allowed=False)


@pytest.mark.parametrize(
    "url", ["https://hospital.example/hook", "https://hospital.example:8443/a?b=c", "https://8.8.8.8/x", "https://h"]
)
def test_url_that_can_be_called(url: str) -> None:
    assert why_not_callable(url, is_loopback_allowed=False) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hospital.example/hook", "https://"),
        ("ftp://hospital.example/", "https://"),
        ("file:///etc/passwd", "host"),
        ("https:///nobody", "host"),
        ("https://h:0/", "host"),
        ("https://h:99999/", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://user:secret@h/", "without user"),
        ("https://user@h/", "without user"),
        ("https://h/#fragment", "fragment"),
        ("https://h/#", "fragment"),
        ("https://h/ x", "printable"),
        ("https://h/\n", "printable"),
        ("https://h\\@10.0.0.1/", "printable"),
        ("https://医院.example/", "printable"),
        ("https://h/" + "x" * 500, "500"),
        ("https://10.0.0.1/", "public internet"),
        ("https://[::ffff:127.0.0.1]/", "public internet"),
        ("https://169.254.169.254/latest/meta-data", "public internet"),
        ("https://127.0.0.1/", "public internet"),
        ("http://127.0.0.1/", "https://"),
        ("http://localhost:8080/", "https://"),
        ("", "host"),
    ],
)
def test_url_that_cannot_be_called_says_why(url: str, reason: str) -> None:
    assert reason in (why_not_callable(url, is_loopback_allowed=False) or "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost/", "http://[::1]:80/", "https://127.0.0.1/"])
def test_sandbox_calls_this_machine_without_tls(url: str) -> None:
    assert why_not_callable(url, is_loopback_allowed=True) is None


@pytest.mark.parametrize("url", ["http://hospital.example/", "http://10.0.0.1/", "https://10.0.0.1/"])
def test_sandbox_is_no_way_to_others(url: str) -> None:
    assert why_not_callable(url, is_loopback_allowed=True) is not None


@pytest.mark.parametrize(
    ("url", "host"), [("https://h/", ("h", 443)), ("http://h/", ("h", 80)), ("https://[::1]:8443/", ("::1", 8443))]
)
def test_host_and_port(url: str, host: tuple[str, int]) -> None:
    assert host_of(url) == host
