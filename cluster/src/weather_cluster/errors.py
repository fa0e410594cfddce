"""What goes wrong, said to the person at the terminal."""


class ClusterError(Exception):
    """One sentence: what is wrong, where, and what to do next."""
