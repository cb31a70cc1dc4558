"""`python -m datastorage`: the service alone, on its own port."""

from datastorage.app import create_app
from datastorage.settings import DatastorageSettings
from servicekit import run

if __name__ == "__main__":
    run(create_app, DatastorageSettings)
