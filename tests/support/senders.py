"""What stands in for other servers and for secrets when a WEBHOOK step runs by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.errors import StepFailed

#: The base64 of 24 bytes, which is the shortest key that receivers accept.
SIGNING_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@dataclass
class FakeSender:
    """Answers every request in the same way and remembers what was sent."""

    answer: HttpResponse | StepFailed = field(default_factory=lambda: HttpResponse(200, {}, b""))
    sent: list[HttpRequest] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, or raise it."""
        self.sent.append(request)
        if isinstance(self.answer, StepFailed):
            raise self.answer
        return self.answer

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the newest request, by lower-case name."""
        return {name.lower(): value for name, value in self.sent[-1].headers}


@dataclass
class FakeSecrets:
    """Holds secrets in the clear."""

    stored: Mapping[str, str] = field(default_factory=dict)
    signing: Sequence[str] = (SIGNING_SECRET,)

    async def reveal(self, secret_ids: Sequence[str]) -> Mapping[str, str]:
        """Return stored secrets by id; fail for others."""
        if missing := set(secret_ids) - set(self.stored):
            raise StepFailed(f"{missing} are missing.", "CREDENTIAL_MISSING")
        return {each: self.stored[each] for each in secret_ids}

    async def signing_secrets(self) -> Sequence[str]:
        """Return the signing secrets."""
        return self.signing

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return an account of the environment."""
        return Account("sk-test", credential_id="cr_1")

    async def refused(self, account: Account, words: str) -> None:
        """Forget it."""


def answered(
    status: int = 200, body: bytes = b"", content_type: str = "", **headers: str
) -> HttpResponse:
    """Make an answer; underscores in names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        named["content-type"] = content_type
    return HttpResponse(status, named, body)
