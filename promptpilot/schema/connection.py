"""Fields that answer with a page: their four arguments, and how a resolver is given them."""

from __future__ import annotations

from typing import Any, Final

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from promptpilot.schema.paging import PageRequest

_ARGUMENTS: Final = {
    "first": (
        int,
        (
            "Items from the start; at most `ServerLimits.maxPageSize`. 20 if neither `first` nor"
            " `last` is given; giving both is an error."
        ),
    ),
    "after": (str, "Only items after this cursor."),
    "last": (int, "Items from the end; at most `ServerLimits.maxPageSize`."),
    "before": (str, "Only items before this cursor."),
}


class Paged(FieldExtension):
    """Puts first, after, last and before in the place of the resolver's argument `page`."""

    def apply(self, field: StrawberryField) -> None:
        """Change the arguments that the client sees."""
        others = [argument for argument in field.arguments if argument.python_name != "page"]
        paging = [
            StrawberryArgument(
                python_name=name,
                graphql_name=name,
                type_annotation=StrawberryAnnotation(type_ | None),
                description=description,
                default=strawberry.UNSET,
            )
            for name, (type_, description) in _ARGUMENTS.items()
        ]
        field.arguments = paging + others

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give the resolver one value for the four."""
        given = {name: kwargs.pop(name, None) for name in _ARGUMENTS}
        known = {name: value for name, value in given.items() if value is not strawberry.UNSET}
        return {**kwargs, "page": PageRequest(**known)}
