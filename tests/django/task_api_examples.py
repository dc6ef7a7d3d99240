"""The examples of Django Task API's documentation, as its users have them, but for the imports and what it forgot."""

from time import sleep

from serverless_tasks import Task
from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    ParameterNotValidError,
    StringParameter,
)


class SumNumbers(Task):
    name = "sum-numbers"

    inputs = {"numbers": ListParameter(NumberParameter())}

    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        return sum(numbers)


class WaitTask(Task):
    name = "wait"

    inputs = {"seconds": IntParameter(required=False)}

    def run(self, seconds=10):
        self.set_target(10)
        self.set_progress(0)

        for _ in range(seconds):
            sleep(1)
            self.inc_progress(1)


class MyTask(Task):
    name = "my-task"

    inputs = {"name": StringParameter(), "count": IntParameter(required=False)}

    outputs = {"output": StringParameter()}

    def run(self, name, count=5):
        return " ".join([name] * count)


class TwoOutputs(Task):
    name = "two-outputs"

    outputs = {"out": StringParameter(), "count": IntParameter()}

    def run(self):
        return {"out": "Foo", "count": 5}


class Lines(Task):
    """Progress without a word on where it begins, and a message for each line."""

    name = "lines"

    inputs = {"lines": ListParameter(StringParameter())}

    def run(self, lines):
        self.set_target(len(lines))
        for line in lines:
            self.inc_progress()
            self.add_message(line)


class Echo(Task):
    """Gives back what `run` received, and what it was in Python."""

    name = "echo"

    inputs = {
        "any": Parameter(required=False),
        "text": StringParameter(required=False),
        "number": NumberParameter(required=False),
        "whole": IntParameter(required=False),
        "real": FloatParameter(required=False),
        "flag": BooleanParameter(required=False),
        "grid": ListParameter(ListParameter(IntParameter()), required=False),
        "data": DictParameter(required=False),
    }

    outputs = {"given": DictParameter(), "kinds": DictParameter()}

    def run(self, **inputs):
        return {"given": inputs, "kinds": {name: type(value).__name__ for name, value in inputs.items()}}


class Colour:
    def __init__(self, red, green, blue):
        self.parts = (red, green, blue)


class ColourParameter(Parameter):
    """A user's own: ``#0a0b0c`` outside, a `Colour` inside."""

    def to_python(self, value):
        if not isinstance(value, str) or len(value) != 7:
            raise ParameterNotValidError("Value must be a colour like #0a0b0c")
        return Colour(*bytes.fromhex(value[1:]))

    def to_json(self, value):
        return "#" + bytes(value.parts).hex()

    def json_schema(self):
        return {"type": "string", "format": "color"}


class PlainParameter(Parameter):
    """A user's own from the time before OpenAPI."""

    def to_python(self, value):
        return value.upper()


class Invert(Task):
    name = "invert"

    inputs = {"colours": ListParameter(ColourParameter()), "label": PlainParameter(required=False)}

    outputs = {"inverted": ListParameter(ColourParameter()), "label": PlainParameter()}

    def run(self, colours, label="none"):
        inverted = [Colour(*(255 - part for part in colour.parts)) for colour in colours]
        return {"inverted": inverted, "label": label}
