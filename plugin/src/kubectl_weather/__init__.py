"""kubectl weather: trees, reasons, plans and a live page of WeatherApps."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - as one file it meets whatever python3 there is
    sys.exit("kubectl weather needs Python 3.11 or newer, and python3 is older here: install one")
