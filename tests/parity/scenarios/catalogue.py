"""What there is: models, modes, skills, and what else a client asks for when it starts."""

from __future__ import annotations

from typing import Any

from tests.parity.scenarios.keeping import NOBODY, keeps, project, request, write

PAGES: list[dict[str, Any]] = [
    {},
    {"limit": 1},
    {"limit": 1, "cursor": "1"},
    {"limit": 0},
    {"cursor": "999"},
    {"cursor": "x"},
    {"cursor": ""},
    {"cursor": "-1"},
    {"limit": -1},
    {"limit": "a"},
    {"limit": None, "cursor": None},
]

LISTS: dict[str, list[Any]] = {
    "model/list": [*PAGES, {"includeHidden": True}, {"includeHidden": "x"}, {"unknown": 1}, ...],
    "permissionProfile/list": [*PAGES, {"cwd": project, "cursor": None}, ...],
    "modelProvider/capabilities/read": [{}, ...],
    "collaborationMode/list": [{}, ...],
    "mcpServerStatus/list": [
        {}, {"cursor": "zz"}, {"detail": "toolsAndAuthOnly"}, {"detail": "x"}, ...,
        {"threadId": "x"}, {"threadId": NOBODY},
    ],
    "hooks/list": [{"cwds": [project]}, {"cwds": "x"}, ...],
    "app/list": [{}, {"limit": 1}, ...],
    "app/installed": [{}, {"forceRefresh": True}, {"forceRefresh": 1}, ...],
    "account/bedrock/checkGovCloudRequirements": [{}, {"unknown": 1}, 5, ...],
    "plugin/list": [{}, {"cwds": [project]}, ...],
    "plugin/installed": [{}, ...],
    "configRequirements/read": [..., None],
    "config/mcpServer/reload": [...],
    "threadSection/list": [{}],
    "remoteControl/status/read": [...],
}  # fmt: skip

SKILL = "---\nname: {name}\ndescription: {said}\n---\nDo it.\n"

SKILLS = [
    write("project/.codex/skills/ours/SKILL.md", SKILL.format(name="ours", said="Ours")),
    write("skills/mine/SKILL.md", SKILL.format(name="mine", said="Mine")),
    write("skills/bad/SKILL.md", "no front matter\n"),
    write("skills/nameless/SKILL.md", "---\ndescription: x\n---\n"),
]

CATALOGUE = [
    keeps(
        "what there is",
        *(request(method, params) for method, asked in LISTS.items() for params in asked),
    ),
    keeps(
        "which skills there are",
        *SKILLS,
        request("skills/list", {"cwds": [project]}),
        request("skills/list", {"cwds": [project, "/srv"], "forceReload": True}),
        request("skills/list", {"cwds": "x"}),
    ),
]
