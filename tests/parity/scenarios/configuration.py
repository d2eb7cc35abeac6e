"""The configuration: what is in force, where it comes from, and how it is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.run import Scenario
from tests.parity.scenarios.keeping import last, project, read, request, write
from tests.parity.scenarios.standing import OPEN_ABLE

if TYPE_CHECKING:
    from tests.parity.steps import Step

MINE = """\
# a comment
model = "gpt-5.5"  # which is fine
approval_policy = "on-request"

[model_providers.mine]
name = "Mine"
base_url = "http://127.0.0.1:9/v1"
request_max_retries = 0

[projects."<home>/project"]
trust_level = "trusted"
"""

FOR_PROJECT = 'model = "gpt-5.4"\n'


def configured(name: str, *steps: Step, config: str = MINE, **more: Any) -> Scenario:
    """A script about the configuration."""
    opened = (write("config.toml", config), OPEN_ABLE)
    return Scenario(
        name=f"configuration: {name}",
        steps=[*opened, *steps],
        files={"config.toml": "", "project": None},
        **more,
    )


def value(path: str, given: Any, strategy: str = "replace", **more: Any) -> Step:
    """Write one value, and look at the file."""
    params = {"keyPath": path, "value": given, "mergeStrategy": strategy, **more}
    return request("config/value/write", params)


def batch(*edits: tuple[str, Any, str], **more: Any) -> Step:
    """Write some values."""
    made = [{"keyPath": path, "value": one, "mergeStrategy": how} for path, one, how in edits]
    return request("config/batchWrite", {"edits": made, **more})


FILE = read("config.toml")

READING: list[Any] = [
    {},
    {"includeLayers": True},
    {"includeLayers": True, "cwd": project},
    {"cwd": "/nonexistent"},
    {"cwd": None, "includeLayers": False},
    {"cwd": 5},
    {"includeLayers": "x"},
    ...,
]

WRITING = [
    value("model", "gpt-5.4"),
    FILE,
    value("model_reasoning_effort", "high"),
    value("nobody.knows", "dark"),
    value("model_providers.mine", {"request_max_retries": 3}, "upsert"),
    FILE,
    value("model_providers.other", {"name": "Other", "query_params": {"a": "b"}}),
    value('projects."/a.b/c".trust_level', "trusted"),
    value("model_providers.other", None),
    value("nothing.of.the.kind", None),
    value("model_providers.mine.http_headers", {"a": "b"}, "upsert"),
    value("model_providers.mine.http_headers", {"c": "d"}, "replace"),
    FILE,
    batch(("model", "gpt-5.5", "replace"), ("model_verbosity", "low", "upsert")),
    batch(),
    batch(("model", "gpt-5.4", "replace"), ("model", 5, "replace")),
    batch(("model", None, "replace"), reloadUserConfig=True),
    FILE,
    request("config/read", {"includeLayers": True}),
]

WRONG = [
    value("", 1),
    value(".", 1),
    value("a..b", 1),
    value('"unterminated', 1),
    value("model", 5),
    value("model.x", 1),
    value("approval_policy", "bogus"),
    value("model_providers.x", [None]),
    value("model_providers.openai", {"name": "x"}),
    value("model_providers.q", {"name": "q", "wire_api": "chat"}),
    value("model", "x", expectedVersion="sha256:0"),
    value("model", "x", expectedVersion=last("version")),
    value("model", "x", filePath="/etc/x.toml"),
    value("model", "x", filePath="x.toml"),
    value("model", "x", filePath=lambda world: str(world.home / "config.toml")),
    value("model", "x", "bogus"),
    request("config/value/write", {"keyPath": "model", "mergeStrategy": "replace"}),
    request("config/value/write", {"keyPath": "model", "value": "x"}),
    request("config/value/write", {"value": "x", "mergeStrategy": "replace"}),
    request("config/value/write", {"keyPath": 5, "value": 1, "mergeStrategy": "replace"}),
    request("config/value/write"),
    request("config/batchWrite", {}),
    request("config/batchWrite", {"edits": [{}]}),
    batch(("model", "x", "replace"), expectedVersion="sha256:0"),
    batch(("", "x", "replace")),
    FILE,
]

BROKEN = "model = = 3\n"

CONFIGURATION = [
    configured(
        "read",
        write("project/.codex/config.toml", FOR_PROJECT),
        *(request("config/read", params) for params in READING),
        request("configRequirements/read"),
    ),
    configured(
        "read, with flags",
        value("model_verbosity", "low"),
        value("model", "gpt-5.4"),
        request("config/read", {"includeLayers": True}),
        after=["-c", "model=gpt-5.6-sol", "-c", "foo.bar=[1, 2]"],
    ),
    configured("written", *WRITING),
    configured("written where nothing is", value("model", "gpt-5.4"), FILE, config=""),
    configured("written wrongly", value("model", "gpt-5.5"), *WRONG),
    configured(
        "broken while it is in use",
        write("config.toml", BROKEN),
        request("config/read", {}),
        request("configRequirements/read"),
        value("model", "x"),
        request("thread/start", {"cwd": project}),
        FILE,
        write("config.toml", 'approval_policy = "bogus"\n'),
        request("config/read", {}),
        request("thread/start", {"cwd": project}),
        write("config.toml", 'model_provider = "nope"\n'),
        request("config/read", {}),
        request("thread/start", {"cwd": project}),
    ),
]
