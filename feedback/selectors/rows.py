"""Whole rows of several models by a statement that is written once and then only sent.

The ORM builds the text of a query anew each time it is asked. For wide rows of three or four tables that takes 0.4 to
1.0 ms, several times what the database needs; a claim and a submit would do it a dozen times. Only what every one of
them asks is written like this; it is the same text on both databases.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, models

_LARGEST = 2**63 - 1
"""Of a 64-bit column; the ORM looks at that, too."""
Converter = tuple[int, Callable[[Any, Any, Any], Any], Any]


class Rows:
    """A statement: `{task}` stands for all columns of the model that is given under that name, a table's alias."""

    def __init__(self, text: str, **tables: type[models.Model]) -> None:
        self._text = text
        self._tables = tables

    def read(self, *values: Any) -> list[tuple[Any, ...]]:
        """Return the objects of each row, None where a table had none, in the order in which the tables were given.

        A number that no column can hold finds nothing.
        """
        if any(isinstance(value, int) and abs(value) > _LARGEST for value in values):
            return []
        with connection.cursor() as cursor:
            cursor.execute(self._sql, values)
            found = cursor.fetchall()
        return [tuple(self._objects(row)) for row in found]

    @functools.cached_property
    def _sql(self) -> str:
        columns = {
            alias: ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)  # noqa: SLF001
            for alias, model in self._tables.items()
        }
        return self._text.format(**columns)

    def _objects(self, row: Sequence[Any]) -> list[Any]:
        begin, objects = 0, []
        for model, names, converters in _read_as(tuple(self._tables.values()), connection.vendor):
            values = list(row[begin : begin + len(names)])
            for place, convert, expression in converters:
                values[place] = convert(values[place], expression, connection)
            objects.append(None if values[0] is None else model.from_db(connection.alias, names, values))
            begin += len(names)
        return objects


@functools.cache
def _read_as(
    tables: tuple[type[models.Model], ...], vendor: str
) -> list[tuple[type[models.Model], list[str], list[Converter]]]:
    """Return for each table its fields and what makes Python values of the ones that the driver leaves raw."""
    assert vendor == connection.vendor
    found = []
    for model in tables:
        fields = model._meta.concrete_fields  # noqa: SLF001 - Django's public name for it
        converters = [
            (place, convert, column)
            for place, column in enumerate(field.get_col("t") for field in fields)
            for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
        ]
        found.append((model, [field.attname for field in fields], converters))
    return found
