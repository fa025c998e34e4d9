"""What an edition is, and the material that all of them are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec

from kgbuild.compilation import Compilation
from kgbuild.formats import Resources
from kgbuild.inference import Inference, infer, read_facts
from kgbuild.project import Project
from kgbuild.trusty import Quad
from kgbuild.views import Views


@dataclass(frozen=True, slots=True)
class Edition:
    """One file of the graph in one form.

    `path` is relative to the site, and `{name}` in it stands for the name of the graph. `package` is a Python package
    without which the edition is left out, with a note; `extra` is what installs it. `standard` is the address of what
    the file conforms to. An edition that is `about_files` describes the files of the others. One that is `inferred` is
    part of a build only where the inferred graph is asked for.
    """

    name: str
    path: str
    media_type: str
    label: str
    description: str
    write: Callable[[Material], bytes]
    package: str = ""
    extra: str = ""
    standard: str = ""
    about_files: bool = False
    inferred: bool = False

    @property
    def available(self) -> bool:
        """Tell whether the package it needs is installed."""
        return not self.package or find_spec(self.package) is not None


@dataclass(frozen=True)
class File:
    """A written edition: where it stands below the site, and its bytes."""

    edition: Edition
    path: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Return the digest of the bytes in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class Material:
    """A compiled project as editions need it, each part made once; `notes` are what people must be told in one line.

    With `infer` the editions hold one more: the inferred graph, which no other edition ever holds.
    """

    compilation: Compilation
    infer: bool = False
    notes: list[str] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    records: dict[str, File] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """Return the project."""
        return self.compilation.project

    @cached_property
    def quads(self) -> tuple[Quad, ...]:
        """Return all quads."""
        return self.compilation.quads

    @cached_property
    def resources(self) -> Resources:
        """Return the quads by resource, with the JSON-LD context of all."""
        return Resources(self.quads, self.project.prefixes, self.project.base)

    @cached_property
    def views(self) -> Views:
        """Return the views of the graph in the project's languages."""
        project = self.project
        return Views(self.compilation.store, project.base, project.prefixes, project.fallback)

    @cached_property
    def inference(self) -> Inference:
        """Return what follows from the plain triples by the rules."""
        return infer(read_facts(self.compilation.store, self.project.base))

    def gather(self) -> None:
        """Make what several editions and pages need, so that processes that share the work need not make it each."""
        assert self.resources is not None
        assert self.views.claims is not None

    @property
    def name(self) -> str:
        """Return the name of the graph in file names: the last part of its base IRI."""
        return name_of(self.project)

    @property
    def recorded(self) -> str:
        """Return the day on which the newest article was recorded: the date of the whole."""
        return self.compilation.recorded

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def name_of(project: Project) -> str:
    """Return the name of the graph in file names: the last part of its base IRI."""
    return project.base.rstrip("/").rsplit("/", 1)[-1]
