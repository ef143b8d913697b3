"""Agent-5: the last value of the metrics it is told, then every change: agent5.py nats://host:4222 NAME..."""
import asyncio, os, sys
import nats
from cloudevents.v1.http import from_json

def show(message):
    metric = from_json(message.data).data
    for of in metric["values"]:
        print(metric["name"], of["window"], of["dimensions"], of["value"], metric["log_position"], flush=True)

async def main(url, *names):
    bus = await nats.connect(url)
    api = bus.jetstream(prefix=os.environ.get("JETSTREAM_API", "$JS.API"))
    changes = await bus.subscribe("flywheel.metrics.*")
    for name in names:
        show(await api.get_last_msg("FLYWHEEL_METRICS", f"flywheel.metrics.{name}"))
    async for message in changes.messages:
        show(message)
asyncio.run(main(*sys.argv[1:]))
