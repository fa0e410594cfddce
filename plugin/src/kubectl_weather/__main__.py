"""The command, for `python -m kubectl_weather`."""

from kubectl_weather.cli import main

if __name__ == "__main__":
    main()
