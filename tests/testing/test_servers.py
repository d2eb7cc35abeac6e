"""Servers that sign in at the stand-in: the genuine one as a process."""

from __future__ import annotations

from ssl import PROTOCOL_TLS_SERVER, SSLContext
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import pytest
import trustme
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types

from codex_trio.testing import (
    Failed,
    FunctionCall,
    Hold,
    Reasoning,
    Text,
    open_client,
    open_stand_in,
)
from tests.processes import start, wire_of

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import Json, StandIn, WireClient

GENUINE = (str(bundled_codex_path()),)


async def test_the_genuine_server_signs_in_reads_and_signs_out(
    stand_in: StandIn, home: Path
) -> None:
    stand_in.device.approve_after = 0
    stand_in.account.plan = "pro"
    (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
    environ = stand_in.environ
    async with start(home, command=GENUINE, environ=environ, stderr=DEVNULL) as process:
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
    environ = stand_in.environ
    async with start(home, command=GENUINE, environ=environ, stderr=DEVNULL) as process:
        async with open_client(wire_of(process)) as client:
            await client.initialize()
            await client.call("account/login/start", {"type": "chatgptDeviceCode"})
            await client.next_notification("account/updated")
            answer = await client.call("configRequirements/read")
    assert answer["requirements"]["allowedApprovalPolicies"] == ["never"]
    await stand_in.wait_request("/backend-api/wham/config/bundle")


# --- its models ---


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_genuine_server_runs_turns_here(
    scheme: str, home: Path, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with open_stand_in(tls=context if scheme == "https" else None) as stand_in:
        stand_in.device.approve_after = 0
        (home / "config.toml").write_text(stand_in.config, encoding="utf-8")
        environ = {**stand_in.environ, "CODEX_CA_CERTIFICATE": str(tmp_path / "ca.pem")}
        async with start(home, command=GENUINE, environ=environ, stderr=DEVNULL) as process:
            async with open_client(wire_of(process)) as client:
                await client.initialize()
                await client.call("account/login/start", {"type": "chatgptDeviceCode"})
                await client.next_notification("account/updated")
                thread = (await client.call("thread/start", {}))["thread"]["id"]
                assert (await _say(client, thread))["items"][0]["text"].startswith("Hello! ")
                stand_in.expire_access_tokens()
                stand_in.answer(FunctionCall("nobody", {"a": 1}, call_id="call_1"))
                stand_in.answer(Reasoning("Well."), Text("Fine.", phase="final_answer"))
                assert (await _say(client, thread))["items"][0]["text"] == "Fine."
                stand_in.answer("Half.", Failed("invalid_prompt", "no"))
                assert (await _say(client, thread))["error"]["message"] == "no"
                stand_in.answer("Half", Hold("middle"))
                turn = await _start(client, thread)
                await stand_in.wait_held("middle")
                await client.call("turn/interrupt", {"threadId": thread, "turnId": turn})
                interrupted = await stand_in.wait_closed()
    first, refused, *_, called, _, last = stand_in.response_requests
    assert interrupted is last
    assert [one.outcome for one in stand_in.exchanges] == ["rotated"]
    assert (first.course, refused.course) == ("complete", "waiting")
    assert first.input_texts("user")[-1] == "Hi"
    assert called.tool_outputs()["call_1"] == "unsupported call: nobody"
    assert called.headers["chatgpt-account-id"] == stand_in.account.account_id


async def _start(client: WireClient, thread: str) -> str:
    words = {"threadId": thread, "input": [{"type": "text", "text": "Hi"}]}
    turn: str = (await client.call("turn/start", words))["turn"]["id"]
    return turn


async def _say(client: WireClient, thread: str) -> Json:
    await _start(client, thread)
    return (await client.next_notification("turn/completed"))["params"]["turn"]
