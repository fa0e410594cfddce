"""How EKS says no."""

from typing import NoReturn


class RefusedError(Exception):
    """An answer that is not the one hoped for, as the API names it."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def missing(what: str) -> NoReturn:
    """Say that there is no such thing."""
    raise RefusedError(404, "ResourceNotFoundException", f"No {what} found")


def taken(what: str) -> NoReturn:
    """Say that something exists already, or is still in use."""
    raise RefusedError(409, "ResourceInUseException", what)


def invalid(message: str) -> NoReturn:
    """Say that a parameter is not right."""
    raise RefusedError(400, "InvalidParameterException", message)
