"""What a user says in a turn, as the model is told it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codex_trio.errors import RpcError, os_error_text
from codex_trio.plain_files import open_plain
from codex_trio.protocol import items as words

if TYPE_CHECKING:
    from collections.abc import Sequence

Part: TypeAlias = dict[str, Any]
"""A part of a message, in the words of the Responses API."""

INVALID_PARAMS: Final = -32602

MAX_CHARACTERS: Final = 2**20
"""Characters that the texts of one turn may have, all together (observed)."""

MAX_IMAGE: Final = 32 * 2**20
"""Bytes that an image on disk may have."""

_DETAILS: Final = ("high", "original", "auto")

_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def check_inputs(inputs: Sequence[words.UserInput]) -> None:
    """Refuse what no model could be told.

    Raises:
        RpcError: it is too long, or an image is somewhere on the network (texts observed).
    """
    length = sum(len(one.text) for one in inputs if isinstance(one, words.TextUserInput))
    if length > MAX_CHARACTERS:
        raise RpcError(
            INVALID_PARAMS,
            f"Input exceeds the maximum length of {MAX_CHARACTERS} characters.",
            {
                "input_error_code": "input_too_large",
                "max_chars": MAX_CHARACTERS,
                "actual_chars": length,
            },
        )
    for one in inputs:
        if isinstance(one, words.ImageUserInput) and (one.url or "").startswith("http"):
            raise RpcError.invalid_request(
                "remote image URLs are not supported; use an inline data URL instead"
            )


def read_parts(inputs: Sequence[words.UserInput], cwd: str) -> list[Part]:
    """Make the parts of the message that tells a model what the user says. Blocks.

    Images on disk are read; one that cannot be is told of in words. Skills and mentions say
    nothing by themselves (observed).
    """
    parts: list[Part] = []
    images = 0
    for one in inputs:
        match one:
            case words.TextUserInput():
                parts.append(text_part(one.text))
            case words.ImageUserInput():
                parts.append(_image_part(one))
            case words.LocalImageUserInput():
                images += 1
                parts += _read_image(one, images, cwd)
            case words.AudioUserInput() | words.LocalAudioUserInput():
                parts.append(text_part("audio content omitted because it is not supported"))
            case _:
                pass
    return parts


def shown_parts(inputs: Sequence[words.UserInput]) -> list[Part]:
    """Make the parts without looking at files: of images on disk, only their names are told."""
    parts: list[Part] = []
    for one in inputs:
        if isinstance(one, words.LocalImageUserInput):
            parts.append(text_part(f"image content omitted: {one.path}"))
        else:
            parts += read_parts([one], "")
    return parts


def needs_reading(inputs: Sequence[words.UserInput]) -> bool:
    """Say whether files have to be read."""
    return any(isinstance(one, words.LocalImageUserInput) for one in inputs)


def text_part(text: str) -> Part:
    """Make a part that is text."""
    return {"type": "input_text", "text": text}


def _image_part(image: words.ImageUserInput) -> Part:
    if image.detail is not None and image.detail not in _DETAILS:
        return _omitted(image.detail)
    part: Part = {"type": "input_image", "detail": image.detail or "high"}
    if image.url is None:
        return {**part, "file_id": image.file_id}
    return {**part, "image_url": image.url}


def _omitted(detail: str) -> Part:
    return text_part(
        f"image content omitted because detail '{detail}' is not supported;"
        " use 'high', 'original', or 'auto'"
    )


def _read_image(image: words.LocalImageUserInput, number: int, cwd: str) -> list[Part]:
    path = Path(cwd, image.path)
    try:
        with open_plain(path) as file:
            data = file.read(MAX_IMAGE + 1)
    except (OSError, ValueError) as error:
        reason = os_error_text(error) if isinstance(error, OSError) else "not a path"
        return [text_part(f"Codex could not read the local image at `{image.path}`: {reason}")]
    opening = text_part(f'<image name=[Image #{number}] path="{image.path}">')
    return [opening, _described(image, data), text_part("</image>")]


def _described(image: words.LocalImageUserInput, data: bytes) -> Part:
    kind = next((kind for magic, kind in _KINDS if data.startswith(magic)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None or len(data) > MAX_IMAGE:
        return text_part("image content omitted because it could not be processed")
    if image.detail is not None and image.detail not in _DETAILS:
        return _omitted(image.detail)
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "input_image", "image_url": url, "detail": image.detail or "high"}
