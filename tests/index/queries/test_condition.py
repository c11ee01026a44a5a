"""Conditions on columns: right answers compared with Python's, and a named error for everything else."""

import ast
import warnings
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.queries.condition import parse_condition

KINDS = {"unit": "number", "selectivity": "number", "mean": "number", "dead": "flag", "top_class": "text"}
COLUMNS = {
    "unit": np.arange(6),
    "selectivity": np.array([1.0, 6.0, np.nan, 9.0, 5.0, 0.0], np.float32),
    "mean": np.array([0.5, 7.0, 1.0, 9.0, -2.0, 0.0]),
    "dead": np.array([False, False, False, False, False, True]),
    "top_class": np.array(["cat", "dog", "fox terrier", "Irish terrier", "ibis", ""]),
}
ROWS = [dict(zip(COLUMNS, (value.item() for value in row), strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def holds(text):
    return parse_condition(text, KINDS).holds(COLUMNS, 6)


def units(text):
    return np.flatnonzero(holds(text)).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("selectivity > 5", [1, 3]),
        ("  selectivity >= 5 and not dead ", [1, 3, 4]),
        ("not selectivity > 5", [0, 2, 4, 5]),  # a comparison with a missing value does not hold
        ("selectivity != 6", [0, 3, 4, 5]),
        ("selectivity not in (6, 9)", [0, 4, 5]),
        ("selectivity == selectivity", [0, 1, 3, 4, 5]),
        ("1 < selectivity <= 6", [1, 4]),
        ("unit in [1, 5] or unit == 3", [1, 3, 5]),
        ("unit in ()", []),
        ("mean > 2 * selectivity / 2", [1]),
        ("mean / 0 > 1", [0, 1, 2, 3]),
        ("-mean == +2", [4]),
        ("dead", [5]),
        ("dead == False and unit < 2", [0, 1]),
        ("top_class in ('cat', 'dog')", [0, 1]),
        ("'terrier' in top_class", [2, 3]),
        ("'terrier' not in top_class and top_class != ''", [0, 1, 4]),
        ("True and 1 < 2", [0, 1, 2, 3, 4, 5]),
        ("(unit > 1\n and not dead)", [2, 3, 4]),
    ],
)
def test_the_units_for_which_a_condition_holds(text, expected):
    assert units(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selectivty > 5", r"no column selectivty. Did you mean selectivity\? The columns are unit, .*\(Character 1 of"),
        ("'ä' == top_class and foo > 1", r"no column foo.*\(Character 22 of"),  # characters, not bytes
        ("(unit > 1\n and ded)", r"no column ded.*Did you mean dead\?.*\(Character 16 of"),
        ("  selectivity", r"selectivity is a number, where a comparison is needed.*\(Character 3 of"),
        ("dead > 1", "dead is a comparison, where a number is needed"),
        ("top_class == 3", "3 is a number, where a text in quotes is needed"),
        ("top_class < 'm'", "texts are compared by == and in"),
        ("selectivity = 5", r"cannot be read: Compare with ==, not with =\..*\(Character 13 of"),
        ("selectivity === 5", "cannot be read: invalid syntax"),
        ("selectivity > 5 & dead", "no &, | and ~"),
        ("__import__('os').system('true')", "no calls of functions"),
        ("unit.real > 1", "no attributes or subscripts"),
        ("unit is 3", "Use == instead"),
        ("unit ** 2 > 1", "no such expression"),
        ("unit in 3", "After in stands a list"),
        ("'cat' in 'cat dog'", "After in stands a list"),
        ("top_class in top_class", "After in stands a list"),
        ("1j > unit", "no such expression"),
        ("None == unit", "no such expression"),
        ("9" * 400 + " > unit", "too large"),
        ("not " * 100 + "dead", "nested more than 40 deep"),
        ("(" * 300 + "dead" + ")" * 300, "cannot be read"),
        ("- " * 450 + "unit | dead", "no &"),
        ("dead or " * 200, "1,600 characters: write at most 1,000"),
        ("unit > 1\x00", "cannot be read"),
        ("'\ud800' == top_class", "cannot be read"),
        (5, "must be a text such as"),
    ],
)
def test_other_conditions_are_refused_with_the_place(text, message):
    with pytest.raises(ActivationIndexError, match=message):
        holds(text)


numbers = st.sampled_from(["unit", "mean", "2", "0.5", "-1", "unit * 2", "(mean + 1)", "mean - unit"])
comparisons = st.one_of(
    st.builds(lambda left, op, right: f"{left} {op} {right}", numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers),
    st.builds("{} < {} <= {}".format, numbers, numbers, numbers),
    st.builds("{} in ({}, {})".format, numbers, numbers, numbers),
    st.sampled_from(["dead", "dead != True", "'terrier' in top_class", "top_class not in ('cat', 'ibis')", "top_class == 'dog'"]),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner), st.builds("({} or {})".format, inner, inner), st.builds("not {}".format, inner)
    ),
    max_leaves=8,
)


@given(conditions)
def test_a_condition_holds_where_python_says_so(text):
    expected = [bool(eval(text, {"__builtins__": {}}, row)) for row in ROWS]  # the literal reference; nothing is missing in these columns
    assert holds(text).tolist() == expected


pieces = st.sampled_from([
    "unit", "dead", "top_class", "selectivity", "foo", "'cat'", '"', "5", "1e999", "0x1f", "1j", "b'x'", "f'{unit}'", "...", "None", "True",
    "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "await", "yield", "*", "**", "//", "%", "@", "+", "-", "/", "<", ">",
    "==", "!=", "=", ":=", "&", "|", "~", "^", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "\n", "\t", "#", "\\", "__import__",
    "open('x')", "().__class__", "exec", "é", "\x00", "\ud800",
])  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(pieces, max_size=12).map(" ".join)))
def test_any_text_gives_flags_or_the_named_error(text):
    with warnings.catch_warnings(), patch("builtins.eval", side_effect=AssertionError), patch("builtins.exec", side_effect=AssertionError):
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            found = holds(text)
        except ActivationIndexError as error:
            found = error
    if isinstance(found, ActivationIndexError):
        assert "(Character " in str(found)
    else:
        assert (found.dtype, found.shape) == (np.bool_, (6,))


def test_only_harmless_nodes_are_translated():
    """Every kind of expression of Python's grammar that is not listed here is refused."""
    accepted = {"BoolOp", "BinOp", "UnaryOp", "Compare", "Constant", "Name"}
    samples = {
        "Call": "f()", "Attribute": "a.b", "Subscript": "a[0]", "Lambda": "lambda: 0", "IfExp": "1 if 2 else 3", "Dict": "{}", "Set": "{1}",
        "ListComp": "[x for x in y]", "SetComp": "{x for x in y}", "DictComp": "{x: y for x in y}", "GeneratorExp": "(x for x in y)",
        "Await": "await x", "Yield": "(yield)", "YieldFrom": "(yield from x)", "JoinedStr": "f'{x}'", "FormattedValue": "f'{x}'",
        "Starred": "(*x,)", "List": "[1]", "Tuple": "(1,)", "NamedExpr": "(x := 1)", "Slice": "a[1:2]",
        "TemplateStr": "t'{x}'", "Interpolation": "t'{x}'",
    }  # fmt: skip
    kinds = {kind.__name__ for kind in ast.expr.__subclasses__() if kind.__module__ in ("ast", "_ast")} - accepted
    assert kinds - samples.keys() <= {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"}  # old names of constants
    for kind in sorted(kinds & samples.keys()):
        with pytest.raises(ActivationIndexError):
            holds(samples[kind])
