"""JSON that we pass on as it came: its types in the schema, and no words of ours."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from codex_trio.protocol.words import AsItCame

AppInfo: TypeAlias = Annotated[object, AsItCame("AppInfo")]
AsyncUserInputQuestion: TypeAlias = Annotated[object, AsItCame("AsyncUserInputQuestion")]
CodexErrorInfo: TypeAlias = Annotated[object, AsItCame("CodexErrorInfo")]
Config: TypeAlias = Annotated[object, AsItCame("Config")]
ConfigRequirements: TypeAlias = Annotated[object, AsItCame("ConfigRequirements")]
DynamicToolSpec: TypeAlias = Annotated[object, AsItCame("DynamicToolSpec")]
FunctionCallOutputBody: TypeAlias = Annotated[object, AsItCame("FunctionCallOutputBody")]
HookMetadata: TypeAlias = Annotated[object, AsItCame("HookMetadata")]
MarketplaceLoadErrorInfo: TypeAlias = Annotated[object, AsItCame("MarketplaceLoadErrorInfo")]
McpServerInfo: TypeAlias = Annotated[object, AsItCame("McpServerInfo")]
MemoryCitation: TypeAlias = Annotated[object, AsItCame("MemoryCitation")]
PluginMarketplaceEntry: TypeAlias = Annotated[object, AsItCame("PluginMarketplaceEntry")]
RequestId: TypeAlias = Annotated[str | int, AsItCame("RequestId")]
Resource: TypeAlias = Annotated[object, AsItCame("Resource")]
ResourceTemplate: TypeAlias = Annotated[object, AsItCame("ResourceTemplate")]
ResponseItem: TypeAlias = Annotated[object, AsItCame("ResponseItem")]
SelectedCapabilityRoot: TypeAlias = Annotated[object, AsItCame("SelectedCapabilityRoot")]
SessionSource: TypeAlias = Annotated[object, AsItCame("SessionSource")]
ThreadExtra: TypeAlias = Annotated[object, AsItCame("ThreadExtra")]
Tool: TypeAlias = Annotated[object, AsItCame("Tool")]
WebSearchAction: TypeAlias = Annotated[object, AsItCame("WebSearchAction")]
