import base64
from pathlib import Path

from volwatch.local.passwords import Passwords


def test_a_password_stays_the_same_for_as_long_as_the_folder_lives(tmp_path: Path) -> None:
    first = Passwords(tmp_path / "passwords.json").of("minio")
    assert Passwords(tmp_path / "passwords.json").of("minio") == first


def test_every_name_and_every_folder_has_its_own(tmp_path: Path) -> None:
    one, other = Passwords(tmp_path / "one.json"), Passwords(tmp_path / "other.json")
    assert len({one.of("minio"), one.of("postgres"), other.of("minio")}) == 3


def test_a_password_has_the_asked_number_of_random_bytes(tmp_path: Path) -> None:
    passwords = Passwords(tmp_path / "passwords.json")
    sizes = [len(base64.urlsafe_b64decode(passwords.of(str(size), random_bytes=size))) for size in (32, 48)]
    assert sizes == [32, 48]


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    Passwords(tmp_path / "passwords.json").of("minio")
    assert [(file.name, oct(file.stat().st_mode & 0o777)) for file in tmp_path.iterdir()] == [
        ("passwords.json", "0o600")
    ]
