"""Items of turns as rollouts have them: from words, and to words.

A rollout has its own names for what clients are told: ``AgentMessage`` with ``content`` for
``agentMessage`` with ``text``, and so on (observed on 0.163.0). What cannot be read is no item.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from codex_trio import protocol as words
from codex_trio.errors import InvalidParamsError
from codex_trio.protocol.structure import camel, structure, unstructure

if TYPE_CHECKING:
    from codex_trio.protocol.items import ThreadItem

Json: TypeAlias = dict[str, Any]

IMAGES: Final = {"local_image": "localImage", "local_audio": "localAudio"}
_INPUTS: Final = {ours: theirs for theirs, ours in IMAGES.items()}

_REQUIRED: Final = {
    "commandExecution": {"command", "commandActions", "cwd", "status"},
    "dynamicToolCall": {"arguments", "status", "tool"},
    "enteredReviewMode": {"review"},
    "exitedReviewMode": {"review"},
    "fileChange": {"changes", "status"},
    "functionCallOutput": {"name", "output"},
    "hookPrompt": {"fragments"},
    "imageGeneration": {"result", "status"},
    "imageView": {"path"},
    "mcpToolCall": {"arguments", "server", "status", "tool"},
    "sleep": {"durationMs"},
}
"""What the schema wants of the items for which we have no words."""


def camel_keys(value: Any) -> Any:
    """Write all names in a JSON value in camel case, down to the leaves."""
    if isinstance(value, dict):
        return {camel(key): camel_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [camel_keys(item) for item in value]
    return value


def snake(name: str) -> str:
    """``loginId`` to ``login_id``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def snake_keys(value: Any) -> Any:
    """Write all names in a JSON value in snake case, down to the leaves."""
    if isinstance(value, Mapping):
        return {snake(key): snake_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snake_keys(item) for item in value]
    return value


# --- from a rollout ---


def read_item(raw: object) -> ThreadItem | None:
    """Read an item of a rollout; None if it is none that clients may be told."""
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str):
        return None
    kind = raw.get("type")
    try:
        return _READERS[kind](raw) if kind in _READERS else _as_it_came(raw)
    except (InvalidParamsError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _user_message(raw: Json) -> ThreadItem:
    item: ThreadItem = structure(
        {
            "id": raw["id"],
            "clientId": raw.get("client_id"),
            "content": [_read_input(one) for one in raw["content"]],
        },
        words.items.UserMessageThreadItem,
    )
    return item


def _read_input(raw: Json) -> Json:
    given = dict(raw)
    given["type"] = IMAGES.get(given["type"], given["type"])
    if given["type"] in ("image", "audio"):
        given["url"] = given.pop(f"{given['type']}_url", given.get("url"))
    if "file_id" in given:
        given["fileId"] = given.pop("file_id")
    if elements := given.get("text_elements"):
        given["text_elements"] = camel_keys(elements)
    return given


def _agent_message(raw: Json) -> ThreadItem:
    item: ThreadItem = structure(
        {
            "id": raw["id"],
            "text": "".join(part["text"] for part in raw["content"]),
            "phase": raw.get("phase"),
            "memoryCitation": camel_keys(raw.get("memory_citation")),
            "delivery": raw.get("delivery"),
            "questions": camel_keys(raw.get("questions")),
        },
        words.items.AgentMessageThreadItem,
    )
    return item


def _plan(raw: Json) -> ThreadItem:
    given = {"id": raw["id"], "text": raw["text"]}
    item: ThreadItem = structure(given, words.items.PlanThreadItem)
    return item


def _reasoning(raw: Json) -> ThreadItem:
    item: ThreadItem = structure(
        {
            "id": raw["id"],
            "summary": raw["summary_text"],
            "content": raw.get("raw_content") or [],
        },
        words.items.ReasoningThreadItem,
    )
    return item


def _web_search(raw: Json) -> ThreadItem:
    action = raw.get("action")
    if isinstance(action, dict):
        action = camel_keys(action)
        action["type"] = camel(str(action.get("type")))
        if action["type"] == "search":
            action = {"type": "search", "query": None, "queries": None, **action}
    item: ThreadItem = structure(
        {
            "id": raw["id"],
            "query": raw["query"],
            "action": action,
            "results": raw.get("results"),
        },
        words.items.WebSearchThreadItem,
    )
    return item


def _compaction(raw: Json) -> ThreadItem:
    return words.items.ContextCompactionThreadItem(id=raw["id"])


def _command(raw: Json) -> ThreadItem:
    duration = raw.get("duration")
    return {
        "type": "commandExecution",
        "id": raw["id"],
        "command": shlex.join(raw["command"]),
        "cwd": _path(raw["cwd"]),
        "processId": raw.get("process_id"),
        "source": camel(raw.get("source") or "agent"),
        "status": camel(raw["status"]),
        "commandActions": [_action(one) for one in raw.get("parsed_cmd") or []],
        "aggregatedOutput": raw.get("aggregated_output"),
        "exitCode": raw.get("exit_code"),
        "durationMs": None
        if duration is None
        else duration["secs"] * 1000 + duration["nanos"] // 1_000_000,
        "pluginId": raw.get("plugin_id"),
        "scriptPath": raw.get("script_path"),
    }


def _action(raw: Json) -> Json:
    given = camel_keys(raw)
    given["command"] = given.pop("cmd", given.get("command"))
    given["type"] = camel(given["type"])
    return dict(given)


def _path(url: str) -> str:
    return unquote(urlsplit(url).path) if url.startswith("file://") else url


def _file_change(raw: Json) -> ThreadItem:
    return {
        "type": "fileChange",
        "id": raw["id"],
        "changes": [_change(path, raw["changes"][path]) for path in sorted(raw["changes"])],
        "status": camel(raw["status"]),
    }


def _change(path: str, raw: Json) -> Json:
    kind: Json = {"type": raw["type"]}
    if raw["type"] == "update":
        kind["move_path"] = raw.get("move_path")
        return {"path": path, "kind": kind, "diff": raw["unified_diff"]}
    return {"path": path, "kind": kind, "diff": raw["content"]}


def _as_it_came(raw: Json) -> ThreadItem | None:
    kind = raw["type"][0].lower() + raw["type"][1:]
    item = {camel(key): value for key, value in raw.items()} | {"type": kind}
    if kind not in _REQUIRED or not item.keys() >= _REQUIRED[kind]:
        return None
    if isinstance(item.get("status"), str):
        item["status"] = camel(item["status"])
    return item


_READERS: Final[Mapping[Any, Callable[[Json], ThreadItem]]] = {
    "UserMessage": _user_message,
    "AgentMessage": _agent_message,
    "Plan": _plan,
    "Reasoning": _reasoning,
    "WebSearch": _web_search,
    "ContextCompaction": _compaction,
    "CommandExecution": _command,
    "FileChange": _file_change,
}


# --- to a rollout ---


def write_item(item: ThreadItem) -> Json:
    """Write an item as rollouts have it."""
    match item:
        case words.items.UserMessageThreadItem():
            given: Json = {"type": "UserMessage", "id": item.id}
            if item.client_id is not None:
                given["client_id"] = item.client_id
            return {**given, "content": [write_input(one) for one in item.content]}
        case words.items.AgentMessageThreadItem():
            given = {"type": "AgentMessage", "id": item.id}
            given["content"] = [{"type": "Text", "text": item.text}]
            for name in ("phase", "memory_citation", "delivery", "questions"):
                if (value := getattr(item, name)) is not None:
                    given[name] = snake_keys(value)
            return given
        case words.items.ReasoningThreadItem():
            return {
                "type": "Reasoning",
                "id": item.id,
                "summary_text": item.summary,
                "raw_content": item.content,
            }
        case words.items.WebSearchThreadItem():
            action = snake_keys(item.action)
            if isinstance(action, dict):
                action["type"] = snake(str(action.get("type")))
            return {"type": "WebSearch", "id": item.id, "query": item.query, "action": action}
        case _:
            given = unstructure(item)
    kind = given.pop("type")
    return {"type": kind[0].upper() + kind[1:], **{snake(k): v for k, v in given.items()}}


def write_input(said: object) -> Json:
    """Write a part of what a user has said as rollouts have it."""
    given: Json = unstructure(said)
    given["type"] = _INPUTS.get(given["type"], given["type"])
    if given["type"] in ("image", "audio") and "url" in given:
        given[f"{given['type']}_url"] = given.pop("url")
    if "fileId" in given:
        given["file_id"] = given.pop("fileId")
    if elements := given.get("text_elements"):
        given["text_elements"] = snake_keys(elements)
    return {key: value for key, value in given.items() if value is not None}


def preview_of(item: ThreadItem) -> str | None:
    """Say in short what a user has said, None if it is not a user who has said it."""
    if not isinstance(item, words.items.UserMessageThreadItem):
        return None
    text = "".join(
        part.text for part in item.content if isinstance(part, words.items.TextUserInput)
    ).strip()
    pictures = (words.items.ImageUserInput, words.items.LocalImageUserInput)
    if not text and any(isinstance(part, pictures) for part in item.content):
        return "[Image]"
    return text
