"""What of a request is reserved for clients that ask for ``experimentalApi``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from codex_trio.protocol.structure import camel


def experimental_members(*names: str) -> Callable[[Any], str | None]:
    """Return what names the first of these members that is used, in their order.

    A member is used when it is not what it is without being sent; an empty ``path`` is none. An
    ``approval_policy`` is one of them only when it says what is asked (observed on 0.163.0).
    """

    def first_used(params: Any) -> str | None:
        fields = attrs.fields(type(params))
        for name in names:
            value = getattr(params, name)
            if value is getattr(fields, name).default:
                continue
            match name, value:
                case "approval_policy", str():
                    pass
                case "approval_policy", _:
                    return "askForApproval.granular"
                case "path", "":
                    pass
                case _:
                    return camel(name)
        return None

    return first_used
