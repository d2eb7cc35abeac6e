"""The page of the documentation that shows the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.fairness import PAUSE
from benchmarks.flood import IN_FLIGHT as GREEDY_FLIGHT
from benchmarks.guests import AT_A_TIME
from benchmarks.loaded import MORE
from benchmarks.plot import write_plot
from benchmarks.refresh import HANGING, PROCESSES, TASKS
from benchmarks.report import HEADINGS, cells, machine, number, proportions
from benchmarks.upstream import DELTAS, LONG, MEDIUM, PACE, SHORT
from benchmarks.wires import REST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.figures import Results
    from benchmarks.plan import Plan

_DOCS: Final = Path(__file__).parents[1] / "docs"

_TEXT: Final = """\
% Written by `python -m benchmarks --write-docs`; changes made here will be lost.

# Performance

What does it cost a client to have codex-trio behind it instead of the genuine server? Both are
started by the same script, in turn, and hear the same lines from the same client.

The **ratios** are what to take from this page. The two values of a ratio were measured within
seconds of each other, so whatever else the machine was doing has hit both. The absolute figures
hold for one machine on one day: do not compare them with those of another run.

{table}

Less is better, except where the target is a “≥” and in all figures per second. A target is one
for the ratio, unless it says “ours”. The ratio is the middle one of the ratios of all rounds;
the range is from the smallest to the largest of them.

{remarks}

![The ratios ours/genuine of the table on a logarithmic scale, with the targets.](performance.svg)

## What is measured

- **Start to first answer**: from starting the process until it has answered `initialize` and,
  after `initialized`, `account/read`. “Files in memory” means that the system has all files in
  its cache, after {warm_ups} that did not count. “Files on disk” means that everything the
  process loads was dropped from the cache just before, except for the C library; how much it
  then read stands in the line below. On a virtual machine the disk may have a cache of its own,
  and on a slower disk the larger program loses more.
- **Until gone**: from closing the server's input, or from SIGTERM, until its process has ended.
  “At once” is right behind the first answer, “later” and SIGTERM come {settle} after it.
- **Memory**: after the first answers and {settle} of rest. PSS counts a page that several
  processes share in equal parts; RSS counts it in full for each of them.
- **`account/read`, one after the other**: the next request is sent when the last is answered.
  The client's own time is in it.
- **`account/read`, so many in flight**: as many new requests are sent as answers have come in.
  Only good answers count. Those that were refused because too many were waiting have a line of
  their own, where there were any.
- **API key login and logout**: sign in, with the answer and both notifications; sign out, with
  the answer and the notification. The key is written to a file, and the file is removed. Ours
  waits until the key is on the disk, the genuine server does not.
- **One refresh**: `getAuthStatus` with `refreshToken`, one after the other, with an issuer on this
  machine. Ours waits until the new tokens are on the disk, and notes before that it is about to use
  the old one; the genuine server does neither.
- **`account/read` while a refresh hangs**: one request after the other for {hanging}, in which the
  issuer does not answer. A server that lets them wait for the refresh needs all of that time.
- **400 who want new tokens at once**: {processes} processes with one home, and in each of them
  {tasks} requests to renew the tokens, before the issuer, which takes a moment, has answered any of
  them; {herds} times. Every exchange but the first is one too many: a refresh token counts once, and
  the issuer ends the session in which one is shown again (RFC 9700, section 4.14.2). A process counts
  as signed out that does not have the stored token then. If there are any, the home is signed in
  again before the next time.
- **Cancel**: a sign-in through a browser has begun and come to rest, and its client cancels it.
  Measured is from the request until the reply (“canceled”), until the notification that it is
  completed, and until a server could listen on its port again. “Port not free at the reply” is
  how often none could when the reply came, of {cancels:,} times: who believes that reply and
  starts again may then find the port taken.
- **Start and cancel**: the same, one after the other. “Until the port is free” starts again
  when it is, “until completed” at once, as clients do. The genuine server then meets the port
  that it has not freed yet, and waits for it.
- **After 200 of them**: what has come to the process since its first answers: threads, open
  files, and what it has allocated (memory that is not of files). **After many more**: what
  {endurance:,} more have added to ours.
- **Many logins**: {crowd:,} device-code logins that wait at once in one process of ours, each
  with a desk and an account scope of its own, through the Python API. Memory is what the
  process allocates for them. They are cancelled one desk after the other; “others wait
  meanwhile” is the longest time by which another task of the process, which sleeps for a
  millisecond again and again, sleeps too long. The genuine server has one sign-in at a time.
- **Memory with one thread**: {settle} after the first answers, and after one turn. Each of the
  {loaded} further threads has had a turn, too, and waits for its next.
- **Turn**: from `turn/start` until the first delta, and until `turn/completed`; {turns} turns of
  one thread, one after the other, of which {short} deltas come each. A host of models on this
  machine answers with bytes made beforehand. What it takes by itself, asked directly,
  {host} in the middle, has been taken off. The record of the thread is on.
- **Turn with a 401 and a refresh**: the same, but that the host refuses the token of the last
  turn; the tokens are renewed at a stand-in for the issuer, stored, and the host is asked again.
  Nothing is taken off.
- **Deltas**: of an answer of {long:,} deltas that the host gives as fast as it is read, each in a
  chunk of its own; from the first that the client sees to the last. The answers at once have
  {medium:,} deltas each. Ours joins deltas of the same text while there is more to be sent than
  the client has taken, so that they come in fewer notifications. All of the text has come, or
  it would not count.
- **Processor time of a delta**: user and system time of the server's process for such an
  answer, divided by the deltas. In life, they come one by one: where the host gives one every
  {pace:g} ms, nothing is joined, and waking up is most of the work.
- **Interrupt**: `turn/interrupt` while the host says nothing: after {short} deltas, or before the
  head of its answer.
- **First page of many threads**: the newest 25 of {threads:,} threads on disk, the same files for
  both servers. “At first” is the first thing that a new process is asked about threads, {settle}
  after its first answers, “again” is later. The servers have seen these files before, in an
  earlier process.
- **Memory with so many connections**: of websockets, each of which has been initialized, and is
  idle; {rest} after the last was opened. The memory of one is what {connections:,} have added, divided;
  “that have asked” is the same, behind the requests of the lines below. Kept is what is left of
  that {rest} after all have closed, “when others have, too” how much more it is after as many again.
  In what ours keeps nothing is in use; it is in pieces that Python cannot give back, and will use next.
- **Connections opened**: {at_a_time} at a time are on their way, until so many are open. “With
  initialize” is until that is answered, “without” until the handshake of websockets is. Ours has
  one thread for them, the genuine server has several.
- **`account/read` of so many connections**: each of them sends its next request when the last is
  answered, well or not. Good answers count; those that were refused, and requests that were never
  answered, have lines of their own.
- **Over one websocket**: as over standard streams above, one frame for each message.
- **`account/read` now and then**: a client of its own pauses {pause:g} ms between an answer and the next
  request; only good answers count, and how many were refused stands below. **Beside one who reads
  nothing**: another client sends requests for as long as they are taken from it, and reads none of the
  answers; when it is thrown out, it comes back. **Beside one with {greedy} in flight**: another client sends
  a request for every answer. Both are processes of their own, on the same processors.
- **Within the process**: server and client share a process and a thread, and exchange messages in
  memory; for the genuine server, which cannot be had so, stands what it takes over standard streams.
  Typed calls have words for params and result. In a program on asyncio, Trio runs in a thread beside.

## How it is measured

Every round measures ours, then the genuine server; where sign-ins are cancelled, both are
running, and take turns. Tokens that many want at once are renewed first by all of ours, then by
all genuine servers. There are {warm_starts} rounds of starts with files in memory,
{cold_starts} with files on disk, {talks} with threads that are answered, {listings} with lists of
threads, {wires} with websockets and within a process, and {sessions} of everything else; many logins, and many cycles more, are measured
once. Each server gets a new home, and no key in its environment. All but the starts is
measured at least {settle} after the first answer, for the genuine server goes
on starting after it.

The client is one thread that writes lines or frames made beforehand, and counts the answers
without reading them. For a thousand connections it takes some 0.01 ms for an answer, and
0.09 ms to open one: a fifth of what the faster server takes, or less. It shares the processors
with the server. With two processors or more, a server of
one thread such as ours loses little by that; one of several threads may lose some.

The genuine server is a complete agent. At its start it also opens databases and writes files
that account methods do not need, and ours does nothing of that kind. So this page compares what
a client of these methods waits for and pays, not how well two programs do the same work.

Measured on: {machine}.

## Rough treatment

What becomes of a server that is treated badly is not compared but counted, by [the torture
session](torture.md):

```{{include}} torture.md
:start-after: "% figures"
```

## Measure it yourself

From a checkout, with the genuine server from PyPI:

```console
$ nox -s benchmarks
```

`nox -s benchmarks -- --quick` shows in about three minutes that all of it runs. `--only spawn,memory`
measures a part, `--json FILE` keeps every sample, and `--write-docs` writes this page.
"""


def write_page(results: Results, plan: Plan) -> None:
    """Write the page and its plot."""
    _DOCS.mkdir(exist_ok=True)
    write_plot(results, _DOCS / "performance.svg")
    text = _TEXT.format(
        table=_table([HEADINGS, *map(cells, results.rows())]),
        remarks="\n".join(_remarks(results)),
        warm_ups=f"{plan.warm_ups} starts" if plan.warm_ups > 1 else "one start",
        settle=f"{plan.effort.settle:g} s",
        warm_starts=plan.warm_starts,
        cold_starts=plan.cold_starts,
        sessions=plan.sessions,
        talks=plan.talks,
        listings=plan.listings,
        cancels=plan.sessions * plan.effort.cancels,
        endurance=plan.endurance,
        crowd=plan.crowd,
        herds=plan.herds,
        processes=PROCESSES,
        tasks=TASKS,
        hanging=f"{HANGING:g} s",
        loaded=MORE,
        turns=plan.talks * plan.effort.turns,
        short=DELTAS[SHORT],
        long=DELTAS[LONG],
        medium=DELTAS[MEDIUM],
        host=_host_time(results),
        pace=PACE * 1000,
        threads=plan.threads,
        wires=plan.wires,
        connections=plan.connections,
        rest=f"{REST:g} s",
        at_a_time=AT_A_TIME,
        pause=PAUSE * 1000,
        greedy=GREEDY_FLIGHT,
        machine=", ".join(machine()),
    )
    (_DOCS / "performance.md").write_text(text, encoding="utf-8")


def _host_time(results: Results) -> str:
    microseconds = results.median("turn_host", "ours")
    assert microseconds is not None  # a page has all groups
    return f"{number(microseconds)} \N{MICRO SIGN}s"


def _remarks(results: Results) -> list[str]:
    skipped = [f"Not measured: {reason}." for reason in results.skipped]
    return [f"- {remark}" for remark in (*proportions(results), *skipped)]


def _table(lines: Iterable[Sequence[str]]) -> str:
    heading, *rows = (f"| {' | '.join(line)} |" for line in lines)
    rule = "|---|" + "---:|" * (len(HEADINGS) - 1)
    return "\n".join((heading, rule, *rows))
