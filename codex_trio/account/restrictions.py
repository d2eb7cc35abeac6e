"""Who may be signed in here: what the settings say, and what the workspace's policy adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.account.policy import Policy

if TYPE_CHECKING:
    from codex_trio.account.credentials import Credentials
    from codex_trio.settings import LoginMethod, Settings

_RESIDENCY: Final = "x-openai-internal-codex-residency"


@attrs.define(eq=False)
class Restrictions:
    """What ``forced_login_method`` and ``forced_chatgpt_workspace_id`` come to.

    Where both the settings and a policy say something, both count.

    Args:
        own: what the settings say.
        policy: what the workspace wants of its members.
    """

    own: Policy
    policy: Policy = attrs.field(factory=Policy, init=False)

    @classmethod
    def of(cls, settings: Settings) -> Restrictions:
        """Make those of the settings, to which a policy may be added."""
        return cls(
            Policy(
                forced_login_method=settings.forced_login_method,
                forced_workspaces=settings.forced_workspaces,
            )
        )

    @property
    def headers(self) -> dict[str, str]:
        """What requests say of where the account's data has to stay."""
        residency = self.policy.residency
        return {} if residency is None else {_RESIDENCY: residency}

    @property
    def workspaces(self) -> tuple[str, ...]:
        """The workspaces that are named and allowed, of which the issuer is told."""
        own = self.own.forced_workspaces  # as they are written: the original tells repeats, too
        others = [name for name in self.policy.forced_workspaces if name not in own]
        return tuple(filter(self.allows_workspace, (*own, *others)))

    def describe_workspaces(self) -> str:
        """Name the workspaces that are allowed, as errors of 0.163.0 do."""
        names = ", ".join(f'"{name}"' for name in self.workspaces)
        return f"one of workspace(s) [{names}]"

    def forbids(self, method: LoginMethod) -> bool:
        """Say whether nobody may sign in this way."""
        return self.own.forbids(method) or self.policy.forbids(method)

    def allows_workspace(self, workspace: str | None) -> bool:
        """Say whether an account may be of this workspace, or of none that is known."""
        return self.own.allows_workspace(workspace) and self.policy.allows_workspace(workspace)

    def allow(self, credentials: Credentials) -> bool:
        """Say whether these credentials may be used."""
        return self.own.allows(credentials) and self.policy.allows(credentials)
