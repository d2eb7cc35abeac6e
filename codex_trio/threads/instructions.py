"""What a model is told before the conversation: texts of our own, in the original's tags."""

from __future__ import annotations

from functools import partial
from html import escape as escape_html
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

escape: Final = partial(escape_html, quote=False)

BASE: Final = """\
You are Codex, an assistant for software work that answers inside a developer's tool.

What you can do here: read what the user writes, attaches or quotes, think, and answer in text. \
You have no tools in this conversation: you cannot run commands, read or change files, or look \
anything up. When something would need that, say so, and give the user the exact command, patch \
or file to use instead. Never claim to have run, read or changed anything.

How to answer: be direct, concrete and brief; lead with the result. Use Markdown. Show code in \
fenced blocks with its language, and name files by their paths. Follow the instructions of \
AGENTS.md files and of the developer messages below; what the user asks for wins over them, and \
what the system requires wins over all. Say what you are not sure of, and ask only when the \
answer changes what you would do.
"""
"""Base instructions, unless a client or the configuration brings others; they say which tools
there are, which is none."""

ABORTED: Final = """\
<turn_aborted>
The user interrupted the previous turn. What stands above it may be incomplete.
</turn_aborted>"""
"""What stands in the history after an interrupted turn."""

SUMMARIZE: Final = """\
Write a summary of this conversation for whoever continues it without having read it. Keep what \
the user wants, what was decided and why, facts, names, paths, commands and code that will be \
needed again, and what is left to do. Leave out what no longer matters. Answer with the summary \
alone."""
"""What a model is asked when a conversation is compacted."""

SUMMARY: Final = """\
The conversation so far was too long to keep and has been summarized. This is the summary; go on \
from it:
"""
"""What a summary is introduced with."""


@frozen(kw_only=True)
class Surroundings:
    """What a model is told of the world around a conversation.

    Args:
        cwd: where the user works.
        date: today, as ``2026-11-21``.
        timezone: an IANA name.
        shell: the name of the user's shell.
        sandbox: the sandbox policy, as it stands on the wire.
        approval_policy: when the user would be asked, as it stands on the wire.
        workspace_roots: the folders that belong to the work.
        developer_instructions: what the client wants the model told.
        project_instructions: what AGENTS.md files say, in their tags.
        tells_environment: whether the model is told where the user works.
    """

    cwd: str
    date: str
    timezone: str
    shell: str
    sandbox: dict[str, Any]
    approval_policy: object
    workspace_roots: Sequence[str] = ()
    developer_instructions: str | None = None
    project_instructions: str | None = None
    tells_environment: bool = True

    @property
    def environment(self) -> str:
        """The environment as the original tells it (observed); empty if it is not told."""
        if not self.tells_environment:
            return ""
        roots = "".join(f"<root>{escape(root)}</root>" for root in self.workspace_roots)
        lines = [
            f"  <cwd>{escape(self.cwd)}</cwd>",
            f"  <shell>{escape(self.shell)}</shell>",
            f"  <current_date>{self.date}</current_date>",
            f"  <timezone>{escape(self.timezone)}</timezone>",
            f"  <filesystem><workspace_roots>{roots}</workspace_roots>{self._profile}</filesystem>",
        ]
        return "\n".join(["<environment_context>", *lines, "</environment_context>"])

    @property
    def permissions(self) -> str:
        """What may be done, in few words: without tools, nothing is done."""
        sandbox = str(self.sandbox.get("type", "readOnly"))
        policy = "granular" if isinstance(self.approval_policy, dict) else self.approval_policy
        return (
            "<permissions instructions>\n"
            f"Sandbox: {sandbox}. Approval policy: {policy}. They will count for tools; this"
            " conversation has none.\n"
            "</permissions instructions>"
        )

    @property
    def _profile(self) -> str:
        if self.sandbox.get("type") == "dangerFullAccess":
            inner = '<file_system type="unrestricted" />'
            return f'<permission_profile type="disabled">{inner}</permission_profile>'
        entries = '<entry access="read"><special>:root</special></entry>'
        if self.sandbox.get("type") == "workspaceWrite":
            roots = [*self.workspace_roots, *self.sandbox.get("writableRoots", ())]
            entries += "".join(
                f'<entry access="write"><path>{escape(root)}</path></entry>' for root in roots
            )
        inner = f'<file_system type="restricted">{entries}</file_system>'
        return f'<permission_profile type="managed">{inner}</permission_profile>'
