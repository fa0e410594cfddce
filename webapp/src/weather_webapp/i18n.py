"""The translations of the page, one file a language in `catalogues/`."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from weather_webapp.settings import Language


class Translations:
    """The texts of one language, by `section.name`. A missing one is a KeyError, in a test."""

    def __init__(self, language: Language) -> None:
        path = files("weather_webapp") / "catalogues" / f"{language}.toml"
        self.language = language
        self.sections: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))

    def text(self, key: str, **values: str) -> str:
        """Return the text, with `{name}` filled in."""
        section, name = key.split(".")
        return str(self.sections[section][name]).format(**values)

    def names(self, section: str) -> list[str]:
        """Return the list of names in this section, such as the days of the week."""
        return list(self.sections[section]["names"])
