"""Doors of the kernel that a submission finds shut, and those that honest code needs open."""

import platform
import subprocess
import sys

import pytest

from encoder_course.grade import forbidden

# Shuts the doors and tries them, as a process of its own: what is refused stays refused.
TRY = """
import ctypes, errno, os, subprocess, sys, threading
from encoder_course.grade.confine import PR_SET_NO_NEW_PRIVS, prctl
from encoder_course.grade.forbidden import forbid_calls
prctl(PR_SET_NO_NEW_PRIVS, 1)
forbid_calls()
kernel = ctypes.CDLL(None, use_errno=True)

def refused(*call):
    return kernel.syscall(*call) == -1 and ctypes.get_errno()

try:
    os.memfd_create("x")
except PermissionError:
    print("memfd_create")
print(kernel.shmget(0, ctypes.c_size_t(4096), 0o1600), kernel.msgget(0, 0o1600))
print(kernel.unshare(0x10000000), kernel.unshare(0x20000))
print(refused(425, 8, None) == errno.EPERM, refused(435, None, 0) == errno.ENOSYS)
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
print(subprocess.run([sys.executable, "-c", "import os; os.memfd_create('x')"],
                     stderr=subprocess.DEVNULL).returncode)
if (child := os.fork()) == 0:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(platform.machine() not in forbidden.TABLES, reason="another processor")
def test_what_is_refused_and_what_is_not():
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, check=True)
    expected = ["memfd_create", "-1 -1", "-1 -1", "True True", "thread", "1", "7"]
    assert done.stdout.splitlines() == expected


def test_tables_have_one_number_for_each_call():
    for table in forbidden.TABLES.values():
        numbers = [*table.refused, *forbidden.YOUNG, table.clone, forbidden.CLONE3]
        assert len(set(numbers)) == len(numbers) == 14


def test_another_processor_is_named(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        forbidden.forbid_calls()
