"""Who answers, where, and what they are told beside the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from codex_trio.account.credentials import Credentials
from codex_trio.errors import ConfigError
from codex_trio.responses.providers import Provider, find_provider

if TYPE_CHECKING:
    from codex_trio.settings import Settings

KEY = Credentials.of_api_key("sk")
CHATGPT = Credentials(mode="chatgpt")
HOSTED = Credentials(mode="chatgptAuthTokens")


def find(settings: Settings, name: str = "p", **table: Any) -> Provider:
    return find_provider(name, {"model_providers": {name: {"name": "P", **table}}}, settings)


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "OPENAI_ORGANIZATION",
        "OPENAI_PROJECT",
        "CODEX_OSS_PORT",
        "CODEX_OSS_BASE_URL",
    ):
        monkeypatch.delenv(variable, raising=False)


# --- those that need no definition ---


@pytest.mark.parametrize(
    ("credentials", "url"),
    [
        (None, "https://api.openai.com/v1/responses"),
        (KEY, "https://api.openai.com/v1/responses"),
        (CHATGPT, "https://chatgpt.com/backend-api/codex/responses"),
        (HOSTED, "https://chatgpt.com/backend-api/codex/responses"),
    ],
)
def test_openai_is_where_the_account_is_served(
    settings: Settings, credentials: Credentials | None, url: str
) -> None:
    provider = find_provider("openai", {}, settings)
    assert provider.url("responses", credentials) == url
    assert provider.uses_account
    told = {"openai_base_url": "https://proxy.example/v1/"}
    elsewhere = find_provider("openai", told, settings)
    assert elsewhere.url("responses", credentials) == "https://proxy.example/v1/responses"
    for nothing in ("", 5):
        told = {"openai_base_url": nothing}  # type: ignore[dict-item]  # a wrong one
        assert find_provider("openai", told, settings).url("responses", credentials) == url


def test_openai_may_be_elsewhere(settings: Settings) -> None:
    settings = attrs.evolve(settings, chatgpt_base_url="http://127.0.0.1:1/backend-api")
    provider = find_provider("openai", {}, settings)
    assert provider.url("x", CHATGPT) == "http://127.0.0.1:1/backend-api/codex/x"


def test_openai_is_told_a_version_and_an_organization(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = find_provider("openai", {}, settings)
    assert provider.headers() == {"version": "0.163.0"}
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT", "  ")
    assert provider.headers() == {"version": "0.163.0", "openai-organization": "org-1"}


@pytest.mark.parametrize(("name", "port"), [("ollama", 11434), ("lmstudio", 1234)])
def test_some_are_on_this_machine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, port: int
) -> None:
    def url() -> str:
        provider = find_provider(name, {}, settings)
        assert not provider.uses_account
        return provider.url("responses", CHATGPT)

    assert url() == f"http://localhost:{port}/v1/responses"
    monkeypatch.setenv("CODEX_OSS_PORT", "none")
    assert url() == f"http://localhost:{port}/v1/responses"
    monkeypatch.setenv("CODEX_OSS_PORT", "99")
    assert url() == "http://localhost:99/v1/responses"
    monkeypatch.setenv("CODEX_OSS_BASE_URL", "http://box/api")
    assert url() == "http://box/api/responses"


# --- those of the configuration ---


def test_all_of_it_can_be_said(settings: Settings) -> None:
    provider = find(
        settings,
        base_url="http://h/v1",
        env_key="KEY",
        env_key_instructions="Look under the mat.",
        experimental_bearer_token="s3cret",
        wire_api="responses",
        query_params={"a": "s3cret"},
        http_headers={"X-A": "s3cret"},
        env_http_headers={"X-B": "B"},
        request_max_retries=7,
        stream_max_retries=8,
        stream_idle_timeout_ms=1500,
        requires_openai_auth=True,
        supports_websockets=True,
        whatever=5,
    )
    assert provider == Provider(
        id="p",
        name="P",
        base_url="http://h/v1",
        account_url="https://chatgpt.com/backend-api/codex",
        env_key="KEY",
        env_key_instructions="Look under the mat.",
        bearer_token="s3cret",
        query_params={"a": "s3cret"},
        http_headers={"X-A": "s3cret"},
        env_http_headers={"X-B": "B"},
        request_max_retries=7,
        stream_max_retries=8,
        stream_idle_timeout=1.5,
        requires_openai_auth=True,
    )
    assert "s3cret" not in repr(provider)


def test_little_has_to_be_said(settings: Settings) -> None:
    provider = find(settings)
    assert (provider.request_max_retries, provider.stream_max_retries) == (4, 5)
    assert provider.stream_idle_timeout == 300
    assert provider.url("responses", CHATGPT).startswith("https://chatgpt.com/")
    assert provider.url("responses", None) == "https://api.openai.com/v1/responses"
    assert not provider.uses_account
    assert find(settings, request_max_retries=1000).request_max_retries == 100
    assert find(settings, stream_max_retries=1000).stream_max_retries == 100


@pytest.mark.parametrize(
    ("more", "uses_account"),
    [
        ({}, True),
        ({"env_key": "KEY"}, False),
        ({"experimental_bearer_token": "t"}, False),
        ({"requires_openai_auth": False}, False),
    ],
)
def test_a_key_of_its_own_comes_before_the_account(
    settings: Settings, more: dict[str, Any], uses_account: bool
) -> None:
    table = {"requires_openai_auth": True, **more}
    assert find(settings, **table).uses_account == uses_account


@pytest.mark.parametrize(
    ("base_url", "query", "url"),
    [
        ("http://h/v1", {}, "http://h/v1/responses"),
        ("http://h/v1/", {"a": "1 2", "b": "&"}, "http://h/v1/responses?a=1+2&b=%26"),
        ("http://h", {"a": "1"}, "http://h/responses?a=1"),
        ("http://h/v1?x=y#part", {"a": "1"}, "http://h/v1/responses?x=y&a=1"),
        ("http://me:pw@h:80/v1", {}, "http://me:pw@h:80/v1/responses"),
    ],
)
def test_urls(settings: Settings, base_url: str, query: dict[str, str], url: str) -> None:
    provider = find(settings, base_url=base_url, query_params=query)
    assert provider.url("responses", None) == url


def test_what_is_no_url_is_left_to_who_asks(settings: Settings) -> None:
    assert find(settings, base_url="http://[::1").url("responses", None) == "http://[::1"


def test_headers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", " from the environment ")
    monkeypatch.setenv("BLANK", " ")
    provider = find(
        settings,
        http_headers={
            "X-A": " a ",
            "a b": "no",
            "": "no",
            "x-c": "no\nno",
            "é": "no",
            "x_d": "é",
        },
        env_http_headers={"X-E": "GIVEN", "x-f": "BLANK", "x-g": "NOT_THERE_AT_ALL"},
    )
    assert provider.headers() == {"x-a": "a", "x_d": "é", "x-e": "from the environment"}


# --- what is wrong ---


@pytest.mark.parametrize(
    "table", [{}, {"model_providers": {}}, {"model_providers": {"q": {"name": "q"}}}]
)
def test_one_that_is_not_there(settings: Settings, table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^Model provider `p` not found$"):
        find_provider("p", table, settings)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"base_url": 5}, "invalid type: integer `5`, expected a string"),
        ({"http_headers": [1]}, "invalid type: sequence, expected a map"),
        ({"request_max_retries": -1}, "invalid value: integer `-1`, expected u64"),
        ({"wire_api": "chat"}, '`wire_api = "chat"` is no longer supported.'),
    ],
)
def test_one_that_is_defined_wrongly(
    settings: Settings, told: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        find(settings, **told)
    assert caught.value.reason.startswith(f"model_providers.p: {reason}")


@pytest.mark.parametrize("told", [{}, {"name": ""}])
def test_one_without_a_name(settings: Settings, told: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        find_provider("p", {"model_providers": {"p": told}}, settings)
    assert caught.value.reason == "model_providers.p: provider name must not be empty"


@pytest.mark.parametrize(
    ("name", "table", "what"),
    [
        ("p", {"auth": {"command": "x"}}, "`model_providers.p.auth`"),
        ("p", {"aws": {"region": "x"}}, "`model_providers.p.aws`"),
        ("amazon-bedrock", {}, "The model provider `amazon-bedrock`"),
    ],
)
def test_what_we_do_not_serve(
    settings: Settings, name: str, table: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        find(settings, name, **table)
    assert caught.value.reason == f"{what} is not served by codex-trio"
