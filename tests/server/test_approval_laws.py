"""Whatever is sent to the desk of approvals, only a well-formed answer to an open question counts."""

import asyncio
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hilt.backends import ScriptedBackend
from hilt.server import create_app
from hilt.settings import ServerOptions
from hilt.tools import Approval, ApprovalRequest, Approved, Change, Desk, Refused
from tests.server.fakes import ask

KEY = "a-long-key-of-the-server"
WORDS = st.sampled_from(["decision", "reason", "approve", "refuse", "", "x", None, 1, True])
BODIES = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from(["decision", "reason", "fingerprint"]), WORDS, max_size=3
).map(lambda body: json.dumps(body).encode())


@settings(deadline=None)
@given(body=BODIES)
@example(body=b"[" * 9000)
@example(body=b'{"decision":' + b"[" * 9000)
@example(body=b'{"decision": "approve", "decision": "refuse"}')
def test_whatever_is_answered(body: bytes) -> None:
    desk = Desk(300)
    app = create_app(
        {"scripted": ScriptedBackend([])},
        ServerOptions(api_key=KEY),
        version="0",
        new_id=lambda: "n",
        now_s=lambda: 0.0,
        desk=desk,
    )
    request = ApprovalRequest("f1", "run", "c1", "write", "write", "{}", "", (Change("edit", "é"),))
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

    async def answered() -> tuple[Any, Approval | None]:
        asked = asyncio.create_task(desk.approve(request))
        await asyncio.sleep(0)
        listed = await ask(app, "GET", "/v1/approvals", headers=headers)
        assert json.loads(listed.body)["data"][0]["id"] == "f1"
        answer = await ask(app, "POST", "/v1/approvals/f1", body, headers)
        if answer.status == 200:
            return answer, await asked
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        return answer, None

    answer, decision = asyncio.run(answered())
    if answer.status == 200:
        said = json.loads(body)["decision"]
        assert decision == Approved("f1") if said == "approve" else isinstance(decision, Refused)
    else:
        assert answer.status == 400
        assert answer.error["message"]
