"""Servers whose files can be dropped from memory before they start.

The system keeps a file in memory as long as any process has it mapped, and this process runs
on the interpreter on which our server runs. So that one gets an interpreter of its own: copied
with its library, with the same packages. The C library stays in memory, for both servers.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from benchmarks.peers import GENUINE, OUR_SCRIPT, OURS, Program, running

if TYPE_CHECKING:
    from collections.abc import Generator

# Runs our server, and lists at its end the files of all modules that it has come to load.
_LISTING: Final = """
import atexit, json, sys

def write_list(path):
    modules = list(sys.modules.values())
    files = [getattr(module, name, None) for module in modules
             for name in ("__file__", "__cached__")]
    with open(path, "w") as target:
        json.dump([file for file in files if file], target)

atexit.register(write_list, sys.argv.pop(1))
from codex_trio.__main__ import main
main()
"""


@attrs.frozen
class ColdProgram:
    """A program and all that it loads."""

    program: Program
    _files: frozenset[Path]

    def forget_files(self) -> None:
        """Have the system drop the files from memory; no other process may be using them."""
        if sys.platform != "linux":
            raise NotImplementedError  # nobody asks for it there
        for file in self._files:
            with contextlib.suppress(OSError), file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def cold_programs() -> Generator[tuple[ColdProgram, ColdProgram]]:
    """Prepare both servers."""
    with tempfile.TemporaryDirectory(prefix="codex-trio-benchmarks-") as directory:
        python, environ = _copy_interpreter(Path(directory, "python"))
        ours = Program(OURS.name, (python, OUR_SCRIPT, *OURS.command[1:]), environ)
        listing = Path(directory, "modules.json")
        lister = Program(
            "lister", (python, "-c", _LISTING, str(listing), *OURS.command[1:]), environ
        )
        files = _mapped_files(lister)
        files.update(Path(name) for name in json.loads(listing.read_text(encoding="utf-8")))
        files.add(Path(OUR_SCRIPT))
        # What has not been written to the disk yet cannot be dropped.
        os.sync()
        yield (
            ColdProgram(ours, frozenset(files)),
            ColdProgram(GENUINE, frozenset(_mapped_files(GENUINE))),
        )


def _copy_interpreter(directory: Path) -> tuple[str, dict[str, str]]:
    """Make an environment that shares no mapped file with ours: its interpreter, its variables."""
    venv.create(directory, symlinks=False)
    paths = sysconfig.get_paths(vars={"base": str(directory), "platbase": str(directory)})
    packages = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    # Not mere paths: the packages' own .pth files count too.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in sorted(packages)]
    Path(paths["purelib"], "packages.pth").write_text("".join(lines), encoding="utf-8")
    library = sysconfig.get_config_var("INSTSONAME")
    environ = {}
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library:
        shutil.copy(Path(sysconfig.get_config_var("LIBDIR"), library), directory)
        others = os.environ.get("LD_LIBRARY_PATH")
        environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (str(directory), others)))
    return str(Path(paths["scripts"], Path(sys.executable).name)), environ


def _mapped_files(program: Program) -> set[Path]:
    """Start a program and see what it has mapped once it answers."""
    with running(program) as peer:
        peer.open()
        maps = Path(f"/proc/{peer.process.pid}/maps").read_text(encoding="utf-8")
    names = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/" in line}
    return {path for path in map(Path, names) if path.is_file()}
