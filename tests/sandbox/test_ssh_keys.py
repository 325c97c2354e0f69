"""The sandbox's keys are such that OpenSSH takes them."""

import stat
from pathlib import Path

import asyncssh
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.sandbox.guide import SandboxGuide, SandboxSftp, read_guide, write_guide
from engine.sandbox.load import SandboxCaller
from engine.sandbox.ssh_keys import write_ssh_keys

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
BANK = SandboxCaller(name="bank", kind="bank", id="b", keyid="b-1", alg="ed25519", key=PEM, region="110100")
OTHERS = (
    msgspec.structs.replace(BANK, name="agency", kind="agency"),
    msgspec.structs.replace(BANK, name="secretive", alg="hmac-sha256", key="AAAA"),
)
GUIDE = SandboxGuide(
    base_url="http://127.0.0.1:1",
    callers=(BANK, *OTHERS),
    cards=(),
    sftp=SandboxSftp(host="127.0.0.1", port=2222, host_key="ssh-ed25519 AAAA"),
)


def test_each_bank_has_its_key_for_its_eyes_only(tmp_path: Path) -> None:
    folder = write_ssh_keys(tmp_path, GUIDE)
    assert folder is not None
    assert write_ssh_keys(tmp_path, GUIDE) == folder  # a sandbox that is started again writes over what is there
    assert {path.name for path in folder.iterdir()} == {"bank", "known_hosts"}
    assert stat.S_IMODE((folder / "bank").stat().st_mode) == 0o600
    read = asyncssh.read_private_key(folder / "bank")
    assert read.public_data == asyncssh.import_private_key(PEM).public_data
    assert (folder / "known_hosts").read_text() == "[127.0.0.1]:2222 ssh-ed25519 AAAA\n"


def test_without_a_server_there_are_no_keys(tmp_path: Path) -> None:
    assert write_ssh_keys(tmp_path, msgspec.structs.replace(GUIDE, sftp=None)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_guide_tells_where_the_server_is_and_older_ones_are_read(tmp_path: Path) -> None:
    path = write_guide(tmp_path, GUIDE)
    assert read_guide(tmp_path) == GUIDE
    older = msgspec.json.decode(path.read_bytes())
    del older["sftp"]
    path.write_bytes(msgspec.json.encode(older))
    assert read_guide(tmp_path) == msgspec.structs.replace(GUIDE, sftp=None)
