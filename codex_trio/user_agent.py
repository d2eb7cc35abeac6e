"""What we call ourselves to clients and to the world: ``name/version (system) terminal``."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_ORIGINATOR: Final = "codex_cli_rs"

_SYSTEMS: Final = {
    "alpine": "Alpine Linux",
    "amzn": "Amazon Linux AMI",
    "arch": "Arch Linux",
    "centos": "CentOS",
    "debian": "Debian",
    "fedora": "Fedora",
    "nixos": "NixOS",
    "opensuse-leap": "openSUSE",
    "opensuse-tumbleweed": "openSUSE",
    "raspbian": "Raspberry Pi OS",
    "rhel": "Red Hat Enterprise Linux",
    "ubuntu": "Ubuntu",
}

# Variables by which terminals make themselves known, in the original's order.
_TERMINALS: Final = (
    ("WEZTERM_VERSION", "WezTerm"),
    ("ITERM_SESSION_ID", "iTerm.app"),
    ("TERM_SESSION_ID", "Apple_Terminal"),
    ("KITTY_WINDOW_ID", "kitty"),
    ("ALACRITTY_SOCKET", "Alacritty"),
    ("KONSOLE_VERSION", "Konsole"),
    ("GNOME_TERMINAL_SCREEN", "gnome-terminal"),
    ("VTE_VERSION", "VTE"),
    ("WT_SESSION", "WindowsTerminal"),
)


def is_header_value(text: str) -> bool:
    """Say whether a text can stand in an HTTP header: no control characters but the tab."""
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text)


def user_agent(originator: str, version: str, client: str, environ: Mapping[str, str]) -> str:
    """Compose the user agent.

    One that fits in no header as it is has everything outside printable ASCII replaced by ``_``.

    Args:
        originator: the program on whose behalf we act.
        version: the release we are compatible with.
        client: what follows in brackets, ``name; version``.
        environ: where the terminal makes itself known.
    """
    agent = f"{originator}/{version} ({_system()}) {_terminal(environ)} ({client.strip()})"
    return agent if is_header_value(agent) else re.sub(r"[^ -~]", "_", agent)


def choose_originator(override: str | None, client_name: str) -> str:
    """Name the program on whose behalf we act."""
    if override is None:
        return client_name
    # An environment may hold what is no Unicode; Python has surrogates for it.
    usable = is_header_value(override) and not re.search(r"[\ud800-\udfff]", override)
    return override if usable else _DEFAULT_ORIGINATOR


def platform_names() -> tuple[str, str]:
    """Name the family of the platform and the platform, as the protocol does."""
    if sys.platform == "win32":
        return "windows", "windows"
    return "unix", "macos" if sys.platform == "darwin" else "linux"


def _terminal(environ: Mapping[str, str]) -> str:
    if name := environ.get("TERM_PROGRAM"):
        version = environ.get("TERM_PROGRAM_VERSION")
        token = f"{name}/{version}" if version else name
    else:
        known = (token for variable, token in _TERMINALS if variable in environ)
        token = next(known, None) or environ.get("TERM") or "unknown"
    return re.sub(r"[^A-Za-z0-9\-_./]", "_", token)


@cache  # a file is read for it, and every connection asks
def _system() -> str:
    if sys.platform == "win32":
        release = sys.getwindowsversion()
        machine = os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
        return f"Windows {release.major}.{release.minor}.{release.build}; {machine}"
    uname = os.uname()
    if sys.platform == "darwin":
        return f"Mac OS {uname.release}; {uname.machine}"
    name, version = read_distribution(Path("/etc/os-release"))
    return f"{name} {version}; {uname.machine}"


def read_distribution(file: Path) -> tuple[str, str]:
    """Read the name and version of a Linux distribution, in the original's form."""
    try:
        release = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "Linux", "Unknown"
    fields = dict(re.findall(r"^(\w+)=[\"']?(.*?)[\"']?$", release, re.MULTILINE))
    name = _SYSTEMS.get(fields.get("ID", ""), "Linux")
    version = fields.get("VERSION_ID", "Unknown")
    if re.fullmatch(r"\d+(\.\d+){0,2}", version):
        numbers = [int(part) for part in version.split(".")]
        version = ".".join(str(number) for number in (*numbers, 0, 0)[:3])
    return name, version
