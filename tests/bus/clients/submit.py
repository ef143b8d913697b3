"""Submits a finished session and prints what became of it: python submit.py work_session.json"""
import asyncio, json, os, sys
import nats
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent

async def main():
    session = json.load(open(sys.argv[1]))
    agent = session["agent_id"]
    attributes = {"type": "dev.dreamos.session.completed.v1", "source": f"/agents/{agent}", "datacontenttype": "application/json"}
    message = to_structured_event(CloudEvent(attributes, session))
    bus = await nats.connect(os.environ["NATS_URL"])
    answer = await bus.request(f"swarm.session.submit.{agent}", message.body, timeout=30, headers=message.headers)
    print(answer.data.decode())
    await bus.drain()

asyncio.run(main())
