"""The script between fork and exec leaves no moment in which a server could outlive the engine."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from engine.embedded import child

START: Final = [sys.executable, "-I", "-S", child.__file__]


def _facts(parent_pid: int, folder: Path) -> list[str]:
    return [str(parent_pid), str(os.geteuid()), str(os.getegid()), str(int(signal.SIGINT)), str(folder)]


def test_server_of_a_parent_that_has_ended_is_not_started(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    command = [*START, *_facts(ended.pid, tmp_path), "/bin/sh", "-c", "echo started"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert said.stdout == ""
    assert "ended before" in said.stderr


def test_death_signal_works_even_if_the_caller_ignores_it(tmp_path: Path) -> None:
    command = [*START, *_facts(os.getpid(), tmp_path), "/bin/sh", "-c", "kill -INT $$; echo survived"]
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    said = subprocess.run(ignoring, capture_output=True, text=True, check=False)
    assert said.returncode == -signal.SIGINT
    assert said.stdout == ""


def test_server_works_in_the_given_folder_and_keeps_its_files_to_itself(tmp_path: Path) -> None:
    command = [*START, *_facts(os.getpid(), tmp_path), "/bin/sh", "-c", "pwd -P; umask"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(tmp_path.resolve()), "0077"]
