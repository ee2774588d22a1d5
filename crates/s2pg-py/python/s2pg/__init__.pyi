from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__version__: str

_Path: TypeAlias = str | PathLike[str]
_Env: TypeAlias = Callable[..., Any]
_Floats: TypeAlias = npt.NDArray[np.float64]
_Memory: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

class Error(Exception): ...

class Progress:
    steps: int
    total: int
    mean_return: float | None
    evaluation: float | None
    finished: bool
    seconds: float

class Run:
    dir: Path
    is_finished: bool | None
    def __init__(self, dir: _Path, is_finished: bool | None = None, env: _Env | None = None) -> None: ...
    def __fspath__(self) -> str: ...
    @property
    def progress(self) -> dict[str, _Floats]: ...
    @property
    def evaluations(self) -> dict[str, _Floats]: ...
    @property
    def times(self) -> dict[str, _Floats]: ...
    @property
    def experiment(self) -> dict[str, str]: ...
    @property
    def curve(self) -> Path: ...
    def policy(self, latest: bool = False) -> Policy: ...
    def frame(self, table: str = "progress") -> Any: ...

class Evaluation:
    returns: _Floats
    lengths: npt.NDArray[np.int64]
    unstable: npt.NDArray[np.bool_]
    figures: dict[str, float]
    @property
    def mean(self) -> float: ...
    @property
    def std(self) -> float: ...

class Policy:
    observations: list[str]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    env: str
    algorithm: str
    estimator: str
    def __init__(self, dir: _Path, latest: bool = False, env: _Env | None = None, workers: int = 0) -> None: ...
    def predict(
        self,
        observation: npt.ArrayLike | Mapping[str, npt.ArrayLike],
        state: tuple[npt.ArrayLike, ...] | None = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[np.float32], _Memory]: ...
    def set_random_seed(self, seed: int) -> None: ...
    def evaluate(
        self, episodes: int = 10, *, seed: int = 0, deterministic: bool = True, threads: int | None = None
    ) -> Evaluation: ...

def train(
    experiment: _Path | Mapping[str, Any],
    env: str | _Env | None = None,
    *,
    seed: int | None = None,
    steps: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    dir: _Path | None = None,
    callback: Callable[[Progress], bool | None] | None = None,
    workers: int = 0,
    timeout: float = 300.0,
    threads: int | None = None,
    restart: bool = False,
) -> Run: ...
def load(run: _Path | Run, *, latest: bool = False, env: _Env | None = None, workers: int = 0) -> Policy: ...
def evaluate(
    run: _Path | Run | Policy,
    episodes: int = 10,
    *,
    seed: int = 0,
    deterministic: bool = True,
    latest: bool = False,
    env: _Env | None = None,
    workers: int = 0,
    threads: int | None = None,
) -> Evaluation: ...
def report(runs: _Path | Run | Iterable[_Path | Run], out: _Path = "report", *, title: str | None = None) -> str: ...
def presets() -> dict[str, str]: ...
def keys(experiment: _Path | Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> dict[str, str]: ...
