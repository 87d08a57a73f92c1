"""Making the sweeper and the launcher known to Hydra.

Hydra admits plugins by names below ``hydra_plugins`` only. The classes are entered under such a name in its table, and
keep their own module, so that they can be sent to other processes.
"""

from __future__ import annotations

from hydra.core.plugins import Plugins

from densecap.sweeps.launcher import ProcessLauncher
from densecap.sweeps.sweeper import OptunaSweeper

PLUGINS = {
    "hydra_plugins.densecap.OptunaSweeper": OptunaSweeper,
    "hydra_plugins.densecap.ProcessLauncher": ProcessLauncher,
}


def register() -> None:
    """Enter them in Hydra's table of plugins."""
    plugins = Plugins.instance()
    for name, cls in PLUGINS.items():
        plugins.register(cls)  # type: ignore[arg-type]
        plugins.class_name_to_class[name] = cls  # type: ignore[assignment]


def searches(target: str) -> bool:
    """Whether a sweeper, by its name in the configuration, searches rather than running a grid."""
    return PLUGINS.get(target) is OptunaSweeper
