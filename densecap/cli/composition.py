"""Composing the configuration of a command without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from densecap.cli import locations, run_folder
from densecap.errors import UserError

VERSION_BASE = "1.3"

#: What Hydra and OmegaConf raise for a configuration that does not compose.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException)


@contextmanager
def opened(config_dir: Path | None = None, search_path: Sequence[str] = ()) -> Iterator[ConfigLoader]:
    """Hydra's loader of the configuration folder and of what ``--config-dir`` adds; ``compose`` works inside."""
    run_folder.register(claim=False)
    folder = config_dir or locations.config_dir()
    with initialize_config_dir(str(folder), job_name="densecap", version_base=VERSION_BASE):
        loader = GlobalHydra.instance().config_loader()
        for path in search_path:
            loader.get_search_path().prepend("command-line", path, anchor=SearchPathQuery(provider="schema"))
        loader.repository.initialize_sources(loader.get_search_path())  # type: ignore[attr-defined]
        yield loader


def compose(config_name: str, overrides: Sequence[str] = (), config_dir: Path | None = None) -> DictConfig:
    """The configuration of a command as ``run(cfg)`` gets it; for scripts and tests.

    ``paths.output_dir`` is known only to a running command: give ``paths.output_dir=FOLDER`` when it is read.
    """
    with opened(config_dir):
        return hydra_compose(config_name, overrides=list(overrides))


def compose_whole(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """The configuration with Hydra's own node, inside ``opened``; errors: UserError of one line with Hydra's words."""
    try:
        return hydra_compose(config_name, overrides=list(overrides), return_hydra_config=True)
    except COMPOSITION_ERRORS as error:
        raise UserError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """The message of an exception, and of its cause when that says more, as one line."""
    message = " ".join(str(error).split())
    cause = " ".join(str(error.__cause__ or "").split())
    return message if not cause or cause in message else f"{message} ({cause})"


def choices(config: DictConfig) -> dict[str, str | list[str] | None]:
    """The member chosen of each group, or the members by default of those that take several; Hydra's own left out."""
    chosen = config.hydra.runtime.choices
    single = {str(group): chosen[group] for group in chosen if not str(group).startswith("hydra")}
    return {**_lists(config), **single}


def _lists(config: DictConfig) -> dict[str, list[str]]:
    """Groups of which a command's own file takes a list of members; Hydra does not report what became of them."""
    found: dict[str, list[str]] = {}
    for source in config.hydra.runtime.config_sources:
        path = Path(source.path) / f"{config.hydra.job.config_name}.yaml"
        if source.schema == "file" and path.is_file():
            entries = yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", [])
            pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
            found |= {group: members for group, members in pairs if isinstance(members, list)}
    return found
