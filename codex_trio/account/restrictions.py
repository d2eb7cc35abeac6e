"""Who may be signed in here: what the settings say, and what the workspace's policy adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.account.policy import Policy

_RESIDENCY: Final = "x-openai-internal-codex-residency"

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.settings import LoginMethod, Settings


@attrs.define(eq=False)
class Restrictions:
    """What ``forced_login_method`` and ``forced_chatgpt_workspace_id`` come to.

    Where both the settings and a policy say something, both count.
    """

    _settings: Settings
    policy: Policy = attrs.field(factory=Policy, init=False)
    """What the workspace wants of its members."""

    @property
    def headers(self) -> dict[str, str]:
        """What requests say of where the account's data has to stay."""
        residency = self.policy.residency
        return {} if residency is None else {_RESIDENCY: residency}

    @property
    def workspaces(self) -> tuple[str, ...]:
        """The workspaces that are named somewhere and allowed; any are, when empty."""
        named = (*self._settings.forced_workspaces, *self.policy.forced_workspaces)
        return tuple(filter(self.allows_workspace, named))

    def describe_workspaces(self) -> str:
        """Name the workspaces that are allowed, as errors of 0.163.0 do."""
        names = ", ".join(f'"{name}"' for name in self.workspaces)
        return f"one of workspace(s) [{names}]"

    def forbids(self, method: LoginMethod) -> bool:
        """Say whether nobody may sign in this way."""
        forced = {self._settings.forced_login_method, self.policy.forced_login_method} - {None}
        return bool(forced - {method})

    def allows_workspace(self, workspace: str | None) -> bool:
        """Say whether an account may be of this workspace, or of none that is known."""
        lists = (self._settings.forced_workspaces, self.policy.forced_workspaces)
        return all(not allowed or workspace in allowed for allowed in lists)

    def allow(self, credentials: Credentials) -> bool:
        """Say whether these credentials may be used; an API key is of no workspace."""
        if credentials.mode == "apikey":
            return not self.forbids("api")
        if self.forbids("chatgpt"):
            return False
        tokens = credentials.tokens
        return tokens is None or self.allows_workspace(tokens.account_id)
