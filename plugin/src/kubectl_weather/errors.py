"""What goes wrong, said to the person at the terminal."""


class PluginError(Exception):
    """One sentence: what is wrong, where, and what to do next."""


class NotFoundError(PluginError):
    """There is no such object."""


class NotServedError(PluginError):
    """The cluster does not know this kind."""


class ForbiddenError(PluginError):
    """The viewer lacks a right, named in the API server's words."""


class ChangedError(PluginError):
    """The object is not what it was when it was read: look again."""
