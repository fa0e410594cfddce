"""The page's languages: its own words, a file a language in `catalogues/`, and Babel's locales."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from babel import Locale

from weather_webapp.settings import Language

# The page's English is British, as are its units by default.
LOCALES: Mapping[Language, str] = {"en": "en_GB"}


@cache
def locale_of(language: Language) -> Locale:
    """Return what Babel knows of how this language writes; the first call reads a file."""
    return Locale.parse(LOCALES.get(language, language))


@cache
def translations_of(language: Language) -> "Translations":
    """Return the texts of this language; the first call reads a file."""
    return Translations(language)


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
