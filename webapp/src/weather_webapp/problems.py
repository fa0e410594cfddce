"""What a client did or met that gets no weather, as a value: the answer is made in one place."""


class Problem(Exception):  # noqa: N818 - not always an error of ours
    """An answer with this HTTP status, in the words `problem.<key>` of the catalogues."""

    def __init__(
        self, status: int, key: str, suggestions: tuple[str, ...] = (), **values: str
    ) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.suggestions = suggestions
        self.values = values
