"""Publishes a finished session, in binary mode: python publish.py work_session.json"""
import asyncio, json, os, sys
import nats
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent

async def main():
    session = json.load(open(sys.argv[1]))
    agent = session["agent_id"]
    attributes = {"type": "dev.dreamos.session.completed.v1", "source": f"/agents/{agent}", "datacontenttype": "application/json"}
    message = to_binary_event(CloudEvent(attributes, session))
    bus = await nats.connect(os.environ["NATS_URL"])
    ack = await bus.jetstream().publish(f"swarm.session.completed.{agent}", message.body, headers=message.headers)
    print(ack)
    await bus.drain()

asyncio.run(main())
