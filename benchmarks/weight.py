"""What a process weighs: its memory, its threads, its open files."""

from __future__ import annotations

from pathlib import Path

import attrs
import psutil


@attrs.frozen
class Weight:
    """A process at one moment."""

    memory: int
    """Bytes that it has allocated; what it has of files does not count, where that is known."""
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> Weight:
        """Weigh a process."""
        process, sizes = psutil.Process(pid), memory_of(pid)
        allocated = sizes.get("anonymous", sizes["rss"])
        return cls(allocated, process.num_threads(), process.num_fds())

    def growth_since(self, before: Weight) -> dict[str, float]:
        """How much has come, by figure; memory in MiB."""
        return {
            "memory": (self.memory - before.memory) / 2**20,
            "threads": self.threads - before.threads,
            "files": self.files - before.files,
        }


def memory_of(pid: int) -> dict[str, int]:
    """The bytes that a process has in memory, by figure; only ``rss`` is known everywhere."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return {"rss": psutil.Process(pid).memory_info().rss}
    sizes = {line.split()[0]: line.split()[1] for line in text.splitlines()[1:]}
    return {name.lower(): int(sizes[f"{name}:"]) * 1024 for name in ("Pss", "Rss", "Anonymous")}
