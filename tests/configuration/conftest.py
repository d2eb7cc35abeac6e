"""A configuration, and folders whose files say what a test needs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from codex_trio.configuration.reading import Configuration
from codex_trio.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def put(path: Path, text: str) -> Path:
    """Write a file whose last change is so long ago that it counts as settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return settle(path)


def settle(path: Path) -> Path:
    """Let a file look as if it had been left alone for some time, which differs every time."""
    then = time.time_ns() - 10**10
    os.utime(path, ns=(then, then))
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The configuration of the machine; there is no such file yet."""
    return tmp_path / "etc" / "config.toml"


@pytest.fixture
def settings(home: Path, machine: Path) -> Settings:
    return Settings(codex_home=home, system_config=machine)


@pytest.fixture
def configuration(settings: Settings) -> Configuration:
    return Configuration(settings)


@pytest.fixture
def configure(home: Path) -> Callable[[str], Path]:
    """Write the configuration of the user."""

    def write(text: str) -> Path:
        return put(home / "config.toml", text)

    return write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with a Git repository, as far as anybody looks."""
    put(tmp_path / "work" / ".git" / "HEAD", "ref: refs/heads/main\n")
    return tmp_path / "work"
