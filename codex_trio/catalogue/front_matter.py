"""What a SKILL.md says of itself, between two lines of three dashes.

That is YAML, of which we read what such files have: names with texts, plain, quoted or in
blocks, and tables of those. Anything else is taken for text, as the original takes much of it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.errors import CodexTrioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NO_FRONT: Final = "missing YAML frontmatter delimited by ---"
_LONGEST_NAME: Final = 64
_ENTRY: Final = re.compile(
    r"(\"[^\"]*\"|'[^']*'|[^\s#:'\"-][^:]*?|-[^\s:][^:]*?)\s*:(?:\s+(.*))?$"
)
_BLOCK: Final = re.compile(r"[|>][0-9+-]*\s*(#.*)?$")
_DOUBLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SINGLE: Final = re.compile(r"'((?:[^']|'')*)'")


class FrontMatterError(CodexTrioError):
    """A SKILL.md does not say what it has to; the text is for whoever wrote it."""


@attrs.frozen(kw_only=True)
class FrontMatter:
    """What a skill is called, and what it is for.

    Args:
        name: None if it is called like its folder.
        description: in one line.
        short_description: in fewer words, if there are fewer.
    """

    name: str | None
    description: str
    short_description: str | None


def parse_front_matter(text: str) -> FrontMatter:
    """Read the beginning of a SKILL.md.

    Raises:
        FrontMatterError: there is no front matter, or it lacks something.
    """
    entries = dict(_entries(_front(text)))
    description = _line(*entries.get("description", ("", [])))
    if not description:
        raise FrontMatterError("missing field `description`")
    name = _line(*entries.get("name", ("", []))) or None
    if name is not None and len(name) > _LONGEST_NAME:
        raise FrontMatterError(
            f"invalid name: exceeds maximum length of {_LONGEST_NAME} characters"
        )
    metadata = dict(_entries(_outdented(entries.get("metadata", ("", []))[1])))
    short = _line(*metadata.get("short-description", ("", [])))
    return FrontMatter(name=name, description=description, short_description=short or None)


def _front(text: str) -> list[str]:
    first, *lines = text.replace("\r\n", "\n").split("\n")
    if first.rstrip() != "---":
        raise FrontMatterError(_NO_FRONT)
    for index, line in enumerate(lines):
        if line.rstrip() == "---":
            return lines[:index]
    raise FrontMatterError(_NO_FRONT)


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Cut lines into names, what follows them, and the indented lines that belong to that."""
    below: list[str] = []
    for number, line in enumerate(lines, 2):
        if not line.strip() or line.startswith("#"):
            below.append("")
        elif line[0].isspace():
            below.append(line)
        elif entry := _ENTRY.match(line):
            below = []
            yield _unquoted(entry[1]), ((entry[2] or "").strip(), below)
        elif line.startswith("-"):
            raise FrontMatterError(
                "invalid YAML: invalid type: sequence, expected struct SkillFrontmatter"
            )
        else:
            raise FrontMatterError(f"invalid YAML: expected `name: value` in line {number}")


def _outdented(lines: Sequence[str]) -> list[str]:
    """Take away the indentation of the first line from all of them."""
    first = next((line for line in lines if line.strip()), "")
    width = len(first) - len(first.lstrip())
    return [line[width:] if line[:width].isspace() else line.lstrip() for line in lines]


def _line(rest: str, below: Sequence[str]) -> str:
    """Put a text of several lines into one."""
    if _BLOCK.match(rest):
        text = " ".join(below)
    elif rest.startswith(("'", '"')):
        text = _unquoted(" ".join([rest, *(line.strip() for line in below)]))
    else:
        text = " ".join(re.sub(r"(^|\s)#.*", "", line) for line in (rest, *below))
    return " ".join(text.split())


def _unquoted(text: str) -> str:
    if quoted := _DOUBLE.match(text):
        try:
            plain: str = json.loads(quoted[0], strict=False)
        except ValueError:
            return quoted[0][1:-1]  # with an escape that JSON does not have
        return plain
    if quoted := _SINGLE.match(text):
        return quoted[1].replace("''", "'")
    return text
