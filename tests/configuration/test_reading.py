"""What the configuration says, layer over layer, while the server runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.configuration.layers import Effective, InvalidValueError, LayerError
from codex_trio.configuration.reading import Configuration
from codex_trio.errors import ConfigError
from codex_trio.settings import Settings
from tests.configuration.conftest import put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def kinds(effective: Effective) -> list[str]:
    return [layer.kind for layer in effective.layers]


def origins(effective: Effective) -> dict[str, str]:
    return {path: layer.kind for path, layer in effective.origins.items()}


async def test_without_files_nothing_is_configured(
    configuration: Configuration, home: Path, machine: Path
) -> None:
    effective = await configuration.read()
    assert effective.table == {}
    assert effective.origins == {}
    assert [(layer.kind, layer.path) for layer in effective.layers] == [
        ("user", str(home / "config.toml")),
        ("system", str(machine)),
    ]
    assert effective.layers[0].version == (
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


async def test_there_need_not_be_a_file_of_the_machine(home: Path) -> None:
    configuration = Configuration(Settings(codex_home=home, system_config=None))
    assert kinds(await configuration.read()) == ["user"]


async def test_flags_lie_over_the_user_and_the_user_over_the_machine(
    home: Path, machine: Path, configure: Callable[[str], Path]
) -> None:
    put(machine, 'model = "m"\napproval_policy = "never"\n[tui]\nx = 1\n')
    configure('model = "u"\nlist = [1, {a = 2}]\n[tui]\ny = 1\n[empty]\n')
    settings = Settings(
        codex_home=home, system_config=machine, config={"tui": {"y": 2}, "personality": "none"}
    )
    effective = await Configuration(settings).read()
    assert kinds(effective) == ["sessionFlags", "user", "system"]
    assert effective.table == {
        "model": "u",
        "approval_policy": "never",
        "tui": {"x": 1, "y": 2},
        "personality": "none",
        "list": [1, {"a": 2}],
        "empty": {},
    }
    assert origins(effective) == {
        "model": "user",
        "approval_policy": "system",
        "tui.x": "system",
        "tui.y": "sessionFlags",
        "personality": "sessionFlags",
        "list.0": "user",
        "list.1.a": "user",
    }


async def test_what_hides_a_table_has_all_of_its_origins(
    machine: Path, configuration: Configuration, configure: Callable[[str], Path]
) -> None:
    put(machine, "c = 1\n[a]\nx = 1\n[b]\ny = 1\n")
    configure("a = 5\nb = []\n[c]\nx = 1\n")
    assert origins(await configuration.read()) == {"a": "user", "c.x": "user"}


async def test_a_version_is_that_of_the_original(
    configuration: Configuration, configure: Callable[[str], Path]
) -> None:
    """Observed on 0.163.0."""
    configure(
        '# top\nmodel = "gpt-5.5" # mine\napproval_policy = "on-request"\n'
        "unknown_key = [1, 2.5]\n[sandbox_workspace_write]\nnetwork_access = true\n"
        '[model_providers.mock]\nname = "Mock"\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[projects."/x/y"]\ntrust_level = "trusted"\n[tui]\nnotifications = true\n'
        "[features]\nweb_search = true\n"
    )
    assert (await configuration.read()).layers[0].version == (
        "sha256:d9e2dca9369ebdabc47e17bb10f508e1656abc62bd7fefdd74ec5e8e36ba15fb"
    )
    configure("d = 2020-01-01\nt = 1979-05-27T07:32:00Z\nf=1.0\ninf=inf\nbig=123456789012\n")
    assert (await configuration.read()).layers[0].version == (
        "sha256:9ab8387e828884e6aae21fa7c573993b95c473cd41373e83bd3ff18c7588fb4d"
    )


async def test_paths_are_as_seen_from_their_file(
    configuration: Configuration, home: Path, configure: Callable[[str], Path]
) -> None:
    put(home / "a.md", "Be brief.")
    configure(
        'model_instructions_file = "a.md"\napproval_policy = "on-failure"\n'
        '[sandbox_workspace_write]\nnetwork_access = true\nwritable_roots = ["r", "~/x", "/abs"]'
    )
    table = (await configuration.read()).table
    assert table["model_instructions_file"] == str(home / "a.md")
    assert table["approval_policy"] == "on-request"
    assert table["sandbox_workspace_write"] == {
        "network_access": True,
        "writable_roots": [str(home / "r"), os.path.expanduser("~/x"), "/abs"],
    }


# --- overrides ---


async def test_overrides_lie_over_everything(
    home: Path, configure: Callable[[str], Path]
) -> None:
    configure('model = "u"\n')
    settings = Settings(
        codex_home=home, system_config=None, config={"model": "f", "a": {"b": 1}}
    )
    effective = await Configuration(settings).read(
        None, {"model": "o", "a.c": [1, None], "a": {"d": {"e": None, "f": 2}}, "x": None}
    )
    assert effective.table == {"model": "o", "a": {"b": 1, "c": [1], "d": {"f": 2}}}
    assert effective.layers[0].table == effective.table
    assert settings.config == {"model": "f", "a": {"b": 1}}


async def test_paths_of_flags_are_as_seen_from_the_folder(
    configuration: Configuration, tmp_path: Path
) -> None:
    put(tmp_path / "i.md", "Be kind.")
    effective = await configuration.read(str(tmp_path), {"model_instructions_file": "i.md"})
    assert effective.defaults.base_instructions == "Be kind."


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"model": 5}, "invalid type: integer `5`, expected a string\nin `model`\n"),
        (
            {"sandbox_mode": 5},
            "invalid type: unit variant, expected string only\nin `sandbox_mode`\n",
        ),
        ({".".join("a" * 65): 1}, "more than 64 tables in one another in `a`"),
        ({"a": 2**63}, "the value of `a` is no configuration"),
        ({"model_provider": "nope"}, "Model provider `nope` not found"),
        (
            {"profile": "x"},
            (
                'legacy `profile = "x"` config is no longer supported; use `--profile x` with'
                " `x.config.toml` instead"
            ),
        ),
    ],
)
async def test_an_override_that_cannot_be_used_is_refused(
    configuration: Configuration, overrides: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await configuration.read(None, overrides)
    assert caught.value.reason == reason


# --- faults ---


async def test_a_file_that_is_broken_is_an_error_until_it_is_mended(
    configuration: Configuration, configure: Callable[[str], Path]
) -> None:
    path = configure("model = = 3\n")
    with pytest.raises(LayerError) as caught:
        await configuration.read()
    assert caught.value.reason == f"{path}:1:9: Invalid value"
    with pytest.raises(LayerError):
        await configuration.read()
    configure('model = "a"\n')
    assert (await configuration.read()).table == {"model": "a"}
    path.write_bytes(b"\xff")
    with pytest.raises(LayerError, match="stream did not contain valid UTF-8"):
        await configuration.read()
    path.unlink()
    path.mkdir()
    with pytest.raises(LayerError, match="is not a file"):
        await configuration.read()
    path.rmdir()
    path.symlink_to(path)
    with pytest.raises(LayerError, match="Too many levels of symbolic links"):
        await configuration.read()
    path.unlink()
    assert (await configuration.read()).table == {}


@pytest.mark.parametrize(
    ("text", "reason", "in_short"),
    [
        (
            "model = 5\n",
            "{path}:1:9: invalid type: integer `5`, expected a string",
            "invalid type: integer `5`, expected a string\nin `model`\n",
        ),
        (
            '[model_providers."a.b"]\nname = "x"\nrequest_max_retries = -1\n',
            "{path}:3:23: invalid value: integer `-1`, expected u64",
            (
                "invalid value: integer `-1`, expected u64\nin"
                " `model_providers.a.b.request_max_retries`\n"
            ),
        ),
        (
            'x = 1\n[model_providers.m]\nbase_url = "x"\n',
            "{path}:2:2: model_providers.m: provider name must not be empty",
            "model_providers.m: provider name must not be empty\nin `model_providers`\n",
        ),
        (
            "projects.x.trust_level = 'y'\n",
            "unknown variant `y`, expected `trusted` or `untrusted`\nin `projects.x.trust_level`\n",
            "unknown variant `y`, expected `trusted` or `untrusted`\nin `projects.x.trust_level`\n",
        ),
    ],
)
async def test_a_value_that_is_wrong_is_named_with_its_place(
    configuration: Configuration,
    configure: Callable[[str], Path],
    text: str,
    reason: str,
    in_short: str,
) -> None:
    path = configure(text)
    with pytest.raises(InvalidValueError) as caught:
        await configuration.read()
    assert caught.value.reason == reason.format(path=path)
    assert caught.value.in_short == in_short


async def test_a_wrong_value_that_is_overridden_does_not_count(
    home: Path, configure: Callable[[str], Path]
) -> None:
    configure("model = 5\nmodel_verbosity = 6\n")
    configuration = Configuration(
        Settings(codex_home=home, system_config=None, config={"model": "f"})
    )
    effective = await configuration.read(None, {"model_verbosity": "low"})
    assert effective.table == {"model": "f", "model_verbosity": "low"}


async def test_the_place_is_that_of_the_layer_at_fault(
    configuration: Configuration, machine: Path, configure: Callable[[str], Path]
) -> None:
    put(machine, "\nmodel = 3\n")
    configure("personality = 5\n")
    with pytest.raises(InvalidValueError, match=rf"^{machine}:2:9: "):
        await configuration.read(None, {"personality": "none"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            None,
            "failed to read model instructions file {path}: No such file or directory (os error 2)",
        ),
        (b" \n", "model instructions file is empty: {path}"),
        (
            b"\xff",
            "failed to read model instructions file {path}: stream did not contain valid UTF-8",
        ),
    ],
)
async def test_instructions_have_to_be_there(
    configuration: Configuration,
    home: Path,
    configure: Callable[[str], Path],
    content: bytes | None,
    reason: str,
) -> None:
    configure('model_instructions_file = "a.md"\n')
    if content is not None:
        (home / "a.md").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        await configuration.read()
    assert caught.value.reason == reason.format(path=home / "a.md")


async def test_instructions_are_read_every_time(
    configuration: Configuration, home: Path, configure: Callable[[str], Path]
) -> None:
    configure('model_instructions_file = "a.md"\n')
    put(home / "a.md", " One. \n")
    assert (await configuration.read()).defaults.base_instructions == "One."
    put(home / "a.md", "Two.")
    assert (await configuration.read()).defaults.base_instructions == "Two."


# --- what it costs ---


async def test_nothing_is_read_again_while_nothing_has_changed(
    configuration: Configuration, configure: Callable[[str], Path], tmp_path: Path
) -> None:
    path = configure('model = "a"\n')
    first = await configuration.read()
    assert await configuration.read() is first
    elsewhere = await configuration.read(str(tmp_path))
    assert await configuration.read(str(tmp_path)) is elsewhere
    path.unlink()
    assert (await configuration.read()).table == {}
    configure('model = "b"\n')
    assert (await configuration.read()).table == {"model": "b"}


async def test_a_change_within_one_tick_of_the_clock_is_seen(
    configuration: Configuration, home: Path
) -> None:
    """As a file system sees it that notes times coarsely: same size, same inode, same time."""
    path = home / "config.toml"
    for model in "abcabc":
        path.write_text(f'model = "{model}"\n')
        assert (await configuration.read()).table == {"model": model}


async def test_a_file_that_was_only_touched_is_the_same(
    configuration: Configuration, configure: Callable[[str], Path]
) -> None:
    text = 'model = "a"\n'
    configure(text)
    first = await configuration.read()
    configure(text)
    assert await configuration.read() is first


async def test_only_so_many_folders_are_remembered(
    configuration: Configuration, tmp_path: Path
) -> None:
    first = await configuration.read(str(tmp_path))
    for number in range(70):
        await configuration.read(str(tmp_path / str(number)))
    assert await configuration.read(str(tmp_path)) is not first


async def test_many_may_read_at_once(
    configuration: Configuration, configure: Callable[[str], Path]
) -> None:
    configure('model = "a"\n')
    found: list[Effective] = []

    async def read() -> None:
        found.append(await configuration.read())

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(read)
    assert {effective.defaults.model for effective in found} == {"a"}


async def test_a_read_can_be_cancelled(configuration: Configuration) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await configuration.read()
    assert scope.cancelled_caught
    assert (await configuration.read()).table == {}
