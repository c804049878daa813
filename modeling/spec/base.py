"""Frozen dataclasses that go to JSON and come back: the machinery under every stage's specification."""

import dataclasses
import hashlib
import math
import types
import typing
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

T = TypeVar("T")


class SpecError(ValueError):
    """A specification that cannot be run; the message says which field and what to do."""


@dataclasses.dataclass(frozen=True)
class FileRef:
    """A file and, once it is pinned, the hash of its bytes."""

    path: str
    sha256: str = ""

    @classmethod
    def pin(cls, path: str | Path) -> Self:
        """Return a reference that holds the hash of the file as it is now."""
        return cls(str(path), file_sha256(path))

    def check(self) -> Path:
        """Return the path. Raises: SpecError when the file is missing or is not the pinned one."""
        path = Path(self.path)
        if not path.is_file():
            raise SpecError(f"{path} does not exist.")
        if self.sha256 and file_sha256(path) != self.sha256:
            raise SpecError(f"{path} has changed since the run was made (its sha256 differs).")
        return path


def pin_files(value: T) -> T:
    """Return a dataclass in which every FileRef, also in nested fields, is checked and pinned. Raises: SpecError."""
    if isinstance(value, FileRef):
        path = value.check()
        return typing.cast(T, value if value.sha256 else FileRef.pin(path))
    if isinstance(value, tuple):
        return typing.cast(T, tuple(pin_files(item) for item in value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {field.name: pin_files(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    return value


def file_sha256(path: str | Path) -> str:
    """Return the hex sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """What one stage needs to know. Subclasses add fields; `seed` is common to all."""

    stage: ClassVar[str] = ""

    seed: int = 0

    def validate(self) -> None:
        """Check what types cannot say. Raises: SpecError."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types, with the stage's name under `stage`."""
        return {"stage": self.stage, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build and validate. Raises: SpecError on an unknown field, a wrong type or a value out of range."""
        fields = {key: value for key, value in data.items() if key != "stage"}
        spec = build(cls, fields, cls.stage)
        spec.validate()
        return spec


def require(condition: bool, message: str) -> None:
    """Raises: SpecError with the message unless the condition holds."""
    if not condition:
        raise SpecError(message)


def require_learning_rate(value: float) -> None:
    """Raises: SpecError."""
    require(0 < value <= 1, f"learning_rate must be in (0, 1], not {value}.")


def build(cls: type[T], data: Any, where: str) -> T:
    """Build a dataclass from JSON, checking every field's type."""
    require(isinstance(data, dict), f"{where}: expected an object, not {type(data).__name__}.")
    hints = typing.get_type_hints(cls)
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        require(key in known, f"{where}.{key}: there is no such field. Known: {', '.join(sorted(known))}.")
    for name, field in known.items():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        require(name in data or has_default, f"{where}.{name}: is missing.")
    return cls(**{key: _convert(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _convert(next(arg for arg in args if arg is not type(None)), value, where)
    if origin is typing.Literal:
        require(value in args, f"{where}: must be one of {', '.join(map(str, args))}, not {value!r}.")
        return value
    if origin is tuple:
        require(isinstance(value, (list, tuple)), f"{where}: expected a list.")
        return tuple(_convert(args[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else build(typing.cast(type, hint), value, where)  # type: ignore[arg-type]
    if origin is dict:
        hint = dict
    return _convert_scalar(hint, value, where)


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    right = isinstance(value, hint) and not (hint is not bool and isinstance(value, bool))
    require(right, f"{where}: expected {hint.__name__}, not {value!r}.")
    require(hint is not float or math.isfinite(value), f"{where}: must be a finite number, not {value!r}.")
    return value
