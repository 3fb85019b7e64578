"""The only reader of the environment. Every setting is `MEMSVC_<NAME>`; `docs/settings.md` lists them all."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from gpu.cores import usable_cores
from gpu.device.rules import DEVICE_FROM, LISTS_FROM
from gpu.large.rules import LARGE_FROM
from memsvc.core.errors import StartupRefused
from memsvc.core.secret_files import SecretFiles

PREFIX = "MEMSVC_"
Family = Literal["credential", "card", "iban", "email", "phone"]
"""What screening looks for, see `memsvc.screening`."""
Action = Literal["off", "flag", "redact", "reject"]
"""What is done about it."""
_HOT_RECALL_S = 5.0
# Read by the client, which shares the environment with the server on a laptop.
CLIENT_NAMES = frozenset({"MEMSVC_URL", "MEMSVC_API_KEY", "MEMSVC_API_KEY_FILE", "MEMSVC_NAMESPACE"})


class Settings(BaseSettings):
    """How this process runs. Unknown names and wrong values refuse to start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("memsvc")),
        description="Folder for the SQLite file, its lock and the server secret.",
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of PostgreSQL; without it an SQLite file in `data_dir`."
    )
    migrate_database_url: str | None = Field(
        default=None,
        description="The same PostgreSQL by the role that owns the tables: `memsvc migrate` changes the schema with it "
        "and lets the role of MEMSVC_DATABASE_URL, which it makes if there is none, do its work and no more. Without "
        "it one role does both.",
    )
    database_pool: int | None = Field(
        default=None,
        ge=1,
        description="Connections to the database that a process keeps open; to PostgreSQL as many again under load. "
        "Default: `request_threads` + 4.",
    )
    database_pool_timeout_s: float = Field(
        default=5.0, gt=0.0, le=60.0, description="How long a request waits for one of them before it is refused (503)."
    )
    database_statement_timeout_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, description="How long one statement may take on PostgreSQL (503)."
    )
    database_lock_timeout_s: float = Field(
        default=10.0, gt=0.0, le=3600.0, description="How long a statement waits for a lock on PostgreSQL (503)."
    )
    database_idle_timeout_s: float = Field(
        default=60.0,
        gt=0.0,
        le=3600.0,
        description="After which PostgreSQL ends a transaction that does nothing, and frees what it has locked.",
    )
    reserve_bytes: int = Field(
        default=32 << 20,
        ge=0,
        description="Room that is kept beside an SQLite file, so that erasing works when the disk is full; 0: none. At "
        "the start it takes half of the room there is at most.",
    )
    database_silence_s: float = Field(
        default=3.0,
        ge=1.0,
        le=60.0,
        description="After how long without any sign of life from PostgreSQL what waits for it is given up (503). A "
        "statement that takes long is none: the server is asked beside it.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on. Other than loopback needs keys.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    auth: Literal["open", "keys"] | None = Field(
        default=None,
        description="`open`: loopback requests without a key act for the default tenant. "
        "`keys`: every request needs a key. Default: open on loopback, keys elsewhere.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, as a JSON list "
        '(`["10.0.0.5"]`): keys that are bound to networks are held to it. Default: nobody is believed.',
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs cursors and hashes keys; without it, made once in `data_dir`. "
        "Processes that share a database must share it.",
    )

    root_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Encrypts what memories say (docs/encryption.md): with it, all that is written from now on. Every "
        "process on the same database needs it; without it, what is encrypted is lost. Keep it apart from the database "
        "and its backups.",
    )
    root_key_former: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The root key that `root_key` takes the place of, until `memsvc encryption rotate-root` is done.",
    )

    secrets_dir: Path | None = Field(
        default=None,
        description="Folder of files that hold settings, one each, named like their variable in lower case: "
        "`memsvc_secret`, `memsvc_database_url`. The environment goes before them.",
    )

    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis or Valkey that processes share (the extra `redis`): `redis://`, `rediss://` or `unix://`. "
        "A cache, shared limits and a bell; nothing is lost with it (docs/operations.md).",
    )
    redis_prefix: str = Field(
        default="memsvc",
        pattern="^[A-Za-z0-9_.-]{1,64}$",
        description="Begins every key there: services that share a Redis have one each.",
    )
    recall_cache_s: float | None = Field(
        default=None,
        ge=0.0,
        le=300.0,
        description="How long what a recall found may be given again while its namespace does not change; 0: never. "
        "Default: 5 with Redis, else 0.",
    )
    recall_cache_max: int = Field(
        default=2_000, ge=0, le=1_000_000, description="Answers that a process keeps itself, before Redis."
    )
    question_cache_s: float = Field(
        default=3_600.0, ge=0.0, le=604_800.0, description="How long the vector of a question is kept in Redis; 0: not."
    )

    embedder: str = Field(
        default="packaged:bge-small-en-v1.5-int8",
        description="`packaged:<name>`, `sentence-transformers:<name or path>`, `openai:<model>` or `hashing:<dim>`.",
    )
    embedder_second: str | None = Field(
        default=None,
        description="A second embedding model, named in the same way: namespaces can be moved from one to the other "
        "while they are in use, see docs/operations.md.",
    )
    reembed_share: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="Share of the time for which the job that moves a namespace to another model works; the rest it "
        "leaves to everybody else.",
    )
    embedder_url: str | None = Field(default=None, description="Base URL of an OpenAI-compatible endpoint.")
    embedder_api_key: SecretStr | None = Field(default=None, description="Key for that endpoint.")
    embedder_dim: int | None = Field(default=None, ge=1, le=8192, description="Dimension of that endpoint's vectors.")
    reranker: str = Field(
        default="packaged:ms-marco-MiniLM-L-12-v2",
        description="Cross-encoder of the profiles balanced and thorough: packaged:<name>, "
        "sentence-transformers:<name or path>, or none.",
    )
    channels_off: tuple[str, ...] = Field(
        default=("associative", "spreading"),
        description="Channels that are left out, by name (a JSON list); docs/channels says what each one does and "
        "costs.",
    )
    fusion_weights: Path | None = Field(
        default=None, description="File with weights of the fusion in the place of the shipped ones."
    )
    rerank_weights: Path | None = Field(
        default=None, description="File with weights of the final order in the place of the shipped ones."
    )
    confidence_weights: Path | None = Field(
        default=None, description="File with weights of the confidence in the place of the shipped ones."
    )
    adaptive_fusion: bool = Field(
        default=False, description="Let feedback on recalls move the weights of channels, namespace by namespace."
    )
    reranker_threads: int = Field(
        default=0, ge=0, le=256, description="Pairs that are read side by side; 0: one for each usable core."
    )
    embedder_threads: int = Field(
        default_factory=lambda: min(4, usable_cores()), ge=1, le=256, description="Threads that run the model."
    )

    large_from: int = Field(
        default=LARGE_FROM,
        ge=0,
        description="Memories from which a namespace has an index that proposes the nearest ones (it needs faiss, the "
        "extra `cpu` or `gpu`); 0: never, every memory is compared.",
    )

    tiers: Literal["on", "off"] = Field(
        default="on",
        description="Whether the bank keeps the vectors of warm memories in 8 bits a dimension and those of cold ones "
        "in 4; off: all in 16. The database keeps 16 in any case. The same for all processes that share a device.",
    )

    gpu: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="`auto`: a device finds the nearest memories where there is one (it needs the extra `gpu`). `on`: "
        "do not start without one. `off`: use none.",
    )
    gpu_from: int = Field(
        default=DEVICE_FROM,
        ge=1,
        description="Memories that a filter must leave for a device to be asked; fewer are compared on the processor.",
    )
    gpu_lists_from: int = Field(
        default=LISTS_FROM,
        ge=0,
        description="Memories that a filter must leave for a device to look for words, entities and places as well; "
        "fewer are scanned on the processor. 0: never, which saves the room of these on the device.",
    )
    gpu_codes: Literal["int8", "int4", "bit1"] = Field(
        default="int8",
        description="How exactly the codes are that a device looks for the nearest memories of a large namespace with, "
        "before it compares the best of them: in 8, 4 or 1 bits a dimension, beside the vectors. "
        "docs/decisions/0014-large-namespaces.md says how many of the best each finds.",
    )
    gpu_codes_from: int = Field(
        default=0,
        ge=0,
        description="Vectors from which a namespace on a device is searched by codes, so that one of the best may be "
        "missing; 0: never, all are compared.",
    )
    gpu_socket: str | None = Field(
        default=None,
        description="Where `memsvc gpu`, the one process that has the device, listens: `ipc:///path/to/socket`. Then "
        "this process opens none itself.",
    )
    gpu_memory_share: float = Field(
        default=0.6, gt=0.0, le=0.95, description="Share of the free device memory that the bank takes at the start."
    )
    gpu_devices: int = Field(
        default=0,
        ge=0,
        description="Most devices that the bank spreads over, the first of those that CUDA_VISIBLE_DEVICES leaves; "
        "0: all.",
    )
    gpu_pinned_bytes: int = Field(
        default=1 << 28,
        ge=0,
        description="Pinned memory of the host for namespaces that make room on a device, taken at the start; 0: none, "
        "they are copied anew.",
    )
    gpu_metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of `host` at which `memsvc gpu` gives its metrics, without a key; without it, it gives none.",
    )

    mcp: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="`auto`: tools for agents at `/mcp` (docs/mcp.md) where the extra `mcp` is installed. `on`: do not "
        "start without it. `off`: nothing there.",
    )
    mcp_destructive: Literal["on", "off"] = Field(
        default="off", description="Whether agents are offered tools that take memories away (forget, delete_...)."
    )
    mcp_tools: Literal["memory", "graph", "all"] = Field(
        default="memory",
        description="Which tools: memories as they are, the knowledge graph of the reference memory server of MCP, or "
        "both.",
    )

    console: Literal["on", "off"] = Field(
        default="on", description="Whether the page for people (docs/console.md) is at `/console`."
    )

    mem0_namespace: str | None = Field(
        default=None,
        pattern=r"^[^\s/*]{1,128}(/[^\s/*]{1,128}){0,15}$",
        description="Namespace of each tenant in which clients of mem0 read and write at `/compat/mem0` "
        "(docs/compat.md). Without it, nothing is there.",
    )

    jobs: Literal["on", "off"] = Field(
        default="on",
        description="Whether this process does the work on namespaces that is due (fading), or leaves it to others on "
        "the same database.",
    )
    jobs_every_s: float = Field(default=30.0, gt=0.0, le=3600.0, description="How often it looks what is due.")

    worker_beat: Path | None = Field(
        default=None,
        description="File that `memsvc worker` touches before each round, for `python -m memsvc.health.probe beat`.",
    )

    summariser: str = Field(
        default="extractive",
        description="Who words gists: extractive (the best sentences, no model) or openai:<model> (any service that "
        "speaks the OpenAI chat protocol; texts are sent there).",
    )
    summariser_url: str | None = Field(
        default=None, description="Base URL of `openai:`, up to and including the version: https://host/v1."
    )
    summariser_api_key: SecretStr | None = Field(default=None, description="Key for that service.")
    vacuum: Literal["plain", "full"] | None = Field(
        default=None,
        description="How the bytes of what was erased leave the database's files. `full` writes the tables (SQLite: "
        "the file) anew, so that nothing is left in them; PostgreSQL locks each one while it does, on SQLite other "
        "writes wait. Default: full on SQLite, plain on PostgreSQL.",
    )
    vacuum_every_s: int = Field(
        default=3_600,
        ge=1,
        description="Least time between two such reclaims on PostgreSQL, by whatever process.",
    )

    screening: dict[Family, Action] = Field(
        default={"credential": "flag"},
        description="What is done about secrets and personal data in what is written, where a namespace's owner set "
        'nothing else, as JSON: `{"credential": "redact", "card": "reject"}`. Families: credential, card, iban, email, '
        "phone; actions: off, flag, redact, reject. What is not named is off.",
    )
    content_max_bytes: int = Field(default=256 * 1024, ge=1, description="Largest content of a memory, in UTF-8.")
    metadata_max_bytes: int = Field(default=16 * 1024, ge=2, description="Largest metadata of a memory, as JSON.")
    query_max_bytes: int = Field(default=8 * 1024, ge=1, description="Longest question.")
    body_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="Largest request body.")
    import_max_bytes: int = Field(
        default=4 << 30, ge=1024, description="Largest export of a namespace that is imported."
    )
    batch_max: int = Field(default=1000, ge=1, le=10_000, description="Most memories in one call.")
    top_k_max: int = Field(default=200, ge=1, description="Most hits of one recall.")
    page_max: int = Field(default=200, ge=1, description="Most items of one page of a list.")

    limit_tenant_requests_per_s: float | None = Field(
        default=None, gt=0.0, le=1e6, description="Requests in a second that a tenant may make; none: no limit."
    )
    limit_tenant_requests_burst: int | None = Field(
        default=None, ge=1, le=10**7, description="Of these at once; by default those of one second."
    )
    limit_tenant_tokens_per_day: int | None = Field(
        default=None, ge=1, le=10**15, description="Tokens (bytes / 4) that a tenant may have embedded in a day."
    )
    limit_key_requests_per_s: float | None = Field(
        default=None, gt=0.0, le=1e6, description="Requests in a second that a key may make; none: no limit."
    )
    limit_key_requests_burst: int | None = Field(
        default=None, ge=1, le=10**7, description="Of these at once; by default those of one second."
    )
    limit_key_tokens_per_day: int | None = Field(
        default=None, ge=1, le=10**15, description="Tokens (bytes / 4) that a key may have embedded in a day."
    )
    limit_tenant_memories: int | None = Field(
        default=None, ge=0, description="Memories that a tenant may have, in whatever state; new ones are refused then."
    )
    limit_tenant_bytes: int | None = Field(
        default=None, ge=0, description="Bytes of content that a tenant may have, of all versions."
    )
    limit_namespace_memories: int | None = Field(
        default=None, ge=0, description="The same for each namespace: memories."
    )
    limit_namespace_bytes: int | None = Field(
        default=None, ge=0, description="The same for each namespace: bytes of content."
    )
    bank_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Memory that the bank may take: beyond it, namespaces that nobody used for a while leave it and "
        "are loaded again when somebody asks. None: all stay.",
    )

    request_threads: int = Field(default=8, ge=1, description="Requests worked on at the same time.")
    request_wait_s: float = Field(
        default=1.0,
        gt=0.0,
        description="How long a request may have to wait until work on it begins; one that would wait longer is "
        "refused at once (503).",
    )
    request_queue: int = Field(
        default=512, ge=1, description="Requests in flight before new ones are refused (503), however quickly done."
    )
    streams_max: int = Field(
        default=64,
        ge=0,
        description="Streams of events open at the same time before new ones are refused (429); 0: none. Each counts "
        "as a request in flight.",
    )
    stream_every_s: float = Field(
        default=5.0, gt=0.0, le=600.0, description="How often an open stream looks what is new in its namespace."
    )
    commit_group_max: int = Field(default=64, ge=1, description="Most writes that share one SQLite commit.")
    idempotency_ttl_s: int = Field(default=86_400, ge=1, description="How long an idempotency key is remembered.")
    shutdown_grace_s: int = Field(default=20, ge=0, description="Time that running requests get on shutdown.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`auto`: text on a terminal, JSON lines elsewhere."
    )

    slow_recall_ms: float = Field(
        default=1000.0,
        ge=0.0,
        description="From how many milliseconds on a recall is logged with the time of each channel (`slow_recall`); "
        "0: none is.",
    )
    trace_endpoint: str | None = Field(
        default=None,
        description="Where an OpenTelemetry collector takes spans over HTTP: `http://host:4318/v1/traces` (it needs "
        "the extra `otel`). Without it nothing is recorded.",
    )
    trace_share: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Share of the requests that are traced; one with a `traceparent` follows what that says.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files of `secrets_dir`, which only the first two may name."""
        folder = init_settings().get("secrets_dir")
        if folder is None and isinstance(env_settings, EnvSettingsSource):  # only this one of it: the rest comes later
            folder, *_ = env_settings.get_field_value(cls.model_fields["secrets_dir"], "secrets_dir")
        if folder is None:
            return init_settings, env_settings
        names = frozenset(cls.model_fields) - {"secrets_dir"}
        return init_settings, env_settings, SecretFiles(settings_cls, Path(folder), PREFIX.lower(), names)

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'memsvc.db'}"

    @property
    def hot_recall_s(self) -> float:
        """How long what a recall found may be given again, in force."""
        return (_HOT_RECALL_S if self.redis_url else 0.0) if self.recall_cache_s is None else self.recall_cache_s

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def auth_mode(self) -> Literal["open", "keys"]:
        """The mode in force."""
        return self.auth or ("open" if self.is_loopback else "keys")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and the command line.

    Raises:
        StartupRefused: a name is unknown, a value is wrong, or an open server would be reachable from elsewhere.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | CLIENT_NAMES
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise StartupRefused(f"unknown settings in the environment: {', '.join(unknown)}; docs/settings.md lists all")
    try:
        settings = Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise StartupRefused(f"wrong settings: {wrong}") from None
    except SettingsError as error:  # not the JSON that a list must be; it names the setting and no value
        raise StartupRefused(f"wrong settings: {error}") from None
    if settings.auth_mode == "open" and not settings.is_loopback:
        raise StartupRefused(
            f"refusing to serve on {settings.host} without keys: listen on 127.0.0.1, or drop MEMSVC_AUTH=open "
            "and make a key with `memsvc admin-key`"
        )
    return settings
