"""Training as a user starts it: a run folder, an interrupt, going on, other data, two processes, then a prediction."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from densecap import checkpoint

ROOT = Path(__file__).parents[2]
SMALL = [
    "experiment=quickstart",
    "data.reader.counts={train: 16, val: 4, test: 4}",
    "trainer.log_every_n_steps=1",
    "callbacks.learned=null",
]


def densecap(folder, script, *words, **options):
    command = [sys.executable, str(ROOT / script), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False, **options
    )


def runs(folder):
    return sorted((folder / "outputs" / "train").iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a run of four steps has been made."""
    folder = tmp_path_factory.mktemp("work")
    done = densecap(folder, "train.py", *SMALL, "trainer.max_steps=4")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
def test_a_run_records_what_repeats_it(folder):
    run = runs(folder)[0]
    record = json.loads((run / "run.json").read_text())
    assert record["seed"] == 123 and "experiment=quickstart" in record["overrides"]
    assert {"torch", "pytorch-lightning", "hydra-core"} <= set(record["packages"])
    assert "max_steps: 4" in (run / "config.yaml").read_text()
    loaded = checkpoint.load(run / "checkpoints" / "last.ckpt")
    assert loaded.data_name == "shapes" and "circle" in loaded.model.vocabulary


@pytest.mark.long
def test_predict_takes_the_newest_run_and_says_what_it_knows(folder):
    photo = next((folder / "data" / "shapes" / "VG_100K").glob("*.jpg"))
    done = densecap(folder, "predict.py", f"source={photo}", "output.formats=[json]", "output.dir=-")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["images"][0]["file"].endswith(photo.name) and answer["model"]["trained_on"] == "shapes"
    assert "newest checkpoint" in done.stderr and "shapes" in done.stderr


@pytest.mark.long
def test_ctrl_c_keeps_the_state_and_last_goes_on(folder):
    before = len(runs(folder))
    command = [sys.executable, str(ROOT / "train.py"), *SMALL, "trainer.max_epochs=-1", "trainer.max_steps=100000"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not (
        len(runs(folder)) > before and (runs(folder)[-1] / "checkpoints" / "best.ckpt").exists()
    ):
        time.sleep(0.5)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    saved = runs(folder)[-1] / "checkpoints" / "last.ckpt"
    step = checkpoint.read(saved)["global_step"]
    assert step > 0
    done = densecap(folder, "train.py", *SMALL, "ckpt=last", "trainer.max_epochs=-1", f"trainer.max_steps={step + 2}")
    assert done.returncode == 0, done.stderr
    assert f"resuming {saved.relative_to(folder)}" in done.stderr.replace("\n", "")
    assert checkpoint.read(runs(folder)[-1] / "checkpoints" / "last.ckpt")["global_step"] == step + 2


@pytest.mark.long
def test_init_takes_the_weights_for_other_words(folder, tmp_path):
    picture = next((folder / "data" / "shapes" / "VG_100K").glob("*.jpg"))
    table = tmp_path / "captions.csv"
    table.write_text(f"image,caption,x,y,width,height\n{picture},a red balloon,5,5,60,60\n", encoding="utf-8")
    start = runs(folder)[0] / "checkpoints" / "last.ckpt"
    options = ["data=csv", f"data.root={folder}/data/shapes/VG_100K", f"data.table={table}", "data.image_size=256"]
    words = [word for word in SMALL if "counts" not in word]
    done = densecap(tmp_path, "train.py", *words, *options, f"init={start}", "trainer.max_steps=1")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "2 words kept (a, red)" in told and "1 words start afresh (balloon)" in told


@pytest.mark.long
def test_two_processes_train_together(folder):
    options = [word for word in SMALL if "devices" not in word]
    done = densecap(folder, "train.py", *options, "trainer=ddp_cpu", "trainer.devices=2", "trainer.max_steps=3")
    assert done.returncode == 0, done.stderr[-3000:]
    assert checkpoint.read(runs(folder)[-1] / "checkpoints" / "last.ckpt")["global_step"] == 3


@pytest.mark.long
def test_a_run_without_data_says_how_to_get_it(tmp_path):
    done = densecap(tmp_path, "train.py", "model=densecap_vgg16", "model.backbone.weights=null")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "download data=visual_genome" in " ".join(done.stderr.split())
