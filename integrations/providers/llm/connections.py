"""Language models of the customers' own, by stored connection: OpenAI or any compatible server, and Ollama."""

from __future__ import annotations

from pydantic import Field, SecretStr

from engine.ports import Completion, Prompt, Rejected
from integrations.connection_types import Credentials, NoCredentials, Settings, connection_type
from integrations.json_api import JsonApi, Reply, refusal_of
from integrations.providers.llm.openai_compatible import OFFICIAL, Config, OpenAiCompatible
from integrations.urls import WebAddress


class OpenAiSettings(Settings):
    base_url: WebAddress = Field(default=OFFICIAL, description="The API's address, up to and with /v1.")
    default_model: str = Field(default="", max_length=200, description="The model for steps that name none.")


class OpenAiSecrets(Credentials):
    api_key: SecretStr = Field(min_length=1)


@connection_type(
    "openai",
    kind="llm",
    title="OpenAI or compatible",
    config=OpenAiSettings,
    credentials=OpenAiSecrets,
    bound=("base_url",),
)
class OpenAi:
    """`LlmPort`."""

    def __init__(self, config: OpenAiSettings, credentials: OpenAiSecrets) -> None:
        self._api = JsonApi(config.base_url, {"Authorization": f"Bearer {credentials.api_key.get_secret_value()}"})
        self._llm = OpenAiCompatible(
            Config(
                api_key=credentials.api_key,
                base_url=config.base_url,
                default_model=config.default_model,
                key_setting="the connection's api_key",
                url_setting="the connection's base_url",
            )
        )

    def check(self, *, timeout: float) -> str:
        """Lists the models."""
        return f"The AI service answered; it offers {_count(self._api.get('/models', timeout=timeout), 'data')} models."

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        return self._llm.complete(prompt, timeout=timeout)


class OllamaSettings(Settings):
    base_url: WebAddress = Field(description="Ollama's address, such as https://ollama.example.com.")
    default_model: str = Field(min_length=1, max_length=200, description="The model for steps that name none.")


@connection_type("ollama", kind="llm", title="Ollama", config=OllamaSettings)
class Ollama:
    """`LlmPort` over Ollama's OpenAI-compatible door."""

    def __init__(self, config: OllamaSettings, credentials: NoCredentials) -> None:
        del credentials
        self._api = JsonApi(config.base_url)
        self._llm = OpenAiCompatible(
            Config(
                base_url=f"{config.base_url}/v1",
                default_model=config.default_model,
                key_setting="whether Ollama asks for a key",
                url_setting="the connection's base_url",
            )
        )

    def check(self, *, timeout: float) -> str:
        """Lists the models that are there."""
        return f"Ollama answered; it has {_count(self._api.get('/api/tags', timeout=timeout), 'models')} models."

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        return self._llm.complete(prompt, timeout=timeout)


def _count(reply: Reply, name: str) -> int:
    if not reply.ok:
        raise refusal_of("The AI service", reply, "", sent=False)
    listed = reply.body.get(name)
    if not isinstance(listed, list):
        raise Rejected("The server's answer is no list of models; check the address.")
    return len(listed)
