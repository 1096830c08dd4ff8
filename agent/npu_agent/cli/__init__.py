"""The command line on the node: commands return a result, this edge prints it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from npu_agent.cli.parser import parse
from npu_agent.cli.result import FAILED, Result, failure


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 fine, 1 failed, 2 usage, 4 the agent does not answer."""
    arguments = parse(argv)
    try:
        result = _run(arguments)
        text = result.as_json() if arguments.json else _printable(result.text)
        if text:
            print(text, file=sys.stderr if result.code and not arguments.json and result.is_error else sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130
    return result.code


def _printable(text: str) -> str:
    """Names of processes and words of containers are strangers' text: none of it may steer root's terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _run(arguments: object) -> Result:
    from npu_agent.config import ConfigError  # noqa: PLC0415  # `version` should not pay for it
    from npu_agent.problem import ProblemError  # noqa: PLC0415  # see above

    try:
        result: Result = arguments.command(arguments)  # type: ignore[attr-defined]  # set by the parser
    except ConfigError as error:
        return failure(str(error), "configuration")
    except ProblemError as error:
        return failure(str(error), error.problem.code, error.problem.to_dict())
    return result
