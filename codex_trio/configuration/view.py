"""The configuration as clients are shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codex_trio.protocol import configuration as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.config import Table
    from codex_trio.configuration.layers import Layer

# What release 0.163.0 shows when nothing is configured: most keys as null, in this order.
_KEYS: Final = """
    model review_model model_context_window model_auto_compact_token_limit
    model_auto_compact_token_limit_scope model_provider approval_policy approvals_reviewer
    sandbox_mode sandbox_workspace_write forced_chatgpt_workspace_id forced_login_method web_search
    tools instructions developer_instructions compact_prompt model_reasoning_effort
    model_reasoning_summary model_verbosity service_tier analytics apps browser_use computer_use
    desktop agents allow_login_shell allow_symlinked_codex_home apps_mcp_product_sku audio
    auto_review background_terminal_max_timeout chatgpt_base_url check_for_update_on_startup
    cli_auth_credentials_store cloud daybreak default_permissions disable_paste_burst
    experimental_compact_prompt_file experimental_realtime_start_instructions
    experimental_realtime_webrtc_call_base_url experimental_realtime_ws_backend_prompt
    experimental_realtime_ws_base_url experimental_realtime_ws_model
    experimental_realtime_ws_startup_context experimental_thread_store
    experimental_thread_store_endpoint experimental_use_unified_exec_tool features feedback
    file_opener ghost_snapshot goals hide_agent_reasoning history hooks include_apps_instructions
    include_collaboration_mode_instructions include_environment_context
    include_environment_context_time include_permissions_instructions js_repl_node_module_dirs
    js_repl_node_path log_dir marketplaces mcp_enterprise_managed_auth mcp_oauth_callback_port
    mcp_oauth_callback_url mcp_oauth_credentials_store mcp_optional_startup_grace_ms mcp_servers
    memories model_catalog_json model_instructions_file model_post_turn_compact_threshold_percent
    model_providers notice notify openai_base_url orchestrator oss_provider otel permissions
    personality plan_mode_reasoning_effort plugins profile profiles project_doc_fallback_filenames
    project_doc_max_bytes project_root_markers projects realtime responses_api_metadata
    shell_environment_policy show_raw_agent_reasoning skills sqlite_home
    suppress_unstable_features_warning thread_unload_delay_secs tool_output_token_limit
    tool_suggest tui windows login_callback_ports cancel_other_login login_ends_with_client
""".split()  # noqa: SIM905 - a hundred names read better so

_OURS: Final = frozenset(
    {"login_callback_ports", "cancel_other_login", "login_ends_with_client"}
)  # shown when they are set

_DEFAULTS: Final[dict[str, Any]] = {
    "allow_login_shell": True,
    "background_terminal_max_timeout": 300000,
    "chatgpt_base_url": "https://chatgpt.com/backend-api/",
    "cli_auth_credentials_store": "file",
    "file_opener": "vscode",
    "hide_agent_reasoning": False,
    "include_apps_instructions": True,
    "include_collaboration_mode_instructions": True,
    "include_environment_context": True,
    "include_environment_context_time": True,
    "include_permissions_instructions": True,
    "marketplaces": {},
    "mcp_oauth_credentials_store": "auto",
    "mcp_servers": {},
    "model_providers": {},
    "plugins": {},
    "profiles": {},
    "project_doc_fallback_filenames": [],
    "project_doc_max_bytes": 32768,
    "project_root_markers": [".git"],
}

_HISTORY: Final = {"persistence": "save-all", "max_bytes": None}

_ENVIRONMENT: Final = dict.fromkeys(
    (
        "inherit",
        "ignore_default_excludes",
        "exclude",
        "set",
        "include_only",
        "filters",
        "experimental_use_profile",
    )
)

_WORKSPACE_WRITE: Final = {
    "writable_roots": [],
    "network_access": False,
    "exclude_tmpdir_env_var": False,
    "exclude_slash_tmp": False,
}

_GRANULAR: Final = {"skill_approval": False, "request_permissions": False}

_PROVIDER: Final = {
    "name": "",
    **dict.fromkeys(
        (
            "base_url",
            "model_catalog_url",
            "env_key",
            "env_key_instructions",
            "experimental_bearer_token",
            "auth",
            "gateway_oauth",
            "aws",
            "capabilities",
            "query_params",
            "http_headers",
            "env_http_headers",
            "request_max_retries",
            "stream_max_retries",
            "stream_idle_timeout_ms",
            "websocket_connect_timeout_ms",
        )
    ),
    "wire_api": "responses",
    "requires_openai_auth": False,
    "supports_websockets": False,
    "supports_standalone_web_search": False,
}


def whole(table: Table) -> dict[str, Any]:
    """Show a configuration with every key that there is; what nobody knows is left out."""
    shown = {
        key: table.get(key, _DEFAULTS.get(key))
        for key in _KEYS
        if key in table or key not in _OURS
    }
    shown["history"] = {**_HISTORY, **table.get("history", {})}
    shown["shell_environment_policy"] = {
        **_ENVIRONMENT,
        **table.get("shell_environment_policy", {}),
    }
    if "sandbox_workspace_write" in table:
        shown["sandbox_workspace_write"] = {
            **_WORKSPACE_WRITE,
            **table["sandbox_workspace_write"],
        }
    shown["model_providers"] = {
        name: {**_PROVIDER, **provider}
        for name, provider in table.get("model_providers", {}).items()
    }
    if isinstance(policy := shown["approval_policy"], dict):
        shown["approval_policy"] = {"granular": {**_GRANULAR, **policy["granular"]}}
    return shown


def source_of(layer: Layer) -> words.ConfigLayerSource:
    """Name a layer."""
    path = layer.path or ""
    match layer.kind:
        case "sessionFlags":
            return words.SessionFlagsConfigLayerSource()
        case "project":
            return words.ProjectConfigLayerSource(dot_codex_folder=path)
        case "user":
            return words.UserConfigLayerSource(file=path)
        case "system":
            return words.SystemConfigLayerSource(file=path)


def metadata_of(layer: Layer) -> words.ConfigLayerMetadata:
    """Name a layer, and which version of it."""
    return words.ConfigLayerMetadata(name=source_of(layer), version=layer.version)


def layer_words(layers: Sequence[Layer]) -> list[words.ConfigLayer]:
    """Show layers with what they say."""
    return [
        words.ConfigLayer(
            name=source_of(layer),
            version=layer.version,
            config=layer.table,
            disabled_reason=layer.disabled,
        )
        for layer in layers
    ]
