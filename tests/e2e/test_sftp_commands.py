"""A sandbox has an SFTP server, which commands and OpenSSH's client find by what it writes down."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.processes import EngineProcess, run_engine


def test_a_sandbox_is_pulled_from_in_both_ways_and_takes_openssh(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / "data")
    try:
        words = ("--as", "demo-bank-b", "--data-dir", str(engine.data_dir))
        closed = run_engine("clearing", "close", "--data-dir", str(engine.data_dir))
        assert closed.returncode == 0, closed.stderr
        for via in ("http", "sftp"):
            pulled = run_engine("bank", "pull", *words, "--to", str(tmp_path / via), "--via", via)
            assert pulled.returncode == 0, pulled.stderr
        names = sorted(path.name for path in (tmp_path / "http").iterdir())
        assert names == sorted(path.name for path in (tmp_path / "sftp").iterdir())
        assert names
        assert all((tmp_path / "http" / name).read_bytes() == (tmp_path / "sftp" / name).read_bytes() for name in names)
        if shutil.which("sftp") is None:
            pytest.skip("OpenSSH's sftp is not installed (openssh-client)")
        listed = openssh(engine, "demo-bank-b", "ls outbox/*\n")
        assert listed.returncode == 0, listed.stderr
        assert all(name in listed.stdout for name in names)
    finally:
        engine.end()


def openssh(engine: EngineProcess, name: str, batch: str) -> subprocess.CompletedProcess[str]:
    """`sftp` as a bank of the sandbox, as the README says it."""
    sftp, keys = engine.guide.sftp, engine.data_dir / "ssh"
    assert sftp is not None
    options = ("-P", str(sftp.port), "-i", str(keys / name), "-o", f"UserKnownHostsFile={keys / 'known_hosts'}")
    return subprocess.run(
        ["sftp", "-F", "none", *options, "-b", "-", f"{engine.guide.caller(name).cnaps}@{sftp.host}"],
        input=batch,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_told(tmp_path: Path) -> None:

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for sandbox in ((), ("--sandbox",)):
            done: subprocess.CompletedProcess[str] = run_engine(
                "serve", *sandbox, "--port", "0", "--sftp-port", port, "--data-dir", str(tmp_path)
            )
            assert (done.returncode, f"Port {port} is taken" in done.stderr) == (2, True)
