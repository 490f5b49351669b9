"""Microsoft's clouds and the base URLs of their services.

Sources. ConfigAPI: the public client terraprovider/go-teams. Graph and Entra ID:
https://learn.microsoft.com/graph/deployments. Bot Framework: the constants of botframework-connector
4.17.1 for the public and the government cloud,
https://learn.microsoft.com/azure/bot-service/bot-service-resources-faq-security for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Cloud(StrEnum):
    PUBLIC = "public"
    GCC_HIGH = "gcch"
    DOD = "dod"
    CHINA = "21vianet"


#: Where SIP Gateway is not available yet. GCC is, and is part of the public cloud here. Source:
#: Microsoft, "Plan for SIP Gateway".
WITHOUT_SIP_GATEWAY = frozenset({Cloud.GCC_HIGH, Cloud.DOD})
#: Where bots can neither receive nor send files. Source: Microsoft, "Send and receive files using a bot".
WITHOUT_BOT_FILES = frozenset({Cloud.GCC_HIGH, Cloud.DOD, Cloud.CHINA})


@dataclass(frozen=True, slots=True)
class Hosts:
    """The services of one cloud."""

    #: Base URL of the Teams ConfigAPI, which has the SIP Gateway.
    configapi: str
    #: Base URL of Microsoft Graph, and resource of its tokens.
    graph: str
    #: Base URL of Entra ID.
    authority: str
    #: Issuer of the connector's tokens, and resource of the bot's own.
    bot: str
    #: Base URL of the Bot Framework Token Service, which keeps delegations.
    token_service: str
    #: Audience of the assertions that serve as an app's federated credential.
    exchange: str
    #: OpenID metadata that names the connector's signing keys.
    signing_keys: str


HOSTS: Mapping[Cloud, Hosts] = MappingProxyType(
    {
        Cloud.PUBLIC: Hosts(
            configapi="https://api.interfaces.records.teams.microsoft.com",
            graph="https://graph.microsoft.com",
            authority="https://login.microsoftonline.com",
            bot="https://api.botframework.com",
            token_service="https://api.botframework.com",  # noqa: S106 - a URL
            exchange="api://AzureADTokenExchange",
            signing_keys="https://login.botframework.com/v1/.well-known/openidconfiguration",
        ),
        Cloud.GCC_HIGH: Hosts(
            configapi="https://api.interfaces.records.gov.teams.microsoft.us",
            graph="https://graph.microsoft.us",
            authority="https://login.microsoftonline.us",
            bot="https://api.botframework.us",
            token_service="https://api.botframework.azure.us",  # noqa: S106
            exchange="api://AzureADTokenExchangeUSGov",
            signing_keys="https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
        ),
        Cloud.DOD: Hosts(
            configapi="https://api.interfaces.records.dod.teams.microsoft.us",
            graph="https://dod-graph.microsoft.us",
            authority="https://login.microsoftonline.us",
            bot="https://api.botframework.us",
            token_service="https://apidod.botframework.azure.us",  # noqa: S106
            exchange="api://AzureADTokenExchangeUSGov",
            signing_keys="https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
        ),
        Cloud.CHINA: Hosts(
            configapi="https://api.interfaces.records.teams.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            authority="https://login.chinacloudapi.cn",
            bot="https://api.botframework.azure.cn",
            token_service="https://token.botframework.azure.cn",  # noqa: S106
            exchange="api://AzureADTokenExchangeChina",
            signing_keys="https://login.botframework.azure.cn/v1/.well-known/openidconfiguration",
        ),
    }
)
