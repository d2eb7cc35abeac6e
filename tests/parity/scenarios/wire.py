"""Lines: what is a message, and what happens to what is none."""

from __future__ import annotations

from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import READ, raw

WIRE = [
    Scenario(
        name="shapes that are no message",
        steps=[
            OPEN,
            "garbage",
            "",
            "  ",
            "5",
            "null",
            '""',
            "{}",
            "[]",
            '{"a":1}',
            '{"id":9}',
            '[{"id":1,"method":"account/read","params":{}}]',
            '{"id":1,"method":5}',
            '{"id":1,"error":{"code":1}}',
            "\ufeff{}",
            '{"id":"\\ud800","method":"account/read"}',
            raw("1") + " x",
            raw("1") + raw("2"),
            b"\x00{}",
            "[" * 1000 + "]" * 1000,
        ],
    ),
    Scenario(
        name="ids",
        steps=[
            OPEN,
            *map(
                raw,
                [
                    "0",
                    "-1",
                    "-0",
                    "9223372036854775807",
                    "-9223372036854775807",
                    '""',
                    '"é"',
                    '"a b"',
                    "null",
                    "1.0",
                    "1.5",
                    "1e2",
                    "true",
                    "{}",
                    "[]",
                    "18446744073709551616",
                    "9223372036854775808",
                ],
            ),
        ],
    ),
    Scenario(
        name="members that are tolerated",
        steps=[
            OPEN,
            raw("1", more=',"jsonrpc":"2.0"'),
            raw("1", more=',"jsonrpc":"1.0","foo":1'),
            raw("1", more=',"result":5'),
            raw("1", more=',"trace":null'),
            raw("1", more=',"trace":{"traceparent":"x"}'),
            f"   {raw('1')}  \r",
            '{"id":1,"method":"account/read","params":{"a":1,"a":2}}',
        ],
    ),
    Scenario(name="a message with a broken trace", steps=[OPEN, raw("1", more=',"trace":5')]),
    Scenario(
        name="a repeated member",
        steps=[OPEN, '{"id":1,"id":2,"method":"account/read","params":{}}'],
    ),
    Scenario(
        name="deep nesting",
        steps=[
            OPEN,
            '{"id":1,"method":"account/read","params":{"a":' + "[" * 100 + "]" * 100 + "}}",
            '{"id":1,"method":"account/read","params":{"a":' + "[" * 200 + "]" * 200 + "}}",
        ],
    ),
    Scenario(
        name="bytes that are no text",
        steps=[OPEN, b'{"id":"x","method":"account/read","params":{"a":"\xff"}}', READ],
    ),
    Scenario(
        name="answers to no question, and notifications",
        steps=[
            OPEN,
            '{"id":99,"result":{}}',
            '{"id":99,"error":{"code":1,"message":"x"}}',
            '{"method":"initialized"}',
            '{"method":"whatever","params":5}',
            READ,
        ],
    ),
]
