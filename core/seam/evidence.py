"""Evidence: what is kept of an event that an adapter could not read, for whoever looks at it later."""

import json

_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})


def kept(payload: str) -> str:
    """The event, which is JSON, without what answers in our name, however deep that is in it."""
    return json.dumps(json.loads(payload, object_hook=_without_secrets))


def _without_secrets(part: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in part.items() if name not in _SECRETS}
