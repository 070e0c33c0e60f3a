"""C test programs run outside cargo, case by case: what tests/cross and tests/sanitize share."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
C99 = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
SKIPPED = 77


def call(command, limit=1800, **more):
    """What the command says; where it fails, that is the end."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def install(needed):
    """[(command, [Debian packages])]: installs those whose command is missing."""
    packages = [package for command, of in needed if not shutil.which(command) for package in of]
    if packages:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        call(sudo + ["apt-get", "update"])
        install = ["apt-get", "install", "-y", "--no-install-recommends"]
        call(sudo + ["env", "DEBIAN_FRONTEND=noninteractive"] + install + packages)


def run(command, limit, **more):
    """Exit status and output; a program that hangs is ended with all it has started."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, **more)
    try:
        said, _ = process.communicate(timeout=limit)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        status = "hangs"
    return status, said.decode(errors="replace").strip()


def reason_to_leave_out(left_out, here, program, case):
    """left_out: [places, "program::case" or "program", reason]; here: the names of this place."""
    for places, name, reason in left_out:
        if here & set(places) and name in (program, f"{program}::{case}"):
            return reason
    return None


class Count:
    """How the cases in one place ended."""

    def __init__(self, place):
        self.place = place
        self.passed = self.failed = self.skipped = 0
        self.broken = []

    def fail(self, name, why, said):
        self.failed += 1
        self.broken.append(f"broken: {self.place} {name}: {why}\n{said}")

    def run(self, pool, cases, one, forgiven=lambda status: True):
        """cases: [(name, …)]; one(case) gives (status, output). What fails, and may be forgiven, is
        run again alone: times are short for a machine that does other things too."""

        def timed(case):
            since = time.monotonic()
            return *one(case), time.monotonic() - since

        unlucky, slow = [], []
        for case, (status, said, took) in zip(cases, pool.map(timed, cases)):
            slow.append((took, case[0]))
            if status == 0:
                self.passed += 1
            elif status == SKIPPED:
                self.skipped += 1
            elif forgiven(status):
                unlucky.append(case)
                print(f"--- {self.place} {case[0]}: {status} after {took:.1f} s, once more later\n{said}", flush=True)
            else:
                self.fail(case[0], status, said)
        print(f"{self.place}: slowest:", ", ".join(f"{name} {took:.0f} s" for took, name in sorted(slow)[:-9:-1]), flush=True)
        for case in unlucky:
            status, said = one(case)
            if status == 0:
                self.passed += 1
                print(f"{self.place} {case[0]}: passed alone", flush=True)
            else:
                self.fail(case[0], f"status {status}", said)
