"""Whom Slack knows as what: members of the workspace, guests, people of other organisations."""

from collections.abc import Collection, Mapping

from bots.slack.payloads import Ourselves, Payload, View
from core.seam.messages import Standing

_GUESTS = ("is_restricted", "is_ultra_restricted")
FACTS = ("team_id", "enterprise_user", "is_stranger", *_GUESTS)
"""What Slack says of a person that matters here; docs.slack.dev/reference/objects/user-object."""


def standing(person: str, told: Payload, workspace: str, view: View) -> Standing:
    """What this person is in this workspace, by what Slack says of them, or else by what their message tells.

    A message tells of a team, but for a few kinds, and its `user_profile` at times of a guest.
    """
    user, profile = view.people.get(person), told.get("user_profile")
    profile = profile if isinstance(profile, Mapping) else {}
    known = user if user is not None else profile
    team = known.get("team_id") or told.get("user_team") or told.get("team") or profile.get("team")
    home = team if isinstance(team, str) and team != workspace and workspace not in _teams(user) else None
    return Standing(
        home=home,
        is_external=None if user is None and not team else _is_external(user, home, workspace, view.us),
        is_guest=any(known.get(one) is True for one in _GUESTS) if _tells(known) else None,
    )


def _teams(user: Payload | None) -> Collection[object]:
    """The workspaces of their organisation that somebody is a member of; Slack names one of them first."""
    enterprise = (user or {}).get("enterprise_user")
    teams = enterprise.get("teams") if isinstance(enterprise, Mapping) else None
    return teams if isinstance(teams, list) else ()


def _tells(known: Payload) -> bool:
    """Whether this says of a person whether they are a guest."""
    return any(one in known for one in ("team_id", *_GUESTS))


def _is_external(user: Payload | None, home: str | None, workspace: str, us: Ourselves) -> bool | None:
    """A team of one's own organisation is another workspace, and its people are no strangers."""
    if home is None:
        return user is not None and user.get("is_stranger") is True
    if user is None:
        return None if us.organisation else True
    return not in_organisation(user, us.organisation, workspace)


def in_organisation(user: Payload, *organisations: str) -> bool:
    """Whether somebody is of one of these organisations of Slack's Enterprise Grid."""
    enterprise = user.get("enterprise_user")
    theirs = enterprise.get("enterprise_id") if isinstance(enterprise, Mapping) else None
    return theirs is not None and theirs in organisations


def is_organisation(workspace: str) -> bool:
    """Whether the app is all of an organisation's, whose ID is in the place of a workspace's."""
    return workspace.startswith("E")
