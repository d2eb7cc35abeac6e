"""``codex-trio doctor`` as people type it, and as programs read it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.doctor import command, examination
from codex_trio.doctor.examination import CHECKS
from codex_trio.settings import ISSUER, Settings, load_environment
from codex_trio.testing import Fault
from tests.account.conftest import find_free_port
from tests.conftest import PATIENCE
from tests.doctor.conftest import SECRET
from tests.doctor.test_account import chatgpt, put
from tests.processes import OURS, read_rest, start
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from codex_trio.testing import StandIn

NOWHERE = "http://127.0.0.1:1"
OFFLINE = {
    "CODEX_APP_SERVER_LOGIN_ISSUER": NOWHERE,
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"), ""),
}
LOCAL = ("-c", f"chatgpt_base_url={NOWHERE}", "-c", "login_callback_ports=[0]")


async def run(
    home: Path, *arguments: str, environ: dict[str, str] | None = None
) -> tuple[int, str, str]:
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            [*OURS, "doctor", *arguments],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**genuine_environment(home), **OFFLINE, **(environ or {})},
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def run_json(
    home: Path, *arguments: str, environ: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    code, said, complaints = await run(home, "--json", *arguments, environ=environ)
    assert complaints == ""
    assert SECRET not in said
    report = json.loads(said)
    assert set(report) == {"version", "findings", "status"}
    found = {}
    for one in report["findings"]:
        assert {"check", "status", "summary"} <= set(one)
        assert set(one) <= {"check", "status", "summary", "detail", "advice"}
        assert ("advice" in one) >= (one["status"] in ("warning", "error"))
        found[one["check"]] = one
    assert (code == 1) == (report["status"] == "error")
    return code, found


async def test_all_is_well_with_a_stand_in(home: Path, stand_in: StandIn) -> None:
    put(home, chatgpt(3600))
    (home / "config.toml").write_text(stand_in.config + "login_callback_ports = [0]\n")
    code, found = await run_json(home, environ=stand_in.environ)
    assert code == 0
    found.pop("files")  # which is for this machine to say
    assert {one["status"] for one in found.values()} == {"ok", "skipped"}
    code, said, complaints = await run(home, environ=stand_in.environ)
    assert (code, complaints) == (0, "")
    assert said.splitlines()[-1] in ("Nothing is wrong.", "1 warning")
    assert f"\nok       issuer        {stand_in.url} answers (404 Not Found)\n" in said
    assert SECRET not in said


async def test_without_a_network_all_else_is_told(home: Path) -> None:
    code, found = await run_json(home, *LOCAL)
    assert code == 1
    assert [name for name, one in found.items() if one["status"] == "error"] == [
        "issuer",
        "backend",
        "provider",
    ]
    assert found["clock"]["status"] == "skipped"


@pytest.mark.parametrize("given", ["missing", "file"])
async def test_a_home_that_is_none_does_not_keep_it_from_the_rest(
    home: Path, given: str, stand_in: StandIn
) -> None:
    (home / "file").touch()
    environ = {**stand_in.environ, "CODEX_HOME": str(home / given)}
    # The configuration cannot be loaded, so the real backend would be asked: through nobody.
    environ["HTTPS_PROXY"] = NOWHERE
    code, found = await run_json(home, environ=environ)
    assert code == 1
    assert found["settings"]["summary"].startswith(f'CODEX_HOME points to "{home / given}", ')
    assert found["issuer"]["status"] == "ok"
    assert found["home"]["status"] == "error"


async def test_an_override_that_is_none_is_a_finding(home: Path) -> None:
    environ = {"HTTPS_PROXY": NOWHERE}
    code, found = await run_json(home, "-c", SECRET, environ=environ)
    assert code == 1
    assert found["settings"]["advice"] == "An override is written -c KEY=VALUE."


async def test_a_broken_configuration_is_a_finding(home: Path) -> None:
    (home / "config.toml").write_text(f'model = "{SECRET}')
    code, found = await run_json(home, *LOCAL)
    assert code == 1
    assert found["config"]["summary"].startswith(f"{home / 'config.toml'}:1:")
    assert found["provider"]["status"] == "skipped"


async def test_overrides_and_variables_count(home: Path, tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": str(tmp_path / "forgotten.pem")}
    url = f"http://ada:{SECRET}@127.0.0.1:{find_free_port()}"
    environ["HTTPS_PROXY"] = url
    arguments = (*LOCAL, "-c", "cli_auth_credentials_store=ephemeral")
    code, found = await run_json(home, *arguments, environ=environ)
    assert code == 1
    assert found["store"]["summary"].startswith("ephemeral: ")
    assert "SSL_CERT_FILE" in found["certificates"]["advice"]
    assert found["issuer"]["status"] == "skipped"
    assert found["proxy"]["status"] == "ok"  # nobody is asked over https here


HANGS = """
import time
from keyring.backend import KeyringBackend

class Hanging(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        time.sleep(1000)
    set_password = delete_password = get_password
"""


async def test_a_keyring_that_hangs_holds_up_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGS)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    environ = {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "hanging.Hanging"}
    began = trio.current_time()
    arguments = (*LOCAL, "-c", "cli_auth_credentials_store=keyring")
    code, found = await run_json(home, *arguments, environ=environ)
    assert trio.current_time() - began < PATIENCE / 2
    assert code == 1
    assert found["keyring"]["status"] == "error"
    assert "has not answered within 5 s" in found["keyring"]["summary"]
    assert found["account"]["status"] == "skipped"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_at_once(home: Path, stand_in: StandIn, signum: int) -> None:
    path = "/.well-known/openid-configuration"
    stand_in.faults.add(path, Fault.hang())
    environ = {**OFFLINE, **stand_in.environ}
    arguments = ("doctor", *LOCAL)
    async with start(home, *arguments, environ=environ, stderr=subprocess.PIPE) as process:
        await stand_in.wait_request(path)
        process.send_signal(signum)
        assert await process.wait() == 128 + signum
        assert await read_rest(process.stdout) == b""
        assert await read_rest(process.stderr) == b""


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_a_report_that_cannot_be_written_is_an_error(
    home: Path, stand_in: StandIn, form: tuple[str, ...]
) -> None:
    (home / "config.toml").write_text(stand_in.config + "login_callback_ports = [0]\n")
    environ = {**OFFLINE, **stand_in.environ}
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        pipes: Any = {"environ": environ, "stdout": full, "stderr": subprocess.PIPE}
        async with start(home, "doctor", *form, **pipes) as process:
            said = await read_rest(process.stderr)
            assert await process.wait() == 1
    finally:
        os.close(full)
    assert said.startswith(b"Error: the report cannot be written: No space left on device")


async def test_who_reads_no_further_is_no_error(home: Path, stand_in: StandIn) -> None:
    (home / "config.toml").write_text(stand_in.config + "login_callback_ports = [0]\n")
    pipes: Any = {"environ": {**OFFLINE, **stand_in.environ}, "stderr": subprocess.PIPE}
    async with start(home, "doctor", **pipes) as process:
        assert process.stdout is not None
        await process.stdout.aclose()
        assert await read_rest(process.stderr) == b""
        assert await process.wait() == 0


async def test_a_wrong_command_line_is_a_usage_error(home: Path) -> None:
    code, said, complaints = await run(home, "--nope")
    assert (code, said) == (2, "")
    assert "unrecognized arguments: --nope" in complaints
    code, said, _ = await run(home, "--help")
    assert code == 0
    assert "Exit codes: 0 there is no error;" in said


async def test_a_disk_that_hangs_while_settings_are_loaded_is_a_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wakes = trio.Event()

    async def hang(*_: object, **__: object) -> None:
        await wakes.wait()

    monkeypatch.setattr(command, "_PATIENCE", 0.01)
    monkeypatch.setattr(trio.to_thread, "run_sync", hang)
    settings, (one,) = await command._load((), {"CODEX_HOME": str(home)})
    assert settings.codex_home == home
    assert (one.check, one.summary) == ("settings", "no answer of the disk within 0.01 s")


def test_the_environment_alone_makes_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_environment({"CODEX_HOME": "/nowhere/x", "HTTPS_PROXY": "http://p"})
    assert made == Settings(codex_home="/nowhere/x", proxies={"https": "http://p"})
    assert (made.issuer, made.proxies) == (ISSUER, {"https": "http://p"})
    monkeypatch.setenv("HOME", "/home/ada")
    assert load_environment({}).codex_home == Path("/home/ada/.codex")


# --- the page in the manual ---

MANUAL = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")


def test_the_example_of_the_manual_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={name: value for name, value in os.environ.items() if "CODEX" not in name},
    )
    assert done.stderr == ""
    assert done.stdout.replace("'files', ", "") == "warning ['keyring', 'account', 'clock']\n"


def test_the_manual_shows_every_check() -> None:
    example = re.findall(r"^```console\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)[0]
    names = re.findall(r"^(?:ok|warning|error|skipped) +(\w+)", example, re.MULTILINE)
    assert list(dict.fromkeys(names)) == [check.name for check in CHECKS]
    rows = re.findall(r"^\| `(\w+)` \|", MANUAL, re.MULTILINE)
    assert rows == ["settings", *(check.name for check in examination.CHECKS)]
