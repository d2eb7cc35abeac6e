"""What may differ of the configuration, and of what there is; see ``differences``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_trio.catalogue.model_list import in_words
from codex_trio.catalogue.models import MODELS
from codex_trio.protocol.structure import unstructure
from tests.parity.rules import Rules, Transcript, heard, is_sent, replaced
from tests.parity.thread_differences import results

if TYPE_CHECKING:
    from tests.parity.run import Scenario

CATALOGUE_RULES: Final = Rules()

TEXTS: Final = ("availabilityNux", "description", "upgradeInfo")


@CATALOGUE_RULES.add("own-model-texts")
def models_are_described_in_other_words(_: Scenario, transcript: Transcript) -> Transcript:
    ours = {model["id"]: model for model in unstructure(in_words(MODELS, hidden=True))}
    for result in results(transcript, "data", "nextCursor"):
        for model in result["data"]:
            if "supportedReasoningEfforts" not in model:
                continue
            known = ours[model["id"]]
            model.update({name: known[name] for name in TEXTS})
            for name in ("supportedReasoningEfforts", "serviceTiers"):
                for one, told in zip(model[name], known[name], strict=True):
                    one["description"] = told["description"]
    return transcript


@CATALOGUE_RULES.add("no-tools-of-hosts")
def models_have_no_tools_of_their_hosts(_: Scenario, transcript: Transcript) -> Transcript:
    for result in results(transcript, "webSearch", "imageGeneration"):
        result.update(webSearch=False, imageGeneration=False)
    return transcript


@CATALOGUE_RULES.add("no-features")
def there_are_no_features_to_switch(_: Scenario, transcript: Transcript) -> Transcript:
    for result in results(transcript, "config", "origins"):
        result["config"]["features"] = None
    return transcript


@CATALOGUE_RULES.add("no-system-skills")
def no_skills_come_with_the_server(_: Scenario, transcript: Transcript) -> Transcript:
    for result in results(transcript, "data"):
        for entry in result["data"]:
            if isinstance(entry, dict) and "skills" in entry:
                entry["skills"] = [one for one in entry["skills"] if one["scope"] != "system"]
    return transcript


@CATALOGUE_RULES.add("no-mcp-servers")
def no_thread_has_servers_of_its_own(_: Scenario, transcript: Transcript) -> Transcript:
    asked = False
    for entry in transcript:
        if isinstance(entry, dict) and "-->" in entry:
            asked = is_sent(entry, '"mcpServerStatus/list", "params": {"threadId"')
        elif asked and "error" in heard(entry):
            entry["<--"] = {"id": 3, "result": {"data": [], "nextCursor": None}}
    return transcript


@CATALOGUE_RULES.add("no-sections")
def there_are_no_sections(_: Scenario, transcript: Transcript) -> Transcript:
    for result in results(transcript, "data"):
        result["data"] = [
            one
            for one in result["data"]
            if not isinstance(one, dict) or one.keys() != {"id", "name", "appearance"}
        ]
    return transcript


@CATALOGUE_RULES.add("comments-stay")
def a_comment_stays_when_its_key_goes(_: Scenario, transcript: Transcript) -> Transcript:
    for entry in transcript:
        if isinstance(entry, dict) and entry.get("act") == "config.toml":
            text = str(entry["comes to"])
            if text.startswith("approval_policy"):
                entry["comes to"] = f"# a comment\n{text}"
    return transcript


@CATALOGUE_RULES.add("no-links")
def no_other_project_is_pointed_to(_: Scenario, transcript: Transcript) -> Transcript:
    link = r"More info: https://github\.com/openai/\S+\n"
    return [replaced(entry, link, "") for entry in transcript]
