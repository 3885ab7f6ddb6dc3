"""Who runs a command, where the command line does not say on whose behalf."""

import os
import pwd


def login_name() -> str:
    """Return the name of this process's user, or its number where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a pod's user need not have a name
        return f"uid {os.getuid()}"
