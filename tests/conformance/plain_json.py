"""JSON with numbers as they are written: 0.25, 5e4 and 1e400 stay these texts, both ways."""

import json


class Number(str):
    """A number's text."""


def _refuse(text):
    raise ValueError(f"{text} is not JSON")


def loads(text):
    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=_refuse)


def dumps(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(one) for one in value) + "]"
    return json.dumps(value)
