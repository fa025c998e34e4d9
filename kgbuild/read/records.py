"""Records: YAML mappings read by the field tables of `claims`, with a finding for every value that does not fit."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from kgbuild import claims
from kgbuild.claims import Field, Kind, Place, Qualifier, Quantity, Reference
from kgbuild.diagnostics import Report, Span, did_you_mean
from kgbuild.read.yaml import Mapping, Scalar, Sequence, Value
from kgbuild.source import forbidden, name_of
from kgbuild.terms import is_iri, is_language, is_slug

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_PERIOD = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?\Z")
_THING = re.compile(r"[A-Za-z][A-Za-z0-9._-]*:[^\s:][^\s]*\Z")
_MOST = 20  # unknown keys of one record that are reported each
_PARAGRAPHS = frozenset({"definition", "note", "quote"})
_REFERENCE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?\Z")


class Record:
    """The values of one mapping, converted; `values` lacks what was absent or did not fit."""

    def __init__(self, node: Mapping, fields: tuple[Field, ...], what: str, language: str, report: Report) -> None:
        self.report = report
        self.language = language
        self.values: dict[str, Any] = {}
        self.keys: dict[str, Span] = {}
        known = {field.key: field for field in fields}
        unknown = [key for key in node.entries if key not in known]
        for key in unknown[:_MOST]:
            hint = did_you_mean(key, known) or f"known keys: {', '.join(known)}"
            report.add("KG105", f"unknown key '{key}' in {what}", node.entries[key][0], hint=hint)
        if len(unknown) > _MOST:
            place = node.entries[unknown[_MOST]][0]
            report.add("KG105", f"{len(unknown) - _MOST} further keys of {what} are unknown", place)
        for key, (_, value) in node.entries.items():
            field = known.get(key)
            if field is None:
                continue
            self.keys[key] = value.span
            converted = self.convert(field, value)
            if converted is not None:
                self.values[key] = converted
        missing = [field.key for field in fields if field.required and field.key not in node.entries]
        for key in missing:
            report.add("KG106", f"{what} has no '{key}'", node.span, hint=f"{key}: {known[key].doc}")
        self.complete = all(field.key in self.values for field in fields if field.required)

    def place(self, node: Mapping) -> Place:
        """Return the place of the record: the one of its id where it has one."""
        return Place(self.keys.get("id", node.span), self.keys)

    def convert(self, field: Field, value: Value) -> Any:
        """Return the value as its kind asks, or None after a finding."""
        match field.kind:
            case Kind.RECORD | Kind.RECORDS:
                return value
            case Kind.LOCALIZED:
                return self._localized(field, value)
            case Kind.LOCALIZED_LIST:
                return self._localized_list(field, value)
            case Kind.REFERENCES | Kind.TEXTS | Kind.INTEGERS | Kind.ADDRESSES:
                return self._many(field, value)
            case Kind.OBJECT:
                return self._object(field, value)
            case Kind.QUANTITY:
                return self._quantity(field, value)
            case Kind.QUALIFIERS:
                return self._qualifiers(field, value)
            case _:
                return self._scalar(field, value)

    def _wrong(self, field: Field, span: Span, got: str) -> None:
        """Report a value of another kind."""
        self.report.add("KG107", f"'{field.key}' must be {_article(field.kind.value)}, not {got}", span)

    def _scalar(self, field: Field, value: Value) -> Any:
        """Convert a single value, or report it and return None."""
        if not isinstance(value, Scalar):
            self._wrong(field, value.span, _shape(value))
            return None
        text = value.text.strip()
        if not text:
            self._wrong(field, value.span, "empty")
            return None
        if not self.clean(field, text, value.span):
            return None
        match field.kind:
            case Kind.SLUG:
                return self._slug(text, value.span)
            case Kind.REFERENCE | Kind.REFERENCES | Kind.TERM:
                if not _REFERENCE.match(text):
                    self.report.add("KG202", f"'{text}' is not an identifier", value.span, hint=_slug_hint(text))
                    return None
                return text
            case Kind.INTEGER | Kind.INTEGERS:
                if not re.fullmatch(r"[0-9]{1,12}", text):
                    self._wrong(field, value.span, f"'{text}'")
                    return None
                return int(text)
            case Kind.FRACTION:
                return self._fraction(field, text, value.span)
            case Kind.BOOLEAN:
                if text not in {"true", "false"}:
                    self._wrong(field, value.span, f"'{text}'")
                    return None
                return text == "true"
            case Kind.DATE:
                return self._date(text, value.span)
            case Kind.PERIOD:
                hint = "write it as YYYY, YYYY-MM or YYYY-MM-DD"
                return text if _PERIOD.match(text) else self._date(text, value.span, hint)
            case Kind.ADDRESS | Kind.ADDRESSES:
                return self._address(text, value.span)
            case Kind.NUMBER:
                number = decimal(text)
                if number is None:
                    self.report.add("KG210", f"'{text}' is not a number", value.span, hint="such as 300 or 0.5")
                return number
            case Kind.THING:
                if not (_THING.match(text) or is_slug(text)):
                    hint = "name an entity, or a term of another vocabulary as prefix:name"
                    self.report.add("KG202", f"'{text}' is not an identifier", value.span, hint=hint)
                    return None
                return text
            case Kind.DIGEST:
                if not _DIGEST.match(text):
                    self.report.add(
                        "KG217", f"'{text[:20]}' is not a SHA-256 digest", value.span, hint="64 digits 0-9 a-f"
                    )
                    return None
                return text
            case _:
                return text

    def clean(self, field: Field, text: str, span: Span) -> bool:
        """Tell whether a text has none of the characters that an escape can smuggle in; a line break is one in most."""
        char = forbidden(text) or ("\r" if "\r" in text else None)
        if char is None and field.key not in _PARAGRAPHS:
            char = next((char for char in "\n\t" if char in text), None)
        if char is None:
            return True
        hint = "write it in one line" if char in "\n\t" else "remove it"
        self.report.add("KG115", f"{name_of(char)} in '{field.key}'", span, hint=hint)
        return False

    def _slug(self, text: str, span: Span) -> str | None:
        """Return an identifier, or None after a finding."""
        if is_slug(text):
            return text
        self.report.add("KG202", f"'{text}' is not an identifier", span, hint=_slug_hint(text))
        return None

    def _fraction(self, field: Field, text: str, span: Span) -> Decimal | None:
        """Return a number from 0 to 1, or None after a finding."""
        number = decimal(text)
        if number is None or not 0 <= number <= 1:
            self.report.add("KG211", f"'{field.key}' must be a number from 0 to 1, not '{text}'", span)
            return None
        return number

    def _date(self, text: str, span: Span, hint: str = "write it as YYYY-MM-DD") -> str | None:
        """Return a day as YYYY-MM-DD, or None after a finding."""
        if _DATE.match(text):
            try:
                datetime.date.fromisoformat(text)
            except ValueError:
                pass
            else:
                return text
        self.report.add("KG203", f"'{text}' is not a date", span, hint=hint)
        return None

    def _address(self, text: str, span: Span) -> str | None:
        if is_iri(text) and text.startswith(("http://", "https://")):
            return text
        self.report.add("KG306", f"'{text}' is no address", span, hint="such as https://example.org/a")
        return None

    def _many(self, field: Field, value: Value) -> tuple[Any, ...] | None:
        """Convert a value or a list of values; None after a finding."""
        items = value.items if isinstance(value, Sequence) else (value,)
        for number, item in enumerate(items):
            self.keys[f"{field.key}[{number}]"] = item.span
        if not items:
            self._wrong(field, value.span, "empty")
            return None
        converted = [self._scalar(field, item) for item in items]
        return None if None in converted else tuple(converted)

    def _object(self, field: Field, value: Value) -> Reference | None:
        """Convert the object of a claim: an entity or a claim."""
        if isinstance(value, Mapping):
            inner = value.entries.get("claim")
            if inner is None or len(value.entries) != 1:
                self._wrong(field, value.span, "another mapping")
                return None
            self.keys["object"] = inner[1].span
            target = self._scalar(Field("object", Kind.REFERENCE, field.doc), inner[1])
            return None if target is None else Reference("claim", target)
        target = self._scalar(Field("object", Kind.REFERENCE, field.doc), value)
        return None if target is None else Reference("entity", target)

    def _localized(self, field: Field, value: Value) -> dict[str, str] | None:
        """Convert texts by language tag."""
        if isinstance(value, Scalar):
            text = self._scalar(field, value)
            return None if text is None else {self.language: text}
        if not isinstance(value, Mapping):
            self._wrong(field, value.span, _shape(value))
            return None
        texts = {}
        for tag, (span, item) in value.entries.items():
            if self.tag(tag, span) and (text := self._scalar(field, item)) is not None:
                self.keys[f"{field.key}@{tag}"] = item.span
                texts[tag] = text
        if not value.entries:
            self._wrong(field, value.span, "empty")
        return texts or None

    def _localized_list(self, field: Field, value: Value) -> dict[str, tuple[str, ...]] | None:
        """Convert lists of texts by language tag."""
        inner = Field(field.key, Kind.TEXTS, field.doc)
        if not isinstance(value, Mapping):
            texts = self._many(inner, value)
            return None if texts is None else {self.language: texts}
        lists = {}
        for tag, (span, item) in value.entries.items():
            if self.tag(tag, span) and (texts := self._many(inner, item)) is not None:
                lists[tag] = texts
        if not value.entries:
            self._wrong(field, value.span, "empty")
        return lists or None

    def tag(self, tag: str, span: Span) -> bool:
        """Tell whether a language tag is well formed, and report it where it is not."""
        if is_language(tag):
            return True
        self.report.add("KG301", f"'{tag}' is not a language tag", span, hint="such as en or de-CH (BCP 47)")
        return False

    def _quantity(self, field: Field, value: Value) -> Quantity | None:
        """Convert an amount with its unit."""
        if not isinstance(value, Mapping):
            self._wrong(field, value.span, _shape(value))
            return None
        inner = Record(value, claims.QUANTITY_FIELDS, f"'{field.key}'", self.language, self.report)
        numbers: dict[str, Decimal] = {}
        for key, text in inner.values.items():
            if key == "unit":
                continue
            number = decimal(text)
            if number is None:
                self.report.add("KG210", f"'{text}' is not a number", inner.keys[key], hint="such as 300 or 0.5")
            else:
                numbers[key] = number
        if not inner.complete or len(numbers) + 1 < len(inner.values):
            return None
        if not numbers:
            hint = "one of value, min, max, more-than, less-than"
            self.report.add("KG210", "the quantity has no number", value.span, hint=hint)
            return None
        low = numbers.get("min", numbers.get("more-than"))
        high = numbers.get("max", numbers.get("less-than"))
        if low is not None and high is not None and low > high:
            self.report.add("KG210", f"the quantity's lower bound {low} is above its upper bound {high}", value.span)
            return None
        return Quantity(
            unit=inner.values["unit"],
            value=numbers.get("value"),
            minimum=numbers.get("min"),
            maximum=numbers.get("max"),
            more_than=numbers.get("more-than"),
            less_than=numbers.get("less-than"),
        )

    def _qualifiers(self, field: Field, value: Value) -> tuple[Qualifier, ...] | None:
        """Convert the qualifiers of a claim, in their order."""
        if not isinstance(value, Mapping):
            self._wrong(field, value.span, _shape(value))
            return None
        qualifiers = []
        for name, (span, item) in value.entries.items():
            self.keys[f"qualifiers.{name}"] = span
            for number, part in enumerate(item.items if isinstance(item, Sequence) else (item,)):
                inner = part.entries.get("entity") if isinstance(part, Mapping) else None
                self.keys[f"qualifiers.{name}[{number}]"] = inner[1].span if inner else part.span
                qualifier = self._qualifier(name, part)
                if qualifier is not None:
                    qualifiers.append(qualifier)
        return tuple(qualifiers)

    def _qualifier(self, name: str, part: Value) -> Qualifier | None:
        """Convert one qualifier: a text or an entity."""
        field = Field(name, Kind.TEXT, "a text, or {entity: id}")
        if isinstance(part, Mapping):
            inner = part.entries.get("entity")
            if inner is None or len(part.entries) != 1:
                self._wrong(field, part.span, "another mapping")
                return None
            entity = self._scalar(Field(name, Kind.REFERENCE, field.doc), inner[1])
            return None if entity is None else Qualifier(name, entity=entity)
        text = self._scalar(field, part)
        return None if text is None else Qualifier(name, text=text)


def decimal(text: str) -> Decimal | None:
    """Return the number a text spells in plain decimal digits, or None.

    >>> decimal("0.5"), decimal("NaN"), decimal("1e9999")
    (Decimal('0.5'), None, None)
    """
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _shape(value: Value) -> str:
    return {Scalar: "text", Sequence: "a list", Mapping: "a mapping"}[type(value)]


def _article(words: str) -> str:
    return words if words.startswith(("true", "list")) else f"a {words}" if words[0] not in "aeiou" else f"an {words}"


def _slug_hint(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return f"identifiers are lower case with hyphens, such as '{slug or 'restless-legs-syndrome'}'"
