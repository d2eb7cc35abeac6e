"""What can be had: the handlers. Of most of it there is none, which is said as such."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from codex_trio import protocol
from codex_trio.catalogue import identity, model_list, skills
from codex_trio.catalogue.known import KnownModels
from codex_trio.catalogue.models import MODELS
from codex_trio.catalogue.paging import page
from codex_trio.errors import ConfigError
from codex_trio.protocol import config_rows as rows
from codex_trio.protocol import thread_rows
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.configuration.reading import Configuration
    from codex_trio.model import Model
    from codex_trio.protocol import catalogue as words
    from codex_trio.protocol import configuration as config_words
    from codex_trio.protocol import listing as listing_words
    from codex_trio.protocol import models as model_words
    from codex_trio.settings import Settings

_PROFILES = (":read-only", ":workspace", ":danger-full-access")


@attrs.define(eq=False)
class CatalogueMethods:
    """Says which models and skills there are, and that there is none of the rest."""

    _settings: Settings
    _configuration: Configuration

    @serves(rows.MODEL_LIST)
    async def list_models(
        self, call: Call[model_words.ModelListParams]
    ) -> model_words.ModelListResponse:
        """List the models, the default one first."""
        params = call.params
        found = model_list.in_words(await self._models(), hidden=bool(params.include_hidden))
        data, following = page(found, params.cursor, params.limit, "models")
        return protocol.models.ModelListResponse(data=data, next_cursor=following)

    @serves(rows.PROVIDER_CAPABILITIES_READ)
    def read_capabilities(
        self, call: Call[model_words.ModelProviderCapabilitiesReadParams]
    ) -> model_words.ModelProviderCapabilitiesReadResponse:
        """Say what models can be asked to do here, whatever their provider could."""
        return protocol.models.ModelProviderCapabilitiesReadResponse(
            image_generation=False, web_search=False
        )

    @serves(rows.SKILLS_LIST)
    async def list_skills(self, call: Call[words.SkillsListParams]) -> words.SkillsListResponse:
        """List the skills, folder by folder; they are read anew every time."""
        data = [await self._skills_of(cwd) for cwd in _folders(call.params.cwds)]
        return protocol.catalogue.SkillsListResponse(data=data)

    @serves(rows.HOOKS_LIST)
    def list_hooks(self, call: Call[words.HooksListParams]) -> words.HooksListResponse:
        """List no hooks."""
        data = [
            protocol.catalogue.HooksListEntry(cwd=cwd, hooks=[], warnings=[], errors=[])
            for cwd in _folders(call.params.cwds)
        ]
        return protocol.catalogue.HooksListResponse(data=data)

    @serves(rows.MCP_SERVER_STATUS_LIST)
    async def list_mcp_servers(
        self, call: Call[words.ListMcpServerStatusParams]
    ) -> words.ListMcpServerStatusResponse:
        """List the MCP servers that are configured, of which none is ever started."""
        params = call.params
        servers = (await self._table()).get("mcp_servers", {})
        names = [
            name
            for name, server in servers.items()
            if server.get("enabled", True) and params.server_name in (None, name)
        ]
        data, following = page(names, params.cursor, params.limit, "MCP servers")
        return protocol.catalogue.ListMcpServerStatusResponse(
            data=[
                protocol.catalogue.McpServerStatus(
                    name=name,
                    runtime_status=None if params.thread_id is None else "notStarted",
                    tools={},
                    tools_error="codex-trio does not start MCP servers yet",
                    resources=[],
                    resource_templates=[],
                    auth_status="unsupported",
                )
                for name in data
            ],
            next_cursor=following,
        )

    @serves(rows.EXPERIMENTAL_FEATURE_LIST)
    def list_features(
        self, call: Call[config_words.ExperimentalFeatureListParams]
    ) -> config_words.ExperimentalFeatureListResponse:
        """List no features."""
        page((), call.params.cursor, call.params.limit, "feature flags")
        return protocol.configuration.ExperimentalFeatureListResponse(data=[])

    @serves(rows.PERMISSION_PROFILE_LIST)
    def list_profiles(
        self, call: Call[config_words.PermissionProfileListParams]
    ) -> config_words.PermissionProfileListResponse:
        """List the permission profiles that need no definition."""
        params = call.params
        data, following = page(_PROFILES, params.cursor, params.limit, "permission profiles")
        summary = protocol.configuration.PermissionProfileSummary
        return protocol.configuration.PermissionProfileListResponse(
            data=[summary(id=profile, allowed=True) for profile in data], next_cursor=following
        )

    @serves(rows.COLLABORATION_MODE_LIST)
    def list_modes(
        self, call: Call[words.CollaborationModeListParams]
    ) -> words.CollaborationModeListResponse:
        """List the ways of collaborating."""
        mask = protocol.catalogue.CollaborationModeMask
        return protocol.catalogue.CollaborationModeListResponse(
            data=[
                mask(name="Plan", mode="plan", reasoning_effort="medium"),
                mask(name="Default", mode="default"),
            ]
        )

    @serves(rows.APP_LIST)
    def list_apps(self, call: Call[words.AppsListParams]) -> words.AppsListResponse:
        """List no apps."""
        return protocol.catalogue.AppsListResponse(data=[])

    @serves(rows.APP_INSTALLED)
    def list_installed_apps(
        self, call: Call[words.AppsInstalledParams]
    ) -> words.AppsInstalledResponse:
        """List no apps that are installed."""
        return protocol.catalogue.AppsInstalledResponse(apps=[])

    @serves(rows.PLUGIN_LIST)
    def list_plugins(self, call: Call[words.PluginListParams]) -> words.PluginListResponse:
        """List no plugins."""
        return protocol.catalogue.PluginListResponse(marketplaces=[])

    @serves(rows.PLUGIN_INSTALLED)
    def list_installed_plugins(
        self, call: Call[words.PluginInstalledParams]
    ) -> words.PluginInstalledResponse:
        """List no plugins that are installed."""
        return protocol.catalogue.PluginInstalledResponse(marketplaces=[])

    @serves(thread_rows.THREAD_SECTION_LIST)
    def list_sections(
        self, call: Call[listing_words.ThreadSectionListParams]
    ) -> listing_words.ThreadSectionListResponse:
        """List no sections: nothing can be put into one."""
        return protocol.listing.ThreadSectionListResponse(data=[])

    @serves(rows.BEDROCK_CHECK_GOV_CLOUD)
    def check_gov_cloud(
        self, call: Call[words.BedrockCheckGovCloudRequirementsParams]
    ) -> words.BedrockCheckGovCloudRequirementsResponse:
        """Say that nobody is signed in at Bedrock, which cannot be done here."""
        return protocol.catalogue.BedrockCheckGovCloudRequirementsResponse(
            is_gov_cloud=False, should_warn=False
        )

    @serves(rows.REMOTE_CONTROL_STATUS_READ)
    async def read_remote_control(
        self, call: Call[None]
    ) -> words.RemoteControlStatusReadResponse:
        """Say that the server cannot be reached from afar."""
        find = partial(identity.installation_id, self._settings.codex_home)
        return protocol.catalogue.RemoteControlStatusReadResponse(
            status="disabled",
            server_name=socket.gethostname(),
            installation_id=await trio.to_thread.run_sync(find),
        )

    async def _models(self) -> Sequence[Model]:
        known = KnownModels(self._settings)
        try:
            effective = await self._configuration.read()
            return await known.read(effective.defaults.model_catalog_json)
        except ConfigError:  # a thread will say so; a list is of use all the same
            return self._settings.models or MODELS

    async def _table(self, cwd: str | None = None) -> Mapping[str, Any]:
        try:
            return (await self._configuration.read(cwd)).table
        except ConfigError:
            return {}

    async def _skills_of(self, cwd: str) -> words.SkillsListEntry:
        find = partial(
            skills.find_skills, cwd, self._settings.codex_home, await self._table(cwd)
        )
        found, faults = await trio.to_thread.run_sync(find, abandon_on_cancel=True)
        return protocol.catalogue.SkillsListEntry(
            cwd=cwd,
            skills=[protocol.catalogue.SkillMetadata(**attrs.asdict(skill)) for skill in found],
            errors=[
                protocol.catalogue.SkillErrorInfo(path=fault.path, message=fault.message)
                for fault in faults
            ],
        )


def _folders(cwds: Sequence[str]) -> Sequence[str]:
    return cwds or [os.getcwd()]
