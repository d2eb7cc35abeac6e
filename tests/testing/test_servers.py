"""Servers that sign in at the stand-in: the genuine one as a process."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.testing import open_client
from tests.processes import start, wire_of

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn


async def test_the_genuine_server_signs_in_reads_and_signs_out(
    stand_in: StandIn, home: Path
) -> None:
    stand_in.device.approve_after = 0
    stand_in.account.plan = "pro"
    (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
    command = [str(bundled_codex_path())]
    async with start(
        home, command=command, environ=stand_in.environ, stderr=subprocess.DEVNULL
    ) as process:
        async with open_client(wire_of(process)) as client:
            await client.initialize()
            await client.call("account/login/start", {"type": "chatgptDeviceCode"})
            completed = await client.next_notification("account/login/completed")
            assert completed["params"]["success"] is True
            answer = await client.call("account/read", {"refreshToken": True})
            assert answer["account"]["planType"] == "pro"
            assert answer["workspaceRouting"]["backendOrigin"] == "https://chatgpt.com"
            limits = await client.call("account/rateLimits/read")
            assert limits["rateLimits"]["primary"]["usedPercent"] == 12
            await client.call("account/logout")
    token_requests = [one for one in stand_in.requests if one.path == "/oauth/token"]
    assert [one.fields["grant_type"] for one in token_requests] == [
        "authorization_code",
        "refresh_token",
    ]
    assert (await stand_in.wait_request("/oauth/revoke")).json["token"].startswith("rt-fake-")


async def test_the_genuine_server_does_as_its_workspace_requires(
    stand_in: StandIn, home: Path
) -> None:
    stand_in.device.approve_after = 0
    stand_in.account.plan = "business"
    stand_in.requirements = 'allowed_approval_policies = ["never"]'
    (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
    command = [str(bundled_codex_path())]
    async with start(
        home, command=command, environ=stand_in.environ, stderr=subprocess.DEVNULL
    ) as process:
        async with open_client(wire_of(process)) as client:
            await client.initialize()
            await client.call("account/login/start", {"type": "chatgptDeviceCode"})
            await client.next_notification("account/updated")
            answer = await client.call("configRequirements/read")
    assert answer["requirements"]["allowedApprovalPolicies"] == ["never"]
    await stand_in.wait_request("/backend-api/wham/config/bundle")
