"""What errors say."""

from __future__ import annotations

import errno

import codex_trio.errors
from codex_trio.errors import os_error_text


def test_errors_of_the_system_are_named_as_the_original_names_them() -> None:
    assert os_error_text(OSError(errno.ENOSPC, "?", "/secret")) == (
        "No space left on device (os error 28)"
    )
    assert os_error_text(TimeoutError()) == "TimeoutError"


def test_the_tree_at_the_head_of_the_file_names_every_error() -> None:
    """And nothing else is raised on purpose."""
    tree = codex_trio.errors.__doc__
    assert tree is not None
    classes = [
        name
        for name, item in vars(codex_trio.errors).items()
        if isinstance(item, type) and issubclass(item, Exception)
    ]
    assert [name for name in classes if name not in tree] == []
