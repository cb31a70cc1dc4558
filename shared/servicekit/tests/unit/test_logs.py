"""One JSON object a line, whoever logs."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from servicekit import logs


@pytest.fixture
def stream(logs_put_back: None) -> io.StringIO:
    """Configure the logs onto a stream."""
    stream = io.StringIO()
    logs.configure("info", stream)
    return stream


def test_structlog_and_logging_write_the_same_form(stream: io.StringIO) -> None:
    """Event, level, logger and time are in every line; what is below the level is not written."""
    structlog.get_logger("mine").info("done", count=3)
    structlog.get_logger("mine").debug("not this")
    logging.getLogger("library").warning("slow: %s ms", 12)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("done", "info", "mine"),
        ("slow: 12 ms", "warning", "library"),
    ]
    assert lines[0]["count"] == 3
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("größer\n", "größer\n"),
        (b"\xff", "b'\\xff'"),
        ("half \ud800", "half \ud800"),
        (float("nan"), None),
        ({"a": [1, None]}, {"a": [1, None]}),
        (ValueError("no"), "no"),
    ],
)
def test_whatever_a_line_has_it_is_one_line_of_json(stream: io.StringIO, value: object, written: object) -> None:
    """Nothing that is logged raises."""
    structlog.get_logger().info("found", value=value)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["value"] == written


def test_what_is_bound_is_in_every_line(stream: io.StringIO) -> None:
    """A library's line carries the request's id too."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("ours")
        logging.getLogger("library").info("theirs")
    assert [json.loads(line)["request_id"] for line in stream.getvalue().splitlines()] == ["r1", "r1"]


def test_a_traceback_is_one_line_and_has_no_local_variables(stream: io.StringIO) -> None:
    """An exception is part of the object; values of variables, which may be secrets, are not in it."""
    secret = "hush"
    for logger in (structlog.get_logger(), logging.getLogger("library")):
        try:
            raise KeyError(len(secret))
        except KeyError:
            logger.exception("failed")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["exception"][0]["exc_type"] for line in lines] == ["KeyError", "KeyError"]
    assert "hush" not in stream.getvalue()
