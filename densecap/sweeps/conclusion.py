"""What is said at the end of a sweep, and its exit status."""

from __future__ import annotations

import sys
from pathlib import Path

from densecap.sweeps.outcome import Outcome, read_outcome


def jobs_of(folder: Path, since: float) -> dict[str, Outcome]:
    """The outcomes of the jobs in a sweep's folder that ended after ``since``, in the order of their numbers."""
    found = {path.name: read_outcome(path) for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else {}
    ended = {name: outcome for name, outcome in found.items() if outcome is not None and outcome.finished >= since}
    return dict(sorted(ended.items(), key=lambda item: (len(item[0]), item[0])))


def conclude(folder: Path, since: float, searches: bool) -> int:
    """Name each job that failed in one sentence on standard error; the exit status of the sweep.

    A grid has failed when one of its jobs has; a search has when no trial succeeded.
    """
    jobs = jobs_of(folder, since)
    failed = {name: outcome for name, outcome in jobs.items() if outcome.status != 0}
    shared = set.intersection(*(set(outcome.overrides) for outcome in jobs.values())) if len(jobs) > 1 else set()
    for name, outcome in failed.items():
        what = " ".join(text for text in outcome.overrides if text not in shared)
        print(f"densecap: job {name} failed ({what}): {outcome.error}", file=sys.stderr, flush=True)
    if jobs:
        ending = f"{len(jobs) - len(failed)} of {len(jobs)} jobs succeeded"
        print(f"densecap: {ending}; see python -m densecap sweep_report {folder}", file=sys.stderr, flush=True)
    survived = searches and len(failed) < len(jobs)
    return 0 if survived else max((outcome.status for outcome in failed.values()), default=0)
