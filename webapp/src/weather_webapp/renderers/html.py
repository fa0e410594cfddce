"""HTML and SVG from templates: a missing name is an error, and every value is escaped."""

import base64
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from weather_webapp.build_info import BuildInfo, palette_for
from weather_webapp.i18n import Translations
from weather_webapp.params import WeatherQuery
from weather_webapp.view import WeatherView

LIVE_TILES = 48
# The tiles are as many requests, over as many connections, from each who watches without script.
REFRESH_SECONDS = 10


@cache
def _templates() -> Environment:
    """Return the templates, which know nothing of what they are rendered for."""
    return Environment(
        loader=PackageLoader("weather_webapp"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class HtmlRenderer:
    """Renders for one build; every template is compiled when this is made."""

    def __init__(
        self,
        build: BuildInfo,
        base_path: str,
        languages: Iterable[Translations],
        faults: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        templates = _templates()
        self._site: dict[str, object] = {
            "build": build,
            "palette": palette_for(build.colour),
            "base": base_path,
            "faults": faults,
            "languages": {each.language: each.text("language.name") for each in languages},
        }
        style = _packed(templates.get_template("style.css").render(self._site))
        script = _packed(templates.get_template("live.js").render(self._site))
        # From our own templates and palette, and named by their hashes in the policy.
        self._site |= {"style": Markup(style), "script": Markup(script)}  # noqa: S704
        self._weather = templates.get_template("weather.html")
        self._notice = templates.get_template("notice.html")
        self._live = templates.get_template("live.html")
        self._card = templates.get_template("card.svg")
        self.badge = templates.get_template("badge.svg").render(self._site)
        self.policy = (
            f"default-src 'none'; style-src {_hash(style)}; img-src 'self' data:; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self.live_policy = f"{self.policy}; script-src {_hash(script)}; connect-src 'self'"

    def weather(
        self, view: WeatherView, query: WeatherQuery, translations: Translations, now: datetime
    ) -> str:
        """Return the page of this weather, stamped `now` (UTC)."""
        return self._weather.render(view=view, now=now, query=query, **self._context(translations))

    def card(self, view: WeatherView, translations: Translations) -> str:
        """Return this weather as a small SVG picture."""
        return self._card.render(view=view, **self._context(translations))

    def live(
        self,
        query: WeatherQuery,
        translations: Translations,
        now: datetime,
        *,
        faults_may_change: bool = False,
    ) -> str:
        """Return the page on which a person watches which version answers, and may set faults."""
        return self._live.render(
            now=now,
            query=query,
            tiles=range(LIVE_TILES),
            refresh_seconds=REFRESH_SECONDS,
            faults_may_change=faults_may_change,
            **self._context(translations),
        )

    def notice(
        self,
        status: int,
        title: str,
        suggestions: Iterable[str],
        query: WeatherQuery,
        translations: Translations,
        now: datetime,
    ) -> str:
        """Return a page that only says this, with cities to go to instead."""
        return self._notice.render(
            status=status,
            title=title,
            suggestions=suggestions,
            now=now,
            query=query,
            **self._context(translations),
        )

    def _context(self, translations: Translations) -> dict[str, object]:
        return {**self._site, "t": translations.text, "lang": translations.language}


def _packed(text: str) -> str:
    """Return our own style or script without indentation and empty lines."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _hash(inline: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(inline.encode()).digest()).decode()}'"
