"""Where Streamlit's own sign-in reads who the provider is: a private file, for as long as the dashboard runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from volwatch.settings import DashboardSettings, as_environment


@contextmanager
def provider_file(settings: DashboardSettings) -> Iterator[Path | None]:
    """Write the file, yield where it is, and remove it; yield None where nobody signs in."""
    if not settings.signs_in:
        yield None
        return
    with TemporaryDirectory(prefix="volwatch-dashboard-") as folder:  # mode 0700
        path = Path(folder) / "secrets.toml"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(provider_text(settings))
        yield path


def provider_text(settings: DashboardSettings) -> str:
    """Return what stands in the file. It holds secrets."""
    told = as_environment(settings)
    section = {
        "server_metadata_url": told["VOLWATCH_DASHBOARD_OIDC_METADATA_URL"],
        "client_id": told["VOLWATCH_DASHBOARD_OIDC_CLIENT_ID"],
        "client_secret": told["VOLWATCH_DASHBOARD_OIDC_CLIENT_SECRET"],
        "redirect_uri": told["VOLWATCH_DASHBOARD_OIDC_REDIRECT_URI"],
        "cookie_secret": told["VOLWATCH_DASHBOARD_COOKIE_SECRET"],
    }
    return "[auth]\n" + "".join(f"{name} = {_quoted(value)}\n" for name, value in section.items())


def _quoted(text: str) -> str:
    # TOML's strings are those of JSON, but for DEL, which has to be escaped, and for pairs of surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
