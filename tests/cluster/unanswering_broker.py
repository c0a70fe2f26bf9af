"""`mq broker` that notes each send it has an answer for, and dies with that answer when it is told to.

`python -m tests.cluster.unanswering_broker FLAGS...`, with the flags of `mq broker`. Beside the data folder NAME, each line of
the file NAME.sends is `REQUEST-ID MESSAGE-ID OFFSET`, and a file NAME.dies says that the next send is not answered any more.
"""

import os
import signal
import sys
from pathlib import Path

from mq.cli.main import main
from mq.proto import rocketmq_v2_pb2 as pb
from mq.rpc.handling import Context, headers_of
from mq.rpc.messaging import MessagingHandlers

_send_message = MessagingHandlers.send_message


async def _note_and_die(handlers: MessagingHandlers, raw: bytes, context: Context) -> bytes:
    answer = await _send_message(handlers, raw, context)
    data = Path(sys.argv[sys.argv.index("--data") + 1])
    with data.with_suffix(".sends").open("a", encoding="utf-8") as notes:
        for entry in pb.SendMessageResponse.FromString(answer).entries:
            notes.write(f"{headers_of(context)['x-mq-request-id']} {entry.message_id} {entry.offset}\n")
    switch = data.with_suffix(".dies")
    if switch.exists():
        switch.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


if __name__ == "__main__":
    MessagingHandlers.send_message = _note_and_die  # type: ignore[method-assign, assignment]
    sys.exit(main(["broker", *sys.argv[1:]]))
