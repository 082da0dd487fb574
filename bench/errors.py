"""The one error the harness shows to people: lower-case text, an optional hint on its own line."""


class BenchError(Exception):
    """A measurement cannot be made; `hint` says what the reader can do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
