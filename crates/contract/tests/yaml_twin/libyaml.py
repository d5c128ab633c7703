"""The events of libyaml for many texts: a JSON list of texts comes in, one of answers goes out.

An answer is null where libyaml refuses the text, else a list: D a document, [ and ] a list, { and } a map, * an alias,
= a scalar with its style and its value; & and ! stand for an anchor and a tag.
"""
import json
import sys

import yaml

STYLES = {None: ":", "": ":", "'": '"', '"': '"', "|": "|", ">": ">"}


def node(sign, event):
    return sign + ("&" if event.anchor else "") + ("!" if event.tag else "")


def events(text):
    found = []
    for event in yaml.parse(text.encode(), Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.ScalarEvent):
            found.append(node("=", event) + STYLES[event.style] + event.value)
        elif isinstance(event, yaml.AliasEvent):
            found.append("*")
        elif isinstance(event, yaml.SequenceStartEvent):
            found.append(node("[", event))
        elif isinstance(event, yaml.MappingStartEvent):
            found.append(node("{", event))
        elif isinstance(event, yaml.SequenceEndEvent):
            found.append("]")
        elif isinstance(event, yaml.MappingEndEvent):
            found.append("}")
        elif isinstance(event, yaml.DocumentStartEvent):
            found.append("D")
    return found


def answer(text):
    try:
        return events(text)
    except yaml.YAMLError:
        return None


json.dump([answer(text) for text in json.load(sys.stdin)], sys.stdout)
