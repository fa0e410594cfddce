from support.plugin_api import api

__all__ = ["api"]
