"""What the plans of a service's statements depend on."""
import re

from support import ROOT


def settings_of_the_service():
    """PG_PLANNING: what its sessions set that plans depend on."""
    _, _, planning = (ROOT / "common" / "pg" / "pg.h").read_text().partition("#define PG_PLANNING")
    found = dict(re.findall(r"set_config\('(\w+)', '([\w.]+)', false\)", planning))
    assert "plan_cache_mode" in found
    return found
