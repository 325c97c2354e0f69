"""Turns this process into a server that cannot outlive the process that started it.

Run as a script in a fresh interpreter, never imported: dropping privileges and asking for the parent-death
signal between fork and exec is safe only where no other thread has ever run. Standard library only, all of it
imported before the privileges go, because the unprivileged account may not be able to read the interpreter.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: list[str]) -> None:
    """Become the server: enter the folder, drop rights, tie this life to the parent's, and exec."""
    parent_pid, uid, gid, death_signal = (int(number) for number in argv[:4])
    folder, program, *arguments = argv[4:]
    libc = ctypes.CDLL(None, use_errno=True)

    os.chdir(folder)
    if os.geteuid() != uid:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    os.umask(0o077)

    # An ignored signal stays ignored over exec: a parent-death signal that arrives before the server has its own
    # handlers must kill, not vanish.
    signal.signal(death_signal, signal.SIG_DFL)
    if sys.platform == "linux":
        # Only now: the kernel forgets the wish when the uid changes.
        if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent_pid:
            sys.exit("the engine ended before its server began")

    os.execv(program, [program, *arguments])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
