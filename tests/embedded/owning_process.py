"""A process that starts or attaches to embedded servers, says what it got, and stops when its input ends."""

import json
import os
import sys
from pathlib import Path
from typing import Final

from engine.embedded import postgres, valkey
from engine.embedded.faults import ServiceMissing

# Small and without fsync: what these tests ask about is processes and files, not durability after a power cut.
SMALL: Final = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "16"}


def main(kind: str, data_dir: Path) -> None:
    server: postgres.EmbeddedPostgres | valkey.EmbeddedValkey
    try:
        if kind == "postgres":
            server = postgres.attach_or_start(data_dir, environ=os.environ, extra_settings=SMALL)
            address = server.dsn
        else:
            server = valkey.attach_or_start(data_dir, environ=os.environ)
            address = server.url
    except ServiceMissing as missing:
        sys.stdout.write(json.dumps({"missing": missing.service}) + "\n")
        return
    facts = {"owned": server.owned, "pid": server.pid, "address": address}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
