"""HTML and SVG from templates: a name that is missing is an error, and every value is escaped."""

import base64
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weather_webapp.catalogue import Catalogue
from weather_webapp.identity import Identity
from weather_webapp.palette import palette_of
from weather_webapp.views import WeatherView
from weather_webapp.wishes import Wish

TILES = 60


class Pages:
    """Renders for one identity; every template is compiled when this is made."""

    def __init__(
        self,
        identity: Identity,
        base_path: str,
        catalogues: Iterable[Catalogue],
        faults: tuple[str, ...] = (),
    ) -> None:
        templates = Environment(
            loader=PackageLoader("weather_webapp"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.globals.update(
            who=identity,
            palette=palette_of(identity.colour),
            base=base_path,
            faults=faults,
            languages={words.language: words.text("language.name") for words in catalogues},
        )
        style = templates.get_template("style.css").render()
        script = templates.get_template("live.js").render()
        # From our own templates and palette, and named by their hashes in the policy.
        templates.globals["style"] = Markup(style)  # noqa: S704
        templates.globals["script"] = Markup(script)  # noqa: S704
        self._weather = templates.get_template("weather.html")
        self._notice = templates.get_template("notice.html")
        self._live = templates.get_template("live.html")
        self._card = templates.get_template("card.svg")
        self.badge = templates.get_template("badge.svg").render()
        self.policy = (
            f"default-src 'none'; style-src {_hash(style)}; img-src 'self' data:; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self.live_policy = f"{self.policy}; script-src {_hash(script)}; connect-src 'self'"

    def weather(self, view: WeatherView, wish: Wish, words: Catalogue, now: datetime) -> str:
        """Return the page of this weather, stamped `now` (UTC)."""
        return self._weather.render(view=view, now=now, wish=wish, **_spoken(words))

    def card(self, view: WeatherView, words: Catalogue) -> str:
        """Return this weather as a small SVG picture."""
        return self._card.render(view=view, **_spoken(words))

    def live(self, wish: Wish, words: Catalogue, now: datetime) -> str:
        """Return the page on which a person watches which version answers."""
        return self._live.render(now=now, wish=wish, tiles=range(TILES), **_spoken(words))

    def notice(
        self, title: str, suggestions: Iterable[str], wish: Wish, words: Catalogue, now: datetime
    ) -> str:
        """Return a page that only says this, with cities to go to instead."""
        return self._notice.render(
            title=title, suggestions=suggestions, now=now, wish=wish, **_spoken(words)
        )


def _spoken(words: Catalogue) -> dict[str, object]:
    return {"t": words.text, "lang": words.language}


def _hash(inline: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(inline.encode()).digest()).decode()}'"
