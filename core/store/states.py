"""The states of deliveries: how far a visible message has come on its way to the screen."""

from enum import IntEnum


class DeliveryState(IntEnum):
    """How far a visible message has come."""

    DRAFT = 0  # growing on screen; its text is not decided
    READY = 1  # its text is stored
    SENDING = 2  # a call that puts it on screen for good may have been made
    SENT = 3
    FAILED = 4  # the platform will never take it
