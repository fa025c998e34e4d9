"""What is wrong with the input, as values: a code, a message, a place, a hint.

Knows nothing about files, RDF or terminals. Rendering is in `reporting`, the list of codes in `codes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntEnum

from kgbuild.codes import severity_of


class Severity(IntEnum):
    """How bad a finding is; ordered, so that `--fail-on` can compare."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """Return the word shown to people.

        >>> Severity.WARNING.word
        'warning'
        """
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source file: path, 1-based line and column, length in code points.

    >>> str(Span("data/a.yaml", 41, 7))
    'data/a.yaml:41:7'
    """

    path: str
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """A further place that explains a finding, with what is to be seen there."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about the input."""

    code: str
    message: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    hint: str | None = None
    related: tuple[Related, ...] = ()

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Order findings by place, then code, then words."""
        place = self.span or Span("", 0, 0)
        return (place.path, place.line, place.column, self.code, self.message)


@dataclass(slots=True)
class Report:
    """The findings of a run, in the order of their places once `sorted` is asked for."""

    findings: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        hint: str | None = None,
        related: Iterable[Related] = (),
        severity: Severity | None = None,
    ) -> None:
        """Add a finding; its severity is the one of its code unless given."""
        level = severity if severity is not None else Severity[severity_of(code).upper()]
        self.findings.append(Diagnostic(code, message, span, level, hint, tuple(related)))

    def extend(self, findings: Iterable[Diagnostic]) -> None:
        """Add findings made elsewhere."""
        self.findings.extend(findings)

    def sorted(self) -> list[Diagnostic]:
        """Return the findings once each, by place."""
        return sorted(set(self.findings), key=lambda finding: finding.sort_key)

    def counts(self) -> dict[str, int]:
        """Count the findings by code.

        >>> report = Report(); report.add("KG204", "unknown entity 'x'"); report.counts()
        {'KG204': 1}
        """
        return dict(sorted(Counter(finding.code for finding in set(self.findings)).items()))

    def at_least(self, severity: Severity) -> bool:
        """Tell whether any finding is as bad as `severity` or worse."""
        return any(finding.severity >= severity for finding in self.findings)

    @property
    def has_errors(self) -> bool:
        """Tell whether the stage is broken, so that the next must not start."""
        return self.at_least(Severity.ERROR)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the nearest known word, if one is near.

    >>> did_you_mean("magnesum", ["magnesium", "calcium"])
    "did you mean 'magnesium'?"
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None


class KgbuildError(Exception):
    """What stops a command: a sentence for people and the exit code of the command line."""

    exit_code = 70


class UsageError(KgbuildError):
    """Wrong usage or settings (exit 2)."""

    exit_code = 2


class UnreadableError(KgbuildError):
    """An input that cannot be read, or an output that cannot be written (exit 3)."""

    exit_code = 3


class AbsentError(KgbuildError):
    """A remote or optional part that is needed and absent (exit 4)."""

    exit_code = 4


class FindingsError(KgbuildError):
    """Findings that stop the run (exit 1); carries the report."""

    exit_code = 1

    def __init__(self, report: Report) -> None:
        super().__init__(f"{len(report.sorted())} findings")
        self.report = report
