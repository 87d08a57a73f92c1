"""A study under way: how many trials, what became of them, and going on after a kill. Nothing is trained."""

import json
import math
import socket
import sys
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from densecap.callbacks.pruning import TrialObjective
from densecap.errors import UserError
from densecap.sweeps import trials
from densecap.sweeps.job import STOPPED
from densecap.sweeps.outcome import Objective, Outcome, read_objective, write_objective, write_outcome
from densecap.sweeps.pruning import judge_of
from densecap.sweeps.search import Search
from densecap.sweeps.search_space import split
from densecap.sweeps.storage import Terms, address, require_optuna
from densecap.sweeps.strategies import pruner_of, sampler_of

SPACE = split(["optimizer.lr=tag(log, interval(1e-5,1e-2))", "model/decoder=lstm,gru"])[1]
TERMS = Terms("val/loss", "minimize", ["seed=1"], {key: value.describe() for key, value in SPACE.items()})
#: A process of this machine that does not exist.
DEAD = f"{socket.gethostname()} 999999999 5"


@pytest.fixture
def make(tmp_path):
    def search(n_trials=4, **changes):
        arguments = dict(
            name="mine",
            url=address(str(tmp_path / "study.journal"), tmp_path),
            folder=tmp_path,
            terms=TERMS,
            space=SPACE,
            sampler={"name": "tpe", "seed": 5, "n_startup_trials": 3},
            pruner={"name": "none"},
            n_trials=n_trials,
            max_failures=3,
        )
        made = Search(**{**arguments, **changes})
        made.open()
        return made

    return search


def end(search, trial, values=(1.0,), status=0, error=None, pruned=False):
    """What a job leaves behind; then the search takes it."""
    folder = search.folder / str(trial.number)
    if values is not None:
        write_objective(folder, "val/loss", "min", values, pruned)
    write_outcome(folder, Outcome(status, error, 10.0, 15.0, []))
    search.finish([trial])


def states(search):
    return [trial.state.name for trial in search.study.get_trials(deepcopy=False)]


def run_all(search):
    while batch := search.next_trials(1):
        end(search, batch[0], values=[trial_loss(batch[0])])
    return search.study.get_trials(deepcopy=False)


def trial_loss(trial):
    return abs(math.log10(trial.params["optimizer.lr"]) + 3)


def test_the_best_of_all_validations_counts(make):
    search = make(n_trials=1)
    (trial,) = search.next_trials(3)
    end(search, trial, values=[3.0, 1.0, 2.0])
    assert search.next_trials(1) == []
    assert (search.best_value(), states(search)) == (1.0, ["COMPLETE"])
    assert search.study.trials[0].user_attrs["seconds"] == 5.0


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"status": 1, "error": "OutOfMemoryError: CUDA out of memory"}, "out of memory"),
        ({"values": [2.0, math.nan]}, "not finite at validation 2"),
        ({"values": ()}, "without a validation"),
        ({"values": None}, "no figure"),
    ],
)
def test_a_trial_that_fails_is_recorded_and_the_next_one_runs(make, result, said):
    search = make(n_trials=2)
    end(search, search.next_trials(1)[0], **result)
    end(search, search.next_trials(1)[0])
    assert states(search) == ["FAIL", "COMPLETE"] and search.next_trials(1) == []
    assert said in search.study.trials[0].user_attrs["error"]


def test_a_search_that_only_fails_stops(make):
    search = make(n_trials=9)
    for _ in range(3):
        end(search, search.next_trials(1)[0], status=2, error="there is no folder x")
    with pytest.raises(UserError, match="3 trials in a row have failed.*there is no folder x"):
        search.next_trials(1)


def test_a_killed_search_goes_on_with_what_is_missing_and_the_same_parameters(make):
    first = make(n_trials=4)
    end(first, first.next_trials(1)[0])
    (killed,) = first.next_trials(1)
    killed.set_user_attr(trials.OWNER, DEAD)
    again = make(n_trials=4)
    (retried,) = again.next_trials(1)
    assert retried.params == killed.params and retried.number == 2
    end(again, retried)
    assert len(run_all(again)) == 5
    assert states(again) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert "killed" in again.study.trials[1].user_attrs["error"]
    assert make(n_trials=4).next_trials(1) == [] and len(make(n_trials=6).next_trials(5)) == 2


def test_a_killed_search_finds_what_it_would_have_found(make, tmp_path):
    whole = [trial.params for trial in run_all(make(n_trials=6, url=address(None, tmp_path / "whole")))]
    cut = make(n_trials=6)
    for _ in range(4):
        (trial,) = cut.next_trials(1)
        end(cut, trial, values=[trial_loss(trial)])
    cut.next_trials(1)[0].set_user_attr(trials.OWNER, DEAD)
    resumed = [trial for trial in run_all(make(n_trials=6)) if trial.state == TrialState.COMPLETE]
    assert [trial.params for trial in resumed] == whole


def test_what_kills_every_process_is_not_tried_for_ever(make):
    for _ in range(trials.MOST_TRIES):
        make(n_trials=1).next_trials(1)[0].set_user_attr(trials.OWNER, DEAD)
    search = make(n_trials=1)
    assert search.next_trials(1) == []
    assert states(search) == ["FAIL"] * trials.MOST_TRIES


def test_an_interrupted_trial_is_tried_again(make):
    search = make(n_trials=1)
    (trial,) = search.next_trials(1)
    write_outcome(search.folder / str(trial.number), Outcome(130, STOPPED))
    search.finish([trial], interrupted=True)
    assert states(search) == ["FAIL", "WAITING"]
    assert make(n_trials=1).next_trials(1)[0].params == trial.params


def test_two_processes_share_the_trials(make):
    one, other = make(n_trials=3), make(n_trials=3)
    first, second = one.next_trials(1)[0], other.next_trials(1)[0]
    assert (first.number, second.number) == (0, 1) and first.params != second.params
    assert len(one.next_trials(5)) == 1 and other.next_trials(1) == []


def test_a_silent_process_elsewhere_is_given_up(make):
    search = make(n_trials=1)
    (trial,) = search.next_trials(1)
    trial.set_user_attr(trials.OWNER, "another-machine 1 5")
    assert make(n_trials=1).next_trials(1) == []
    trial.set_user_attr(trials.SEEN, 1000.0)
    assert len(make(n_trials=1).next_trials(1)) == 1


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (replace(TERMS, overrides=["seed=2"]), "seed=1, which is missing now, no seed=2"),
        (replace(TERMS, metric="val/CIDEr"), "optimized_metric val/loss instead of val/CIDEr"),
        (replace(TERMS, space={**TERMS.space, "optimizer.lr": "interval(0,1)"}), "optimizer.lr in tag"),
    ],
)
def test_a_study_takes_no_trials_of_another_command(make, terms, said):
    make()
    with pytest.raises(UserError, match=said):
        make(terms=terms)


def test_a_journal_keeps_a_study_as_well(make, tmp_path):
    url = address(str(tmp_path / "shared.journal"), tmp_path)
    assert url == f"journal://{tmp_path}/shared.journal"
    end(*(lambda search: (search, search.next_trials(1)[0]))(make(n_trials=2, url=url)))
    assert len(make(n_trials=2, url=url).next_trials(5)) == 1


def test_without_optuna_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'densecap\[sweep\]'"):
        require_optuna()


def test_names_and_arguments_of_samplers_and_pruners():
    assert sampler_of({"name": "random", "seed": 1}, 0) is not None
    carried = {"_target_": "optuna.samplers.TPESampler", "seed": 1, "n_startup_trials": 3}
    assert isinstance(sampler_of(carried, 0), optuna.samplers.TPESampler)
    assert isinstance(pruner_of({"name": "hyperband", "min_resource": 2}), optuna.pruners.HyperbandPruner)
    changed = {"name": "none", "n_startup_trials": 5}  # as when a pruner is taken away on the command line
    assert isinstance(pruner_of(changed), optuna.pruners.NopPruner)
    for node, said in (
        ({"name": "tpee"}, "did you mean tpe"),
        ({"name": "tpe", "sede": 1}, "has no sede"),
        ({"_target_": "os.system"}, "is none of"),
    ):
        with pytest.raises(UserError, match=said):
            sampler_of(node, 0)


class Strategy:
    def broadcast(self, value):
        return value


class Trainer:
    sanity_checking, is_global_zero, should_stop, strategy = False, True, False, Strategy()

    class state:
        fn = "fit"

    def __init__(self, **figures):
        self.callback_metrics = {name.replace("_", "/"): value for name, value in figures.items()}


def validations(folder, values):
    """Run a trial's validations with its callback until it is ended; how many it took."""
    record = lambda seen, pruned: write_objective(folder, "val/loss", "min", seen, pruned)  # noqa: E731
    callback = TrialObjective("val/loss", record, judge_of(folder))
    for count, value in enumerate(values, start=1):
        trainer = Trainer(val_loss=value)
        callback.on_validation_end(trainer, None)
        if trainer.should_stop:
            return count
    return len(values)


def test_a_poor_trial_is_ended_early(make):
    search = make(n_trials=4, pruner={"name": "median", "n_startup_trials": 2, "n_warmup_steps": 0})
    ran = []
    for values in ([3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [5.0, 4.0, 3.0], [2.5, 1.5, 0.5]):
        (trial,) = search.next_trials(1)
        folder = search.folder / str(trial.number)
        ran.append(validations(folder, values))
        write_outcome(folder, Outcome(0))
        search.finish([trial])
    assert ran == [3, 3, 1, 3]
    assert states(search) == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert search.best_value() == 0.5 and search.study.trials[2].user_attrs["best"] == 5.0


def test_a_lost_trial_ends_at_once(make):
    search = make(n_trials=1)
    (trial,) = search.next_trials(1)
    assert validations(search.folder / str(trial.number), [2.0, math.nan, 1.0]) == 2


def test_a_run_that_is_no_trial_is_never_ended(tmp_path):
    assert judge_of(tmp_path) is None
    assert validations(tmp_path, [2.0, math.nan, 1.0]) == 3
    assert read_objective(tmp_path) == Objective("val/loss", "min", [2.0, None, 1.0])
    assert json.loads((tmp_path / "objective.json").read_text())["values"][1] is None


def test_a_study_out_of_reach_does_not_end_a_training(tmp_path):
    record = {"storage": f"sqlite:///{tmp_path}/x.db", "study": "gone", "trial_id": 1, "pruner": {"name": "median"}}
    (tmp_path / "trial.json").write_text(json.dumps(record))
    judge = judge_of(tmp_path)
    assert judge is not None and judge(1, 2.0) is False
