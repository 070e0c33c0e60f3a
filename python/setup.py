"""Marks the wheel: it works with every Python 3, and on the systems its shared library is for."""

import pathlib
import platform
import re
import subprocess

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


def manylinux():
    """The tag of the oldest glibc that has all the symbols the library asks for (PEP 600)."""
    library = pathlib.Path(__file__).with_name("sk") / "libsk.so.0"
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", library], check=True, capture_output=True, text=True)
    versions = [tuple(map(int, found)) for found in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols.stdout)]
    major, minor = max(versions)
    return f"manylinux_{major}_{minor}_{platform.machine()}"


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", manylinux()


setup(cmdclass={"bdist_wheel": Wheel})
