"""Where a study lives: a file or a database that several processes may share, and that outlives a killed sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densecap.data.folder_lock import folder_lock
from densecap.errors import UserError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

#: The file in the sweep's folder when no other place is named.
STUDY_FILE = "study.db"
JOURNALS = (".journal", ".log")
#: The attribute of a study that holds its Terms.
TERMS = "densecap"
#: Seconds that a process waits for another's transaction in a SQLite file.
PATIENCE = 60


@dataclass(frozen=True)
class Terms:
    """What all trials of a study share; a sweep that goes on with it must say the same."""

    metric: str
    direction: str
    overrides: Sequence[str]
    space: Mapping[str, str]

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """What ``other``, read from a study, says instead."""
        found = [
            f"{key} {other.get(key)} instead of {value}"
            for key, value in (("optimized_metric", self.metric), ("direction", self.direction))
            if other.get(key) != value
        ]
        theirs, ours = list(other.get("overrides", [])), list(self.overrides)
        found += [f"{text}, which is missing now" for text in theirs if text not in ours]
        found += [f"no {text}" for text in ours if text not in theirs]
        space = dict(other.get("space", {}))
        keys = [*space, *(key for key in self.space if key not in space)]
        changed = [key for key in keys if space.get(key) != self.space.get(key)]
        return found + [f"{key} in {space.get(key)} instead of {self.space.get(key)}" for key in changed]

    def as_dict(self) -> dict[str, Any]:
        return {
            "optimized_metric": self.metric,
            "direction": self.direction,
            "overrides": list(self.overrides),
            "space": dict(self.space),
        }


def require_optuna() -> None:
    """Errors: UserError when Optuna is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UserError("sweeps that search need Optuna: pip install 'densecap[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def address(typed: str | None, folder: Path) -> str:
    """The storage as a full address: of ``typed``, or of study.db in the sweep's folder."""
    text = str(folder / STUDY_FILE) if not typed else str(typed)
    if "://" in text:
        return text
    path = Path(text).expanduser().resolve()
    return f"journal://{path}" if path.suffix in JOURNALS else f"sqlite:///{path}"


def file_of(url: str) -> Path | None:
    """The file that an address means; None for a database that is reached in another way."""
    for prefix in ("journal://", "sqlite:///"):
        if url.startswith(prefix):
            return Path(url.removeprefix(prefix))
    return None


def open_storage(url: str) -> BaseStorage:
    """Errors: UserError when it cannot be opened."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    path = file_of(url)
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        if url.startswith("journal://"):
            return JournalStorage(JournalFileBackend(str(path)))
        engine = {"connect_args": {"timeout": PATIENCE}} if url.startswith("sqlite://") else None
        return RDBStorage(url, engine_kwargs=engine)
    except Exception as error:  # whatever a database's driver raises
        raise UserError(f"the study {url} cannot be opened: {' '.join(str(error).split())[:200]}") from error


@contextmanager
def held(url: str, folder: Path) -> Iterator[None]:
    """One process at a time asks a study for trials; of a database, one process of those with this sweep folder."""
    path = file_of(url)
    place = path.parent if path is not None else folder
    place.mkdir(parents=True, exist_ok=True)
    with folder_lock(place, on_wait=lambda: None):
        yield


def open_study(storage: BaseStorage, name: str, terms: Terms, **arguments: Any) -> Study:
    """The study of that name, made when there is none.

    Errors: UserError when it was made on other terms, since its trials could not be compared with ours.
    """
    import optuna

    direction = optuna.study.StudyDirection[terms.direction.upper()]
    study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True, **arguments)
    recorded = study.user_attrs.get(TERMS)
    if recorded is None:
        study.set_user_attr(TERMS, json.loads(json.dumps(terms.as_dict())))
        return study
    if different := terms.differences(recorded):
        raise UserError(
            f"the study {name} was made with {', '.join(different[:3])}: repeat that command to go on with it, or "
            f"start another with hydra.sweeper.study_name=NAME"
        )
    return study
