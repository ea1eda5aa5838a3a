"""Every setting has a variable, and a variable that makes no sense is an error."""

from __future__ import annotations

import re
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from fitting_room.settings import Settings, SettingsError
from tests.conftest import DEMO, SAMPLES

SETTINGS = {
    "catalogue": ("/data/shop", Path("/data/shop")),
    "index": ("indexes/shop", Path("indexes/shop")),
    "cache": ("/var/cache/shops", Path("/var/cache/shops")),
    "samples": ("/data/samples", Path("/data/samples")),
    "backbone": ("resnet50", "resnet50"),
    "weights": ("V2", "V2"),
    "engine": ("torch", "torch"),
    "precision": ("bf16", "bf16"),
    "download_timeout": ("2.5", 2.5),
    "max_megabytes": ("100", 100.0),
    "max_held_megabytes": ("64", 64.0),
    "max_megapixels": ("1e1", 10.0),
    "address": ("0.0.0.0", "0.0.0.0"),
    "port": ("7860", 7860),
    "hosts": ("shop.example *.shop.example", "shop.example *.shop.example"),
    "frame_ancestors": ("https://shop.example", "https://shop.example"),
    "forget_after": ("90", 90.0),
    "owner": ("1", True),
    "api": ("0", False),
    "api_tokens": ("a-first-token b-second-token", "a-first-token b-second-token"),
    "api_tokens_file": ("/run/secrets/tokens", Path("/run/secrets/tokens")),
    "api_origins": ("https://shop.example", "https://shop.example"),
    "api_timeout": ("12.5", 12.5),
    "synonyms": ("/etc/shop/words.json", Path("/etc/shop/words.json")),
    "places": ("s3://bucket https://shop.example", "s3://bucket https://shop.example"),
}
NUMBERS = [
    "api_timeout", "download_timeout", "forget_after", "max_held_megabytes", "max_megabytes",
    "max_megapixels",
]  # fmt: skip


def variable(setting: str) -> str:
    return f"FITTING_ROOM_{setting.upper()}"


def test_every_knob_is_tested_here() -> None:
    assert set(SETTINGS) == {setting.name for setting in fields(Settings)}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_variable_sets_its_knob_and_no_other(setting: str) -> None:
    text, value = SETTINGS[setting]
    settings = Settings.from_environment({variable(setting): text})
    assert getattr(settings, setting) == value
    plain = Settings()
    others = set(SETTINGS) - {setting, "catalogue"}  # an index alone means no catalogue, see below
    assert {o: getattr(settings, o) for o in others} == {o: getattr(plain, o) for o in others}


def test_all_variables_together_set_all_settings() -> None:
    settings = Settings.from_environment({variable(k): text for k, (text, _) in SETTINGS.items()})
    assert {k: getattr(settings, k) for k in SETTINGS} == {
        k: value for k, (_, value) in SETTINGS.items()
    }


def test_the_catalogue_may_lie_elsewhere() -> None:
    settings = Settings.from_environment({variable("catalogue"): "s3://bucket/shop"})
    assert settings.catalogue == "s3://bucket/shop"
    assert settings.index_folder.parent == settings.cache


@pytest.mark.parametrize(
    "place", ["milvus://host:19530/shop", "postgresql://me:secret@host/db/shop?sslmode=require"]
)
def test_the_index_may_live_in_a_database_whose_password_is_not_shown(place: str) -> None:
    settings = Settings.from_environment({variable("index"): place})
    assert settings.index == settings.index_folder == place
    assert settings.catalogue is None
    assert "secret" not in repr(settings)


def test_an_index_at_another_address_is_an_error_without_its_password() -> None:
    with pytest.raises(SettingsError, match=r"milvus://.*postgresql://") as refused:
        Settings.from_environment({variable("index"): "mysql://me:secret@host/db"})
    assert "secret" not in str(refused.value)


def test_the_variables_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("engine"), "torch")
    assert Settings.from_environment().engine == "torch"


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_empty_variable_is_none(setting: str) -> None:
    assert Settings.from_environment({variable(setting): ""}) == Settings()


def test_variables_of_others_are_not_read() -> None:
    others = {
        "BACKBONE": "x",
        "FITTINGROOM_INDEX": "x",
        "PATH": "/bin",
        "MY_FITTING_ROOM_INDEX": "x",
    }
    assert Settings.from_environment(others) == Settings()


@pytest.mark.parametrize("name", ["FITTING_ROOM_BACKBON", "FITTING_ROOM_", "FITTING_ROOM_LIMITS"])
def test_an_unknown_variable_is_refused_and_the_known_ones_named(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: "x"})
    assert name in str(caught.value)
    for setting in SETTINGS:
        assert variable(setting) in str(caught.value)


@pytest.mark.parametrize("text", ["many", "0", "-1", "nan", "inf", "1e999", "12 MB", "1,5", " "])
@pytest.mark.parametrize("setting", NUMBERS)
def test_what_is_no_number_above_zero_is_refused(setting: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable(setting): text})
    assert f"{variable(setting)}={text}" in str(caught.value)


@pytest.mark.parametrize("setting", ["catalogue", "index", "cache", "samples"])
def test_a_tilde_in_a_path_is_the_home_folder(
    setting: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings = Settings.from_environment({variable(setting): "~/shop"})
    assert getattr(settings, setting) == tmp_path / "shop"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guesses a home for anybody")
def test_the_home_of_somebody_unknown_is_an_error() -> None:
    with pytest.raises(SettingsError, match=re.escape(variable("catalogue"))):
        Settings.from_environment({variable("catalogue"): "~no-such-user-here/shop"})


def test_the_limits_are_given_in_megabytes_and_megapixels() -> None:
    limits = Settings(max_megabytes=1.5, max_megapixels=0.25).limits
    assert (limits.max_bytes, limits.max_pixels) == (1_572_864, 250_000)


def test_without_any_setting_the_demo_is_shown() -> None:
    settings = Settings.from_environment({})
    assert settings.catalogue == DEMO
    assert (DEMO / "styles.csv").is_file()
    assert settings.samples == SAMPLES
    assert any(SAMPLES.iterdir())


def test_an_index_named_alone_needs_no_catalogue() -> None:
    settings = Settings(index=Path("indexes/shop"))
    assert settings.catalogue is None
    assert settings.index_folder == Path("indexes/shop")


def test_a_named_index_is_used_for_the_named_catalogue() -> None:
    settings = Settings(catalogue=Path("shop"), index=Path("indexes/mine"))
    assert settings.catalogue == Path("shop")
    assert settings.index_folder == Path("indexes/mine")


@pytest.mark.parametrize("catalogue", ["shop", "shop.zip", "/data/shop", "shop/", "data/../shop"])
def test_the_index_of_a_catalogue_lies_in_the_cache_under_its_name(catalogue: str) -> None:
    folder = Settings(catalogue=Path(catalogue), cache=Path("cache")).index_folder
    assert folder.parent == Path("cache")
    assert folder.name.startswith("shop")


@pytest.mark.parametrize("catalogue", [".", "..", "../..", "/"])
def test_a_catalogue_without_a_name_has_an_index_of_its_own_all_the_same(
    catalogue: str, tmp_path: Path
) -> None:
    """`cd shop; FITTING_ROOM_CATALOGUE=. streamlit run ...`"""
    folder = Settings(catalogue=Path(catalogue), cache=tmp_path).index_folder
    assert folder.parent == tmp_path
    assert folder.name not in ("", ".", "..")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("labelled_shop.2024", "labelled_shop.2025"),
        ("labelled_shop", "labelled_shop.zip"),
        ("a/labelled_shop", "b/labelled_shop"),
    ],
)
def test_two_catalogues_do_not_take_turns_in_one_index(one: str, other: str) -> None:
    first, second = (Settings(catalogue=Path(name)).index_folder for name in (one, other))
    assert first != second


def test_no_catalogue_has_its_index_among_the_converted_networks() -> None:
    settings = Settings(catalogue=Path("networks"))
    assert settings.index_folder != settings.engines_folder


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().backbone = "other"  # type: ignore[misc]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_catalogue_behind_a_loop_of_links_still_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    folder = Settings(catalogue=tmp_path / "loop", cache=tmp_path).index_folder
    assert folder.name.startswith("loop-")


@pytest.mark.parametrize("text", ["yes", "2", "True", "-1"])
def test_a_switch_is_1_or_0(text: str) -> None:
    assert Settings.from_environment({variable("owner"): "0"}).owner is False
    with pytest.raises(SettingsError, match=f"FITTING_ROOM_OWNER={text}: 0 or 1"):
        Settings.from_environment({variable("owner"): text})


@pytest.mark.parametrize("text", ["0", "-1", "65536", "80.5", "http", "٨٠"])
def test_a_port_is_a_port(text: str) -> None:
    with pytest.raises(SettingsError, match="FITTING_ROOM_PORT"):
        Settings.from_environment({"FITTING_ROOM_PORT": text})
