"""Which clients show plain text; apart, for the supervisor to need nothing else of the app."""

TERMINALS = ("curl", "wget", "httpie", "xh", "hurl", "powershell", "lwp-request", "aria2")


def is_terminal(agent: str) -> bool:
    """Whether this user agent shows plain text to a person."""
    # Not casefold, which makes other letters into these; NGINX does not.
    return agent.lower().startswith(TERMINALS)
