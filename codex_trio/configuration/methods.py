"""config/* and configRequirements/read: the handlers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from codex_trio import protocol
from codex_trio.configuration import view, writes
from codex_trio.configuration.edits import ConfigWriteError, Edit, find_override, parse_key_path
from codex_trio.configuration.layers import InvalidValueError, LayerError
from codex_trio.errors import INVALID_REQUEST, ConfigError, RpcError, os_error_text
from codex_trio.protocol import config_rows as rows
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codex_trio.config import Table
    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol import catalogue as catalogue_words
    from codex_trio.protocol import configuration as words
    from codex_trio.settings import Settings


@attrs.define(eq=False)
class ConfigMethods:
    """Shows the configuration, and changes that of the user."""

    _settings: Settings
    _configuration: Configuration

    @serves(rows.CONFIG_READ)
    async def read(self, call: Call[words.ConfigReadParams]) -> words.ConfigReadResponse:
        """Show the configuration in force, and where each part of it comes from."""
        try:
            effective = await self._configuration.read(call.params.cwd)
        except LayerError as error:
            raise _internal("failed to read configuration layers", error.reason) from None
        except InvalidValueError as error:
            raise _internal("invalid configuration", error.in_short) from None
        except ConfigError as error:
            raise _internal(
                "failed to resolve feature override precedence", error.reason
            ) from None
        return protocol.configuration.ConfigReadResponse(
            config=view.whole(effective.table),
            origins={
                path: view.metadata_of(layer) for path, layer in effective.origins.items()
            },
            layers=view.layer_words(effective.layers) if call.params.include_layers else None,
        )

    @serves(rows.CONFIG_VALUE_WRITE)
    async def write_value(
        self, call: Call[words.ConfigValueWriteParams]
    ) -> words.ConfigWriteResponse:
        """Change one key of the user's file."""
        params = call.params
        return await self._write([params], params.file_path, params.expected_version)

    @serves(rows.CONFIG_BATCH_WRITE)
    async def write_batch(
        self, call: Call[words.ConfigBatchWriteParams]
    ) -> words.ConfigWriteResponse:
        """Change some keys of the user's file, all or none.

        There is nothing to reload: whatever begins reads the file as it is.
        """
        params = call.params
        return await self._write(params.edits, params.file_path, params.expected_version)

    @serves(rows.CONFIG_REQUIREMENTS_READ)
    async def read_requirements(self, call: Call[None]) -> words.ConfigRequirementsReadResponse:
        """Say that no organisation wants anything."""
        try:
            await self._configuration.read()
        except LayerError as error:
            raise _internal("failed to read configuration layers", error.reason) from None
        except ConfigError:
            pass  # it has nothing to do with what an organisation wants
        return protocol.configuration.ConfigRequirementsReadResponse(
            supports_independent_speed_modes=True
        )

    @serves(rows.CONFIG_MCP_RELOAD)
    def reload_mcp(self, call: Call[None]) -> catalogue_words.McpServerRefreshResponse:
        """There is no MCP server to be started anew."""
        return protocol.catalogue.McpServerRefreshResponse()

    async def _write(
        self,
        wanted: Sequence[words.ConfigEdit | words.ConfigValueWriteParams],
        file_path: str | None,
        expected: str | None,
    ) -> words.ConfigWriteResponse:
        path = self._configuration.path
        try:
            _check_path(path, file_path)
            edits = [
                Edit(parse_key_path(one.key_path), one.value, one.merge_strategy == "upsert")
                for one in wanted
            ]
            written = await writes.write(path, edits, expected)
        except ConfigWriteError as error:
            data = {"config_write_error_code": error.code}
            raise RpcError(INVALID_REQUEST, str(error), data) from None
        except ConfigError as error:
            raise _internal("failed to load configuration", error.reason) from None
        except OSError as error:
            raise _internal("failed to write the configuration", os_error_text(error)) from None
        overridden = self._overridden(written.table, edits)
        return protocol.configuration.ConfigWriteResponse(
            status="ok" if overridden is None else "okOverridden",
            version=written.version,
            file_path=str(path),
            overridden_metadata=overridden,
        )

    def _overridden(
        self, table: Table, edits: Sequence[Edit]
    ) -> words.OverriddenMetadata | None:
        """Say what is in force instead of the first edit that is of no effect."""
        if (flags := self._configuration.flags) is None:
            return None
        for edit in edits:
            found, value = find_override(table, flags.table, edit.keys)
            if found:
                return protocol.configuration.OverriddenMetadata(
                    message="Overridden by session flags",
                    overriding_layer=view.metadata_of(flags),
                    effective_value=value,
                )
        return None


def _internal(what: str, reason: str) -> RpcError:
    return RpcError.internal(f"{what}: {reason}")


def _check_path(path: Path, given: str | None) -> None:
    if given is None:
        return
    wanted = os.path.normpath(os.path.join(path.parent, given))
    if wanted != os.path.normpath(path):
        raise ConfigWriteError(
            "Only writes to the user config are allowed", "configLayerReadonly"
        )
