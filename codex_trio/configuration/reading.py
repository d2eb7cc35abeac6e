"""Reading the configuration while the server runs."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.config import is_usual, lay
from codex_trio.configuration.choices import ThreadDefaults
from codex_trio.configuration.files import File, Files, plain_table
from codex_trio.configuration.layers import Effective, Layer, LayerError, merge_layers
from codex_trio.configuration.projects import Project
from codex_trio.errors import ConfigError, os_error_text
from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.config import Table
    from codex_trio.configuration.projects import Trust
    from codex_trio.settings import Settings

_THREADS: Final = 4  # that read at a time; one that hangs at a dead network keeps one of them
_REMEMBERED: Final = 64  # folders

# What a project must not decide for whoever works in it (observed).
_NOT_FOR_PROJECTS: Final = (
    "apps_mcp_product_sku",
    "chatgpt_base_url",
    "experimental_realtime_webrtc_call_base_url",
    "experimental_realtime_ws_base_url",
    "model_provider",
    "model_providers",
    "notify",
    "openai_base_url",
    "otel",
    "profile",
    "profiles",
    "responses_api_metadata",
)


@attrs.define(eq=False)
class Configuration:
    """The configuration, as it is whenever somebody asks.

    What is kept of files is only what they said last, for as long as they do not change.
    """

    _settings: Settings
    _files: Files = attrs.field(factory=Files, init=False)
    _known: dict[str | None, tuple[tuple[object, ...], Effective]] = attrs.field(
        factory=dict, init=False
    )
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _limit: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _THREADS), init=False
    )

    @property
    def path(self) -> Path:
        """The file of the user, which clients may have changed."""
        return self._settings.codex_home / "config.toml"

    @property
    def flags(self) -> Layer | None:
        """The layer that lies over the user's, if there is one."""
        flags = self._flags(None, _here())
        return Layer(kind="sessionFlags", table=flags) if flags else None

    async def read(
        self, cwd: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> Effective:
        """Read the configuration in force in a folder.

        The same object is returned while nothing has changed. A call that is cancelled ends at
        once, and leaves a look at files behind that nobody waits for.

        Args:
            cwd: a folder, for the configuration of the project that it belongs to, if that is
                trusted; one that is relative is seen from ours.
            overrides: what is laid over everything, values of JSON by paths such as ``a.b``;
                what is null counts for nothing.

        Raises:
            LayerError: a layer cannot be read.
            InvalidValueError: a value cannot be used.
            ConfigError: what is chosen is not there. The text of all of them is for clients.
        """
        return await trio.to_thread.run_sync(
            self._read, cwd, overrides, limiter=self._limit, abandon_on_cancel=True
        )

    def _read(self, cwd: str | None, overrides: Mapping[str, Any] | None) -> Effective:
        folder = None if cwd is None else os.path.abspath(cwd)
        flags = self._flags(overrides, folder or _here())
        layers, trust = self._layers(flags, folder)
        seen: tuple[object, ...] = (trust, *((layer.file, layer.disabled) for layer in layers))
        known, effective = self._known.get(folder, (None, None))
        if effective is not None and seen == known and not overrides:
            return effective
        table = merge_layers(layers)
        effective = Effective(
            table=table,
            layers=tuple(layers),
            trust=trust,
            defaults=ThreadDefaults.of(table, trust, _read_instructions),
        )
        if not overrides and "model_instructions_file" not in table:
            with self._lock:  # several threads may be here
                while len(self._known) >= _REMEMBERED:
                    del self._known[next(iter(self._known))]
                self._known[folder] = seen, effective
        return effective

    def _flags(self, overrides: Mapping[str, Any] | None, folder: str) -> Table:
        flags: Table = dict(self._settings.config)
        for path, value in (overrides or {}).items():
            if not is_usual(value):
                raise ConfigError(f"the value of `{path}` is no configuration")
            if value is not None:
                flags = lay(flags, path, _without_nulls(value))
        return plain_table(flags, Path(folder)) if flags else flags

    def _layers(self, flags: Table, folder: str | None) -> tuple[list[Layer], Trust | None]:
        """Find the layers, the highest first, and what is said of the folder."""
        system, user = self._settings.system_config, self._layer("user", self.path)
        lower = [user] if system is None else [user, self._layer("system", system)]
        upper = [Layer(kind="sessionFlags", table=flags)] if flags else []
        if folder is None:
            return [*upper, *lower], None
        above_projects = merge_layers([*upper, *lower])
        markers = above_projects.get("project_root_markers", (".git",))
        project = Project.of(folder, markers)
        projects = above_projects.get("projects", {})
        trust, _ = project.trust(folder, projects)
        return [*upper, *self._of_project(project, projects), *lower], trust

    def _layer(self, kind: Any, path: Path) -> Layer:
        file = self._files.look(path)
        if file.error is not None:
            raise LayerError(_with_place(file))
        return Layer(kind=kind, path=str(path), table=file.table, file=file)

    def _of_project(self, project: Project, projects: Mapping[str, Any]) -> Sequence[Layer]:
        layers = []
        home = os.path.realpath(self._settings.codex_home)
        for folder in project.folders:
            codex = os.path.join(folder, ".codex")
            if not os.path.isdir(codex) or os.path.realpath(codex) == home:
                continue
            file = self._files.look(Path(codex, "config.toml"))
            disabled = self._why_disabled(*project.trust(folder, projects))
            if file.error is not None and disabled is None:
                raise LayerError(
                    f"Error parsing project config file {file.path}: {_with_place(file)}"
                )
            table = {key: file.table[key] for key in file.table if key not in _NOT_FOR_PROJECTS}
            layers.append(
                Layer(kind="project", path=codex, table=table, disabled=disabled, file=file)
            )
        return layers

    def _why_disabled(self, trust: Trust | None, folder: str) -> str | None:
        match trust:
            case "trusted":
                return None
            case "untrusted":
                return (
                    f"{folder} is marked as untrusted in the effective configuration. To load"
                    " project-local config, hooks, and exec policies, update its trust setting."
                    " If that setting is managed by your organization, contact your"
                    " administrator."
                )
            case None:
                return (
                    "To load project-local config, hooks, and exec policies, add"
                    f" {folder} as a trusted project in {self.path}."
                )


def _here() -> str:
    """Name our folder; one that has been removed has no name, and nothing is in it."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


def _with_place(file: File) -> str:
    error = file.error
    assert error is not None
    if error.start is None:
        return error.reason
    line, column = error.start
    return f"{file.path}:{line}:{column}: {error.reason}"


def _without_nulls(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nulls(one) for key, one in value.items() if one is not None}
        case list():
            return [_without_nulls(one) for one in value if one is not None]
        case _:
            return value


def _read_instructions(path: str) -> str:
    try:
        with open_plain(path) as file:
            text = file.read().decode().strip()
    except OSError as error:
        reason = os_error_text(error)
    except UnicodeDecodeError:
        reason = "stream did not contain valid UTF-8"
    else:
        if text:
            return text
        raise ConfigError(f"model instructions file is empty: {path}")
    raise ConfigError(f"failed to read model instructions file {path}: {reason}")
