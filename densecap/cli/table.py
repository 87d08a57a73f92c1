"""The commands: one line each is all that a new one needs here, beside its config and its ``run(cfg)``."""

from __future__ import annotations

from dataclasses import dataclass

from densecap.cli.names import listing, nearest, suggestion
from densecap.errors import UserError


@dataclass(frozen=True)
class Command:
    """One command: ``run`` in the module densecap.commands.``name`` and the primary config of the same name.

    A bare word on the command line means ``word_key=WORD``; with None the command takes no bare word. ``module`` and
    ``config`` are given only where they differ from the name.
    """

    name: str
    word_key: str | None
    summary: str
    module: str = ""
    config: str = ""

    @property
    def run_module(self) -> str:
        return self.module or f"densecap.commands.{self.name}"

    @property
    def config_name(self) -> str:
        return self.config or self.name


COMMANDS = (
    Command("train", None, "train a captioner, or go on training one"),
    Command("predict", "source", "describe an image, several, a folder or a glob with a trained captioner"),
    Command("serve", "ckpt", "serve a trained captioner: a live page with camera and upload, REST and WebSocket"),
    Command("eval", None, "score a trained captioner, or a file of predictions, on a split"),
    Command("runs", "path", "list training runs with state, best figures and duration, or compare two"),
    Command("compare", "path", "put the figures of several evaluations side by side"),
    Command("view", "path", "look at predictions in the browser, or export the page for any web server"),
    Command("sweep_report", "path", "report on a sweep: table, plots, and the best configurations as commands"),
    Command("search", "query", "find photos, and the regions in them, by words"),
    Command("preprocess", "data", "turn a data set into the one HDF5 file that training reads"),
    Command("download", "data", "fetch a data set or a model from where its owners publish it"),
    Command("extract_features", "data", "compute features of all images once, for training without pixels"),
    Command("convert", "path", "turn a model that other software saved into a checkpoint"),
    Command("export", "ckpt", "write a trained model as safetensors, ONNX or torch.export"),
    Command("info", "path", "say what is in a checkpoint, or in a file of another software's weights"),
    Command("benchmark", "part", "time every part on this machine and compare with its arithmetic floor"),
)


def find_command(name: str) -> Command:
    """The command of that name; errors: UserError with the nearest names."""
    names = [command.name for command in COMMANDS]
    if name not in names:
        near = suggestion(nearest(name, names))
        raise UserError(f"there is no command {name!r}{near}; the commands are {listing(names)}")
    return COMMANDS[names.index(name)]
