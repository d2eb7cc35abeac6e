"""A program: fuzzes one target with Atheris for some seconds; its arguments are the two.

What Atheris says of it goes to standard error, and what has failed is in the file that it names.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it is not everywhere, and has no types

with atheris.instrument_imports(include=["codex_trio", "h11", "wsproto"]):
    from tests.torture import targets


logging.disable()  # of what is refused, thousands of times


def main(target: str, seconds: str, seed: str) -> None:
    with tempfile.TemporaryDirectory(prefix="torture-") as corpus:
        for number, data in enumerate(targets.SEEDS[target]):
            Path(corpus, str(number)).write_bytes(data)
        words = Path(f"{corpus}.words")
        quoted = [word.decode().replace('"', '\\"') for word in targets.vocabulary()]
        words.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
        flags = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=10"]
        flags += [f"-dict={words}"] if target in ("messages", "params") else []
        atheris.Setup(
            [sys.argv[0], *flags, f"-artifact_prefix={corpus}-", corpus],
            targets.TARGETS[target],
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
