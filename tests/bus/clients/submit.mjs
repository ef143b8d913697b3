// Submits a finished session and prints what became of it: node submit.mjs work_session.json
import { readFileSync } from "node:fs";
import { connect, headers } from "@nats-io/transport-node";
import { CloudEvent, HTTP } from "cloudevents";

const session = JSON.parse(readFileSync(process.argv[2]));
const source = `/agents/${session.agent_id}`;
const message = HTTP.binary(new CloudEvent({ type: "dev.dreamos.session.completed.v1", source, data: session }));
const lines = headers();
for (const [name, value] of Object.entries(message.headers)) lines.set(name, value);
const bus = await connect({ servers: process.env.NATS_URL });
const answer = await bus.request(`swarm.session.submit.${session.agent_id}`, message.body, { headers: lines, timeout: 30_000 });
console.log(answer.string());
await bus.drain();
