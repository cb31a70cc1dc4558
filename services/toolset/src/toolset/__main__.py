"""`python -m toolset serve`: the HTTP service. `python -m toolset controller`: the controller of ToolsetConfigs."""

from __future__ import annotations

import argparse

import servicekit


def main() -> None:
    """Be what the one argument says; exit code 2 and the usage where it says nothing."""
    parser = argparse.ArgumentParser(prog="python -m toolset", description=__doc__)
    parser.add_argument("verb", choices=["serve", "controller"])
    if parser.parse_args().verb == "serve":
        from toolset.app import create_app  # noqa: PLC0415 - the other verb needs other libraries
        from toolset.settings import ServeSettings  # noqa: PLC0415 - likewise

        servicekit.run(create_app, ServeSettings)
    else:
        from toolset import controller  # noqa: PLC0415 - likewise

        controller.run()


if __name__ == "__main__":
    main()
