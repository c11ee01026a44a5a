"""Conditions on the columns of a table of units, such as "selectivity > 5 and not dead".

Python's `ast` parses the text. Only the syntax named in `parse_condition` is accepted, and nothing of it is executed by Python: each node
is translated to a function of the columns. The kinds of values are checked while it is parsed, so that a parsed condition always holds or
does not hold.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ActivationIndexError

Kind = Literal["number", "flag", "text"]
Columns = Mapping[str, NDArray[Any]]
Flags = NDArray[np.bool_]

_MAX_LENGTH = 1000  # characters
_MAX_DEPTH = 40  # nested operations
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: np.divide,
}  # fmt: skip
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_SYNTAX = "Use columns, numbers, texts in quotes, == != < <= > >= in, + - * /, and, or, not, and parentheses"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on columns."""

    text: str
    names: frozenset[str]  # the columns that it reads
    _holds: Callable[[Columns], Any]

    def holds(self, columns: Columns, units: int) -> Flags:
        """Return whether the condition holds for each unit, bool (units,).

        Parameters
        ----------
        columns : mapping of str to ndarray of shape (units,)
            At least the columns `names`.
        units : int
        """
        with np.errstate(all="ignore"):  # a division by zero gives infinity or a missing value
            return np.broadcast_to(np.asarray(self._holds(columns), np.bool_), (units,)).copy()


def parse_condition(text: object, kinds: Mapping[str, Kind]) -> Condition:
    """Return a condition on columns.

    Names of columns, numbers and texts in quotes are compared by `==`, `!=`, `<`, `<=`, `>`, `>=` (also as in `1 < mean <= 2`) and by `in`
    and `not in`: `unit in (3, 7)`, and `"terrier" in top_class` for a part of a text. `+`, `-`, `*` and `/` compute with numbers; `and`,
    `or`, `not` and parentheses join comparisons and flags. A comparison with a missing value does not hold. The empty text always holds.

    Parameters
    ----------
    text : str
        The condition.
    kinds : mapping of str to {"number", "flag", "text"}
        The columns and the kinds of their values.

    Raises
    ------
    ActivationIndexError
        For anything else. The message says at which character, and names the columns.

    Examples
    --------
    >>> condition = parse_condition("max > 2 * mean and not dead", {"max": "number", "mean": "number", "dead": "flag"})
    >>> sorted(condition.names)
    ['dead', 'max', 'mean']
    >>> columns = {"max": np.array([5.0, 3.0]), "mean": np.array([1.0, 2.0]), "dead": np.array([False, False])}
    >>> condition.holds(columns, units=2).tolist()
    [True, False]
    """
    if not isinstance(text, str):
        raise ActivationIndexError(f'A condition must be a text such as "selectivity > 5 and not dead", not {describe(text)}.')
    if len(text) > _MAX_LENGTH:
        raise ActivationIndexError(f"The condition has {len(text):,} characters: write at most {_MAX_LENGTH:,}.")
    if not text.strip():
        return Condition("", frozenset(), lambda columns: True)
    return _Parser(text, kinds).condition()


@dataclass(frozen=True, slots=True)
class _Value:
    kind: Kind
    of: Callable[[Columns], Any]  # a scalar, or an array (units,)
    constant: bool = False


class _Parser:
    """Translates a text to functions of columns, node by node."""

    def __init__(self, text: str, kinds: Mapping[str, Kind]) -> None:
        self.text, self.kinds, self.names = text, kinds, set[str]()
        self.indent = len(text) - len(text.lstrip())

    def condition(self) -> Condition:
        stripped = self.text.strip()
        try:
            tree = ast.parse(stripped, mode="eval").body
        except SyntaxError as error:
            at = min((error.offset or 1) - 1, len(stripped)) if error.lineno in (None, 1) else 0
            assigns = "=" in (stripped[at : at + 1], stripped[at : at + 2].strip()) and stripped[at - 1 : at] != "="
            reason = "Compare with ==, not with =" if assigns else error.msg  # Python says only "invalid syntax"
            self._refuse(at, f"The condition cannot be read: {reason}. {_SYNTAX}")
        except (ValueError, MemoryError, RecursionError):
            self._refuse(0, f"The condition cannot be read. {_SYNTAX}")
        test = self._expect("flag", tree, 0)
        return Condition(self.text, frozenset(self.names), test.of)

    def _value(self, node: ast.expr, depth: int) -> _Value:
        if depth > _MAX_DEPTH:
            self._refuse(node, f"The condition is nested more than {_MAX_DEPTH} deep")
        match node:
            case ast.BoolOp():
                return self._joined(node, depth)
            case ast.UnaryOp(op=ast.Not()):
                flag = self._expect("flag", node.operand, depth).of
                return _Value("flag", lambda columns: np.logical_not(flag(columns)))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign):
                number = self._expect("number", node.operand, depth)
                apply = operator.neg if isinstance(sign, ast.USub) else operator.pos
                return _Value("number", lambda columns: apply(number.of(columns)), number.constant)
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                left, right = self._expect("number", node.left, depth).of, self._expect("number", node.right, depth).of
                compute = _ARITHMETIC[type(node.op)]
                return _Value("number", lambda columns: compute(left(columns), right(columns)))
            case ast.Compare():
                return self._comparisons(node, depth)
            case ast.Name():
                return self._column(node)
            case ast.Constant():
                return self._constant(node)
        self._refuse(node, f"A condition has no {_construct(node)}. {_SYNTAX}")

    def _expect(self, kind: Kind, node: ast.expr, depth: int) -> _Value:
        """Return the value of a part, which must be of a kind."""
        value = self._value(node, depth + 1)
        if value.kind != kind:
            self._refuse(node, f"{self._source(node)} is {_NAMED[value.kind]}, where {_NEEDED[kind]}")
        return value

    def _joined(self, node: ast.BoolOp, depth: int) -> _Value:
        parts = [self._expect("flag", part, depth).of for part in node.values]
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or

        def joined(columns: Columns) -> Any:
            result = parts[0](columns)
            for part in parts[1:]:
                result = join(result, part(columns))
            return result

        return _Value("flag", joined)

    def _comparisons(self, node: ast.Compare, depth: int) -> _Value:
        pairs = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
        tests = [self._comparison(left, op, right, depth) for left, op, right in pairs]

        def all_hold(columns: Columns) -> Any:
            result = tests[0](columns)
            for test in tests[1:]:
                result = np.logical_and(result, test(columns))
            return result

        return _Value("flag", all_hold)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Callable[[Columns], Any]:
        if type(op) in _ORDER:
            low, high, compare = self._expect("number", left, depth).of, self._expect("number", right, depth).of, _ORDER[type(op)]
            return lambda columns: compare(low(columns), high(columns))
        if isinstance(op, ast.Eq | ast.NotEq):
            first = self._value(left, depth + 1)
            second = self._expect(first.kind, right, depth)
            return _equality(first.of, [second.of], isinstance(op, ast.NotEq))
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, right, isinstance(op, ast.NotIn), depth)
        self._refuse(right, "A condition has no is. Use == instead")

    def _membership(self, left: ast.expr, right: ast.expr, negated: bool, depth: int) -> Callable[[Columns], Any]:
        value = self._value(left, depth + 1)
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            return _equality(value.of, [self._expect(value.kind, item, depth).of for item in right.elts], negated)
        whole = self._value(right, depth + 1)
        if not (whole.kind == value.kind == "text" and value.constant and not whole.constant):
            self._refuse(right, 'After in stands a list, as in unit in (3, 7), or a column of texts, as in "terrier" in top_class')
        part = str(value.of({}))
        return lambda columns: np.array([(part in text) != negated for text in whole.of(columns).tolist()], np.bool_)

    def _column(self, node: ast.Name) -> _Value:
        name = node.id
        if name not in self.kinds:
            close = get_close_matches(name, self.kinds, n=1)
            guess = f"Did you mean {close[0]}? " if close else ""
            self._refuse(node, f"There is no column {name}. {guess}The columns are {', '.join(self.kinds)}; texts stand in quotes")
        self.names.add(name)
        kind = self.kinds[name]
        if kind == "number":
            return _Value(kind, lambda columns: np.asarray(columns[name], np.float64))
        return _Value(kind, lambda columns: columns[name])

    def _constant(self, node: ast.Constant) -> _Value:
        value = node.value
        if isinstance(value, bool):
            return _Value("flag", lambda columns: value, True)
        if isinstance(value, str):
            return _Value("text", lambda columns: value, True)
        if not isinstance(value, int | float):
            self._refuse(node, f"A condition has no {_construct(node)}. {_SYNTAX}")
        try:
            number = np.float64(value)
        except OverflowError:
            self._refuse(node, "The number is too large")
        return _Value("number", lambda columns: number, True)

    def _source(self, node: ast.expr) -> str:
        source = ast.get_source_segment(self.text.strip(), node) or ""
        return source if len(source) <= 40 else f"{source[:39]}…"

    def _refuse(self, at: ast.expr | int, reason: str) -> NoReturn:
        """Raise the error, which says where in the text."""
        stripped = self.text.strip()
        if not isinstance(at, int):
            line = stripped.splitlines()[at.lineno - 1] if at.lineno > 1 else stripped
            before = sum(len(earlier) + 1 for earlier in stripped.splitlines()[: at.lineno - 1])
            at = before + len(line.encode()[: at.col_offset].decode(errors="ignore"))
        at += self.indent
        shown = self.text if len(self.text) <= 100 else f"…{self.text[max(at - 20, 0) : at + 40]}…"
        raise ActivationIndexError(f"{reason}. (Character {at + 1} of {shown!r})")


_NAMED: dict[Kind, str] = {"flag": "a comparison", "number": "a number", "text": "a text"}
_NEEDED: dict[Kind, str] = {
    "flag": "a comparison is needed, as in selectivity > 5",
    "number": "a number is needed: numbers are ordered and computed with, texts are compared by == and in",
    "text": "a text in quotes is needed",
}
_CONSTRUCTS: tuple[tuple[tuple[type[ast.AST], ...], str], ...] = (
    ((ast.Call,), "calls of functions"),
    ((ast.Attribute, ast.Subscript), "attributes or subscripts"),
    ((ast.BitAnd, ast.BitOr, ast.Invert), "&, | and ~"),
)


def _construct(node: ast.expr) -> str:
    """Return a word for a part that a condition cannot have."""
    part = node.op if isinstance(node, ast.BinOp | ast.UnaryOp) else node
    return next((word for types, word in _CONSTRUCTS if isinstance(part, types)), "such expression")


def _equality(value: Callable[[Columns], Any], choices: list[Callable[[Columns], Any]], negated: bool) -> Callable[[Columns], Any]:
    """Return a test of whether a value is one of the choices, or none of them. It does not hold if one of these numbers is missing."""

    def holds(columns: Columns) -> Any:
        own = value(columns)
        others = [choice(columns) for choice in choices]
        equal, present = np.zeros((), np.bool_), ~_missing(own)
        for other in others:
            equal, present = equal | np.equal(own, other), present & ~_missing(other)
        return present & (equal != negated)

    return holds


def _missing(value: Any) -> Any:
    array = np.asarray(value)
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, np.bool_)
