"""`python -m contextapi`: the service alone, on its own port."""

from contextapi.app import create_app
from contextapi.settings import ContextapiSettings
from servicekit import run

if __name__ == "__main__":
    run(create_app, ContextapiSettings)
