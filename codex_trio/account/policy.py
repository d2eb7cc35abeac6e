"""What a workspace wants of those who sign in to it, and how it says so. Pure: no I/O."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from codex_trio.errors import CodexTrioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.protocol.account import PlanType
    from codex_trio.settings import LoginMethod

PLANS: Final[frozenset[PlanType | None]] = frozenset(
    {
        "business",
        "ent26",
        "enterprise_cbp_automation",
        "enterprise_cbp_usage_based",
        "enterprise",
        "edu",
        "edu_plus",
        "edu_pro",
    }
)
"""The plans whose workspaces may have a policy (observed on 0.163.0)."""

_LAYERS: Final = ("config_toml", "requirements_toml")
_METHOD: Final = "forced_login_method"
_WORKSPACES: Final = "forced_chatgpt_workspace_id"
_RESIDENCY: Final = "enforce_residency"
_REGION: Final = re.compile(r"[a-z0-9_-]{1,32}")


class PolicyError(CodexTrioError):
    """It is not known what a workspace wants; the text quotes nothing of what it said."""


@frozen(kw_only=True)
class Policy:
    """What a workspace wants; by default nothing.

    Args:
        forced_login_method: the one way in which its members may sign in.
        forced_workspaces: the workspaces that they may use; any, when empty.
        residency: where its data has to stay, as requests say it.
    """

    forced_login_method: LoginMethod | None = None
    forced_workspaces: tuple[str, ...] = ()
    residency: str | None = None

    @classmethod
    def of(cls, wanted: Mapping[str, object]) -> Policy:
        """Make it of the keys of the configuration that are named; others are ignored.

        Raises:
            PolicyError: a key that we know has a value that we do not.
        """
        return cls(
            forced_login_method=_read_method(wanted.get(_METHOD)),
            forced_workspaces=_read_workspaces(wanted.get(_WORKSPACES, [])),
            residency=_read_residency(wanted.get(_RESIDENCY)),
        )

    def forbids(self, method: LoginMethod) -> bool:
        """Say whether nobody may sign in this way."""
        return self.forced_login_method not in (None, method)

    def allows_workspace(self, workspace: str | None) -> bool:
        """Say whether an account may be of this workspace, or of none that is known."""
        return not self.forced_workspaces or workspace in self.forced_workspaces

    def allows(self, credentials: Credentials) -> bool:
        """Say whether these credentials may be used; an API key is of no workspace."""
        if credentials.mode == "apikey":
            return not self.forbids("api")
        if self.forbids("chatgpt"):
            return False
        tokens = credentials.tokens
        return tokens is None or self.allows_workspace(tokens.account_id)

    @property
    def wanted(self) -> dict[str, object]:
        """The keys of the configuration that it is made of."""
        wanted: dict[str, object] = {_WORKSPACES: list(self.forced_workspaces)}
        if self.forced_login_method is not None:
            wanted[_METHOD] = self.forced_login_method
        if self.residency is not None:
            wanted[_RESIDENCY] = self.residency
        return wanted


@frozen
class Member:
    """Whose policy it is: a person in a workspace, as far as their tokens name them."""

    user_id: str | None
    account_id: str | None

    @classmethod
    def of(cls, credentials: Credentials | None) -> Member | None:
        """Name the member whose credentials these are; None if no policy can apply to them."""
        if credentials is None or credentials.mode == "apikey" or credentials.tokens is None:
            return None
        claims = credentials.tokens.claims
        if claims.plan not in PLANS:
            return None
        return cls(claims.user_id, credentials.tokens.account_id or claims.account_id)


def read_bundle(bundle: object) -> Policy:
    """Read the reply to ``wham/config/bundle``, all of whose members may be missing.

    It is made of fragments of TOML, of which the first that names a key counts (observed). Keys
    that we do not know are ignored. A key that we know and whose value we do not makes the whole
    of it unreadable: a policy that is not understood must not look like one that wants nothing.

    Raises:
        PolicyError: it cannot be read.
    """
    if not isinstance(bundle, dict):
        raise PolicyError("the workspace's policy is not an object")
    wanted: dict[str, object] = {}
    for layer in _LAYERS:
        for fragment in _read_fragments(bundle.get(layer), layer):
            wanted = {**fragment, **wanted}
    return Policy.of(wanted)


def _read_fragments(layer: object, name: str) -> Iterator[dict[str, object]]:
    if layer is None:
        return
    fragments = layer.get("enterprise_managed") if isinstance(layer, dict) else 0
    if fragments is None:
        return
    if not isinstance(fragments, list):
        raise PolicyError(f"the workspace's policy has no fragments in `{name}`")
    for fragment in fragments:
        contents = fragment.get("contents") if isinstance(fragment, dict) else 0
        if contents is None:
            continue
        if not isinstance(contents, str):
            raise PolicyError(f"a fragment of the workspace's policy in `{name}` has no text")
        try:
            yield tomllib.loads(contents)
        except (ValueError, RecursionError):
            raise PolicyError(
                f"a fragment of the workspace's policy in `{name}` is not TOML"
            ) from None


def _read_method(value: object) -> LoginMethod | None:
    methods: dict[object, Literal["chatgpt", "api"]] = {"chatgpt": "chatgpt", "api": "api"}
    if value is None:
        return None
    if not isinstance(value, str) or value not in methods:
        raise _unknown(_METHOD)
    return methods[value]


def _read_workspaces(value: object) -> tuple[str, ...]:
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        raise _unknown(_WORKSPACES)
    return tuple(one.strip() for one in several if one.strip())


def _read_residency(value: object) -> str | None:
    # The original knows "us" alone; what a workspace names otherwise, its backend will know.
    if value is not None and not (isinstance(value, str) and _REGION.fullmatch(value)):
        raise _unknown(_RESIDENCY)
    return value


def _unknown(key: str) -> PolicyError:
    return PolicyError(f"the workspace's policy has an unknown value of `{key}`")
