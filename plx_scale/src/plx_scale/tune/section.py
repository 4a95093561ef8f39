"""The section `tune` of an experiment file."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import field, frozen

from plx_core.annotations import PositiveInt
from plx_core.errors import ComponentError, ConfigError, Place, Problem, did_you_mean
from plx_scale.tune.space import (
    Dimension,
    Values,
    as_choice,
    corners,
    grid_point,
    parse,
    size_of,
)

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from plx_core import CheckedConfig

SAMPLERS = {
    name: f"{name}Sampler" for name in ("TPE", "Random", "GP", "CmaEs", "QMC", "NSGAII", "NSGAIII")
}
"""The samplers of Optuna, by their names here."""
GRID = "Grid"
"""The sampler that tries every point of a finite space, in order."""

PRUNERS = {
    name: f"{name}Pruner"
    for name in ("Hyperband", "Median", "Percentile", "SuccessiveHalving", "Threshold", "Wilcoxon")
}
"""The pruners of Optuna, by their names here."""


def _key(default: object, help: str) -> Any:  # noqa: ANN401 (as attrs.field)
    return field(default=default, metadata={"help": help})


@frozen(kw_only=True)
class TuneConfig:
    """A sweep: what to try, how often, and what to improve."""

    space: dict[str, Any] = field(
        metadata={"help": "the values to try, by path, as for --set; a list, or an interval"}
    )
    metric: str = field(metadata={"help": "the metric of the evaluation, such as eval/accuracy"})
    goal: Literal["maximize", "minimize"] = field(
        metadata={"help": "whether a larger or a smaller metric is better"}
    )
    trials: PositiveInt | None = _key(
        None, "the number of trials; default: every point of the space, where it is finite"
    )
    parallel: PositiveInt = _key(1, "the number of trials that train at the same time")
    sampler: str | dict[str, dict[str, Any]] = _key(
        "TPE", "how values are chosen: a sampler of Optuna, such as TPE, Random or Grid"
    )
    pruner: str | dict[str, dict[str, Any]] | None = _key(
        None, "what ends hopeless trials early: a pruner of Optuna, such as Hyperband or Median"
    )
    seeds: PositiveInt = _key(1, "the number of seeds of each trial, whose mean counts")
    seed: int = _key(0, "the seed of the sampler")

    @property
    def metric_name(self) -> str:
        """The name of the metric in an evaluation, without `eval/`."""
        return self.metric.removeprefix("eval/")

    def dimensions(self) -> dict[str, Dimension]:
        """Return the dimensions of the space by path.

        Raises:
            ComponentError: an entry of the space is wrong.
        """
        return {path: parse(given) for path, given in self.space.items()}

    def num_trials(self) -> int:
        """Return the number of trials.

        Raises:
            ComponentError: it is not given, and the space is infinite.
        """
        size = size_of(self.dimensions())
        if self.trials is None and size is None:
            raise ComponentError(
                "trials is missing: the space has an interval, and so infinitely many points"
            )
        if self.trials is None or (size is not None and self.sampler == GRID):
            return min(size or 0, self.trials or size or 0)
        return self.trials

    def create_sampler(self, number: int, seed: int) -> BaseSampler:
        """Return the sampler of a trial.

        Args:
            number: the number of the trial.
            seed: the seed of the sampler.

        Raises:
            ComponentError: there is no such sampler, or it does not take its parameters.
        """
        import optuna

        if self.sampler != GRID:
            return cast("BaseSampler", _create(optuna.samplers, SAMPLERS, self.sampler, seed))
        dimensions = self.dimensions()
        if size_of(dimensions) is None:
            raise ComponentError("Grid needs a finite space, and this one has an interval")
        point = grid_point(dimensions, number)
        fixed = {path: as_choice(value) for path, value in point.items()}
        with _without_warnings():
            return optuna.samplers.PartialFixedSampler(fixed, optuna.samplers.RandomSampler(seed))

    def create_pruner(self) -> BasePruner:
        """Return the pruner.

        Raises:
            ComponentError: there is no such pruner, or it does not take its parameters.
        """
        import optuna

        if self.pruner is None:
            return optuna.pruners.NopPruner()
        return cast("BasePruner", _create(optuna.pruners, PRUNERS, self.pruner))

    def check(self, checked: CheckedConfig) -> None:
        """Check the sweep, and the structure of the experiment at every corner of its space.

        Raises:
            ConfigError: with every mistake, at its place in the file.
        """
        problems: list[Problem] = []

        def attempt(key: str, action: Callable[[], object]) -> None:
            try:
                action()
            except ComponentError as error:
                path = f"tune.{key}" if key else "tune"
                problems.append(Problem(path, str(error), checked.places.get(path)))

        attempt("sampler", self._check_sampler)
        attempt("pruner", self.create_pruner)
        attempt("metric", self._check_metric)
        if not self.space:
            problems.append(
                Problem("tune.space", "no values to try", checked.places.get("tune.space"))
            )
        for path, given in self.space.items():
            attempt(f"space.{path}", functools.partial(parse, given))
        if not problems:
            attempt("", self.num_trials)
            attempt("sampler", lambda: self.create_sampler(0, 0))
        if not problems:
            for _ in self.variants(checked, problems):
                pass
        if problems:
            raise ConfigError(sorted(problems, key=_line))

    def variants(
        self, checked: CheckedConfig, problems: list[Problem] | None = None
    ) -> Iterator[tuple[str, CheckedConfig]]:
        """Yield the experiment at the corners of the space, with a description of each.

        Args:
            checked: the experiment.
            problems: gets the mistakes of corners, which are left out.
        """
        reported: set[Problem] = set()
        for point in corners(self.dimensions()):
            try:
                yield describe(point), checked.override(point, Place(TRIAL))
            except ConfigError as error:
                if problems is None:
                    raise
                for problem in error.problems:
                    if problem not in reported:
                        reported.add(problem)
                        problems.append(self._locate(problem, point, checked))

    def _locate(self, problem: Problem, point: Values, checked: CheckedConfig) -> Problem:
        """Return a mistake of a corner at the entry of the space that it comes from."""
        entry = next((path for path in point if _is_about(problem.path, path)), None)
        key = "tune.space" if entry is None else f"tune.space.{entry}"
        value = "" if entry is None else f"with the value {point[entry]!r}, "
        return Problem(key, f"{value}{problem.path}: {problem.message}", checked.places.get(key))

    def _check_sampler(self) -> None:
        if self.sampler != GRID:
            self.create_sampler(0, 0)

    def _check_metric(self) -> None:
        split, slash, _ = self.metric.rpartition("/")
        if slash and split != "eval":
            raise ComponentError(
                f"a sweep compares evaluations; write eval/{self.metric.rpartition('/')[2]}"
            )


TRIAL = "a trial"


def _line(problem: Problem) -> tuple[int, int]:
    place = problem.place
    return (place.line, place.column) if place else (0, 0)


def describe(point: Values) -> str:
    """Return the values of a point in one line, by the shortest names that tell them apart."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in zip(short_names(list(point)), point.values(), strict=True)
    )


def short_names(paths: list[str]) -> list[str]:
    """Return the shortest ends of some paths that tell them apart."""
    parts = [path.split(".") for path in paths]
    lengths = [1] * len(paths)
    while True:
        names = [".".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        twice = [index for index, name in enumerate(names) if names.count(name) > 1]
        if not any(lengths[index] < len(parts[index]) for index in twice):
            return names
        for index in twice:
            lengths[index] = min(lengths[index] + 1, len(parts[index]))


def _is_about(problem: str, path: str) -> bool:
    """Return whether the path of a mistake lies at, below or directly above a path."""
    path = path.replace("[", ".").replace("]", "")
    problem = problem.replace("[", ".").replace("]", "")
    return f"{problem}.".startswith(f"{path}.") or path.rpartition(".")[0] == problem


def _name_and_params(given: str | Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    if isinstance(given, str):
        return given, {}
    if len(given) != 1:
        raise ComponentError(f"expected a name, or {{Name: {{…}}}}, got {dict(given)!r}")
    ((name, params),) = given.items()
    return name, dict(params or {})


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Ignore that Optuna calls some of its classes experimental: their parameters may change."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _create(
    module: Any,  # noqa: ANN401 (a module)
    names: Mapping[str, str],
    given: str | Mapping[str, Mapping[str, Any]],
    seed: int | None = None,
) -> object:
    name, params = _name_and_params(given)
    if name not in names:
        known = [*names, GRID] if names is SAMPLERS else list(names)
        raise ComponentError(
            f"there is no {name}{did_you_mean(name, known)} (there are {', '.join(known)})"
        )
    factory = getattr(module, names[name])
    keys = [key for key in inspect.signature(factory).parameters if key != "seed"]
    for key in params:
        if key not in keys:
            raise ComponentError(f"{name} has no parameter {key}{did_you_mean(key, keys)}")
    try:
        with _without_warnings():
            return factory(**params) if seed is None else factory(seed=seed, **params)
    except (TypeError, ValueError, ImportError) as error:
        raise ComponentError(f"{name} refuses its parameters: {error}") from error
