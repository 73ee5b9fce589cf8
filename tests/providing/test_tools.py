"""Python callables as tools: their schemas, and what becomes of arguments and results."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

import pydantic
import pytest

from asm_core import ValidationError
from asm_core.providing import Tool


@dataclasses.dataclass
class Place:
    city: str
    country: str = "IT"


class Options(TypedDict):
    units: Literal["metric", "imperial"]


class Model(pydantic.BaseModel):
    place: Place
    days: int


def forecast(  # noqa: D417  some parameters have no description
    place: Place,
    options: Options,
    day: dt.date,
    tags: Annotated[list[str], "labels of the request"] = [],  # noqa: B006
    limit: int | None = None,
) -> str:
    """Return the forecast.

    For one day.

    Args:
        place: where, with
            a country.
        day (date): the day.

    Returns:
        A text.
    """
    return f"{place.city} {place.country} {options['units']} {day:%d} {tags} {limit}"


def call(tool: Tool, arguments: Any) -> Any:
    return asyncio.run(tool.call(arguments))


def test_a_schema_follows_from_signature_and_docstring() -> None:
    tool = Tool(forecast)
    assert (tool.name, tool.description) == ("forecast", "Return the forecast.\n\nFor one day.")
    schema = tool.parameters
    assert schema["required"] == ["place", "options", "day"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["day"] == {"type": "string", "format": "date", "description": "the day."}
    assert properties["place"]["description"] == "where, with a country."
    assert properties["tags"] == {
        "type": "array",
        "items": {"type": "string"},
        "description": "labels of the request",
        "default": [],
    }
    assert schema["$defs"]["Place"]["properties"]["country"] == {"type": "string", "default": "IT"}
    assert schema["$defs"]["Options"]["properties"]["units"] == {"enum": ["imperial", "metric"]}


def test_arguments_arrive_in_the_types_of_the_parameters() -> None:
    arguments = {"place": {"city": "Rome"}, "options": {"units": "metric"}, "day": "2026-01-02"}
    assert call(Tool(forecast), arguments) == "Rome IT metric 02 [] None"


@pytest.mark.parametrize("arguments", [{"citty": "Rome"}, {}, {"city": 5}, "Rome", None, [1]])
def test_arguments_of_another_shape_are_refused(arguments: Any) -> None:
    def weather(city: str) -> str:
        return city

    with pytest.raises(ValidationError, match="The arguments of weather are invalid"):
        call(Tool(weather), arguments)


def test_models_of_pydantic_are_parameters_and_results() -> None:
    def plan(model: Model) -> Model:
        return model.model_copy(update={"days": model.days + 1})

    tool = Tool(plan)
    assert tool.parameters["$defs"]["Place"]["type"] == "object"
    assert tool.parameters["properties"]["model"]["properties"]["days"] == {"title": "Days", "type": "integer"}
    found = call(tool, {"model": {"place": {"city": "Rome"}, "days": 1}})
    assert found == {"place": {"city": "Rome", "country": "IT"}, "days": 2}
    with pytest.raises(ValidationError):
        call(tool, {"model": {"days": 1}})


def test_methods_partials_and_objects_are_tools() -> None:
    class Shop:
        def price(self, name: str) -> int:
            return len(name)

        async def __call__(self, name: str) -> str:
            return name.upper()

    shop = Shop()
    assert call(Tool(shop.price), {"name": "abc"}) == 3
    assert call(Tool(shop), {"name": "abc"}) == "ABC"
    assert Tool(shop).name == "Shop"
    bound = Tool(partial(forecast, Place("Rome")), name="rome")
    assert "place" not in bound.parameters["properties"]


def test_results_become_json() -> None:
    results: list[tuple[Any, Any]] = [
        (Place("Rome"), {"city": "Rome", "country": "IT"}),
        (dt.date(2026, 1, 2), "2026-01-02"),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        (None, None),
    ]
    for result, expected in results:
        assert call(Tool(lambda result=result: result, name="give"), {}) == expected


@pytest.mark.parametrize("result", [float("nan"), {object(): 1}, {1, object()}])
def test_results_that_json_cannot_hold_are_refused(result: Any) -> None:
    with pytest.raises(ValidationError):
        call(Tool(lambda: result, name="give"), {})


def test_what_cannot_be_a_tool_is_refused() -> None:
    def gathers(*cities: str) -> None:
        """Take any number."""

    def odd(one: complex) -> None:
        """Take what JSON has not."""

    for given in (gathers, odd, "weather", lambda: None):
        with pytest.raises(ValidationError):
            Tool(given)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="Two tools have the name 'forecast'"):
        Tool.of([forecast, Tool(forecast)])
