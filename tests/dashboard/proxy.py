"""nginx before a dashboard, with the configuration that the documentation tells people to use."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from volwatch.local.ports import LOOPBACK, is_free
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server
from volwatch.settings import inherited_environment

DOCUMENTED = Path(__file__).parents[2] / "docs" / "dashboard.md"

# What is not of the site: one process in the foreground, as whoever starts it, with all its files in its own folder.
_AROUND = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    log_format asked "$status $request_uri";
    access_log asked.log asked;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{site}
}}
"""


class Nginx(Server):
    """A reverse proxy on a port of the loopback interface, before the dashboard at an address."""

    name = "nginx"

    def __init__(self, processes: Processes, port: int, dashboard: str) -> None:
        super().__init__(processes)
        self.port, self._dashboard = port, dashboard

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"{LOOPBACK}:{self.port}"

    def programs(self) -> Mapping[str, Program]:
        """Return the proxy, its configuration written."""
        file = self.folder / "nginx.conf"
        file.write_text(_AROUND.format(site=_site(self.address, self._dashboard)))
        # Debian has it where not everybody looks.
        program = shutil.which(self.name, path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "nginx is not installed: .ci/setup does it"
        command = [program, "-e", "stderr", "-p", str(self.folder), "-c", str(file)]
        return {self.name: Program(command, inherited_environment())}

    def probe(self) -> bool:
        """Return whether it listens."""
        return not is_free(self.port)

    def asked(self) -> list[tuple[int, str]]:
        """Return what was asked of it so far: status and path of each request that was answered."""
        lines = (self.folder / "asked.log").read_text().splitlines()
        return [(int(status), path) for status, path in (line.split(" ", 1) for line in lines)]


@contextmanager
def nginx(folder: Path, port: int, dashboard: str) -> Iterator[Nginx]:
    """Yield a running proxy."""
    processes = Processes(folder)
    proxy = Nginx(processes, port, dashboard)
    try:
        proxy.start()
        yield proxy
    finally:
        processes.release()


def _site(listen: str, dashboard: str) -> str:
    """Return the documented configuration with the addresses of here."""
    [documented] = re.findall(r"^```nginx\n(.*?)^```$", DOCUMENTED.read_text(), re.DOTALL | re.MULTILINE)
    site: str = documented
    for there, here in {"listen 80;": f"listen {listen};", "http://127.0.0.1:8501;": f"{dashboard};"}.items():
        assert site.count(there) == 1, f"{there} is not in the documented configuration"
        site = site.replace(there, here)
    return site
