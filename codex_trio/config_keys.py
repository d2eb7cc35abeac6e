"""What the values of config.toml must be, for the keys that we use; the texts are the original's.

A key that is not named here may have any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_trio.faults import describe, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Keys: TypeAlias = tuple[str, ...]

Fault: TypeAlias = tuple[Keys, str]
"""The way to a value, and what is wrong with it."""

Check: TypeAlias = "Callable[[Any], Fault | None]"

NEEDS_OPENAI: Final = {
    "openai": True,
    "ollama": False,
    "lmstudio": False,
    "amazon-bedrock": False,
}
"""The model providers that need no definition, and whether they need an OpenAI account."""

_RESERVED: Final = ("openai", "ollama", "lmstudio")  # the fourth may be defined further

_NO_NAME: Final = "wanted string or table"
_NO_NAME_OUTSIDE: Final = "invalid type: unit variant, expected string only"


def find_fault(table: Mapping[str, Any]) -> Fault | None:
    """Find the first value, in the order of the table, that cannot be used.

    What is missing counts for nothing: another layer may have it.
    """
    return _fields(table, _KEYS)


def find_gap(table: Mapping[str, Any]) -> Fault | None:
    """Find what is missing in a whole configuration that has no fault."""
    policy = table.get("approval_policy")
    if type(policy) is dict:
        for field in ("sandbox_approval", "rules", "mcp_elicitations"):
            if field not in policy["granular"]:
                return ("approval_policy",), f"missing field `{field}`"
    for name, provider in table.get("model_providers", {}).items():
        if name not in NEEDS_OPENAI and not provider.get("name"):
            reason = f"model_providers.{name}: provider name must not be empty"
            return ("model_providers",), reason
    for name, server in table.get("mcp_servers", {}).items():
        if not {"command", "url"} & server.keys():
            return ("mcp_servers", name), "invalid transport"
    return None


def fault_text(fault: Fault) -> str:
    """Say what is wrong with a value that stands in no file (observed)."""
    keys, reason = fault
    if reason == _NO_NAME:
        reason = _NO_NAME_OUTSIDE
    return f"{reason}\nin `{'.'.join(keys)}`\n"


def _fields(table: Mapping[str, Any], checks: Mapping[str, Check]) -> Fault | None:
    for key, value in table.items():
        if (check := checks.get(key)) is not None and (fault := check(value)) is not None:
            keys, reason = fault
            return (key, *keys), reason
    return None


def _wrong(value: Any, expected: str) -> Fault:
    return (), f"invalid type: {describe(value)}, expected {expected}"


def _exactly(kind: type, expected: str) -> Check:
    # Not isinstance: a bool is an int in Python, and is none in TOML.
    return lambda value: None if type(value) is kind else _wrong(value, expected)


def _whole(expected: str) -> Check:
    """Take a number that is not negative, in the original's name for it."""

    def check(value: Any) -> Fault | None:
        if type(value) is not int:
            return _wrong(value, expected)
        return (
            ((), f"invalid value: integer `{value}`, expected {expected}")
            if value < 0
            else None
        )

    return check


def _one_of(*names: str) -> Check:
    def check(value: Any) -> Fault | None:
        if type(value) is str:
            return None if value in names else ((), unknown_name(value, names))
        if type(value) is dict and len(value) == 1:
            return (), unknown_name(next(iter(value)), names)
        return (), _NO_NAME

    return check


def _list_of(inner: Check) -> Check:
    """Take a list; what is wrong with one of its values is said of the list, as observed."""

    def check(value: Any) -> Fault | None:
        if type(value) is not list:
            return _wrong(value, "a sequence")
        return next((fault for one in value if (fault := inner(one)) is not None), None)

    return check


def _map_of(inner: Check) -> Check:
    def check(value: Any) -> Fault | None:
        if type(value) is not dict:
            return _wrong(value, "a map")
        return _fields(value, dict.fromkeys(value, inner))

    return check


def _struct(name: str, fields: Mapping[str, Check]) -> Check:
    def check(value: Any) -> Fault | None:
        return (
            _fields(value, fields) if type(value) is dict else _wrong(value, f"struct {name}")
        )

    return check


_string: Final = _exactly(str, "a string")
_path: Final = _exactly(str, "path string")
_boolean: Final = _exactly(bool, "a boolean")
_i64: Final = _exactly(int, "i64")
_usize: Final = _whole("usize")
_u64: Final = _whole("u64")
_strings: Final = _list_of(_string)
_table: Final = _exactly(dict, "a map")


def _effort(value: Any) -> Fault | None:
    return ((), "reasoning_effort must not be empty") if value == "" else _string(value)


def _ports(value: Any) -> Fault | None:
    if type(value) is list and value and all(type(port) is int for port in value):
        wrong = [port for port in value if not 0 <= port <= 65535]
        return ((), f"invalid value: {describe(wrong[0])}, expected a port") if wrong else None
    return (), "expected a list of ports"


def _workspaces(value: Any) -> Fault | None:
    several = value if type(value) is list else [value]
    if not all(type(one) is str for one in several):
        return (), "data did not match any variant of untagged enum Repr"
    return ((), _COMMAS) if type(value) is str and "," in value else None


_COMMAS: Final = (
    "forced_chatgpt_workspace_id must be a single workspace ID string or a TOML list of strings;"
    " comma-separated strings are not supported. Use `forced_chatgpt_workspace_id ="
    ' ["123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174001"]` instead.'
)

_named_approval: Final = _one_of("untrusted", "on-failure", "on-request", "granular", "never")
_granular: Final = _struct(
    "GranularApprovalConfig",
    {
        "sandbox_approval": _boolean,
        "rules": _boolean,
        "skill_approval": _boolean,
        "request_permissions": _boolean,
        "mcp_elicitations": _boolean,
    },
)


def _approval(value: Any) -> Fault | None:
    match value:
        case "granular":
            return (), "invalid type: unit variant, expected newtype variant"
        case {"granular": inner} if len(value) == 1:
            fault = _granular(inner)
            return None if fault is None else ((), fault[1])
        case _:
            return _named_approval(value)


def _wire_api(value: Any) -> Fault | None:
    if value == "chat":
        return (), (
            '`wire_api = "chat"` is no longer supported.\n'
            'How to fix: set `wire_api = "responses"` in your provider config.'
        )
    return _one_of("responses")(value)


_provider: Final = _struct(
    "ModelProviderInfo",
    {
        "name": _string,
        "base_url": _string,
        "env_key": _string,
        "env_key_instructions": _string,
        "experimental_bearer_token": _string,
        "wire_api": _wire_api,
        "query_params": _map_of(_string),
        "http_headers": _map_of(_string),
        "env_http_headers": _map_of(_string),
        "request_max_retries": _u64,
        "stream_max_retries": _u64,
        "stream_idle_timeout_ms": _u64,
        "websocket_connect_timeout_ms": _u64,
        "requires_openai_auth": _boolean,
        "supports_websockets": _boolean,
    },
)
_named_providers: Final = _map_of(_provider)


def _providers(value: Any) -> Fault | None:
    if (fault := _named_providers(value)) is not None:
        return fault
    if reserved := ", ".join(f"`{name}`" for name in _RESERVED if name in value):
        return (), (
            f"model_providers contains reserved built-in provider IDs: {reserved}."
            " Built-in providers cannot be overridden. Rename your custom provider"
            f" (for example, {reserved.split(',', maxsplit=1)[0][:-1]}-custom`)."
        )
    return None


_mcp_server: Final = _struct(
    "McpServerConfig",
    {
        "command": _string,
        "url": _string,
        "args": _strings,
        "env": _map_of(_string),
        "enabled": _boolean,
    },
)

_KEYS: Final[dict[str, Check]] = {
    # who is signed in, and how
    "forced_login_method": _one_of("chatgpt", "api"),
    "forced_chatgpt_workspace_id": _workspaces,
    "login_callback_ports": _ports,
    "cancel_other_login": _boolean,
    "login_ends_with_client": _boolean,
    "cli_auth_credentials_store": _one_of("file", "keyring", "auto", "ephemeral"),
    "chatgpt_base_url": _string,
    # who answers
    "openai_base_url": _string,
    "model_provider": _string,
    "model_providers": _providers,
    "model": _string,
    "review_model": _string,
    "model_catalog_json": _path,
    "model_context_window": _i64,
    "model_auto_compact_token_limit": _i64,
    "model_auto_compact_token_limit_scope": _one_of("total", "body_after_prefix"),
    "model_reasoning_effort": _effort,
    "model_reasoning_summary": _one_of("auto", "concise", "detailed", "none"),
    "model_verbosity": _one_of("low", "medium", "high"),
    "service_tier": _string,
    "personality": _one_of("none", "friendly", "pragmatic"),
    # what is said to it
    "instructions": _string,
    "developer_instructions": _string,
    "compact_prompt": _string,
    "model_instructions_file": _path,
    "project_doc_max_bytes": _usize,
    "project_doc_fallback_filenames": _strings,
    "project_root_markers": _strings,
    "tool_output_token_limit": _usize,
    "hide_agent_reasoning": _boolean,
    "show_raw_agent_reasoning": _boolean,
    "include_environment_context": _boolean,
    "include_permissions_instructions": _boolean,
    # what it may do
    "approval_policy": _approval,
    "approvals_reviewer": _one_of("user", "auto_review", "guardian_subagent"),
    "sandbox_mode": _one_of("read-only", "workspace-write", "danger-full-access"),
    "sandbox_workspace_write": _struct(
        "SandboxWorkspaceWrite",
        {
            "writable_roots": _list_of(_path),
            "network_access": _boolean,
            "exclude_tmpdir_env_var": _boolean,
            "exclude_slash_tmp": _boolean,
        },
    ),
    "web_search": _one_of("disabled", "cached", "indexed", "live"),
    "projects": _map_of(
        _struct("ProjectConfig", {"trust_level": _one_of("trusted", "untrusted")})
    ),
    "mcp_servers": _map_of(_mcp_server),
    "skills": _struct(
        "SkillsConfig",
        {"config": _list_of(_struct("SkillConfig", {"path": _path, "enabled": _boolean}))},
    ),
}
