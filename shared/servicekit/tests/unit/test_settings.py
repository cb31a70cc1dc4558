"""Where settings come from, and how wrong ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from servicekit import Settings, SettingsError


class Demo(Settings):
    """Settings with a secret that is needed and one that is not."""

    prefix: ClassVar[str] = "DEMO_"
    token: SecretStr = Field(description="a token of at least 8 characters", min_length=8)
    spare: SecretStr | None = Field(default=None, description="another token")


TOKEN = {"DEMO_TOKEN": "long enough"}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Demo.load(environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    """Each source fills what the one before it left open."""
    config = tmp_path / "demo.yaml"
    config.write_text("port: 1\nhost: from-file\n", encoding="utf-8")
    settings = Demo.load({**TOKEN, "DEMO_CONFIG": str(config), "DEMO_PORT": "2"})
    assert (settings.port, settings.host, settings.log_level) == (2, "from-file", "info")


def test_a_secret_is_read_from_its_file_without_the_last_newline(tmp_path: Path) -> None:
    """`echo secret > file` is how such files are made."""
    secret = tmp_path / "token"
    secret.write_text("from the file \n", encoding="utf-8")
    assert Demo.load({"DEMO_TOKEN_FILE": str(secret)}).token.get_secret_value() == "from the file "


def test_settings_made_directly_see_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test leaves out is the default, whatever the machine has set."""
    monkeypatch.setenv("DEMO_PORT", "9")
    assert Demo(token=SecretStr("long enough")).port == 8080


def test_every_wrong_field_is_told_at_once() -> None:
    """Variable, value, why, and what would be right; three wrong fields are three sentences."""
    told = problems({**TOKEN, "DEMO_PORT": "70000", "DEMO_LOG_LEVEL": "loud", "DEMO_SHUTDOWN_GRACE": "nan"})
    assert [sentence.partition(":")[0] for sentence in told] == [
        "DEMO_PORT",
        "DEMO_LOG_LEVEL",
        "DEMO_SHUTDOWN_GRACE",
    ]
    assert told[0] == (
        "DEMO_PORT: '70000': Input should be less than or equal to 65535. Right would be: the TCP port to listen on,"
        " 0 to 65535; 0 takes a free one"
    )


@pytest.mark.parametrize(
    "environ",
    [{"DEMO_TOKEN": "hush"}, {**TOKEN, "DEMO_TOKEN_FILE": "/hush"}, {"DEMO_TOKEN_FILE": "/no/such/file"}, {}],
    ids=["wrong", "both", "no file", "none"],
)
def test_a_wrong_secret_is_told_without_its_value(environ: dict[str, str]) -> None:
    """Too short, given twice, unreadable or missing: one sentence about DEMO_TOKEN, none with its value."""
    told = problems(environ)
    assert [sentence.partition(":")[0] for sentence in told] == ["DEMO_TOKEN"]
    assert "hush" not in told[0]
    assert "long enough" not in told[0]


def test_a_secret_in_the_yaml_file_is_refused_even_where_a_variable_has_it(tmp_path: Path) -> None:
    """A secret in a file that is checked in is wrong, whether it is used or not; also one that is optional."""
    config = tmp_path / "demo.yaml"
    config.write_text("token: hush hush hush\nspare: hush\n", encoding="utf-8")
    told = problems({**TOKEN, "DEMO_CONFIG": str(config)})
    assert [sentence.partition(":")[0] for sentence in told] == ["DEMO_TOKEN", "DEMO_SPARE"]
    assert "hush" not in "".join(told)
    assert "DEMO_TOKEN_FILE" in told[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [("colour: red", "'colour': no setting has this name"), ("- a", "is no mapping"), ("a: [", "while parsing")],
)
def test_a_wrong_yaml_file_is_told(tmp_path: Path, content: str, said: str) -> None:
    """A key that is no setting, a list, broken YAML: each names the file's variable."""
    config = tmp_path / "demo.yaml"
    config.write_text(content, encoding="utf-8")
    told = problems({**TOKEN, "DEMO_CONFIG": str(config)})
    assert told[0].startswith("DEMO_CONFIG: ")
    assert said in told[0]


def test_a_missing_yaml_file_is_told() -> None:
    """A file that was asked for and is not there is no reason to go on with defaults."""
    assert "No such file" in problems({**TOKEN, "DEMO_CONFIG": "/no/such.yaml"})[0]


def test_an_empty_yaml_file_is_fine(tmp_path: Path) -> None:
    """All keys commented out is no mistake."""
    config = tmp_path / "demo.yaml"
    config.write_text("# port: 1\n", encoding="utf-8")
    assert Demo.load({**TOKEN, "DEMO_CONFIG": str(config)}).port == 8080


def test_the_port_that_kubernetes_sets_is_explained() -> None:
    """A Service of the service's name makes the variable DEMO_PORT=tcp://...; the sentence says what to do."""
    assert "enableServiceLinks: false" in problems({**TOKEN, "DEMO_PORT": "tcp://10.0.0.7:8080"})[0]


def test_a_wrong_setting_ends_the_start_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentences are on stderr, one a line."""
    with pytest.raises(SystemExit) as caught:
        Demo.load_or_exit({**TOKEN, "DEMO_PORT": "x", "DEMO_HOST": ""})
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
