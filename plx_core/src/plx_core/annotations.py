"""Words for a factory's signature, so that a config can be checked against it before anything is built.

    def __init__(self, size: Annotated[int, Range(minimum=1)], memory: MemoryLike = "Memory", data: DataFiles): ...

A parameter that takes a component takes an object, a name, a `{Name: {...}}` mapping or a config object.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from attrs import frozen


@frozen
class Of:
    """The value is a component of this kind."""

    kind: str


@frozen
class Range:
    """The number lies between these bounds, which are included unless marked exclusive."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None


@frozen
class Existing:
    """The text names a file or folder that must exist when the config is checked; `*` and `?` match several."""


@frozen
class PythonOnly:
    """The value can be given in Python only, never in a config."""


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
PositiveFloat: TypeAlias = Annotated[float, Range(above=0.0)]
NonNegativeFloat: TypeAlias = Annotated[float, Range(minimum=0.0)]
Fraction: TypeAlias = Annotated[float, Range(minimum=0.0, maximum=1.0)]
ExistingPath: TypeAlias = Annotated[str, Existing()]
DataFiles: TypeAlias = ExistingPath | list[ExistingPath]
GraphFn: TypeAlias = Annotated[Callable[..., Any], PythonOnly()]

ComponentLike: TypeAlias = Any | str | Mapping[str, Any]
OneOrMany: TypeAlias = str | Sequence[str]
