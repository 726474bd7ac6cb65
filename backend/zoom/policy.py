"""How tiles and places are picked. No torch: requests of the web process need it too."""

from __future__ import annotations

from typing import Final, Literal, get_args

from backend.errors import BadRequest

Policy = Literal["sample", "topk"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)


def checked_policy(text: str) -> Policy:
    """The policy of that name.

    Raises:
        BadRequest: there is none.
    """
    for policy in POLICIES:
        if text == policy:
            return policy
    raise BadRequest(f"policy={text!r} is not known.", f"There is {', '.join(POLICIES)}.")
