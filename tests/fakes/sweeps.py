"""A study and a grid as sweeps leave them behind, without training anything."""

import json

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from densecap.sweeps.outcome import Outcome, write_objective, write_outcome
from densecap.sweeps.storage import Terms, address, open_storage, open_study

SHARED = ["experiment=quickstart", "data.root='a b'"]
SPACE = {
    "optimizer.lr": FloatDistribution(1e-5, 1e-2, log=True),
    "model/decoder": CategoricalDistribution(["lstm", "gru"]),
    "model.decoder.hidden_dim": IntDistribution(64, 512),
}
TERMS = Terms(
    "val/loss", "minimize", SHARED, {"optimizer.lr": "x", "model/decoder": "y", "model.decoder.hidden_dim": "z"}
)


def loss_of(params):
    """What the figure of a trial is: the decoder counts for most, the width for nothing."""
    return {"lstm": 2.0, "gru": 1.0}[params["model/decoder"]] + 10 * params["optimizer.lr"]


def make_study(folder, trials=12, name="mine"):
    """A study in ``folder``/study.db: complete trials, then a pruned one and one that crashed."""
    folder.mkdir(parents=True, exist_ok=True)
    study = open_study(open_storage(address(None, folder)), name, TERMS)
    for number in range(trials):
        params = {
            "optimizer.lr": 10 ** (-5 + number // 2 % 4),
            "model/decoder": ["lstm", "gru"][number % 2],
            "model.decoder.hidden_dim": 64 + 16 * (number * 5 % 12),
        }
        value = loss_of(params)
        add(study, params, TrialState.COMPLETE, value, {1: value + 1, 2: value}, seconds=60.0 + number)
    add(study, params, TrialState.PRUNED, None, {1: 9.0}, best=9.0, seconds=30.0)
    add(study, params, TrialState.FAIL, None, {}, error="out of memory: 3 GiB")
    return study


def add(study, params, state, value, seen, **attributes):
    study.add_trial(
        create_trial(
            state=state,
            value=value,
            params=params,
            distributions=SPACE,
            intermediate_values=seen,
            user_attrs=attributes,
        )
    )


def make_grid(folder):
    """Four jobs of two keys: two that were completed, one that crashed, one that was killed."""
    jobs = [("1e-3", "lstm", [3.0, 2.0]), ("1e-3", "gru", [3.0, 1.5]), ("1e-4", "lstm", None), ("1e-4", "gru", [2.5])]
    for number, (rate, decoder, values) in enumerate(jobs):
        job = folder / str(number)
        (job / ".hydra").mkdir(parents=True)
        overrides = ["experiment=quickstart", f"optimizer.lr={rate}", f"model/decoder={decoder}"]
        (job / ".hydra" / "overrides.yaml").write_text(json.dumps(overrides), encoding="utf-8")
        if values:
            write_objective(job, "val/loss", "min", values, False)
        if number != 3:
            error = None if values else "ValueError: Invalid learning rate: -1"
            write_outcome(job, Outcome(0 if values else 1, error, 100.0, 160.0, overrides))
    return folder


optuna.logging.set_verbosity(optuna.logging.WARNING)
