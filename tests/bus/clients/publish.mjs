// Publishes a finished session, in structured mode: node publish.mjs work_session.json
import { readFileSync } from "node:fs";
import { connect, headers } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import { CloudEvent, HTTP } from "cloudevents";

const session = JSON.parse(readFileSync(process.argv[2]));
const source = `/agents/${session.agent_id}`;
const message = HTTP.structured(new CloudEvent({ type: "dev.dreamos.session.completed.v1", source, data: session }));
const lines = headers();
for (const [name, value] of Object.entries(message.headers)) lines.set(name, value);
const bus = await connect({ servers: process.env.NATS_URL });
console.log(await jetstream(bus).publish(`swarm.session.completed.${session.agent_id}`, message.body, { headers: lines }));
await bus.drain();
