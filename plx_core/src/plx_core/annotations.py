"""Annotations for the signatures of factories: configs are checked against them before building.

    def __init__(self, files: DataFiles, size: PositiveInt = 1, memory: MemoryLike = "Memory"): ...

A parameter that takes a component accepts an object, a name, a `{Name: {...}}` mapping or a config
object.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from attrs import frozen


@frozen
class Of:
    """The value is a component of this kind (`losses`, `memories`, …)."""

    kind: str


@frozen
class Range:
    """The bounds of a number: `minimum` and `maximum` inclusive, `above` and `below` exclusive."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None


@frozen
class Existing:
    """The string is the path of a file or folder that must exist.

    The last part of the path may have `*` and `?`.
    """


@frozen
class Format:
    """The string has one of these forms.

    Args:
        name: `regex`, a regular expression; `file-name`, the name of one file or folder; `path`, a
            path that need not exist.
    """

    name: str


@frozen
class PythonOnly:
    """The value can be passed in Python but not written in a config."""


Layer: TypeAlias = Annotated[Any, Of("layers")]
LossLike: TypeAlias = Annotated[Any, Of("losses")]
OptimizerLike: TypeAlias = Annotated[Any, Of("optimizers")]
MetricLike: TypeAlias = Annotated[Any, Of("metrics")]
ScheduleLike: TypeAlias = Annotated[Any, Of("schedules")]
InitializerLike: TypeAlias = Annotated[Any, Of("initializers")]
RegularizerLike: TypeAlias = Annotated[Any, Of("regularizers")]
ConstraintLike: TypeAlias = Annotated[Any, Of("constraints")]
ActivationLike: TypeAlias = Annotated[Any, Of("activations")]
BridgeLike: TypeAlias = Annotated[Any, Of("bridges")]
PipelineLike: TypeAlias = Annotated[Any, Of("pipelines")]
ExplorationLike: TypeAlias = Annotated[Any, Of("explorations")]
MemoryLike: TypeAlias = Annotated[Any, Of("memories")]
EnvironmentLike: TypeAlias = Annotated[Any, Of("environments")]
DynamicsLike: TypeAlias = Annotated[Any, Of("dynamics")]
WrapperLike: TypeAlias = Annotated[Any, Of("wrappers")]
CallbackLike: TypeAlias = Annotated[Any, Of("callbacks")]
ExporterLike: TypeAlias = Annotated[Any, Of("exporters")]
TrackerLike: TypeAlias = Annotated[Any, Of("trackers")]
ModelLike: TypeAlias = Annotated[Any, Of("models")]

PositiveInt: TypeAlias = Annotated[int, Range(minimum=1)]
NonNegativeInt: TypeAlias = Annotated[int, Range(minimum=0)]
Seed: TypeAlias = Annotated[int, Range(minimum=0, maximum=2**32 - 1)]
BatchSize: TypeAlias = Annotated[int, Range(minimum=1, maximum=2**24)]
NumEnvs: TypeAlias = Annotated[int, Range(minimum=1, maximum=2**16)]
PositiveFloat: TypeAlias = Annotated[float, Range(above=0.0)]
NonNegativeFloat: TypeAlias = Annotated[float, Range(minimum=0.0)]
Fraction: TypeAlias = Annotated[float, Range(minimum=0.0, maximum=1.0)]
ExistingPath: TypeAlias = Annotated[str, Existing()]
NewPath: TypeAlias = Annotated[str, Format("path")]
FileName: TypeAlias = Annotated[str, Format("file-name")]
RegularExpression: TypeAlias = Annotated[str, Format("regex")]
DataFiles: TypeAlias = ExistingPath | list[ExistingPath]
GraphFn: TypeAlias = Annotated[Callable[..., Any], PythonOnly()]
"""A function of (mode, features) that builds a graph and returns its outputs."""

ComponentLike: TypeAlias = Any | str | Mapping[str, Any]
OneOrMany: TypeAlias = str | Sequence[str]
