"""Files of configuration that cannot be read for a moment."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from codex_trio.configuration import files

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_that_could_not_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SETTLED", -1)  # however young it is
    path = tmp_path / "config.toml"
    path.write_text('model = "a"\n', encoding="utf-8")
    seen = files.Files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # no descriptor is left
    try:
        refused = seen.look(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in str(refused.error)
    read = seen.look(path)
    assert (read.error, read.table) == (None, {"model": "a"})
    assert seen.look(path) is read


def test_a_file_that_says_nothing_sensible_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SETTLED", -1)
    path = tmp_path / "config.toml"
    path.write_text("model =\n", encoding="utf-8")
    seen = files.Files()
    assert seen.look(path).error is not None
    assert seen.look(path) is seen.look(path)
