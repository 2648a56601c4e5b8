// A client in a process of its own, to be killed: node lone.mjs INDEX-IN-CLIENTS BASE TOPIC

import { CLIENTS, connected } from './clients.mjs';

const [at, base, topic] = process.argv.slice(2);
await connected({ after() {} }, base, CLIENTS[Number(at)], { query: { topic } });
process.stdout.write('connected\n');
