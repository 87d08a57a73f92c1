"""What a search may change: from the notation of Hydra's sweeps to Optuna's distributions, and back to overrides.

``interval(0,1)`` is any number in between, ``int(interval(1,9))`` any whole one, both ends included;
``tag(log, interval(1e-5,1e-3))`` is drawn evenly over the orders of magnitude; ``range(2,8,step=2)`` steps, its end
included; ``choice(lstm,gru)``, ``lstm,gru`` and, in yaml, a list are choices. These are the words of
hydra-optuna-sweeper, and mean the same; its older mappings (``{type: float, low: 0, high: 1, log: true}``) do, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException

from densecap.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: What a categorical distribution of Optuna may hold.
Primitive = str | int | float | bool | None


@dataclass(frozen=True)
class Parameter:
    """One key of the search: a choice among ``choices``, or a number from ``low`` to ``high``, both included.

    ``texts`` are the choices as they stand behind ``key=`` in an override.
    """

    key: str
    choices: tuple[Primitive, ...] = ()
    texts: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.texts:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def override(self, value: Any) -> str:
        """``key=value`` for a value of this parameter."""
        if not self.texts:
            return f"{self.key}={value!r}"
        same = [type(choice) is type(value) and choice == value for choice in self.choices]
        return f"{self.key}={self.texts[same.index(True)]}"

    def describe(self) -> str:
        """The parameter in the notation it is written in, each meaning in one way only."""
        if self.texts:
            return _one_of(self.texts)
        ends = f"{self.low!r},{self.high!r}"
        text = f"range({ends},step={self.step!r})" if self.step else f"interval({ends})"
        text = f"int({text})" if self.whole and not self.step else text
        return f"tag(log, {text})" if self.log else text


def override_texts(params: Mapping[str, Any]) -> list[str]:
    """The mapping ``hydra.sweeper.params`` as overrides, ``key=interval(0,1)``."""
    return [f"{key}={_as_text(str(key), value)}" for key, value in params.items()]


def split(overrides: Iterable[str]) -> tuple[list[str], dict[str, Parameter]]:
    """The overrides that every trial shares, and the parameters of the search; of one key the last counts.

    Errors: UserError for what cannot be read, or cannot be searched.
    """
    parser = OverridesParser.create()
    fixed: dict[str, str] = {}
    space: dict[str, Parameter] = {}
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            raise UserError(f"{text} cannot be read as a range or a choice: write {_EXAMPLES}") from error
        key = override.get_key_element()
        bare = key.lstrip("+~")
        for known in [known for known in (*fixed, *space) if known.lstrip("+~") == bare]:
            fixed.pop(known, None), space.pop(known, None)
        if override.is_sweep_override():
            space[key] = parameter(key, override, text)
        else:
            fixed[key] = text
    return list(fixed.values()), space


_EXAMPLES = "interval(0,1), tag(log, interval(1e-5,1e-3)), int(interval(1,9)), range(2,8,step=2) or choice(a,b)"


def parameter(key: str, override: Override, text: str) -> Parameter:
    """The parameter that an override of a sweep describes; errors: UserError."""
    value = override.value()
    if isinstance(value, IntervalSweep | RangeSweep):
        return _numbers(key, value, text)
    texts = tuple(override.sweep_string_iterator())
    choices = tuple(_primitive(one) for one in texts)
    if len({(type(choice), choice) for choice in choices}) < len(choices):
        raise UserError(f"{text} names a choice twice")
    return Parameter(key, choices, texts)


def _numbers(key: str, value: IntervalSweep | RangeSweep, text: str) -> Parameter:
    is_range = isinstance(value, RangeSweep)
    start = value.start if value.start is not None else 0
    end = value.stop if isinstance(value, RangeSweep) else value.end
    step = value.step if isinstance(value, RangeSweep) else None
    assert end is not None
    whole = all(isinstance(number, int) for number in (start, end, step if is_range else 0))
    log = "log" in value.tags
    if start > end or (log and (start <= 0 or (whole and start < 1))):
        least = "above 0 and " if log else ""
        raise UserError(f"{text}: the first number must be {least}no larger than the second")
    if log:
        step = None  # Optuna's logarithmic ranges have none
    return Parameter(key, low=start, high=end, step=None if step is None else abs(step), log=log, whole=whole)


def _primitive(text: str) -> Primitive:
    """The value that Hydra makes of a text; lists and mappings stay text, for Optuna holds no such things."""
    value = OverridesParser.create().parse_override(f"key={text}").value()
    return value if value is None or isinstance(value, str | int | float | bool) else text


def _as_text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _of_mapping(key, value)
    if isinstance(value, Iterable):
        return _one_of([_literal(item) for item in value])
    return _literal(value)


def _one_of(texts: Sequence[str]) -> str:
    """The short form where it says as much: Hydra's ``choice`` does not take ``null``."""
    return ",".join(texts) if len(texts) > 1 else f"choice({','.join(texts)})"


def _literal(value: Any) -> str:
    """A value of yaml in Hydra's grammar."""
    if isinstance(value, str):
        plain = value.replace("_", "").replace("-", "").replace(".", "").isalnum()
        return value if plain else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Iterable):
        return f"[{','.join(_literal(item) for item in value)}]"
    return "null" if value is None else repr(value).lower() if isinstance(value, bool) else repr(value)


def _of_mapping(key: str, value: Mapping[str, Any]) -> str:
    """hydra-optuna-sweeper's older form. Errors: UserError when a part is missing."""
    kind = str(value.get("type", ""))
    if kind == "categorical" and value.get("choices"):
        return _as_text(key, list(value["choices"]))
    if kind not in ("int", "float") or "low" not in value or "high" not in value:
        raise UserError(f"hydra.sweeper.params.{key}: write {_EXAMPLES}")
    number = int if kind == "int" else float
    ends = f"{number(value['low'])!r},{number(value['high'])!r}"
    text = f"range({ends},step={number(value['step'])!r})" if value.get("step") else f"interval({ends})"
    text = f"int({text})" if kind == "int" and not value.get("step") else text
    return f"tag(log, {text})" if value.get("log") else text
