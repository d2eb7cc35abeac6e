"""A typed client: calls in words, news as they come, questions that handlers answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, Unpack, overload

import attrs
import trio

import codex_trio
from codex_trio import protocol as words
from codex_trio.client.link import Link, Undo, open_link
from codex_trio.client.logins import (
    BrowserLogin,
    DeviceCodeLogin,
    open_browser_login,
    open_device_code_login,
)
from codex_trio.client.news import News, Wanted
from codex_trio.client.threads import Thread
from codex_trio.errors import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    AnswerError,
    InvalidParamsError,
    MessageTooLongError,
    RpcError,
    ServerGoneError,
)
from codex_trio.groups import describe_ways, out_of_groups
from codex_trio.protocol import account, handshake, methods, thread_rows
from codex_trio.protocol.codec import Notification, Request
from codex_trio.protocol.structure import structure, structure_newer, unstructure, wire_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from contextlib import AbstractAsyncContextManager

    from codex_trio.protocol.rows import ClientRequest, ServerNotification, ServerRequest
    from codex_trio.wire import Wire

log = logging.getLogger(__name__)

P = TypeVar("P")
Q = TypeVar("Q")
R = TypeVar("R")

Handler: TypeAlias = Callable[[P], Awaitable[R]]
"""Answers a question of the server, given its params."""


@attrs.define(eq=False)
class Client:
    """A client of a server, connected and initialized; made by ``connect``.

    Several tasks may use it at once.
    """

    _tasks: trio.Nursery = attrs.field(repr=False)
    server: handshake.InitializeResponse = attrs.field(init=False)
    """What the server has said of itself."""
    _link: Link = attrs.field(init=False, repr=False)
    _listeners: dict[str, list[News[Any]]] = attrs.field(factory=dict, init=False, repr=False)
    _handlers: dict[str, tuple[ServerRequest[Any, Any], Handler[Any, Any]]] = attrs.field(
        factory=dict, init=False, repr=False
    )
    _gone: str | None = attrs.field(default=None, init=False)

    # --- asking ---

    @overload
    async def call(
        self, row: ClientRequest[None, R], params: None = None, *, undo: Undo | None = None
    ) -> R: ...

    @overload
    async def call(
        self, row: ClientRequest[P, R], params: P, *, undo: Undo | None = None
    ) -> R: ...

    @overload
    async def call(
        self, row: str, params: object = None, *, undo: Undo | None = None
    ) -> Any: ...

    async def call(
        self,
        row: ClientRequest[Any, Any] | str,
        params: Any = None,
        *,
        undo: Undo | None = None,
    ) -> Any:
        """Send a request, and return its result.

        What a newer server says besides is passed over, and a name that is new to us, of a plan
        for example, stays the string that it is, or its object plain JSON. When the call is cancelled, the server
        is told so (``$/cancelRequest``, which the original ignores), and nobody waits for what
        it makes of that.

        Args:
            row: a row of ``codex_trio.protocol.methods``; or the name of a method, with plain
                JSON for params and result.
            params: the words of the row; fields that are None are left out if that is what
                they are by default.
            undo: is awaited with the result when the call has been cancelled and has succeeded
                all the same. A cancelled call waits two seconds for that, shielded.

        Raises:
            RpcError: the server answered with an error.
            MessageTooLongError: what is asked is longer than a websocket can send (16 MiB).
            AnswerError: it answered with something else than the row says.
            ServerGoneError: it hung up, or the block of ``connect`` was left.
        """
        if isinstance(row, str):
            return await self._link.request(row, params, undo)

        async def undo_words(raw: object) -> None:
            assert undo is not None
            await undo(_read_result(row, raw))

        raw = await self._link.request(row.name, spoken(params), undo and undo_words)
        return _read_result(row, raw)

    # --- listening ---

    @overload
    def notifications(
        self, row: ServerNotification[P], /, *, where: Wanted | None = None
    ) -> AbstractAsyncContextManager[News[P]]: ...

    @overload
    def notifications(
        self,
        row: ServerNotification[P],
        other: ServerNotification[Q],
        /,
        *,
        where: Wanted | None = None,
    ) -> AbstractAsyncContextManager[News[P | Q]]: ...

    @overload
    def notifications(
        self, *rows: ServerNotification[Any], where: Wanted | None = None
    ) -> AbstractAsyncContextManager[News[Any]]: ...

    @asynccontextmanager
    async def notifications(
        self, *rows: ServerNotification[Any], where: Wanted | None = None
    ) -> AsyncGenerator[News[Any]]:
        """Listen to what these rows tell, from the beginning of the block to its end.

        What nobody listens to is dropped. ``where`` picks some by their plain params; it is
        called for each as it comes in, and must not wait. What it raises is raised by the
        iteration, where the notification would have been.

        Raises:
            ValueError: there are no rows.
        """
        if not rows:
            raise ValueError("no notifications to listen to")
        told: News[Any] = News({row.name: row for row in rows}, where)
        with self.listening(told) as news:
            yield news

    @contextmanager
    def listening(self, news: News[P]) -> Generator[News[P]]:
        """Have what the server tells put into ``news`` within the block."""
        for method in news.rows:
            self._listeners.setdefault(method, []).append(news)
        if self._gone is not None:
            news.end(self._gone)
        try:
            yield news
        finally:
            for method in news.rows:
                self._listeners[method].remove(news)
            news.close()

    # --- answering ---

    def answers(self, row: ServerRequest[P, R], handler: Handler[P, R]) -> None:
        """Let ``handler`` answer a question of the server, until the client is closed.

        It runs as a task of its own. An ``RpcError`` of its becomes the answer; any other
        exception becomes ``-32603`` without its text, and a line in the log. A question that
        nobody answers is refused with ``-32601``. The last handler of a row is the one that
        counts.
        """
        self._handlers[row.name] = row, handler

    async def _answer(self, question: Request) -> None:
        answer: dict[str, object] = {"id": question.id}
        try:
            answer["result"] = await self._ask_handler(question)
        except RpcError as error:
            said = {"code": error.code, "message": error.message, "data": error.data}
            answer["error"] = {key: value for key, value in said.items() if value is not None}
        try:
            try:
                await self._link.say(answer)
            except (MessageTooLongError, TypeError) as error:  # or JSON has no word for it
                log.error("%s failed: %s", question.method, describe_ways(error))  # noqa: TRY400 - as below
                is_long = isinstance(error, MessageTooLongError)
                text = f"the answer is too long: {error}" if is_long else "Internal error"
                failed = {"code": INTERNAL_ERROR, "message": text}
                await self._link.say({"id": question.id, "error": failed})
        except ServerGoneError:
            log.debug("%s: nobody is left to take the answer", question.method)

    async def _ask_handler(self, question: Request) -> object:
        if question.method not in self._handlers:
            raise RpcError(METHOD_NOT_FOUND, f"`{question.method}` is not answered here")
        row, handler = self._handlers[question.method]
        try:
            params = question.params
            if row.params is not None:
                params = structure(params, row.params)
            return unstructure(await handler(params))
        except RpcError:
            raise
        except Exception as error:
            # Its text may quote what it failed on, a token for example.
            log.error("%s failed: %s", question.method, describe_ways(error))  # noqa: TRY400 - see above
            raise RpcError.internal() from None

    # --- what takes more than one request, or is said all the time ---

    async def login_with_api_key(self, api_key: str) -> None:
        """Sign in with an API key, which is stored as it is given.

        Raises:
            RpcError: the server refuses.
        """
        params = account.ApiKeyLoginAccountParams(api_key=api_key)
        await self.call(methods.LOGIN_START, params)

    def login_with_browser(self) -> AbstractAsyncContextManager[BrowserLogin]:
        """Sign in through a browser, which has to open ``auth_url`` within the block.

        ``await login.wait_completed()`` waits until somebody has signed in. Leaving the block
        earlier gives the sign-in up, two seconds at most are waited for that; so does a
        cancellation, also one of entering the block.

        Raises:
            RpcError: the server refuses.
        """
        return open_browser_login(self)

    def login_with_device_code(self) -> AbstractAsyncContextManager[DeviceCodeLogin]:
        """Sign in with ``user_code``, to be typed at ``verification_url``; see above."""
        return open_device_code_login(self)

    async def logout(self) -> None:
        """Sign out, whoever is signed in.

        Raises:
            RpcError: the credentials could not be removed.
        """
        await self.call(methods.LOGOUT)

    async def start_thread(
        self, *, cwd: str | None = None, model: str | None = None, **more: Any
    ) -> Thread:
        """Begin a conversation.

        Args:
            cwd: the folder it is about, on the server's machine; the server's by default.
            model: who answers; as configured by default.
            **more: fields of ``codex_trio.protocol.threads.ThreadStartParams``.

        Raises:
            RpcError: the server refuses.
        """
        params = words.threads.ThreadStartParams(cwd=cwd, model=model, **more)
        begun = await self.call(thread_rows.THREAD_START, params)
        return Thread(self, begun.thread, begun.model)

    async def resume_thread(self, thread_id: str, **more: Any) -> Thread:
        """Go on with a conversation.

        Args:
            thread_id: which.
            **more: fields of ``codex_trio.protocol.threads.ThreadResumeParams``.

        Raises:
            RpcError: there is no such thread, or another server writes to it.
        """
        params = words.threads.ThreadResumeParams(thread_id=thread_id, **more)
        resumed = await self.call(thread_rows.THREAD_RESUME, params)
        return Thread(self, resumed.thread, resumed.model)

    # --- what the link calls ---

    def _hear(self, message: Request | Notification, size: int) -> None:
        if isinstance(message, Request):
            self._tasks.start_soon(self._answer, message, name=message.method)
            return
        listeners = self._listeners.get(message.method)
        if not listeners and message.method == methods.CONFIG_WARNING.name:
            # It is told right behind the handshake, before anybody can listen.
            # Not its details, which quote.
            said = message.params if isinstance(message.params, dict) else {}
            log.warning("the server warns of its configuration: %s", said.get("summary"))
        for news in listeners or ():
            news.put(message.method, message.params, size)

    def _end(self, reason: str) -> None:
        self._gone = reason
        for listeners in self._listeners.values():
            for news in listeners:
                news.end(reason)

    async def _initialize(
        self,
        link: Link,
        info: handshake.ClientInfo,
        capabilities: handshake.InitializeCapabilities,
    ) -> None:
        self._link = link
        params = handshake.InitializeParams(client_info=info, capabilities=capabilities)
        self.server = await self.call(methods.INITIALIZE, params)
        await link.say({"method": "initialized"})


def spoken(params: Any) -> Any:
    """Turn words into plain JSON; what is None is left out if it is that by default.

    So an older server is not told of what it does not know, and null is still said where it
    means something else than nothing.
    """
    fields = unstructure(params)
    if attrs.has(type(params)):
        for field in attrs.fields(type(params)):
            if field.default is None and getattr(params, field.name) is None:
                fields.pop(wire_name(field), None)
    return fields


def _read_result(row: ClientRequest[Any, R], raw: object) -> R:
    if row.result is None:
        return raw  # type: ignore[return-value]  # plain JSON, as the row has no words
    try:
        result: R = structure_newer(raw, row.result)
    except InvalidParamsError as error:
        raise AnswerError(f"{row.name}: the server's answer cannot be read", error) from None
    return result


class Introduction(TypedDict, total=False):
    """Who connects, and what it wants to hear; see ``open_client``."""

    name: str
    version: str
    title: str | None
    experimental: bool
    opt_out: Sequence[str]


@asynccontextmanager
async def open_client(
    wire: Wire, **introduction: Unpack[Introduction]
) -> AsyncGenerator[Client]:
    """Speak to a server over a wire; leaving the block hangs up, and closes the wire.

    Leaving cancels the handlers that still answer. What has been said has a second to be taken.

    Args:
        wire: where the server is.
        **introduction: ``name``, ``version`` and ``title`` say who connects, ours by default; the
            name is also what OpenAI gets to know. ``experimental`` is whether to hear and ask for
            what is experimental, ``opt_out`` has methods of notifications that are not wanted.

    Raises:
        RpcError: the server refuses.
        ServerGoneError: it hangs up.
    """
    info = handshake.ClientInfo(
        name=introduction.get("name", "codex_trio"),
        title=introduction.get("title"),
        version=introduction.get("version", codex_trio.__version__),
    )
    capabilities = handshake.InitializeCapabilities(
        experimental_api=introduction.get("experimental", False),
        opt_out_notification_methods=list(introduction.get("opt_out", ())) or None,
    )
    with out_of_groups(1):
        async with trio.open_nursery() as tasks:
            client = Client(tasks)
            async with open_link(wire, client._hear, client._end) as link:
                await client._initialize(link, info, capabilities)
                yield client
            # Not before: within the block, this would cancel what the link says in the end.
            tasks.cancel_scope.cancel(reason="the client hangs up")
