"""Words of config/*, and of what is configured."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import Config, ConfigRequirements
from codex_trio.protocol.words import LEFT_OUT, U32, Tagged

MergeStrategy: TypeAlias = Literal["replace", "upsert"]


WriteStatus: TypeAlias = Literal["ok", "okOverridden"]


@frozen(kw_only=True)
class ConfigReadParams:
    """The configuration in force, in some folder, and layer by layer?"""

    include_layers: bool = False
    cwd: str | None = None


@frozen(kw_only=True)
class PackagedDefaultsConfigLayerSource:
    """What came with the program."""

    type: Literal["packagedDefaults"] = "packagedDefaults"
    file: str


@frozen(kw_only=True)
class MdmConfigLayerSource:
    """What manages the device."""

    type: Literal["mdm"] = "mdm"
    domain: str
    key: str


@frozen(kw_only=True)
class SystemConfigLayerSource:
    """The file of the machine."""

    type: Literal["system"] = "system"
    file: str


@frozen(kw_only=True)
class EnterpriseManagedConfigLayerSource:
    """What an organisation wants."""

    type: Literal["enterpriseManaged"] = "enterpriseManaged"
    id: str
    name: str


@frozen(kw_only=True)
class UserConfigLayerSource:
    """The file of the user."""

    type: Literal["user"] = "user"
    file: str
    profile: str | None = None


@frozen(kw_only=True)
class ProjectConfigLayerSource:
    """The folder of a project."""

    type: Literal["project"] = "project"
    dot_codex_folder: str


@frozen(kw_only=True)
class SessionFlagsConfigLayerSource:
    """The command line."""

    type: Literal["sessionFlags"] = "sessionFlags"


@frozen(kw_only=True)
class LegacyManagedConfigTomlFromFileConfigLayerSource:
    """An older file of the machine."""

    type: Literal["legacyManagedConfigTomlFromFile"] = "legacyManagedConfigTomlFromFile"
    file: str


@frozen(kw_only=True)
class LegacyManagedConfigTomlFromMdmConfigLayerSource:
    """What manages the device, in an older way."""

    type: Literal["legacyManagedConfigTomlFromMdm"] = "legacyManagedConfigTomlFromMdm"


ConfigLayerSource: TypeAlias = Annotated[
    PackagedDefaultsConfigLayerSource
    | MdmConfigLayerSource
    | SystemConfigLayerSource
    | EnterpriseManagedConfigLayerSource
    | UserConfigLayerSource
    | ProjectConfigLayerSource
    | SessionFlagsConfigLayerSource
    | LegacyManagedConfigTomlFromFileConfigLayerSource
    | LegacyManagedConfigTomlFromMdmConfigLayerSource,
    Tagged("ConfigLayerSource"),
]


@frozen(kw_only=True)
class ConfigLayerMetadata:
    """Where something comes from, and which version of that."""

    name: ConfigLayerSource
    version: str


@frozen(kw_only=True)
class ConfigLayer:
    """One layer."""

    name: ConfigLayerSource
    version: str
    config: object
    disabled_reason: str | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class ConfigReadResponse:
    """The configuration, where each part of it comes from, and the layers if asked for."""

    config: Config
    origins: dict[str, ConfigLayerMetadata]
    layers: list[ConfigLayer] | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class ConfigEdit:
    """One key that is to have another value; null removes it."""

    key_path: str
    value: object
    merge_strategy: MergeStrategy


@frozen(kw_only=True)
class ConfigValueWriteParams:
    """Change one key; null removes it."""

    key_path: str
    value: object
    merge_strategy: MergeStrategy
    file_path: str | None = None
    expected_version: str | None = None


@frozen(kw_only=True)
class ConfigBatchWriteParams:
    """Change some keys together."""

    edits: list[ConfigEdit]
    file_path: str | None = None
    expected_version: str | None = None
    reload_user_config: bool = False


@frozen(kw_only=True)
class OverriddenMetadata:
    """What is in force instead of that which was written."""

    message: str
    overriding_layer: ConfigLayerMetadata
    effective_value: object


@frozen(kw_only=True)
class ConfigWriteResponse:
    """It is written; where, and which version of it."""

    status: WriteStatus
    version: str
    file_path: str
    overridden_metadata: OverriddenMetadata | None = None


@frozen(kw_only=True)
class ConfigRequirementsReadResponse:
    """What an organisation wants, if it wants anything."""

    supports_independent_speed_modes: bool | None = None
    requirements: ConfigRequirements | None = None


ExperimentalFeatureStage: TypeAlias = Literal[
    "beta", "underDevelopment", "stable", "deprecated", "removed"
]


@frozen(kw_only=True)
class ExperimentalFeatureListParams:
    """Which page of the features."""

    cursor: str | None = None
    limit: U32 | None = None
    thread_id: str | None = None


@frozen(kw_only=True)
class ExperimentalFeature:
    """Something that may be switched on or off."""

    name: str
    stage: ExperimentalFeatureStage
    display_name: str | None = None
    description: str | None = None
    announcement: str | None = None
    enabled: bool
    default_enabled: bool


@frozen(kw_only=True)
class ExperimentalFeatureListResponse:
    """Some features."""

    data: list[ExperimentalFeature]
    next_cursor: str | None = None


@frozen(kw_only=True)
class PermissionProfileListParams:
    """Which page of the permission profiles, in some folder."""

    cursor: str | None = None
    limit: U32 | None = None
    cwd: str | None = None


@frozen(kw_only=True)
class PermissionProfileSummary:
    """A permission profile, and whether it may be used."""

    id: str
    description: str | None = None
    allowed: bool


@frozen(kw_only=True)
class PermissionProfileListResponse:
    """Some permission profiles."""

    data: list[PermissionProfileSummary]
    next_cursor: str | None = None
