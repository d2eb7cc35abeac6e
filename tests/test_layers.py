"""Who may import whom, as drawn in docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import codex_trio

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(codex_trio.__file__).parent

LEAVES = {"errors", "plain_files", "wire"}
BELOW = {
    "errors": set(),
    "wire": set(),
    "plain_files": set(),
    "faults": set(),
    "config_keys": {"faults"},
    "config": {"errors", "faults", "config_keys"},
    "model": set(),
    "settings": {"errors", "config", "model", "telemetry"},
    "user_agent": set(),
    "leaks": set(),
    "logs": {"occasion"},
    "occasion": set(),
    "terminal": set(),
    "groups": set(),
    "urls": set(),
    "httpd": {"urls"},
    "trust": {"errors", "settings"},
    "proxies": set(),
    "http_client": {"errors", "settings", "trust", "proxies", "urls"},
    "http_errors": {"errors"},
    "telemetry": set(),
    "streaming": {"errors"},
    "upstream": {
        "errors",
        "settings",
        "http_client",
        "http_errors",
        "streaming",
        "telemetry",
        "proxies",
        "urls",
    },
    "protocol": {"errors", "faults"},
    "transport": LEAVES | {"groups"},
    "client": LEAVES | {"groups", "protocol", "transport"},
    "bridge": LEAVES | {"client"},
    "rpc": LEAVES | {"faults", "groups", "occasion", "protocol", "telemetry"},
    "handshake": LEAVES | {"settings", "protocol", "rpc", "user_agent"},
    "account": LEAVES
    | {
        "settings",
        "protocol",
        "rpc",
        "httpd",
        "telemetry",
        "upstream",
        "urls",
        "groups",
        "user_agent",
    },
    "configuration": LEAVES
    | {"faults", "config", "config_keys", "settings", "protocol", "rpc"},
    "catalogue": LEAVES | {"model", "settings", "protocol", "rpc", "configuration"},
    "responses": LEAVES
    | {
        "config_keys",
        "settings",
        "protocol",
        "upstream",
        "streaming",
        "urls",
        "groups",
        "user_agent",
        "account",
    },
    "threads": LEAVES
    | {
        "model",
        "settings",
        "groups",
        "protocol",
        "rpc",
        "account",
        "configuration",
        "catalogue",
        "responses",
        "telemetry",
    },
    "doctor": LEAVES
    | {
        "proxies",
        "settings",
        "terminal",
        "trust",
        "urls",
        "http_client",
        "http_errors",
        "account",
        "configuration",
        "responses",
        "threads",
    },
}
TOP = {
    "__init__",
    "__main__",
    "arguments",
    "asyncio",
    "blocking",
    "conversations",
    "demo",
    "errands",
    "lifetime",
    "commands",
    "serving",
    "scope",
    "seeing",
    "server",
    "sign_in",
    "testing",
}
NOT_FOR_WORDS = {"trio", "httpx"}


def room_of(module: str) -> str:
    return module.removeprefix("codex_trio.").split(".")[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module.count(".") == 0 and node.module == "codex_trio":
                yield from (f"codex_trio.{alias.name}" for alias in node.names)
            yield node.module


def modules() -> list[str]:
    names = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(name.parts) for name in names)


@pytest.mark.parametrize("module", modules())
def test_a_room_imports_only_what_is_below_it(module: str) -> None:
    room = room_of(module)
    if module == "codex_trio.__init__" or room in TOP:
        return
    path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    ours = {room_of(name) for name in imports(path) if name.startswith("codex_trio.")}
    assert ours - {room} <= BELOW[room]


@pytest.mark.parametrize(
    "module", [m for m in modules() if m.startswith("codex_trio.protocol")]
)
def test_words_know_neither_trio_nor_http(module: str) -> None:
    path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    assert not NOT_FOR_WORDS & {name.split(".")[0] for name in imports(path)}


def test_every_room_has_its_place_in_the_rule() -> None:
    rooms = {room_of(module) for module in modules() if module != "codex_trio.__init__"}
    assert rooms - TOP - {"__init__"} == set(BELOW)
