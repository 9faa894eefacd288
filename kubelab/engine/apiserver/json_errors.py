"""What Go's JSON decoder says of a text that is none, from what Python's says: people search for the former."""

from __future__ import annotations

import json

_CONTEXTS = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}


def go_json_error(error: json.JSONDecodeError) -> str:
    """The sentence without its prefix."""
    text, place = error.doc, error.pos
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma, Go at what follows
        place += 1 + len(text[place + 1 :]) - len(text[place + 1 :].lstrip())
    if place >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    context = _CONTEXTS.get(error.msg.removesuffix(": "))
    if context is None:  # a comma is missing: in an object, or in an array
        context = "after object key:value pair" if _holder(text[:place]) == "{" else "after array element"
    return f"invalid character {_quoted(text[place])} {context}"


def _quoted(character: str) -> str:
    if character == "'":
        return r"'\''"
    if character == '"':
        return "'\"'"
    return f"'{character}'" if character.isprintable() else f"'{json.dumps(character)[1:-1]}'".replace("u00", "x")


def _holder(text: str) -> str:
    """The bracket that is open at the end of the text."""
    open_ones: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_ones.append(character)
        elif character in "}]" and open_ones:
            open_ones.pop()
    return open_ones[-1] if open_ones else ""
