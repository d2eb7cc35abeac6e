"""What a user says: texts, pictures, and what else a client may send."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from tests.threads.conversing import Conversation, Ear, said

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn, WireClient

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
NOT_READ = "Codex could not read the local image at `{}`: {}"
NOT_AN_IMAGE = "image content omitted because it could not be processed"


async def parts_of(talk: Conversation, stand_in: StandIn, *inputs: Any) -> Any:
    """Say something, and return what the model is told of it."""
    params = {"threadId": talk.id, "input": [*inputs]}
    await talk.client.call("turn/start", params)
    await talk.ended()
    return stand_in.response_requests[-1].input[-1]["content"]


async def test_a_text_may_be_as_long_as_it_may_be(
    talk: Conversation, stand_in: StandIn
) -> None:
    (part,) = await parts_of(talk, stand_in, *said("é" * 2**20))
    assert len(part["text"]) == 2**20


async def test_a_longer_one_is_refused(talk: Conversation, ear: Ear, stand_in: StandIn) -> None:
    half = {"type": "text", "text": "x" * 2**19}
    with pytest.raises(RpcError, match="exceeds the maximum length of 1048576") as caught:
        await parts_of(talk, stand_in, half, half, {"type": "text", "text": "x"})
    assert caught.value.code == -32602
    assert caught.value.data == {
        "input_error_code": "input_too_large",
        "max_chars": 1048576,
        "actual_chars": 1048577,
    }
    assert "turn/started" not in ear.methods
    await talk.run()


async def test_a_picture_of_ten_megabytes_is_passed_on(
    talk: Conversation, stand_in: StandIn
) -> None:
    url = "data:image/png;base64," + "A" * 10_000_000
    (part,) = await parts_of(talk, stand_in, {"type": "image", "url": url})
    assert part == {"type": "input_image", "image_url": url, "detail": "high"}
    await talk.run("and what is this?")


async def test_a_picture_elsewhere_is_refused(talk: Conversation, stand_in: StandIn) -> None:
    with pytest.raises(RpcError, match="remote image URLs are not supported"):
        await parts_of(talk, stand_in, {"type": "image", "url": "https://example.com/a.png"})


@pytest.mark.parametrize(
    ("detail", "sent"), [(None, "high"), ("auto", "auto"), ("high", "high")]
)
async def test_how_closely_it_is_looked_at_is_passed_on(
    talk: Conversation, stand_in: StandIn, detail: str | None, sent: str
) -> None:
    (part,) = await parts_of(talk, stand_in, {"type": "image", "url": URL, "detail": detail})
    assert part["detail"] == sent


async def test_a_glance_is_not_offered(talk: Conversation, stand_in: StandIn) -> None:
    (part,) = await parts_of(talk, stand_in, {"type": "image", "url": URL, "detail": "low"})
    assert part["text"].startswith("image content omitted because detail 'low'")


async def test_pictures_on_disk_are_read_and_numbered(
    talk: Conversation, stand_in: StandIn, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    picture = {"type": "localImage", "path": str(path)}
    parts = await parts_of(talk, stand_in, picture, *said("and"), picture)
    assert [part.get("text") for part in parts] == [
        f'<image name=[Image #1] path="{path}">', None, "</image>", "and",
        f'<image name=[Image #2] path="{path}">', None, "</image>",
    ]  # fmt: skip
    assert parts[1]["image_url"] == URL


async def test_what_cannot_be_read_is_told_of(
    talk: Conversation, stand_in: StandIn, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")  # which nobody writes to
    for name in ("nothing", "", "nul\0", "pipe"):
        path = f"{tmp_path}/{name}"
        (part,) = await parts_of(talk, stand_in, {"type": "localImage", "path": path})
        assert part["text"].startswith(NOT_READ.format(path, ""))


async def test_what_is_no_picture_is_told_of(
    talk: Conversation, stand_in: StandIn, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")  # which nobody writes to
    (tmp_path / "text").write_text("no picture", encoding="utf-8")
    picture = {"type": "localImage", "path": f"{tmp_path}/text"}
    _, part, _ = await parts_of(talk, stand_in, picture)
    assert part["text"] == NOT_AN_IMAGE
    pipe = f"{tmp_path}/pipe"
    (part,) = await parts_of(talk, stand_in, {"type": "localImage", "path": pipe})
    assert part["text"].startswith(f"Codex could not read the local image at `{pipe}`: ")


@pytest.mark.parametrize(
    ("magic", "kind"),
    [
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
    ],
)
async def test_pictures_are_known_by_how_they_begin(
    talk: Conversation, stand_in: StandIn, tmp_path: Path, magic: bytes, kind: str
) -> None:
    (tmp_path / "picture").write_bytes(magic)
    params = {"type": "localImage", "path": f"{tmp_path}/picture", "detail": "original"}
    _, part, _ = await parts_of(talk, stand_in, params)
    assert part["image_url"].startswith(f"data:{kind};base64,")
    params["detail"] = "low"
    _, part, _ = await parts_of(talk, stand_in, params)
    assert "detail 'low' is not supported" in part["text"]


async def test_skills_and_mentions_are_shown_and_say_nothing(
    talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    skill = {"type": "skill", "name": "s", "path": "/s"}
    mention = {"type": "mention", "name": "m", "path": "app://m"}
    (part,) = await parts_of(talk, stand_in, skill, mention, *said("use them"))
    assert part["text"] == "use them"
    shown = ear.of("item/started")[0]["item"]["content"]
    assert [one["type"] for one in shown] == ["skill", "mention", "text"]


async def test_what_nobody_can_hear_is_said_to_be_missing(
    talk: Conversation, stand_in: StandIn
) -> None:
    audio = {"type": "audio", "url": "data:audio/wav;base64,AAAA"}
    (part,) = await parts_of(talk, stand_in, audio)
    assert "audio content omitted" in part["text"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"type": "nope"}], "unknown variant `nope`"),
        ("hi", "invalid type: string"),
        (None, "missing field `input`"),
    ],
)
async def test_what_is_no_input_is_refused(
    client: WireClient, talk: Conversation, given: Any, message: str
) -> None:
    params = {"threadId": talk.id, **({} if given is None else {"input": given})}
    with pytest.raises(RpcError, match=message):
        await client.call("turn/start", params)


async def test_a_picture_that_was_never_looked_at_is_named_in_the_history(
    talk: Conversation, stand_in: StandIn, tmp_path: Path
) -> None:
    """The turn is interrupted before the file is read."""
    picture = {"type": "localImage", "path": str(tmp_path / "a.png")}
    params = {"threadId": talk.id, "input": [picture, *said("look")]}
    await talk.client.call("turn/start", params)
    await talk.interrupt()
    await talk.ended("interrupted")
    await talk.run("at this")
    texts = stand_in.response_requests[-1].input_texts("user")
    assert f"image content omitted: {tmp_path / 'a.png'}" in texts
